package sqlitetype

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
)

// zoo holds every type that travels, with values as text.
var zoo = []struct {
	field  arrow.Field
	values []string
}{
	{rows.Field("i16", named("INT16"), true, "pg:smallint"), []string{"0", "-32768", "32767"}},
	{rows.Field("i32", named("INT32"), true, ""), []string{"0", "-2147483648", "2147483647"}},
	{rows.Field("i64", named("INT64"), true, "pg:bigint"), []string{"0", "-9223372036854775808", "9223372036854775807"}},
	{rows.Field("f32", named("FLOAT32"), true, "pg:real"), []string{"0", "1e-45", "3.4028235e38", "NaN", "Infinity", "-Infinity"}},
	{rows.Field("f64", named("FLOAT64"), true, "pg:double precision"), []string{"0", "5e-324", "1.7976931348623157e308", "0.1", "NaN", "Infinity", "-Infinity"}},
	{rows.Field("flag", named("BOOLEAN"), true, "pg:boolean"), []string{"true", "false"}},
	{rows.Field("price", &arrow.Decimal128Type{Precision: 12, Scale: 2}, true, "pg:numeric(12,2)"), []string{"0.00", "-9999999999.99", "1.10"}},
	{rows.Field("wide", &arrow.Decimal256Type{Precision: 76, Scale: 10}, true, "pg:numeric(76,10)"), []string{"123456789012345678901234567890123456789012345678901234567890123456.0123456789"}},
	{rows.Field("any", named("TEXT"), true, "pg:numeric"), []string{"1e-400", "NaN", "0123", "00.10"}},
	{rows.Field("word", named("TEXT"), true, "pg:character varying(20)"), []string{"", "a\x00b", "\U0001f600", "123", "0123", "1e5", "NULL"}},
	{rows.Field("enum", named("TEXT"), true, `pg:"my ~int ""point"`), []string{"x"}},
	{rows.Field("dot", named("TEXT"), true, "pg:point"), []string{"(1,2)"}},
	{rows.Field("bytes", named("BINARY"), true, "pg:bytea"), []string{`\x`, `\x00ff`}},
	{rows.Field("texts", named("BINARY"), true, "pg:context"), []string{`\x31`}},
	{rows.Field("day", named("DATE"), true, "pg:date"), []string{"2024-02-29", "0044-03-15 BC", "12024-01-01", "infinity", "-infinity"}},
	{rows.Field("clock", named("TIME"), true, "pg:time without time zone"), []string{"00:00:00", "24:00:00", "12:34:56.000001"}},
	{rows.Field("at", named("TIMESTAMP"), true, "pg:timestamp without time zone"), []string{"2024-02-29T12:34:56.5", "infinity", "0001-01-01T00:00:00 BC"}},
	{rows.Field("tz", named("TIMESTAMPTZ"), true, "pg:timestamp with time zone"), []string{"2024-02-29T12:34:56+00:00", "-infinity"}},
	{rows.Field("id", named("UUID"), true, "pg:uuid"), []string{"00000000-0000-0000-0000-000000000000", "12345678-1234-1234-1234-123456789012"}},
	{rows.Field("doc", named("JSON"), true, "pg:jsonb"), []string{"1", "null", `{"a": [1, 2]}`, "1e400"}},
	{rows.Field("span", named("INTERVAL"), true, "pg:interval"), []string{"PT0S", "P1Y2M3DT-4H-5M-6.789S"}},
	{rows.Field("ints", arrow.ListOf(named("INT32")), true, "pg:integer[]"), []string{"[]", "[1,null,-3]"}},
	{rows.Field("prices", arrow.ListOf(&arrow.Decimal128Type{Precision: 5, Scale: 1}), true, "pg:numeric(5,1)[]"), []string{`["1.5"]`}},
}

func TestEveryTypeComesBack(t *testing.T) {
	t.Parallel()
	for _, z := range zoo {
		t.Run(z.field.Name, func(t *testing.T) {
			declared, err := Declare(z.field)
			if err != nil {
				t.Fatal(err)
			}
			back := Field(z.field.Name, declared, true)
			if !arrow.TypeEqual(back.Type, z.field.Type) {
				t.Fatalf("%s declared %s comes back as %s", z.field.Type, declared, back.Type)
			}
			if want := rows.Native(z.field); want != "" && want != usual(z.field.Type) && rows.Native(back) != want {
				t.Errorf("native %q declared %s comes back as %q", want, declared, rows.Native(back))
			}
			again, err := Declare(back)
			if err != nil || again != declared {
				t.Errorf("declared %s, then %s (%v)", declared, again, err)
			}
			roundTrip(t, z.field, declared, z.values)
		})
	}
}

// roundTrip writes values and NULL into a column declared so and reads them back.
func roundTrip(t *testing.T, f arrow.Field, declared string, values []string) {
	t.Helper()
	c := open(t)
	must(t, c.Exec("create table t (v "+declared+")"))
	in := build(t, f, values)
	insert(t, c, f, declared, in)
	out := array.NewBuilder(memory.DefaultAllocator, f.Type)
	read, err := ReaderOf(Field(f.Name, declared, true))
	must(t, err)
	must(t, c.Each(func(s *sqlitefile.Stmt) error { _, err := read(s, 0, out); return err }, "select v from t order by rowid"))
	if got := out.NewArray(); !same(got, in) {
		t.Errorf("declared %s: wrote %q, read %q", declared, texts(in), texts(got))
	}
}

func same(a, b arrow.Array) bool { return a.Len() == b.Len() && slices.Equal(texts(a), texts(b)) }

func texts(a arrow.Array) (all []string) {
	for i := range a.Len() {
		if a.IsNull(i) {
			all = append(all, "NULL, not text")
			continue
		}
		all = append(all, string(text.Append(nil, a, i)))
	}
	return all
}

// The engine stores the integer 0 for -0.
func TestNegativeZeroIsRefused(t *testing.T) {
	t.Parallel()
	for _, n := range []string{"FLOAT32", "FLOAT64"} {
		f := rows.Field("v", named(n), true, "")
		screen := ScreenOf(f, "REAL")
		if in := build(t, f, []string{"-0", "0"}); screen(in, 0) == nil || screen(in, 1) != nil {
			t.Errorf("%s: -0 is taken, or 0 is not", n)
		}
	}
}

func build(t *testing.T, f arrow.Field, values []string) arrow.Array {
	t.Helper()
	b := array.NewBuilder(memory.DefaultAllocator, f.Type)
	for _, v := range values {
		must(t, text.Parse(b, f, v))
	}
	b.AppendNull()
	return b.NewArray()
}

func insert(t *testing.T, c *sqlitefile.Conn, f arrow.Field, declared string, in arrow.Array) {
	t.Helper()
	s, err := c.Prepare("insert into t values (?)")
	must(t, err)
	defer s.Close()
	bind := BinderOf(f, declared)
	for i := range in.Len() {
		bind(s, 1, in, i)
		_, err := s.Step()
		must(t, err)
		s.Reset()
	}
}

func open(t *testing.T) *sqlitefile.Conn {
	t.Helper()
	c, err := sqlitefile.OpenWrite(filepath.Join(t.TempDir(), "t.db"))
	must(t, err)
	t.Cleanup(func() { must(t, c.Close()) })
	return c
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestAnyNativeKeepsTheAffinity(t *testing.T) {
	t.Parallel()
	want := map[string]Affine{"TEXT": Text, "BLOB": None, "REAL": Real, "INTEGER": Integer, "BOOLEAN": Numeric}
	rapid.Check(t, func(t *rapid.T) {
		word := rapid.SampledFrom([]string{"INT16", "FLOAT32", "FLOAT64", "BOOLEAN", "TEXT", "BINARY", "DATE", "INTERVAL", "JSON"}).Draw(t, "type")
		native := "pg:" + rapid.StringMatching(`([~"a-cINTint ]|int|text|char|real|blob|~~){0,6}[a-z]`).Draw(t, "native")
		declared, err := Declare(rows.Field("c", named(word), true, native))
		if err != nil {
			t.Fatal(err)
		}
		storage, _ := words(named(word))
		if got := Affinity(declared); got != want[storage] {
			t.Fatalf("%s has affinity %s", declared, got)
		}
		back := Field("c", declared, true)
		if got := rows.Native(back); native != usual(named(word)) && got != native || !arrow.TypeEqual(back.Type, named(word)) {
			t.Fatalf("%s comes back as %s %q", declared, back.Type, got)
		}
	})
}
