package elasticsearch

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
)

// marker is the field by which our documents are known among others: whose they are, and
// which load wrote them last.
const marker = "_syncline"

// markerMapping is how documents are found by it.
var markerMapping = mapping{Properties: map[string]mapping{"stream": {Type: "keyword"}, "load": {Type: "keyword"}}}

// metadata are names that a field of a document cannot have.
var metadata = []string{
	"_id", "_index", "_source", "_type", "_routing", "_field_names", "_ignored", "_nested_path", "_seq_no", "_primary_term",
	"_version", "_doc_count", "_tier", "_data_stream_timestamp", "_size", "_feature", "_ignored_source", "_tsid", "_inference_fields",
	marker,
}

// checkTarget refuses what no index can take.
func checkTarget(t destination.Target) error {
	if err := checkIndex(t.Table); err != nil {
		return err
	}
	schema := t.Entity.Schema
	for _, f := range schema.Fields() {
		if err := text.Check(f.Type); err != nil {
			return syncline.Invalid("types", "column %q: %w", f.Name, err).Try("give the column another type")
		}
		if !legal(f.Name) {
			return syncline.Invalid("", "%q cannot be the name of a field in an index", f.Name).Try("rename the column in the source, in a view for instance")
		}
	}
	for _, k := range t.Entity.Key {
		if !schema.HasField(k) {
			return syncline.Invalid("key", "the key column %q of %s is not among its columns", k, t.Entity.Name).Try("name a column that is there")
		}
	}
	if t.Disposition == syncline.Upsert && len(t.Entity.Key) == 0 {
		return syncline.Invalid("key", "%s has no key, so its rows cannot be matched with the documents of %s", t.Entity.Name, t.Table).
			Try("name its key (--key id), or write with replace or append")
	}
	return checkWindow(t)
}

// legal reports whether a document can have a field of that name. Dots part objects from
// their fields.
func legal(name string) bool {
	if slices.Contains(metadata, name) {
		return false
	}
	for part := range strings.SplitSeq(name, ".") {
		if strings.TrimSpace(part) == "" {
			return false
		}
	}
	return true
}

// checkWindow: dates are found to the millisecond, so that is how finely a stretch can be cut.
func checkWindow(t destination.Target) error {
	if !stretch(t) {
		return nil
	}
	f, ok := t.Entity.Schema.FieldsByName(t.Cursor)
	if !ok || mapped(f[0]).Type != "date" {
		return syncline.Invalid("cursor", "a stretch of %s can only be replaced along a cursor of dates or timestamps", t.Entity.Name).
			Try("name the cursor (--cursor updated_at)")
	}
	if t.Window.From.Nanosecond()%1e6 != 0 || t.Window.To.Nanosecond()%1e6 != 0 {
		return syncline.Invalid("window", "a stretch of the index %s begins and ends with a millisecond", t.Table).Try("round the window")
	}
	return nil
}

// stretch reports whether a load replaces just what lies within its window.
func stretch(t destination.Target) bool { return t.Window != nil && t.Disposition == syncline.Replace }

// shape is what is written of the source's columns, and where.
type shape struct {
	schema *arrow.Schema
	from   []int              // where its columns stand in the source's
	add    map[string]mapping // fields that the index lacks
}

// settle brings the source's columns together with the index that is there; nil: none is.
func settle(t destination.Target, have *index) (*shape, error) {
	s := &shape{add: map[string]mapping{}}
	var fields []arrow.Field
	for i, f := range t.Entity.Schema.Fields() {
		there, ok := have.field(f.Name)
		switch {
		case ok && !accepts(there, f):
			return nil, &destination.SchemaChange{
				Table: t.Table, Column: f.Name, Source: typename.Word(f.Type), Target: there.word(), Policy: t.Columns,
			}
		case !ok && have.filled() && t.Columns == syncline.ColumnsIgnore && !slices.Contains(t.Entity.Key, f.Name):
			continue
		case !ok && have.filled() && t.Columns == syncline.ColumnsFreeze:
			return nil, &destination.SchemaChange{Table: t.Table, Column: f.Name, Source: typename.Word(f.Type), Policy: t.Columns}
		case !ok:
			s.add[f.Name] = mapped(f)
		}
		fields, s.from = append(fields, f), append(s.from, i)
	}
	if err := s.mark(t.Table, have); err != nil {
		return nil, err
	}
	s.schema = arrow.NewSchema(fields, nil)
	return s, nil
}

// mark sees to it that documents can be found by their marker. In a field that is analysed
// no stream would be found, and all documents would be taken for those of others.
func (s *shape) mark(table string, have *index) error {
	for name, want := range markerMapping.Properties {
		there, ok := have.field(marker + "." + name)
		if !ok {
			s.add[marker] = markerMapping
		} else if there.Type != want.Type {
			return syncline.Errorf(syncline.FailedPrecondition, "the field %s.%s of the index %s is %s and not %s, as Syncline makes it", marker, name, table, there.word(), want.Type).
				Of(syncline.ClassConfig).Try("write to another index, or make this one anew without that field")
		}
	}
	return nil
}

func (m mapping) word() string {
	if m.Type == "" {
		return "object"
	}
	return m.Type
}

// project is a record of only the columns that are written.
func (s *shape) project(rec arrow.RecordBatch) arrow.RecordBatch {
	if len(s.from) == int(rec.NumCols()) {
		rec.Retain()
		return rec
	}
	var kept []arrow.Array
	for _, i := range s.from {
		kept = append(kept, rec.Column(i))
	}
	return array.NewRecordBatch(s.schema, kept, rec.NumRows())
}

// print tells whether what an earlier attempt wrote can be gone on with.
func (s *shape) print(key []string) string {
	var b strings.Builder
	for _, f := range s.schema.Fields() {
		b.WriteString(f.Name + "\x00" + typename.Word(f.Type) + "\x00")
	}
	return short(b.String() + strings.Join(key, "\x00"))
}
