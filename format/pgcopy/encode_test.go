package pgcopy_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
)

func decimal(p, s int32) arrow.DataType { return &arrow.Decimal128Type{Precision: p, Scale: s} }

// TestRefusals: what the server would round, cut or refuse for the whole batch is refused
// by name, and what just fits is not.
func TestRefusals(t *testing.T) {
	str, i64, f64 := arrow.BinaryTypes.String, arrow.PrimitiveTypes.Int64, arrow.PrimitiveTypes.Float64
	stamp := &arrow.TimestampType{Unit: arrow.Microsecond}
	for _, c := range []struct {
		from   arrow.DataType
		target string
		value  string
		code   string // "": it fits
	}{
		{i64, "smallint", "32767", ""},
		{i64, "smallint", "32768", rows.CodeOutOfRange},
		{i64, "integer", "-2147483649", rows.CodeOutOfRange},
		{i64, "double precision", "9007199254740992", ""},
		{i64, "double precision", "9007199254740993", rows.CodeOutOfRange},
		{i64, "numeric(3,1)", "99", ""},
		{i64, "numeric(3,1)", "100", rows.CodeOutOfRange},
		{i64, "numeric(2,-2)", "9900", ""},
		{i64, "numeric(2,-2)", "9910", rows.CodeOutOfRange},
		{f64, "real", "0.5", ""},
		{f64, "real", "NaN", ""},
		{f64, "real", "0.1", rows.CodeOutOfRange},
		{decimal(10, 4), "numeric(10,2)", "1.2300", ""},
		{decimal(10, 4), "numeric(10,2)", "1.2340", rows.CodeOutOfRange},
		{decimal(12, 2), "numeric(4,2)", "99.99", ""},
		{decimal(12, 2), "numeric(4,2)", "-100.00", rows.CodeOutOfRange},
		{decimal(12, 4), "numeric(2,4)", "0.0099", ""},
		{decimal(12, 4), "numeric(2,4)", "0.0100", rows.CodeOutOfRange},
		{str, "numeric", "1e5", rows.CodeType},
		{str, "numeric", "", rows.CodeType},
		{str, "numeric", "-.", rows.CodeType},
		{str, "numeric", "Infinity", ""},
		{str, "numeric(10,2)", "Infinity", rows.CodeOutOfRange},
		{str, "numeric(10,2)", "NaN", ""},
		{str, "numeric", "0." + strings.Repeat("1", 16_384), rows.CodeOutOfRange},
		{str, "text", "a\x00b", rows.CodeEncoding},
		{str, "text", "a\xffb", rows.CodeEncoding},
		{str, "character varying(3)", "äöü", ""},
		{str, "character varying(3)", "äöü ", rows.CodeOutOfRange},
		{str, "character(3)", "abc  ", ""},
		{str, "character(3)", "abcd", rows.CodeOutOfRange},
		{str, "name", strings.Repeat("n", 64), rows.CodeOutOfRange},
		{str, "jsonb", `{"a":"\\u0000"}`, ""},
		{str, "jsonb", `{"a":"\u0000"}`, rows.CodeEncoding},
		{str, "json", `{"a":"\u0000"}`, ""},
		{str, "jsonb", `"\ud83d\ude80"`, ""},
		{str, "jsonb", `"\ud83d"`, rows.CodeEncoding},
		{str, "jsonb", `{"a":1e99999}`, rows.CodeOutOfRange},
		{str, "jsonb", `{"1e99999":1e-400}`, ""},
		{str, "json", `{a:1}`, rows.CodeType},
		{arrow.FixedWidthTypes.Date32, "date", "5874897-12-31", ""},
		{arrow.FixedWidthTypes.Date32, "date", "5874898-01-01", rows.CodeOutOfRange},
		{arrow.FixedWidthTypes.Date32, "date", "4714-11-23 BC", rows.CodeOutOfRange},
		{stamp, "timestamp(3) without time zone", "2024-01-01T00:00:00.123", ""},
		{stamp, "timestamp(3) without time zone", "2024-01-01T00:00:00.1234", rows.CodeOutOfRange},
		{stamp, "timestamp(0) without time zone", "infinity", ""},
		{stamp, "timestamp without time zone", "4714-11-23T23:59:59 BC", rows.CodeOutOfRange},
		{arrow.FixedWidthTypes.Time64us, "time(0) without time zone", "12:00:00.5", rows.CodeOutOfRange},
		{arrow.FixedWidthTypes.MonthDayNanoInterval, "interval", "PT0.000000001S", rows.CodeOutOfRange},
	} {
		f := arrow.Field{Name: "col", Type: c.from}
		dst, err := tuple(t, f, c.target, c.value)
		var bad *pgcopy.ValueError
		switch errors.As(err, &bad); {
		case c.code == "" && err != nil, c.code != "" && (bad == nil || bad.Code != c.code):
			t.Errorf("%s %.40q into %s: %v", c.from, c.value, c.target, err)
		case err != nil && (bad.Column != "col" || !strings.Contains(err.Error(), "col") || string(dst) != "before"):
			t.Errorf("%q left %q", err, dst)
		}
	}
}

// tuple encodes one value behind "before".
func tuple(t *testing.T, f arrow.Field, target, value string) ([]byte, error) {
	t.Helper()
	schema := arrow.NewSchema([]arrow.Field{f}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	if s, ok := b.Field(0).(*array.StringBuilder); ok {
		s.Append(value) // also what is not UTF-8
	} else if err := text.Parse(b.Field(0), f, value); err != nil {
		t.Fatal(err)
	}
	e, err := pgcopy.NewEncoder(schema, []string{target})
	if err != nil || !e.Binary() {
		t.Fatalf("%s into %s: %v", f.Type, target, err)
	}
	e.Bind(b.NewRecordBatch())
	return e.AppendTuple([]byte("before"), 0)
}

// TestNotEncodable: pairs that mean different things are not joined.
func TestNotEncodable(t *testing.T) {
	utc := &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	for _, c := range []struct {
		from   arrow.DataType
		target string
	}{
		{utc, "timestamp without time zone"},
		{&arrow.TimestampType{Unit: arrow.Nanosecond}, "timestamp without time zone"},
		{arrow.BinaryTypes.String, "integer"},
		{arrow.BinaryTypes.String, "xml"},
		{arrow.BinaryTypes.Binary, "jsonb"},
		{arrow.PrimitiveTypes.Int64, "boolean"},
		{arrow.PrimitiveTypes.Float64, "numeric"},
		{arrow.FixedWidthTypes.MonthDayNanoInterval, "interval day to second(3)"},
		{arrow.ListOf(arrow.BinaryTypes.String), "integer[]"},
		{arrow.ListOf(arrow.BinaryTypes.String), "public.mood[]"},
		{arrow.PrimitiveTypes.Int64, "bigint[]"},
	} {
		if pgcopy.Encodable(arrow.Field{Name: "c", Type: c.from}, c.target) {
			t.Errorf("%s into %s", c.from, c.target)
		}
	}
}

// TestRejects: a value that its type cannot hold costs its row, and leaves nothing of it
// in the columns before.
func TestRejects(t *testing.T) {
	db := connect(t)
	exec(t, db, `create table r (id integer, p integer, f bool, n numeric(14,4), ts timestamp, a integer[], note text);
		insert into r values (1, 1, true, 1.5, '2024-01-01', '{1}', 'fine'), (2, 2, true, 'NaN', '2024-01-01', '{1}', 'x'),
		(3, null, null, 1, '294276-12-31 23:59:59', '{2}', 'x'), (4, 4, false, 1, '2024-01-01', '{{1,2},{3,4}}', 'x'),
		(5, 5, true, 1, '2024-01-01', '[0:0]={7}', 'x'), (6, null, null, -2.25, null, null, null),
		(7, 7, true, 0.125, null, null, null), (8, 8, true, 100000000, null, null, null)`)
	schema := schemaOf([]pgcopy.Column{
		{Name: "id", Type: "integer"},
		{Name: "p", Type: "integer", Nullable: true},
		{Name: "f", Type: "boolean", Nullable: true},
		{Name: "n", Type: "numeric(10,2)", Nullable: true}, // narrower than the table's
		{Name: "ts", Type: "timestamp without time zone", Nullable: true},
		{Name: "a", Type: "integer[]", Nullable: true},
		{Name: "note", Type: "text", Nullable: true},
	})
	rec, rejects, err := decode(schema, copyOut(t, db, schema, "r order by id"), 10)
	if err != nil {
		t.Fatal(err)
	}
	if rec.NumRows() != 2 || rec.Column(0).(*array.Int32).Value(1) != 6 || rec.Column(3).ValueStr(1) != "-2.25" {
		t.Errorf("kept %v", rec)
	}
	for _, c := range []int{1, 2, 4, 5, 6} {
		if column := rec.Column(c); column.NullN() != 1 || column.IsNull(0) || !column.IsNull(1) {
			t.Errorf("%s: %s", rec.ColumnName(c), column)
		}
	}
	for i, want := range []string{`"n": NaN`, `"ts": a timestamp after`, `"a": an array of 2`, `"a": an array that begins at 0`, `"n": more than 2 digits after`, `"n": more than the 10 digits`} {
		if i >= len(rejects) || !strings.Contains(rejects[i].Error(), want) {
			t.Errorf("reject %d is %v, want %s", i, rejects, want)
		}
	}
}

// TestNaNKept: a column that is known to hold NaN travels as text, and keeps its type.
func TestNaNKept(t *testing.T) {
	f := pgcopy.Field(pgcopy.Column{Name: "n", Type: "numeric(10,2)", HoldsNaN: true})
	if f.Type.ID() != arrow.STRING || pgcopy.TypeName(f) != "numeric(10,2)" || pgcopy.SelectExpr(f, "n") != "n::text" {
		t.Errorf("%v", f)
	}
	if !pgcopy.Encodable(f, "numeric(10,2)") {
		t.Error("no way back")
	}
}

// TestTooLarge: a row over the limit is passed over in pieces, its key survives, and the
// rows around it arrive.
func TestTooLarge(t *testing.T) {
	db := connect(t)
	exec(t, db, `create table big (a text, id integer, b text); insert into big values ('x', 1, 'y'), (repeat('a', 3000000), 2, repeat('b', 5000)), ('z', 3, null)`)
	schema := schemaOf([]pgcopy.Column{{Name: "a", Type: "text"}, {Name: "id", Type: "integer"}, {Name: "b", Type: "text", Nullable: true}})
	stream := copyOut(t, db, schema, "big order by id")
	for _, piece := range []int{701, 4096, len(stream)} {
		f := pgcopy.NewFramer(3, 1<<20)
		var got []string
		for rest := stream; len(rest) > 0; {
			n := min(piece, len(rest))
			f.Feed(rest[:n])
			rest = rest[n:]
			got = append(got, drain(t, f, schema)...)
		}
		if want := "1 | large 3005018: 2 | 3"; strings.Join(got, " | ") != want {
			t.Errorf("pieces of %d: %s", piece, got)
		}
		if !f.Ended() {
			t.Error("no end")
		}
	}
}

// drain reads the ids of the tuples that are there.
func drain(t *testing.T, f *pgcopy.Framer, schema *arrow.Schema) (got []string) {
	t.Helper()
	d, err := pgcopy.NewDecoder(schema)
	if err != nil {
		t.Fatal(err)
	}
	id := func(tuple []byte) string {
		texts, err := d.Text(tuple, []int{1})
		if err != nil {
			t.Fatal(err)
		}
		return string(texts[0])
	}
	for {
		tuple, err := f.Next()
		var large *pgcopy.TooLarge
		switch {
		case errors.As(err, &large):
			got = append(got, large.Error()[len("row of "):len("row of 3005018")]+": "+id(large.Trimmed))
			got[len(got)-1] = "large " + got[len(got)-1]
		case tuple == nil:
			return got
		default:
			got = append(got, id(tuple))
		}
	}
}

// TestNotAStream: what is no stream is said to be none.
func TestNotAStream(t *testing.T) {
	schema := schemaOf([]pgcopy.Column{{Name: "a", Type: "text"}})
	good := append(bytes.Clone(pgcopy.Header), 0, 1, 0, 0, 0, 1, 'x')
	for name, stream := range map[string][]byte{
		"web page":         []byte("<html><body>Not here</body></html>"),
		"negative length":  append(bytes.Clone(pgcopy.Header), 0, 1, 0xff, 0xff, 0xff, 0xfe),
		"too many fields":  append(bytes.Clone(pgcopy.Header), 0, 2, 0, 0, 0, 0, 0, 0, 0, 0),
		"data after end":   append(append(bytes.Clone(good), pgcopy.Trailer...), 0, 1),
		"text after tuple": append(bytes.Clone(good), 'x', 'x'),
	} {
		if _, _, err := decode(schema, stream, 1<<10); !errors.Is(err, pgcopy.ErrMalformed) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if rec, _, err := decode(schema, append(good, pgcopy.Trailer...), 1); err != nil || rec.NumRows() != 1 {
		t.Error(err)
	}
}

// TestGivenTypes: text is read as the type that the pipeline gave, or its row is a reject.
func TestGivenTypes(t *testing.T) {
	db := connect(t)
	exec(t, db, `create table g (a text, b text, c timestamp); insert into g values ('12', 'true', '2024-01-01'), ('1.5', 'true', null), ('7', 'perhaps', null), (null, null, null)`)
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "a", Type: arrow.PrimitiveTypes.Int32, Nullable: true},
		{Name: "b", Type: arrow.FixedWidthTypes.Boolean, Nullable: true},
		{Name: "c", Type: arrow.FixedWidthTypes.Date32, Nullable: true},
	}, nil)
	rec, rejects, err := decode(schema, copyOut(t, db, schema, "g"), 100)
	if err != nil {
		t.Fatal(err)
	}
	if rec.NumRows() != 1 || len(rejects) != 3 {
		t.Errorf("%v, rejects %v", rec, rejects)
	}
}
