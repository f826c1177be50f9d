package text

import (
	"math"
	"math/big"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/rows"
)

var (
	jsonType, _ = extensions.NewJSONType(arrow.BinaryTypes.String)
	timestamp   = &arrow.TimestampType{Unit: arrow.Microsecond}
	timestampTZ = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
)

func decimal(p, s int32) arrow.DataType {
	if p > 38 {
		return &arrow.Decimal256Type{Precision: p, Scale: s}
	}
	return &arrow.Decimal128Type{Precision: p, Scale: s}
}

// field is a nullable column of type t.
func field(t arrow.DataType) arrow.Field { return arrow.Field{Name: "x", Type: t, Nullable: true} }

// one reads s into an array of one value.
func one(t arrow.DataType, s string) (arrow.Array, error) {
	b := array.NewBuilder(memory.DefaultAllocator, t)
	err := Parse(b, field(t), s)
	return b.NewArray(), err
}

var forms = []struct {
	t        arrow.DataType
	in, want string // want "": the same
}{
	{arrow.PrimitiveTypes.Int16, "-32768", ""},
	{arrow.PrimitiveTypes.Int32, "2147483647", ""},
	{arrow.PrimitiveTypes.Int64, "-9223372036854775808", ""},
	{arrow.PrimitiveTypes.Int64, "+007", "7"},
	{arrow.PrimitiveTypes.Int64, "0000000000000000000000012", "12"},
	{arrow.PrimitiveTypes.Float64, "NaN", ""},
	{arrow.PrimitiveTypes.Float64, "-Infinity", ""},
	{arrow.PrimitiveTypes.Float64, "-0", ""},
	{arrow.PrimitiveTypes.Float64, "0.1", ""},
	{arrow.PrimitiveTypes.Float64, "1e+21", ""},
	{arrow.PrimitiveTypes.Float64, "5e-324", ""},
	{arrow.PrimitiveTypes.Float64, "1000000.5", ""},
	{arrow.PrimitiveTypes.Float32, "3.4028235e+38", ""},
	{arrow.PrimitiveTypes.Float32, "0.1", ""},
	{arrow.FixedWidthTypes.Boolean, "true", ""},
	{arrow.FixedWidthTypes.Boolean, "F", "false"},
	{decimal(5, 2), "1.10", ""},
	{decimal(5, 2), "-999.99", ""},
	{decimal(5, 2), "-.5", "-0.50"},
	{decimal(5, 2), "1.1000", "1.10"},
	{decimal(5, 2), "12e1", "120.00"},
	{decimal(5, 2), "1200e-4", "0.12"},
	{decimal(5, 2), "0e999999", "0.00"},
	{decimal(5, 0), "00042", "42"},
	{decimal(3, -2), "12300", ""},
	{decimal(3, -2), "0", ""},
	{decimal(3, 5), "0.00123", ""},
	{decimal(38, 38), "-0.99999999999999999999999999999999999999", ""},
	{decimal(38, 0), "99999999999999999999999999999999999999", ""},
	{decimal(76, 0), "-9999999999999999999999999999999999999999999999999999999999999999999999999999", ""},
	{decimal(76, 76), "0.0000000000000000000000000000000000000000000000000000000000000000000000000001", ""},
	{decimal(40, 20), "1000000000000000000.00000000000000000000", ""},
	{arrow.BinaryTypes.String, "", ""},
	{arrow.BinaryTypes.String, "a\x00é😀\n", ""},
	{arrow.BinaryTypes.Binary, `\x`, ""},
	{arrow.BinaryTypes.Binary, `\x00FFab`, `\x00ffab`},
	{arrow.FixedWidthTypes.Date32, "1970-01-01", ""},
	{arrow.FixedWidthTypes.Date32, "2024-02-29", ""},
	{arrow.FixedWidthTypes.Date32, "0044-03-15 BC", ""},
	{arrow.FixedWidthTypes.Date32, "0001-12-31 BC", ""},
	{arrow.FixedWidthTypes.Date32, "4713-01-01 BC", ""},
	{arrow.FixedWidthTypes.Date32, "5874897-12-31", ""},
	{arrow.FixedWidthTypes.Date32, "infinity", ""},
	{arrow.FixedWidthTypes.Date32, "-infinity", ""},
	{arrow.FixedWidthTypes.Time64us, "24:00:00", ""},
	{arrow.FixedWidthTypes.Time64us, "00:00:00.000001", ""},
	{arrow.FixedWidthTypes.Time64us, "12:34", "12:34:00"},
	{arrow.FixedWidthTypes.Time64us, "12:34:56.7890000000", "12:34:56.789"},
	{timestamp, "2024-02-29T12:34:56.5", ""},
	{timestamp, "2024-02-29 12:34:56.500", "2024-02-29T12:34:56.5"},
	{timestamp, "2024-02-29", "2024-02-29T00:00:00"},
	{timestamp, "0044-03-15T12:00:00 BC", ""},
	{timestamp, "294246-12-31T23:59:59.999999", ""},
	{timestamp, "1969-12-31T23:59:59.999999", ""},
	{timestamp, "infinity", ""},
	{timestampTZ, "2024-02-29T12:34:56+00:00", ""},
	{timestampTZ, "2024-02-29T12:34:56Z", "2024-02-29T12:34:56+00:00"},
	{timestampTZ, "2024-03-01 00:04:56.25+05:30", "2024-02-29T18:34:56.25+00:00"},
	{timestampTZ, "1890-01-01 00:00:00+00:53:28", "1889-12-31T23:06:32+00:00"},
	{timestampTZ, "0044-03-15 12:00:00-01 BC", "0044-03-15T13:00:00+00:00 BC"},
	{timestampTZ, "-infinity", ""},
	{extensions.NewUUIDType(), "A0EEBC999C0B4EF8BB6D6BB9BD380A11", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
	{jsonType, `{"a": [1.10, null, "\u00e9"]}`, ""},
	{jsonType, "null", ""},
	{arrow.FixedWidthTypes.MonthDayNanoInterval, "P1Y2M3DT4H5M6.789S", ""},
	{arrow.FixedWidthTypes.MonthDayNanoInterval, "P-1Y-2M3DT-4H-5M-6.789S", ""},
	{arrow.FixedWidthTypes.MonthDayNanoInterval, "PT-0.000000001S", ""},
	{arrow.FixedWidthTypes.MonthDayNanoInterval, "PT0S", ""},
	{arrow.FixedWidthTypes.MonthDayNanoInterval, "P2W", "P14D"},
	{arrow.FixedWidthTypes.MonthDayNanoInterval, "PT2562047H47M16.854775807S", ""},
	{arrow.FixedWidthTypes.MonthDayNanoInterval, "PT-2562047H-47M-16.854775808S", ""},
	{arrow.FixedWidthTypes.MonthDayNanoInterval, "P178956970Y7M2147483647D", ""},
	{arrow.ListOf(arrow.PrimitiveTypes.Int32), "[]", ""},
	{arrow.ListOf(arrow.PrimitiveTypes.Int32), " [1, null,\n-3] ", "[1,null,-3]"},
	{arrow.ListOf(arrow.BinaryTypes.String), `["a\"\\\n","null",null,"\u00e9\ud83d\ude00\u0000"]`, "[\"a\\\"\\\\\\n\",\"null\",null,\"é😀\\u0000\"]"},
	{arrow.ListOf(arrow.PrimitiveTypes.Float64), `["NaN","-Infinity",0.5]`, ""},
	{arrow.ListOf(decimal(4, 1)), `["1.5",2]`, `["1.5","2.0"]`},
	{arrow.ListOf(arrow.BinaryTypes.Binary), `["AP8=",""]`, ""},
	{arrow.ListOf(arrow.FixedWidthTypes.Boolean), `[true,false]`, ""},
	{arrow.ListOf(timestampTZ), `["2024-02-29T12:34:56Z","infinity"]`, ""},
	{arrow.ListOf(jsonType), `[{"a":1},null]`, ""},
	{arrow.ListOf(arrow.ListOf(arrow.PrimitiveTypes.Int64)), `[[1],[],null]`, ""},
}

func TestForms(t *testing.T) {
	for _, f := range forms {
		want := f.want
		if want == "" {
			want = f.in
		}
		arr, err := one(f.t, f.in)
		if err != nil {
			t.Errorf("%s %q: %v", f.t, f.in, err)
			continue
		}
		if got := string(Append(nil, arr, 0)); got != want {
			t.Errorf("%s %q came back as %q, want %q", f.t, f.in, got, want)
		}
	}
}

func TestRefused(t *testing.T) {
	list := arrow.ListOf(arrow.PrimitiveTypes.Int32)
	interval := arrow.FixedWidthTypes.MonthDayNanoInterval
	for _, c := range []struct {
		t  arrow.DataType
		in []string
	}{
		{arrow.PrimitiveTypes.Int16, []string{"", " 1", "1 ", "32768", "-32769", "1.0", "1_0", "0x1", "+", "-", "--1", "abc", "١"}},
		{arrow.PrimitiveTypes.Int64, []string{"9223372036854775808", "-9223372036854775809", "1e3"}},
		{arrow.PrimitiveTypes.Float64, []string{"", "1e309", "1e-400", "0x1p3", "inf", "nan", "1_000.5", "1,5", "."}},
		{arrow.PrimitiveTypes.Float32, []string{"1e39", "1e-60"}},
		{arrow.FixedWidthTypes.Boolean, []string{"", "2", "maybe"}},
		{decimal(5, 2), []string{"", ".", "1.001", "1000", "NaN", "1e", "1e9999999999", "1..2", "1e5", "-"}},
		{decimal(38, 0), []string{"100000000000000000000000000000000000000"}},
		{decimal(3, -2), []string{"1", "12340", "100000"}},
		{arrow.BinaryTypes.String, []string{"\xff", "a\xc3"}},
		{arrow.BinaryTypes.Binary, []string{"", "00", `\x0`, `\xzz`}},
		{arrow.FixedWidthTypes.Date32, []string{"", "2023-02-29", "2024-13-01", "2024-00-10", "24-01-01", "2024-1-1", "0000-01-01", "2024-01-01 AD", "2024-01-01T00:00:00", "9999999-01-01", "Infinity"}},
		{arrow.FixedWidthTypes.Time64us, []string{"", "24:00:01", "12:60:00", "12:00:60", "12", "12:00:00.0000001", "12:00:00.", "12:00:0"}},
		{timestamp, []string{"2024-02-29T12:34:56Z", "2024-02-29T", "2024-02-29T24:00:00", "294248-01-01T00:00:00", "1709210096"}},
		{timestampTZ, []string{"2024-02-29T12:34:56", "2024-02-29", "2024-02-29T12:34:56+", "2024-02-29T12:34:56 Europe/Berlin"}},
		{extensions.NewUUIDType(), []string{"", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a1g", "a0eebc999-c0b-4ef8-bb6d-6bb9bd380a11"}},
		{jsonType, []string{"", "{", `{"a":1,}`, "01", "nul", "1 2", "\"\x01\"", "\"\xff\"", `"\x"`, `{a:1}`, "[1,]", "1.", "1e"}},
		{interval, []string{"", "P", "PT", "1 day", "P1.5D", "P1M1Y", "PT1S1H", "P1", "PT9999999H", "P3000000000D", "PT0.0000000001S", "P1Y1Y"}},
		{list, []string{"", "1", "{1}", "[1", "[1,]", `["a"]`, "[1.5]", "[[1]]"}},
	} {
		for _, s := range c.in {
			if arr, err := one(c.t, s); err == nil {
				t.Errorf("%s took %q as %s", c.t, s, Append(nil, arr, 0))
			} else if arr.Len() != 0 {
				t.Errorf("%s %q: an error, and still %d values appended", c.t, s, arr.Len())
			}
		}
	}
}

func TestUnknownType(t *testing.T) {
	for _, dt := range []arrow.DataType{arrow.FixedWidthTypes.Timestamp_ns, arrow.FixedWidthTypes.Time32s, arrow.BinaryTypes.LargeString, arrow.ListOf(arrow.FixedWidthTypes.Duration_s)} {
		if Check(dt) == nil {
			t.Errorf("%s has no text form of ours, yet it passed", dt)
		}
	}
}

// values draws one value of a type, extremes often, into b.
var values = map[string]func(*rapid.T, array.Builder){
	"int64":     draw(rapid.Int64(), (*array.Int64Builder).Append),
	"int32":     draw(rapid.Int32(), (*array.Int32Builder).Append),
	"int16":     draw(rapid.Int16(), (*array.Int16Builder).Append),
	"float64":   draw(rapid.Map(rapid.Uint64(), math.Float64frombits), (*array.Float64Builder).Append),
	"float32":   draw(rapid.Map(rapid.Uint32(), math.Float32frombits), (*array.Float32Builder).Append),
	"bool":      draw(rapid.Bool(), (*array.BooleanBuilder).Append),
	"utf8":      draw(rapid.String(), (*array.StringBuilder).Append),
	"binary":    draw(rapid.SliceOf(rapid.Byte()), (*array.BinaryBuilder).Append),
	"date":      draw(rapid.Map(rapid.Int32(), func(n int32) arrow.Date32 { return arrow.Date32(n) }), (*array.Date32Builder).Append),
	"time":      draw(rapid.Map(rapid.Int64Range(0, day), func(n int64) arrow.Time64 { return arrow.Time64(n) }), (*array.Time64Builder).Append),
	"timestamp": draw(rapid.Map(rapid.Int64(), func(n int64) arrow.Timestamp { return arrow.Timestamp(n) }), (*array.TimestampBuilder).Append),
	"interval": draw(rapid.Custom(func(t *rapid.T) arrow.MonthDayNanoInterval {
		return arrow.MonthDayNanoInterval{Months: rapid.Int32().Draw(t, "months"), Days: rapid.Int32().Draw(t, "days"), Nanoseconds: rapid.Int64().Draw(t, "nanos")}
	}), (*array.MonthDayNanoIntervalBuilder).Append),
	"uuid": draw(rapid.Map(rapid.SliceOfN(rapid.Byte(), 16, 16), func(b []byte) [16]byte { return [16]byte(b) }), (*extensions.UUIDBuilder).AppendBytes),
	"json": func(t *rapid.T, b array.Builder) {
		appendJSONText(b.(*array.ExtensionBuilder), string(jsontext.AppendQuoted(nil, rapid.String().Draw(t, "value"))))
	},
}

func draw[B array.Builder, V any](gen *rapid.Generator[V], put func(B, V)) func(*rapid.T, array.Builder) {
	return func(t *rapid.T, b array.Builder) { put(b.(B), gen.Draw(t, "value")) }
}

var types = map[string]arrow.DataType{
	"int64": arrow.PrimitiveTypes.Int64, "int32": arrow.PrimitiveTypes.Int32, "int16": arrow.PrimitiveTypes.Int16,
	"float64": arrow.PrimitiveTypes.Float64, "float32": arrow.PrimitiveTypes.Float32, "bool": arrow.FixedWidthTypes.Boolean,
	"utf8": arrow.BinaryTypes.String, "binary": arrow.BinaryTypes.Binary, "date": arrow.FixedWidthTypes.Date32,
	"time": arrow.FixedWidthTypes.Time64us, "timestamp": timestampTZ, "interval": arrow.FixedWidthTypes.MonthDayNanoInterval,
	"uuid": extensions.NewUUIDType(), "json": jsonType,
}

// same compares by bits: NaN is NaN, -0 is not 0.
func same(a, b arrow.Array) bool {
	switch a := a.(type) {
	case *array.Float64:
		x, y := a.Value(0), b.(*array.Float64).Value(0)
		return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
	case *array.Float32:
		x, y := float64(a.Value(0)), float64(b.(*array.Float32).Value(0))
		return math.Float64bits(x) == math.Float64bits(y) || math.IsNaN(x) && math.IsNaN(y)
	}
	return array.Equal(a, b)
}

func TestRoundTrip(t *testing.T) {
	for name, put := range values {
		t.Run(name, func(t *testing.T) {
			dt := types[name]
			json, err := JSONParser(field(dt))
			if err != nil {
				t.Fatal(err)
			}
			rapid.Check(t, func(t *rapid.T) {
				b := array.NewBuilder(memory.DefaultAllocator, dt)
				put(t, b)
				arr := b.NewArray()
				s := string(Append(nil, arr, 0))
				back, err := one(dt, s)
				if err != nil || !same(arr, back) {
					t.Fatalf("%q came back as %v (%v)", s, back, err)
				}
				j := string(AppendJSON(nil, arr, 0))
				if err := jsontext.Valid(j); err != nil {
					t.Fatalf("%q is no JSON: %v", j, err)
				}
				if err := json(b, j); err != nil {
					t.Fatalf("%q: %v", j, err)
				}
				if back := b.NewArray(); !same(arr, back) {
					t.Fatalf("JSON %q came back as %v", j, back)
				}
			})
		})
	}
}

func TestDecimalRoundTrip(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		p := rapid.Int32Range(1, 76).Draw(t, "precision")
		s := rapid.Int32Range(0, p).Draw(t, "scale")
		digits := rapid.StringOfN(rapid.RuneFrom([]rune("0123456789")), int(p), int(p), -1).Draw(t, "digits")
		in := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign") + digits[:p-s] + "." + digits[p-s:]
		arr, err := one(decimal(p, s), in)
		if err != nil {
			t.Fatal(err)
		}
		got := string(Append(nil, arr, 0))
		if rational(got).Cmp(rational(in)) != 0 {
			t.Fatalf("%q came back as %q", in, got)
		}
		if _, decimals, _ := strings.Cut(got, "."); len(decimals) != int(s) {
			t.Fatalf("%q has not %d decimals", got, s)
		}
	})
}

func rational(s string) *big.Rat {
	r, ok := new(big.Rat).SetString(s)
	if !ok {
		panic(s + " is no number")
	}
	return r
}

func TestFloatHolds(t *testing.T) {
	for s, want := range map[string]bool{
		"0.1": true, "123456789012345": true, "9007199254740993": false, "9007199254740992": true, "1e300": true,
		"0.12345678901234567891": false, "0.30000000000000004": true, "-1500000000000000000000": true, "1e400": false, "x": false, "0": true,
	} {
		if FloatHolds(s) != want {
			t.Errorf("%s: %v", s, !want)
		}
	}
}

func TestInfinities(t *testing.T) {
	arr, _ := one(arrow.FixedWidthTypes.Date32, "infinity")
	if got := arr.(*array.Date32).Value(0); got != rows.DateInfinity {
		t.Errorf("infinity is %d", got)
	}
	arr, _ = one(timestampTZ, "-infinity")
	if got := arr.(*array.Timestamp).Value(0); got != rows.TimeNegInfinity {
		t.Errorf("-infinity is %d", got)
	}
}

func TestTimestampsSortAsText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Years 1 to 9999: those in which text sorts at all.
		ts := rapid.Int64Range(-62135596800*second, 253402300799*second)
		a, b := ts.Draw(t, "a"), ts.Draw(t, "b")
		if rapid.Bool().Draw(t, "near") {
			b = a - a%second
		}
		x := string(appendTimestamp(nil, arrow.Timestamp(a), "+00:00"))
		y := string(appendTimestamp(nil, arrow.Timestamp(b), "+00:00"))
		if (a < b) != (x < y) {
			t.Fatalf("%s and %s sort otherwise than their moments", x, y)
		}
	})
}

func TestAppendDoesNotAllocate(t *testing.T) {
	buf := make([]byte, 0, 1024)
	for _, f := range forms {
		arr, err := one(f.t, f.in)
		if err != nil {
			t.Fatal(err)
		}
		if n := testing.AllocsPerRun(20, func() { buf = Append(buf[:0], arr, 0) }); n > 0 {
			t.Errorf("%s %q: %v allocations", f.t, f.in, n)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, form := range forms {
		f.Add(form.in)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, dt := range append(append([]arrow.DataType{}, decimal(20, 4), decimal(60, 10), timestamp, arrow.ListOf(arrow.BinaryTypes.String)), all()...) {
			arr, err := one(dt, s)
			if err != nil {
				continue
			}
			out := string(Append(nil, arr, 0))
			again, err := one(dt, out)
			if err != nil || !same(arr, again) {
				t.Fatalf("%s: %q was read, written as %q and came back as %v (%v)", dt, s, out, again, err)
			}
		}
	})
}

func all() (list []arrow.DataType) {
	for _, t := range types {
		list = append(list, t)
	}
	return list
}
