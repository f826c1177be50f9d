package sidecar

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/rows"
)

// FuzzRead: whatever stands beside a file is no schema, or one that comes back the same
// when it is written again.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		`[{"name":"id","type":"int16","native":"pg:smallint","required":true}]`, `[{"name":"l","type":"list<decimal(50,3)>"}]`,
		`[{"name":"z","type":"timestamptz"},{"name":"j","type":"json","native":"syncline:json"}]`, `[]`, `null`, `[{}]`, `[{"name":"a","type":"?"}]`, `{`,
	} {
		f.Add([]byte(s), "id")
	}
	dir := f.TempDir()
	path := filepath.Join(dir, "orders.csv")
	if err := os.MkdirAll(filepath.Join(dir, Dir), 0o755); err != nil {
		f.Fatal(err)
	}
	if err := os.WriteFile(path, []byte("id\n1\n"), 0o644); err != nil {
		f.Fatal(err)
	}
	size, hash, err := identity(nil, path)
	if err != nil {
		f.Fatal(err)
	}
	f.Fuzz(func(t *testing.T, columns []byte, key string) {
		doc := fmt.Appendf(nil, `{"size":%d,"hash":%q,"key":[%q],"columns":%s}`, size, hash, key, columns)
		if err := os.WriteFile(Path(path), doc, 0o600); err != nil {
			t.Fatal(err)
		}
		s, ok := Read(nil, path)
		if !ok {
			return
		}
		if !json.Valid(doc) {
			t.Fatalf("a schema from %s", doc)
		}
		if err := Write(nil, path, path, s); err != nil {
			t.Fatal(err)
		}
		again, ok := Read(nil, path)
		if !ok || !again.Columns.Equal(s.Columns) && !named(s) || !slices.Equal(again.Key, s.Key) {
			t.Fatalf("%s became %v, then %v", doc, s, again)
		}
	})
}

// named: a json column gets a native type when it is written without one.
func named(s Schema) bool {
	return slices.ContainsFunc(s.Columns.Fields(), func(f arrow.Field) bool { return native(f) != rows.Native(f) })
}
