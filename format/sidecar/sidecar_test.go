package sidecar

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/rows"
)

func file(t *testing.T, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "orders.csv")
	if err := os.MkdirAll(filepath.Dir(Path(path)), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestSchemaComesBack(t *testing.T) {
	path := file(t, "id\n1\n")
	want := arrow.NewSchema([]arrow.Field{
		rows.Field("id", arrow.PrimitiveTypes.Int16, false, "pg:smallint"),
		rows.Field("ip", arrow.BinaryTypes.String, true, "pg:inet"),
		rows.Field("l", arrow.ListOf(typename.Decimal(50, 3)), true, ""),
		rows.Field("z", typename.TimestampTZ, true, ""),
		rows.Field("j", typename.JSON, true, "syncline:json"),
	}, nil)
	if err := Write(nil, path, path, Schema{Columns: want, Key: []string{"id"}}); err != nil {
		t.Fatal(err)
	}
	got, ok := Read(nil, path)
	if !ok || !got.Columns.Equal(want) || !slices.Equal(got.Key, []string{"id"}) {
		t.Fatalf("%v %v", ok, got)
	}
}

func TestSchemaOfAnotherFile(t *testing.T) {
	path := file(t, "id\n1\n")
	s := Schema{Columns: arrow.NewSchema([]arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}, nil)}
	if _, ok := Read(nil, path); ok {
		t.Fatal("a schema from nowhere")
	}
	if err := Write(nil, path, path, s); err != nil {
		t.Fatal(err)
	}
	for _, content := range []string{"id\n2\n", "id\n1\n1\n"} {
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
		if _, ok := Read(nil, path); ok {
			t.Errorf("the schema was taken for %q", content)
		}
	}
	if err := os.WriteFile(Path(path), []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, ok := Read(nil, path); ok {
		t.Error("half a schema")
	}
	if err := Remove(nil, path); err != nil {
		t.Fatal(err)
	}
	if err := Remove(nil, path); err != nil {
		t.Error("removing twice:", err)
	}
}
