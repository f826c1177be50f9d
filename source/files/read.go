package files

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"iter"
	"path/filepath"

	"github.com/synclinehq/syncline/format/csv"
	"github.com/synclinehq/syncline/format/ndjson"
	"github.com/synclinehq/syncline/format/record"
	"github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// place is a position in a file: a row boundary, and the state of the file that has it.
type place struct {
	record.Position
	File identity `json:"file"`
}

// reader cuts an open file into batches.
type reader interface {
	Next() (record.Batch, error)
	Close()
}

// Read yields the rows of one file. A file that is not the one the plan was made of, or
// that changes while it is read, ends it with an error of reason source_changed: rows of
// two states are never joined.
func (s *Source) Read(ctx context.Context, q source.Query, _ source.Plan, part source.Part, from []byte) iter.Seq2[rows.Batch, error] {
	return func(yield func(rows.Batch, error) bool) {
		if part.ID == nothing && part.Bounds == nil {
			return
		}
		if err := s.read(ctx, q, part, from, yield); err != nil {
			yield(rows.Batch{}, err)
		}
	}
}

func (s *Source) read(ctx context.Context, q source.Query, part source.Part, from []byte, yield func(rows.Batch, error) bool) error {
	ended := func() error { return s.ended(ctx) }
	o, at, err := s.begin(part, from, ended)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // it was only read
	r, err := s.reader(o, q, at)
	if err != nil {
		return err
	}
	defer r.Close()
	for requests := int64(1); ; requests = 0 {
		if err := ended(); err != nil {
			return err
		}
		b, err := r.Next()
		if err == io.EOF {
			return o.unchanged()
		}
		if err != nil {
			return o.fault(err)
		}
		out, err := batch(b, o.id)
		if err != nil {
			return err
		}
		out.Requests = requests
		if !yield(out, nil) {
			return nil
		}
	}
}

func batch(b record.Batch, id identity) (rows.Batch, error) {
	next, err := json.Marshal(place{b.Next, id})
	if err != nil {
		return rows.Batch{}, fmt.Errorf("position: %w", err)
	}
	return rows.Batch{
		Format: rows.Arrow, Record: b.Record, Rows: b.Record.NumRows(), Bytes: b.Bytes,
		Rejects: b.Rejects, First: b.First, Next: next, Release: b.Record.Release,
	}, nil
}

// begin opens the part's file at a position, and refuses any other file.
func (s *Source) begin(part source.Part, from []byte, ended func() error) (*opened, record.Position, error) {
	at := place{Position: record.Position{Place: stream.Start}}
	var b bounds
	if err := json.Unmarshal(part.Bounds, &b); err != nil {
		return nil, at.Position, fmt.Errorf("bounds of part %s: %w", part.ID, err)
	}
	o, err := s.openFile(b.Path, ended)
	if err != nil {
		return nil, at.Position, err
	}
	if from != nil {
		err = json.Unmarshal(from, &at)
	} else {
		at.File = b.File
	}
	switch {
	case err != nil:
		err = fmt.Errorf("position in part %s: %w", part.ID, err)
	case o.id != b.File || o.id != at.File:
		err = changed(b.Path)
	}
	if err != nil {
		_ = o.Close() // it was only read
		return nil, at.Position, err
	}
	return o, at.Position, nil
}

// reader goes to the position and reads from there.
func (s *Source) reader(o *opened, q source.Query, at record.Position) (r reader, err error) {
	name := filepath.Base(o.path)
	format, d := s.formatOf(o.path), csv.Dialect{}
	if format == "" {
		return nil, noFormat(o.path)
	}
	if format != formatJSONL {
		// The separator shows at the beginning, before anything is skipped.
		if d, err = s.dialect(o); err != nil {
			return nil, err
		}
		d.Header = d.Header && o.id.Size > 0 // an empty one of several files has none
	}
	if at.Offset > 0 {
		if err := o.skip(at.Offset); err != nil {
			return nil, err
		}
	}
	if format == formatJSONL {
		r, err = ndjson.NewReader(o, name, q.Entity.Schema, at)
	} else {
		r, err = csv.NewReader(o, name, d, q.Entity.Schema, at)
	}
	if err != nil {
		return nil, o.fault(err)
	}
	return r, nil
}
