package files

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
)

// bounds is what a part reads: one file, in the state it was in when the load began.
type bounds struct {
	Path string   `json:"path"`
	File identity `json:"file"`
}

// mark is the state of the files that were read, by name.
type mark map[string]identity

// nothing is the ID of the part of a plan that has nothing to read.
const nothing = "nothing-new"

// Plan makes a part of every file, in incremental mode of those that are new or have
// changed since the mark. Files have no cursor columns.
func (s *Source) Plan(ctx context.Context, q source.Query) (source.Plan, error) {
	if err := cursorless(q); err != nil {
		return source.Plan{}, err
	}
	g, err := s.group(ctx, q.Entity.Name)
	if err != nil {
		return source.Plan{}, err
	}
	since, err := readMark(q)
	if err != nil {
		return source.Plan{}, err
	}
	p := source.Plan{Resume: source.ResumeByPart}
	until := mark{}
	var size int64
	for _, f := range g.files {
		id, err := s.identity(ctx, f.path)
		if err != nil {
			return p, err
		}
		until[f.name] = id
		before, seen := since[f.name]
		if seen && before == id {
			continue
		}
		if seen && q.Tail {
			return p, rewritten(f)
		}
		part, err := newPart(f, id)
		if err != nil {
			return p, err
		}
		p.Parts = append(p.Parts, part)
		size += id.Size
	}
	if p.Until, err = json.Marshal(until); err != nil {
		return p, fmt.Errorf("mark of %s: %w", q.Entity.Name, err)
	}
	expect(&p, q.Entity, size, until)
	return p, nil
}

func newPart(f file, id identity) (source.Part, error) {
	b, err := json.Marshal(bounds{Path: f.path, File: id})
	if err != nil {
		return source.Part{}, fmt.Errorf("part %s: %w", f.name, err)
	}
	return source.Part{ID: f.name, Bounds: b, Rows: -1}, nil
}

// expect shares the entity's estimate out by the files' sizes.
func expect(p *source.Plan, e source.Entity, size int64, all mark) {
	p.Expected, p.ExpectedFrom = e.Rows, e.EstimateFrom
	if len(p.Parts) == 0 {
		p.Parts = []source.Part{{ID: nothing, Rows: 0}}
		p.Expected, p.ExpectedFrom = 0, "count"
	}
	if len(p.Parts) < len(all) && p.Expected > 0 {
		var total int64
		for _, id := range all {
			total += id.Size
		}
		p.Expected, p.ExpectedFrom = int64(float64(e.Rows)*float64(size)/float64(max(total, 1))), "file size"
	}
	if len(p.Parts) == 1 {
		p.Parts[0].Rows = p.Expected
	}
}

func cursorless(q source.Query) error {
	if q.Cursor != "" {
		err := syncline.Invalid("cursor", "%s cannot be read by the column %q: files are read incrementally as a whole, those that are new or have changed", q.Entity.Name, q.Cursor)
		return err.Try("leave the cursor out")
	}
	if q.Window != nil {
		return syncline.Invalid("window", "%s is a file, of which no stretch of time can be read by itself", q.Entity.Name).Try("run it in full mode")
	}
	return nil
}

func readMark(q source.Query) (mark, error) {
	if q.Mode != syncline.ModeIncremental || q.Since == nil {
		return nil, nil
	}
	var m mark
	if err := json.Unmarshal(q.Since, &m); err != nil {
		return nil, fmt.Errorf("mark of %s: %w", q.Entity.Name, err)
	}
	return m, nil
}

func rewritten(f file) error {
	return syncline.Errorf(syncline.FailedPrecondition, "%s has changed since its rows were appended; appending it again would repeat them", f.path).
		Of(syncline.ClassSource).Because("source_rewritten").Try("give the entity a key and write: upsert, or run it in full mode with write: replace")
}

func (s *Source) identity(ctx context.Context, path string) (identity, error) {
	o, err := s.openFile(path, func() error { return s.ended(ctx) })
	if err != nil {
		return identity{}, err
	}
	return o.id, o.Close()
}
