package files

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/csv"
	"github.com/synclinehq/syncline/format/ndjson"
	"github.com/synclinehq/syncline/format/sidecar"
	"github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/source"
)

// Entities lists the files, or the one entity that they are together.
func (s *Source) Entities(ctx context.Context, patterns []string) ([]source.Entity, error) {
	found, err := s.files(ctx)
	if err != nil {
		return nil, err
	}
	groups := s.groups(found)
	var names []string
	for _, g := range groups {
		names = append(names, g.name)
	}
	picked, err := pick(names, patterns)
	if err != nil {
		return nil, err
	}
	var entities []source.Entity
	for _, g := range groups {
		if len(patterns) > 0 && !picked[g.name] {
			continue
		}
		e, err := s.describe(ctx, g)
		if err != nil {
			return nil, err
		}
		entities = append(entities, e)
	}
	return entities, nil
}

// group is the files of one entity.
type group struct {
	name  string
	files []file
}

func (s *Source) groups(found []file) []group {
	if s.settings.Entity != "" {
		return []group{{s.settings.Entity, found}}
	}
	var groups []group
	for _, f := range found {
		groups = append(groups, group{f.name, []file{f}})
	}
	return groups
}

// group finds the files of an entity as they are now.
func (s *Source) group(ctx context.Context, entity string) (group, error) {
	found, err := s.files(ctx)
	if err != nil {
		return group{}, err
	}
	for _, g := range s.groups(found) {
		if g.name == entity {
			return g, nil
		}
	}
	return group{}, syncline.Errorf(syncline.NotFound, "there is no file %q any more", entity).Of(syncline.ClassSource)
}

// sampleBytes bounds what is read of one file to find its types.
const sampleBytes = 32 << 20

// sample is what the first rows of files say.
type sample struct {
	src     *Source
	ended   func() error
	limit   int64 // rows of one file
	csv     *csv.Guess
	json    *ndjson.Guess
	names   []string // of CSV columns
	first   string   // the file whose header they are
	rows    int64    // seen
	bytes   int64    // they take, decoded
	decoded float64  // of all files, as far as their samples tell
	whole   bool     // nothing was left out
}

// describe finds schema and size of an entity.
func (s *Source) describe(ctx context.Context, g group) (source.Entity, error) {
	e := source.Entity{Name: g.name, Rows: -1, Bytes: -1}
	known, ok := s.known(g)
	look := &sample{src: s, ended: func() error { return s.ended(ctx) }, limit: s.sampleRows(len(g.files)), whole: true}
	if ok {
		look.limit = min(look.limit, 100) // only to estimate how many there are
	}
	for _, f := range g.files {
		if err := look.file(f.path); err != nil {
			return e, err
		}
	}
	e.Schema = look.schema()
	if ok && (look.csv == nil || slices.Equal(look.names, columnNames(known.Columns))) {
		e.Schema, e.Key = known.Columns, known.Key
	}
	if e.Schema.NumFields() == 0 {
		return e, syncline.Errorf(syncline.InvalidArgument, "%s has no columns", g.files[0].path).Of(syncline.ClassData).
			Try("a CSV file needs a header, or header: false and at least one row; a JSON Lines file at least one object")
	}
	look.estimate(&e)
	return e, nil
}

// sampleRows shares the sample out over the files of an entity.
func (s *Source) sampleRows(files int) int64 {
	if s.settings.Sample == 0 {
		return 1<<63 - 1
	}
	return max(s.settings.Sample/int64(files), min(s.settings.Sample, 100))
}

// known is the schema that was kept when Syncline wrote the files.
func (s *Source) known(g group) (sidecar.Schema, bool) {
	var known sidecar.Schema
	for i, f := range g.files {
		one, ok := sidecar.Read(s.tree, f.path)
		if !ok || i > 0 && (!one.Columns.Equal(known.Columns) || !slices.Equal(one.Key, known.Key)) {
			return sidecar.Schema{}, false
		}
		known = one
	}
	return known, true
}

// file looks at the first rows of a file.
func (l *sample) file(path string) error {
	o, err := l.src.openFile(path, l.ended)
	if err != nil {
		return err
	}
	defer func() { _ = o.Close() }() // it was only read
	left := int64(sampleBytes)
	if l.src.settings.Sample == 0 {
		left = 1<<63 - 1
	}
	var whole bool
	switch l.src.formatOf(path) {
	case formatCSV, formatTSV:
		whole, err = l.fileCSV(o, &head{o, left})
	case formatJSONL:
		whole, err = l.fileJSON(o, &head{o, left})
	default:
		return noFormat(path)
	}
	if err != nil {
		return err
	}
	l.whole = l.whole && whole
	share, err := o.share()
	l.decoded += share
	return err
}

// head reads the beginning of a stream, and then fails: that it goes on must not look
// like its end, or the row that is cut there would be taken for one.
type head struct {
	r    io.Reader
	left int64
}

var errEnough = errors.New("the sample ends here")

func (h *head) Read(p []byte) (int, error) {
	if h.left <= 0 {
		return 0, errEnough
	}
	n, err := h.r.Read(p[:min(int64(len(p)), h.left)])
	h.left -= int64(n)
	return n, err
}

func (l *sample) fileCSV(o *opened, r io.Reader) (whole bool, err error) {
	d, err := l.src.dialect(o)
	if err != nil {
		return false, err
	}
	s := csv.NewScanner(r, d, stream.Start)
	if d.Header {
		names, err := csv.Header(s)
		if err == io.EOF {
			return true, nil
		}
		if err == nil {
			err = l.sameHeader(names, d, o.path)
		}
		if err != nil {
			return false, o.fault(err)
		}
	}
	start := s.At().Offset
	whole, err = l.rowsCSV(s, d)
	l.bytes += s.At().Offset - start
	if err != nil {
		return false, o.fault(err)
	}
	return whole, nil
}

// rowsCSV adds rows up to the limit, and says whether that was all of them.
func (l *sample) rowsCSV(s *csv.Scanner, d csv.Dialect) (bool, error) {
	for n := int64(0); n < l.limit; n++ {
		row, err := s.Next()
		_, bad := err.(*csv.Malformed)
		switch {
		case bad: // a reject when it is read
		case err == io.EOF:
			return true, nil
		case err == errEnough:
			return false, nil
		case err != nil:
			return false, err
		case row.Blank() && len(l.names) != 1:
			continue
		case l.csv == nil:
			l.names = numbered(len(row.Fields))
			l.csv = csv.NewGuess(l.names, d)
		}
		l.rows++
		if !bad {
			l.csv.Add(row)
		}
	}
	return false, nil
}

// sameHeader holds the files of one entity to one header.
func (l *sample) sameHeader(names []string, d csv.Dialect, path string) error {
	if l.csv == nil {
		l.csv, l.names, l.first = csv.NewGuess(names, d), names, path
		return nil
	}
	if !slices.Equal(names, l.names) {
		return syncline.Errorf(syncline.InvalidArgument, "%s and %s have different headers, so they cannot be one entity: %s", l.first, path, difference(l.names, names)).
			Of(syncline.ClassData).Try("let the path match only files of the same columns in the same order")
	}
	return nil
}

func difference(a, b []string) string {
	for i := range max(len(a), len(b)) {
		if i >= len(a) || i >= len(b) || a[i] != b[i] {
			return fmt.Sprintf("column %d is %s in one and %s in the other", i+1, at(a, i), at(b, i))
		}
	}
	return "no difference"
}

func at(names []string, i int) string {
	if i < len(names) {
		return fmt.Sprintf("%q", names[i])
	}
	return "missing"
}

func numbered(n int) (names []string) {
	for i := range n {
		names = append(names, fmt.Sprintf("column_%d", i+1))
	}
	return names
}

func (l *sample) fileJSON(o *opened, r io.Reader) (whole bool, err error) {
	if l.json == nil {
		l.json = ndjson.NewGuess()
	}
	if start, _ := o.Peek(block); strings.HasPrefix(strings.TrimLeft(string(start), "\ufeff \t\r\n"), "[") {
		return false, syncline.Errorf(syncline.InvalidArgument, "%s is a JSON array, not JSON Lines", o.path).Of(syncline.ClassData).
			Try("write one object a line: jq -c '.[]' %s", o.path)
	}
	seen, size, err := l.json.Sample(r, l.limit)
	l.rows += seen
	l.bytes += size
	if err != nil && err != errEnough {
		return false, o.fault(err)
	}
	return err == nil && seen < l.limit, nil
}

// schema joins what files of either format said; an entity has one format.
func (l *sample) schema() *arrow.Schema {
	switch {
	case l.csv != nil:
		return l.csv.Schema()
	case l.json != nil:
		return l.json.Schema()
	}
	return arrow.NewSchema(nil, nil)
}

func (l *sample) estimate(e *source.Entity) {
	if l.whole {
		e.Rows, e.Bytes, e.EstimateFrom = l.rows, l.bytes, "count"
		return
	}
	e.Bytes, e.EstimateFrom = int64(l.decoded), "file size"
	if l.bytes > 0 {
		e.Rows = int64(l.decoded * float64(l.rows) / float64(l.bytes))
	}
}

func columnNames(s *arrow.Schema) []string {
	var names []string
	for _, f := range s.Fields() {
		names = append(names, f.Name)
	}
	return names
}
