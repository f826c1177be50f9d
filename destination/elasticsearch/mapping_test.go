package elasticsearch

import (
	"encoding/json"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/destination/destinationtest"
	"github.com/synclinehq/syncline/rows"
)

func TestMapping(t *testing.T) {
	text := `{"type":"text","fields":{"keyword":{"type":"keyword","ignore_above":256}}}`
	word := `{"type":"keyword","ignore_above":8191}`
	date := `{"type":"date","format":"strict_date_optional_time","ignore_malformed":true}`
	want := map[string]string{
		"specimen": text, "text": text, "texts": text,
		"int16": `{"type":"long"}`, "int32": `{"type":"long"}`, "int64": `{"type":"long"}`, "ints": `{"type":"long"}`,
		"float32": `{"type":"double","ignore_malformed":true}`, "float64": `{"type":"double","ignore_malformed":true}`,
		"bool": `{"type":"boolean"}`, "binary": `{"type":"binary"}`,
		"decimal128": `{"type":"keyword"}`, "decimal256": `{"type":"keyword"}`, "decimal_whole": `{"type":"long"}`,
		"date": date, "timestamp": date, "timestamptz": date, "time": word, "uuid": word, "interval": word,
		"json": `{"type":"object","enabled":false}`,
	}
	for _, f := range destinationtest.ZooFields() {
		got, err := json.Marshal(mapped(f))
		if err != nil || string(got) != want[f.Name] {
			t.Errorf("%s: %s, want %s (%v)", f.Name, got, want[f.Name], err)
		}
	}
}

func TestAccepts(t *testing.T) {
	for _, c := range []struct {
		t     arrow.DataType
		field string
		want  bool
	}{
		{arrow.PrimitiveTypes.Int32, "integer", true},
		{arrow.PrimitiveTypes.Int64, "integer", false},
		{arrow.PrimitiveTypes.Int64, "double", false},
		{arrow.PrimitiveTypes.Int32, "double", true},
		{&arrow.Decimal128Type{Precision: 20, Scale: 4}, "double", true},
		{&arrow.Decimal128Type{Precision: 12, Scale: 2}, "long", false},
		{arrow.FixedWidthTypes.Boolean, "double", false},
		{arrow.BinaryTypes.String, "keyword", true},
		{arrow.BinaryTypes.String, "long", false},
		{arrow.FixedWidthTypes.Date32, "date_nanos", true},
		{arrow.ListOf(arrow.PrimitiveTypes.Int16), "short", true},
		{arrow.BinaryTypes.String, "", false}, // an object
	} {
		f := arrow.Field{Name: "f", Type: c.t}
		if got := accepts(mapping{Type: c.field}, f); got != c.want {
			t.Errorf("%s into %q: %v", c.t, c.field, got)
		}
	}
	inet := rows.Field("f", arrow.BinaryTypes.String, true, "pg:inet")
	if m := mapped(inet); m.Type != "ip" || !accepts(m, inet) {
		t.Errorf("inet: %+v", m)
	}
	if m := mapped(rows.Field("f", arrow.BinaryTypes.String, true, "pg:numeric")); m.Type != "keyword" {
		t.Errorf("numeric: %+v", m)
	}
	if m := mapped(rows.Field("f", arrow.BinaryTypes.String, true, "pg:character varying(60)")); m.Type != "text" {
		t.Errorf("varchar: %+v", m)
	}
}

func TestLegalNames(t *testing.T) {
	for name, want := range map[string]bool{
		"id": true, "_syncline_x": true, "a.b": true, "日本語": true, "with space": true,
		"_id": false, "_source": false, "_syncline": false, "": false, " ": false, "a..b": false, ".a": false, "a.": false, "a. .b": false,
	} {
		if legal(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
