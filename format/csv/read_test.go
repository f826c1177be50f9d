package csv

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/format/record"
	"github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
)

// schemaOf makes a schema from "name type" words.
func schemaOf(t testing.TB, columns ...string) *arrow.Schema {
	t.Helper()
	var fields []arrow.Field
	for _, c := range columns {
		name, word, _ := strings.Cut(c, " ")
		dt, err := typename.Parse(word)
		if err != nil {
			t.Fatal(err)
		}
		fields = append(fields, arrow.Field{Name: name, Type: dt, Nullable: true})
	}
	return arrow.NewSchema(fields, nil)
}

// readAll draws the rows and rejects of a stream.
func readAll(t testing.TB, in string, d Dialect, schema *arrow.Schema) string {
	t.Helper()
	r, err := NewReader(strings.NewReader(in), "f.csv", d, schema, record.Position{Place: stream.Start})
	if err != nil {
		t.Fatal(err)
	}
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
			fmt.Fprintf(&out, "! row %d %s %s: %s %q\n", r.Row, r.Key, r.Code, r.Message, r.Sample)
		}
	}
}

func TestRead(t *testing.T) {
	d := Default()
	na := Default()
	na.Null = []string{"NA"}
	for _, c := range []struct {
		name string
		d    Dialect
		cols []string
		in   string
		want string
	}{
		{"null and empty", d, []string{"a text", "b int64"}, "a,b\n,\n\"\",1\n", "|NULL|NULL\n||1\n"},
		{"null words", na, []string{"a text", "b int64"}, "a,b\nNA,NA\n\"NA\",\n,2\n", "|NULL|NULL\n|NA|NULL\n||2\n"},
		{"one column", d, []string{"a text"}, "a\n\nx\n\"\"\n", "|NULL\n|x\n|\n"},
		{"blank lines", d, []string{"a text", "b text"}, "a,b\n\n1,2\n\n", "|1|2\n"},
		{
			"quoted empty number", d,
			[]string{"a int64", "b text"},
			"a,b\n\"\",x\n2,y\n",
			"|2|y\n! row 0 f.csv:2 type: column \"a\": \"\" is not a whole number \"\\\"\\\",x\\n\"\n",
		},
		{
			"fields", d,
			[]string{"a int64", "b text"},
			"a,b\n1\n1,2,3\n1,2\n",
			"|1|2\n! row 0 f.csv:2 columns: the row has 1 fields, the file has 2 columns \"1\\n\"\n! row 1 f.csv:3 columns: the row has 3 fields, the file has 2 columns \"1,2,3\\n\"\n",
		},
		{
			"values", d,
			[]string{"a int64", "b list<int64>"},
			"a,b\n1,[1]\n2,\"[1,x]\"\nx,[2]\n3,\n",
			"|1|[1]\n|3|NULL\n! row 1 f.csv:3 type: column \"b\": \"[1,x]\" is not a JSON array: unexpected \"x\" at byte 4 of the JSON text \"2,\\\"[1,x]\\\"\\n\"\n! row 2 f.csv:4 type: column \"a\": \"x\" is not a whole number \"x,[2]\\n\"\n",
		},
		{
			"encoding", d,
			[]string{"a text", "b text"},
			"a,b\n1,\xff\n2,é\n",
			"|2|é\n! row 0 f.csv:2 encoding: column \"b\": invalid UTF-8 \"1,\\xff\\n\"\n",
		},
		{
			"malformed", d,
			[]string{"a text", "b text"},
			"a,b\n1,x\"\n2,3\n4,\"5\n",
			"|2|3\n! row 0 f.csv:2 malformed: a quote stands inside a field that does not begin with one \"1,x\\\"\\n\"\n! row 2 f.csv:4 malformed: a quote that is opened here is never closed \"4,\\\"5\\n\"\n",
		},
		{"NUL", d, []string{"a text", "b text"}, "a,b\n\x00,2\n", "|\x00|2\n"},
	} {
		if got := readAll(t, c.in, c.d, schemaOf(t, c.cols...)); got != c.want {
			t.Errorf("%s:\n%swant\n%s", c.name, got, c.want)
		}
	}
}

func TestLayouts(t *testing.T) {
	f := arrow.Field{Name: "d", Type: arrow.FixedWidthTypes.Date32, Nullable: true, Metadata: arrow.NewMetadata([]string{LayoutKey}, []string{"dd.mm.yyyy"})}
	got := readAll(t, "d\n31.12.2024\n1.2.2024\n2024-01-01\n30.2.2024\n", Default(), arrow.NewSchema([]arrow.Field{f}, nil))
	if !strings.HasPrefix(got, "|2024-12-31\n|2024-02-01\n!") || strings.Count(got, "not a date written dd.mm.yyyy") != 2 {
		t.Error(got)
	}
}

func TestHeaderIsChecked(t *testing.T) {
	for in, want := range map[string]string{
		"a,b\n":   "",
		"a,c\n":   "the header is a, c, not a, b",
		"\"a\n":   "not well formed",
		"":        "the header is , not a, b",
		"a,b,b\n": `"b" twice`,
		"a,\n":    "column 2 has no name",
		"a,\xff":  "column 2 in the header is not valid UTF-8",
	} {
		_, err := NewReader(strings.NewReader(in), "f", Default(), schemaOf(t, "a text", "b text"), record.Position{Place: stream.Start})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", in, err, want)
		}
	}
}

func TestResumeFromEveryBatch(t *testing.T) {
	var in strings.Builder
	in.WriteString("\xef\xbb\xbfid,note\n")
	const n = 200_000
	for i := range n {
		fmt.Fprintf(&in, "%d,\"line\n%d\"\n", i, i)
		if i%1000 == 0 {
			in.WriteString("broken\n")
		}
	}
	schema := schemaOf(t, "id int64", "note text")
	read := func(at record.Position) (next []record.Position, ids, rejects int64) {
		r, err := NewReader(strings.NewReader(in.String()[at.Offset:]), "f", Default(), schema, at)
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

func TestGuess(t *testing.T) {
	for want, values := range map[string]string{
		"int64":           "1|-2||0",
		"text 1":          "0123|4567",
		"text 2":          "1234567890123456789|1",
		"text 3":          "+49123|1",
		"text 4":          "",
		"text 5":          "1|x",
		"bool":            "true|FALSE",
		"bool 2":          "t|f",
		"text 6":          "f|f",
		"decimal(38,2)":   "1.10|-2.50|0.00",
		"float64":         "1.1|2.25|3",
		"float64 2":       "1e5|2",
		"float64 3":       "NaN|1.5",
		"text 7":          "NaN|NaN",
		"float64 4":       "0.12345678|1.12345678",
		"decimal(38,20)":  "0.12345678901234567891|1",
		"decimal(76,20)":  "1234567890123456789012345.12345678901234567891|1",
		"text 8":          "1.5e3|0.12345678901234567891",
		"date":            "2024-01-31|2024-02-29",
		"text 9":          "2024-01-31|2023-02-29",
		"date dd.mm.yyyy": "31.12.2024|1.2.2024",
		"date mm/dd/yyyy": "12/31/2024|1/2/2024",
		"text 10":         "01/02/2024|03/04/2024",
		"timestamp":       "2024-01-31 12:00:00|2024-01-31T12:00:00.5|2024-01-31",
		"timestamptz":     "2024-01-31T12:00:00Z|2024-01-31 12:00:00+01:00",
		"text 11":         "2024-01-31T12:00:00Z|2024-01-31T12:00:00",
		"time":            "12:00:00|23:59:59.5",
		"text 12":         "12:00|13:00",
		"uuid":            "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11",
		"text 13":         "00.5|1.5",
		"text 14":         "1,5|2,5",
		"text 15":         "1.|2.5",
	} {
		g := NewGuess([]string{"x"}, Default())
		for v := range strings.SplitSeq(values, "|") {
			g.Add(Row{Fields: []Field{{Text: []byte(v)}}})
		}
		f := g.Schema().Field(0)
		got := typename.Word(f.Type)
		layout, _ := f.Metadata.GetValue(LayoutKey)
		word, rest, _ := strings.Cut(want, " ")
		if got != word || layout != "" && layout != rest {
			t.Errorf("%s: %s %s, want %s", values, got, layout, want)
		}
	}
}

// TestGuessedTypesRead asserts that the sample itself is always read without a reject.
func TestGuessedTypesRead(t *testing.T) {
	word := rapid.SampledFrom([]string{
		"", "0", "-1", "007", "1.10", "2.5", "1e3", "NaN", "t", "f", "true", "2024-02-29",
		"29.2.2024", "3/4/2024", "2024-02-29 12:00:00", "2024-02-29T12:00:00Z", "12:00:00", "9999999999999999999", "0.1234567890123456789",
		"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "é", "1e400", "-0", "-0.0", "infinity", "Infinity", "123456789012345678901234567890123456789012345678.5",
	})
	rapid.Check(t, func(t *rapid.T) {
		vocabulary := rapid.SliceOfN(word, 1, 3).Draw(t, "words")
		values := rapid.SliceOf(rapid.SampledFrom(vocabulary)).Draw(t, "values")
		g := NewGuess([]string{"x"}, Default())
		for _, v := range values {
			g.Add(Row{Fields: []Field{{Text: []byte(v)}}})
		}
		parse, err := parser(g.Schema().Field(0))
		if err != nil {
			t.Fatal(err)
		}
		b := array.NewBuilder(memory.DefaultAllocator, g.Schema().Field(0).Type)
		for _, v := range values {
			if v == "" {
				continue
			}
			if err := parse(b, v); err != nil {
				t.Fatalf("guessed %s, and then %v", g.Schema().Field(0), err)
			}
		}
	})
}

func TestSniff(t *testing.T) {
	for in, want := range map[string]byte{
		"a,b;c,d\n": ',', "a;b;c\n1,2;3,4;5\n": ';', "a\tb\n": '\t', "a|b|c": '|', "": ',', "id\n1;2;3": ',', "\"a;b;c;d\",e\n": ',',
	} {
		if got := Sniff([]byte(in), '"'); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func TestDialectCheck(t *testing.T) {
	for _, c := range []struct{ sep, quote byte }{{0, '"'}, {'1', '"'}, {'-', '"'}, {'\n', '"'}, {'e', '"'}, {0xc3, '"'}, {',', ','}, {',', '.'}} {
		d := Dialect{Separator: c.sep, Quote: c.quote}
		if d.Check() == nil {
			t.Errorf("%q and %q passed", c.sep, c.quote)
		}
	}
	for _, sep := range []byte(",;\t|^~ \x01") {
		if err := (Dialect{Separator: sep, Quote: '"'}).Check(); err != nil {
			t.Errorf("%q: %v", sep, err)
		}
	}
}

func drawDialect(t *rapid.T) Dialect {
	d := Default()
	d.Separator = rapid.SampledFrom([]byte(",;\t| ~")).Draw(t, "separator")
	d.Quote = rapid.SampledFrom([]byte("\"'")).Draw(t, "quote")
	d.Header = rapid.Bool().Draw(t, "header")
	return d
}

// TestRoundTrip writes rows and reads them back, NULL, ” and all.
func TestRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		d := drawDialect(t)
		n := rapid.IntRange(1, 4).Draw(t, "columns")
		var fields []arrow.Field
		for i := range n {
			fields = append(fields, arrow.Field{Name: fmt.Sprintf("c \"%d\n", i), Type: arrow.BinaryTypes.String, Nullable: true})
		}
		schema := arrow.NewSchema(fields, nil)
		b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
		value := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune("\"'\n\r,;\t |~\\.a\ufeff"))), rapid.SampledFrom([]string{"", `\.`, "NULL"}))
		for range rapid.IntRange(0, 5).Draw(t, "rows") {
			for i := range n {
				if rapid.Bool().Draw(t, "null") {
					b.Field(i).AppendNull()
				} else {
					b.Field(i).(*array.StringBuilder).Append(value.Draw(t, "value"))
				}
			}
		}
		want := b.NewRecordBatch()
		w, err := NewWriter(schema, d)
		if err != nil {
			t.Fatal(err)
		}
		var out []byte
		if d.Header {
			out = w.AppendHeader(out, schema)
		}
		for i := range int(want.NumRows()) {
			out = w.AppendRow(out, want, i)
		}
		r, err := NewReader(strings.NewReader(string(out)), "f", d, schema, record.Position{Place: stream.Start})
		if err != nil {
			t.Fatal(err)
		}
		got, err := r.Next()
		if err == io.EOF && want.NumRows() == 0 {
			return
		}
		if err != nil || len(got.Rejects) > 0 || !array.RecordEqual(got.Record, want) {
			t.Fatalf("%q came back as %v, %v (%v)", out, got.Record, got.Rejects, err)
		}
	})
}

func TestWriterQuotesOnlyWhatItMust(t *testing.T) {
	schema := schemaOf(t, "a text", "b decimal(5,2)", "c list<text>", "d binary")
	in := "a,b,c,d\nplain text,1.10,[],\\x00\n\"a\r\",1.00,,\n\"\",,\"[\"\"x\"\",null]\",\\x\n"
	r, err := NewReader(strings.NewReader(in), "f", Default(), schema, record.Position{Place: stream.Start})
	if err != nil {
		t.Fatal(err)
	}
	b, err := r.Next()
	if err != nil || len(b.Rejects) > 0 {
		t.Fatal(err, b.Rejects)
	}
	w, err := NewWriter(schema, Default())
	if err != nil {
		t.Fatal(err)
	}
	out := w.AppendHeader(nil, schema)
	for i := range int(b.Record.NumRows()) {
		out = w.AppendRow(out, b.Record, i)
	}
	if string(out) != in {
		t.Errorf("wrote\n%swant\n%s", out, in)
	}
}

// flightsLike is a file of the shape people move: short numbers, words and times.
func flightsLike(n int) string {
	var in strings.Builder
	in.WriteString("year,month,day,dep_time,sched,delay,carrier,flight,tailnum,origin,dest,air_time,distance,hour,minute,time_hour\n")
	for i := range n {
		fmt.Fprintf(&in, "2013,%d,%d,%d,515,%d,UA,%d,N%d,EWR,IAH,227,1400,5,15,2013-01-01T05:00:00Z\n", i%12+1, i%28+1, i%2400, i%90-20, i, i%10000)
	}
	return in.String()
}

func BenchmarkScan(b *testing.B) {
	in := flightsLike(100_000)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		s := NewScanner(strings.NewReader(in), Default(), stream.Start)
		for {
			if _, err := s.Next(); err != nil {
				break
			}
		}
	}
}

func BenchmarkRead(b *testing.B) {
	in := flightsLike(100_000)
	s := NewScanner(strings.NewReader(in), Default(), stream.Start)
	names, err := Header(s)
	if err != nil {
		b.Fatal(err)
	}
	g := NewGuess(names, Default())
	for range 10_000 {
		row, _ := s.Next()
		g.Add(row)
	}
	schema := g.Schema()
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		r, _ := NewReader(strings.NewReader(in), "f", Default(), schema, record.Position{Place: stream.Start})
		for {
			batch, err := r.Next()
			if err != nil {
				break
			}
			batch.Record.Release()
		}
		r.Close()
	}
}

func BenchmarkWrite(b *testing.B) {
	in := flightsLike(50_000)
	schema := schemaOf(b, "year int64", "month int64", "day int64", "dep_time int64", "sched int64", "delay int64", "carrier text", "flight int64",
		"tailnum text", "origin text", "dest text", "air_time int64", "distance int64", "hour int64", "minute int64", "time_hour timestamptz")
	r, err := NewReader(strings.NewReader(in), "f", Default(), schema, record.Position{Place: stream.Start})
	if err != nil {
		b.Fatal(err)
	}
	batch, err := r.Next()
	if err != nil {
		b.Fatal(err)
	}
	w, _ := NewWriter(schema, Default())
	b.SetBytes(int64(len(in)))
	var out []byte
	for b.Loop() {
		out = out[:0]
		for i := range int(batch.Record.NumRows()) {
			out = w.AppendRow(out, batch.Record, i)
		}
	}
}
