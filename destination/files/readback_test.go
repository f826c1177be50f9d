package files

import (
	"encoding/json"
	"fmt"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/destination/destinationtest"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	sourcefiles "github.com/synclinehq/syncline/source/files"
)

// TestReadBack: the files source reads what was written with the exact types, native
// ones and the key included, and every value.
func TestReadBack(t *testing.T) {
	for _, name := range []string{"zoo.csv", "zoo.tsv", "zoo.jsonl", "zoo.csv.gz", "zoo.jsonl.zst"} {
		fields := destinationtest.ZooFields()
		for i := range fields {
			fields[i] = rows.Field(fields[i].Name, fields[i].Type, fields[i].Nullable, "pg:"+fields[i].Name)
		}
		schema := arrow.NewSchema(fields, nil)
		path := filepath.Join(t.TempDir(), name)
		b := newBench(t, fmt.Sprintf(`{"path": %q}`, path))
		w, _ := b.begin("load", func(t *destination.Target) {
			t.Entity = source.Entity{Name: "zoo", Schema: schema, Key: []string{"specimen"}}
		})
		rec := zoo(t, schema)
		l, err := w.Part(t.Context(), "0", w.t.Fence.Token)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := l.Write(t.Context(), rows.Batch{Format: rows.Arrow, Record: rec, Rows: rec.NumRows(), Next: []byte("end"), Release: rec.Release}); err != nil {
			t.Fatal(err)
		}
		p, err := l.Finish(t.Context())
		if err != nil || p.Counts.Rejected > 0 {
			t.Fatalf("%+v, %v", p, err)
		}
		b.publish(w, "", p.Counts)

		e, got := readFile(t, path)
		if !e.Schema.Equal(schema) || !slices.Equal(e.Key, []string{"specimen"}) {
			t.Errorf("%s: read as %s, key %q", name, e.Schema, e.Key)
		}
		for i, row := range destinationtest.Texts(rec) {
			if i >= len(got) || !slices.Equal(got[i], row) {
				t.Errorf("%s: row %q is another", name, row[0])
			}
		}
	}
}

func zoo(t testing.TB, schema *arrow.Schema) arrow.RecordBatch {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for _, row := range destinationtest.Zoo() {
		for i, f := range schema.Fields() {
			if row[i] == destinationtest.Null {
				b.Field(i).AppendNull()
			} else if err := text.Parse(b.Field(i), f, row[i]); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.NewRecordBatch()
}

// readFile reads a file with the files source.
func readFile(t testing.TB, path string) (source.Entity, []destinationtest.Row) {
	t.Helper()
	settings, err := json.Marshal(map[string]string{"path": path})
	if err != nil {
		t.Fatal(err)
	}
	s, err := sourcefiles.Kind.Open(t.Context(), env, settings)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	all, err := s.Entities(t.Context(), nil)
	if err != nil {
		t.Fatal(err)
	}
	q := source.Query{Entity: all[0], Mode: syncline.ModeFull, Format: rows.Arrow, Parallel: 1}
	p, err := s.Plan(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	var got []destinationtest.Row
	for batch, err := range s.Read(t.Context(), q, p, p.Parts[0], nil) {
		if err != nil {
			t.Fatal(err)
		}
		for _, r := range batch.Rejects {
			t.Errorf("%s: %s", r.Key, r.Message)
		}
		got = append(got, destinationtest.Texts(batch.Record)...)
		batch.Release()
	}
	return all[0], got
}
