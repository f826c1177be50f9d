package ndjson

import (
	"fmt"
	"io"
	"math"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/format/record"
	"github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/rows"
)

// schemaOf makes a schema from "name type" words; a third word is the native type.
func schemaOf(t testing.TB, columns ...string) *arrow.Schema {
	t.Helper()
	var fields []arrow.Field
	for _, c := range columns {
		words := append(strings.Fields(c), "")
		dt, err := typename.Parse(words[1])
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, rows.Field(words[0], dt, true, words[2]))
	}
	return arrow.NewSchema(fields, nil)
}

func open(t testing.TB, in string, schema *arrow.Schema) *Reader {
	t.Helper()
	r, err := NewReader(strings.NewReader(in), "f", schema, record.Position{Place: stream.Start})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// readAll draws the rows and rejects of a stream.
func readAll(t testing.TB, in string, schema *arrow.Schema) string {
	t.Helper()
	r := open(t, in, schema)
	defer r.Close()
	var out strings.Builder
	for {
		b, err := r.Next()
		if err == io.EOF {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(b.Record.NumRows()) {
			for _, c := range b.Record.Columns() {
				if c.IsNull(i) {
					out.WriteString("|NULL")
				} else {
					fmt.Fprintf(&out, "|%s", text.Append(nil, c, i))
				}
			}
			out.WriteString("\n")
		}
		for _, r := range b.Rejects {
			fmt.Fprintf(&out, "! row %d %s %s: %s\n", r.Row, r.Key, r.Code, r.Message)
		}
	}
}

func TestRead(t *testing.T) {
	for _, c := range []struct {
		name string
		cols []string
		in   string
		want string
	}{
		{"plain", []string{"a int64", "b text"}, "{\"a\":1,\"b\":\"x\"}\r\n\n  \n{ \"b\" : \"é\\n\" , \"a\" : -2 }", "|1|x\n|-2|é\n\n"},
		{"bom", []string{"a int64"}, "\xef\xbb\xbf{\"a\":1}\n", "|1\n"},
		{"null and missing", []string{"a int64", "b text", "c json", "d json pg:jsonb"}, `{"a":null,"c":null,"d":null}` + "\n{\"b\":\"\"}\n", "|NULL|NULL|NULL|null\n|NULL||NULL|NULL\n"},
		{"escaped names", []string{"é\" int64"}, `{"\u00e9\"":1}`, "|1\n"},
		{"nested", []string{"a json"}, `{"a":{"b": [1.10, "x"]}}`, "|{\"b\": [1.10, \"x\"]}\n"},
		{"numbers as strings", []string{"a int64", "b decimal(5,2)", "c bool"}, `{"a":"7","b":"1.1","c":"true"}` + "\n" + `{"a":7,"b":1.10,"c":true}`, "|7|1.10|true\n|7|1.10|true\n"},
		{"text that stands as number", []string{"a text"}, `{"a":1.10}` + "\n" + `{"a":true}`, "|1.10\n|true\n"},
		{"binary", []string{"a binary"}, `{"a":"AP8="}`, "|\\x00ff\n"},
		{"null member that is no column", []string{"a int64"}, `{"a":1,"new":null}`, "|1\n"},
		{"empty object", []string{"a int64"}, "{}\n { } \n", "|NULL\n|NULL\n"},
		{
			"rejects",
			[]string{"a int64", "t text"},
			strings.Join([]string{
				`{"a":1,"new":2}`, `[1]`, `1`, `{"a":1`, `{"a":1}}`, `{"a":1,"a":2}`, `{"a":1.5}`, `{"a":{}}`, `{"t":[5]}`, "{\"t\":\"\xff\"}", `{"t":"\ud800"}`, `{"a":01}`, `{'a':1}`, "\v", `{"a":3}`,
			}, "\n"),
			`|3|NULL
! row 0 f:1 columns: the member "new" is not one of the columns, which come from the first rows
! row 1 f:2 malformed: the line is a JSON array, not an object: JSON Lines has one object a line (jq -c '.[]' makes them of an array)
! row 2 f:3 malformed: the line is not a JSON object
! row 3 f:4 malformed: the text ends inside a JSON value
! row 4 f:5 malformed: text stands behind the JSON object, at byte 8 of the line
! row 5 f:6 malformed: the member "a" stands twice in the object
! row 6 f:7 type: column "a": "1.5" is not a whole number
! row 7 f:8 type: column "a": "{}" is not a value of type int64
! row 8 f:9 type: column "t": "[5]" is not a value of type utf8
! row 9 f:10 encoding: invalid UTF-8
! row 10 f:11 type: column "t": half a surrogate pair in a JSON string, such as \ud800, is no character
! row 11 f:12 malformed: unexpected "1" at byte 7 of the JSON text
! row 12 f:13 malformed: unexpected "'" at byte 2 of the JSON text
! row 13 f:14 malformed: the line is not a JSON object
`,
		},
	} {
		if got := readAll(t, c.in, schemaOf(t, c.cols...)); got != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, got, c.want)
		}
	}
}

func TestGuess(t *testing.T) {
	for want, in := range map[string]string{
		"a int64":                   "{\"a\":1}\n{\"a\":-9223372036854775808}\n{}\n{\"a\":null}",
		"a json":                    "{\"a\":1}\n{\"a\":9223372036854775808}",
		"a float64":                 "{\"a\":1}\n{\"a\":1.5e3}\n{\"a\":-0}",
		"a json ":                   "{\"a\":0.12345678901234567891}",
		"a text, b bool":            "{\"a\":\"2024-01-01\",\"b\":true}\nbroken\n{\"b\":false}",
		"a json  ":                  "{\"a\":1}\n{\"a\":\"x\"}",
		"a json   ":                 "{\"a\":null}",
		"a json    ":                "{\"a\":[1]}",
		"b int64, a int64, c int64": "{\"b\":1,\"a\":1}\n{\"a\":1,\"c\":2,\"\":3}",
		"":                          "\n\n[]\n",
	} {
		g := NewGuess()
		if _, _, err := g.Sample(strings.NewReader(in), 100); err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, f := range g.Schema().Fields() {
			got = append(got, f.Name+" "+typename.Word(f.Type))
		}
		if strings.Join(got, ", ") != strings.TrimRight(want, " ") {
			t.Errorf("%q: %s, want %s", in, strings.Join(got, ", "), want)
		}
	}
	g := NewGuess()
	if n, size, err := g.Sample(strings.NewReader("{\"a\":1}\n\n{\"b\":1}\n{\"c\":1}\n"), 2); n != 2 || size != 17 || err != nil {
		t.Errorf("a sample of 2 has %d rows of %d bytes, %v", n, size, err)
	}
}

func TestHugeLine(t *testing.T) {
	r, err := NewReader(io.MultiReader(strings.NewReader("{\"a\":\""), io.LimitReader(letters{}, 64<<20), strings.NewReader("\"}\n{\"a\":\"x\"}\n")),
		"f", schemaOf(t, "a text"), record.Position{Place: stream.Start})
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Next()
	if err != nil || len(b.Rejects) != 1 || b.Rejects[0].Code != rows.CodeTooLarge || b.Record.NumRows() != 1 {
		t.Fatal(b, err)
	}
	for extra := range 2 {
		line := `{"a":"` + strings.Repeat("x", rows.MaxRowBytes-9+extra) + "\"}\n"
		b, err := open(t, line, schemaOf(t, "a text")).Next()
		if err != nil || len(b.Rejects) != extra {
			t.Errorf("a line of %d bytes: %d rejects, %v", len(line), len(b.Rejects), err)
		}
	}
}

type letters struct{}

func (letters) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestBrokenStreamIsNoEnd(t *testing.T) {
	r, err := NewReader(io.MultiReader(strings.NewReader("{\"a\":1}\n{\"a\":2}"), iotest.ErrReader(io.ErrUnexpectedEOF)), "f", schemaOf(t, "a int64"), record.Position{Place: stream.Start})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != io.ErrUnexpectedEOF {
		t.Error(err)
	}
}

func TestResumeFromEveryBatch(t *testing.T) {
	var in strings.Builder
	const n = 150_000
	for i := range n {
		fmt.Fprintf(&in, "{\"id\":%d,\"note\":\"line %d\"}\n", i, i)
		if i%1000 == 0 {
			in.WriteString("broken\n\n")
		}
	}
	schema := schemaOf(t, "id int64", "note text")
	read := func(at record.Position) (next []record.Position, ids, rejects int64) {
		r, err := NewReader(strings.NewReader(in.String()[at.Offset:]), "f", schema, at)
		if err != nil {
			t.Fatal(err)
		}
		defer r.Close()
		for {
			b, err := r.Next()
			if err == io.EOF {
				return next, ids, rejects
			}
			if err != nil {
				t.Fatal(err)
			}
			if b.First != at.Row {
				t.Fatalf("the batch begins with row %d, not %d", b.First, at.Row)
			}
			at = b.Next
			next, ids, rejects = append(next, b.Next), ids+b.Record.NumRows(), rejects+int64(len(b.Rejects))
			b.Record.Release()
		}
	}
	places, ids, rejects := read(record.Position{Place: stream.Start})
	if ids != n || rejects != n/1000 || len(places) < 3 {
		t.Fatalf("%d rows, %d rejects in %d batches", ids, rejects, len(places))
	}
	for _, at := range places {
		rest, ids, rejects := read(at)
		if at.Row+ids+rejects != n+n/1000 || len(rest) > 0 && !slices.Contains(places, rest[0]) {
			t.Errorf("from %+v: %d rows and %d rejects", at, ids, rejects)
		}
	}
}

// TestRoundTrip writes rows of many types and reads them back.
func TestRoundTrip(t *testing.T) {
	schema := schemaOf(t, "i int64", "f float64", "t text", "b binary", "l list<text>", "j json pg:jsonb", "d decimal(20,3)", "z timestamptz", "o bool")
	rapid.Check(t, func(t *rapid.T) {
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		for range rapid.IntRange(1, 4).Draw(t, "rows") {
			for i, c := range b.Fields() {
				if rapid.IntRange(0, 3).Draw(t, "null") == 0 {
					c.AppendNull()
					continue
				}
				put(t, schema.Field(i), c)
			}
		}
		want := b.NewRecordBatch()
		w, err := NewWriter(schema)
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		for i := range int(want.NumRows()) {
			out = w.AppendRow(out, want, i)
		}
		r, err := NewReader(strings.NewReader(string(out)), "f", schema, record.Position{Place: stream.Start})
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Next()
		if err != nil || len(got.Rejects) > 0 || !array.RecordEqual(got.Record, want) {
			t.Fatalf("%s came back as %v, %v (%v)", out, got.Record, got.Rejects, err)
		}
	})
}

func put(t *rapid.T, f arrow.Field, b array.Builder) {
	s := ""
	switch f.Name {
	case "f":
		// NaN is not equal to itself, which RecordEqual would take for a fault.
		s = string(text.Append(nil, floats(rapid.Float64().Draw(t, "f")), 0))
	case "i":
		s = fmt.Sprint(rapid.Int64().Draw(t, "i"))
	case "t":
		s = rapid.String().Draw(t, "t")
	case "b":
		s = fmt.Sprintf(`\x%x`, rapid.SliceOf(rapid.Byte()).Draw(t, "b"))
	case "l":
		s = "[" + string(jsontext.AppendQuoted(nil, rapid.String().Draw(t, "l"))) + ",null]"
	case "j":
		s = rapid.SampledFrom([]string{"null", `{"a": 1.10}`, `"x"`, "[]"}).Draw(t, "j")
	case "d":
		s = rapid.SampledFrom([]string{"0.001", "-99999999999999999.999", "1"}).Draw(t, "d")
	case "z":
		s = rapid.SampledFrom([]string{"infinity", "2024-02-29T12:00:00.5Z", "0044-03-15T00:00:00Z BC"}).Draw(t, "z")
	case "o":
		s = fmt.Sprint(rapid.Bool().Draw(t, "o"))
	}
	if err := text.Parse(b, f, s); err != nil {
		t.Fatal(err)
	}
}

func floats(f float64) arrow.Array {
	b := array.NewFloat64Builder(memory.DefaultAllocator)
	b.Append(f)
	return b.NewArray()
}

func TestWrite(t *testing.T) {
	schema := schemaOf(t, "i int64", "f float64", "d decimal(5,2)", "j json", "b binary", "z timestamptz")
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	for i, s := range []string{"9007199254740993", "NaN", "1.10", "{\"a\":\n1}", `\x00ff`, "2024-02-29 12:00:00+00"} {
		if err := text.Parse(b.Field(i), schema.Field(i), s); err != nil {
			t.Fatal(err)
		}
	}
	b.Field(0).AppendNull()
	b.Field(1).(*array.Float64Builder).Append(math.Inf(-1))
	for _, f := range b.Fields()[2:] {
		f.AppendNull()
	}
	w, err := NewWriter(schema)
	if err != nil {
		t.Fatal(err)
	}
	rec := b.NewRecordBatch()
	got := string(w.AppendRow(w.AppendRow(nil, rec, 0), rec, 1))
	want := `{"i":9007199254740993,"f":"NaN","d":"1.10","j":{"a": 1},"b":"AP8=","z":"2024-02-29T12:00:00Z"}
{"i":null,"f":"-Infinity","d":null,"b":null,"z":null}
`
	if got != want {
		t.Errorf("wrote\n%swant\n%s", got, want)
	}
}

// FuzzRead asserts that every line that is not blank becomes a row or a reject, and that
// rows come back from what is written of them.
func FuzzRead(f *testing.F) {
	for _, s := range []string{`{"a":1,"t":"x"}`, "{\"a\":null}\n\n{", `{"j":[1,{"b":null}]}`, "[]\n{}\n1", "{\"t\":\"\\ud83d\\ude00\"}", "{\"a\":1,\"a\":1}", "{\"x\":1}"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		// A carriage return between the tokens of a json value is written as a space.
		if strings.Contains(in, "\r") || strings.HasPrefix(in, "\xff\xfe") || strings.HasPrefix(in, "\xfe\xff") {
			return
		}
		var count int64
		for l := range strings.SplitSeq(strings.TrimPrefix(in, "\xef\xbb\xbf"), "\n") {
			if strings.Trim(l, " \t\r") != "" {
				count++
			}
		}
		schema := schemaOf(t, "a int64", "t text", "j json x:json")
		r := open(t, in, schema)
		defer r.Close()
		w, err := NewWriter(schema)
		if err != nil {
			t.Fatal(err)
		}
		var seen int64
		for {
			b, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatal(err)
			}
			seen += b.Record.NumRows() + int64(len(b.Rejects))
			var out []byte
			for i := range int(b.Record.NumRows()) {
				out = w.AppendRow(out, b.Record, i)
			}
			if len(out) == 0 {
				continue
			}
			again, err := open(t, string(out), schema).Next()
			if err != nil || len(again.Rejects) > 0 || !array.RecordEqual(again.Record, b.Record) {
				t.Fatalf("%q was written as %q and came back as %v %v %v", in, out, again.Record, again.Rejects, err)
			}
		}
		if seen != count {
			t.Fatalf("%d rows and rejects of %d lines", seen, count)
		}
	})
}

func BenchmarkRead(b *testing.B) {
	var in strings.Builder
	for i := range 50_000 {
		fmt.Fprintf(&in, "{\"id\":%d,\"name\":\"customer %d\",\"amount\":%d.25,\"ok\":true,\"at\":\"2013-01-01T05:00:00Z\"}\n", i, i, i)
	}
	schema := schemaOf(b, "id int64", "name text", "amount float64", "ok bool", "at timestamptz")
	b.SetBytes(int64(in.Len()))
	for b.Loop() {
		r := open(b, in.String(), schema)
		for {
			batch, err := r.Next()
			if err != nil {
				break
			}
			batch.Record.Release()
		}
	}
}
