package destinationtest

import (
	"fmt"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/typename"
)

// specimen is a column of the zoo: a type with the values that are hard to keep.
type specimen struct {
	name   string
	t      arrow.DataType
	values []string
}

var specimens = []specimen{
	{"int16", arrow.PrimitiveTypes.Int16, []string{"0", "-32768", "32767"}},
	{"int32", arrow.PrimitiveTypes.Int32, []string{"0", "-2147483648", "2147483647"}},
	{"int64", arrow.PrimitiveTypes.Int64, []string{"0", "-9223372036854775808", "9223372036854775807"}},
	{"float32", arrow.PrimitiveTypes.Float32, []string{"0", "-0", "1.1754944e-38", "3.4028235e+38", "1e-45", "0.1", "NaN", "Infinity", "-Infinity"}},
	{"float64", arrow.PrimitiveTypes.Float64, []string{"0", "-0", "5e-324", "1.7976931348623157e+308", "0.1", "NaN", "Infinity", "-Infinity"}},
	{"bool", arrow.FixedWidthTypes.Boolean, []string{"true", "false"}},
	{"decimal128", &arrow.Decimal128Type{Precision: 38, Scale: 10}, []string{"0.0000000000", "-0.0000000001", "9999999999999999999999999999.9999999999", "1.1000000000"}},
	{"decimal_whole", &arrow.Decimal128Type{Precision: 5, Scale: 0}, []string{"0", "-99999", "99999"}},
	{"decimal256", &arrow.Decimal256Type{Precision: 76, Scale: 38}, []string{"-" + strings.Repeat("9", 38) + "." + strings.Repeat("9", 38), "0." + strings.Repeat("0", 37) + "1"}},
	{"text", arrow.BinaryTypes.String, []string{"", " ", "NULL", `\N`, `\.`, "a\tb\nc\rd\\e", `he said "no", it's`, "日本語 👩‍👩‍👧 é", "nul\x00byte", "\ufeffbom", strings.Repeat("long ", 2000)}},
	{"binary", arrow.BinaryTypes.Binary, []string{`\x`, `\x00ff5c0a`, `\x` + strings.Repeat("ab", 5000)}},
	{"date", arrow.FixedWidthTypes.Date32, []string{"1970-01-01", "0001-01-01", "9999-12-31", "0044-03-15 BC", "12024-01-01", "infinity", "-infinity"}},
	{"time", typename.Time, []string{"00:00:00", "23:59:59.999999", "24:00:00", "12:34:56.7"}},
	{"timestamp", typename.Timestamp, []string{"1970-01-01T00:00:00", "2024-02-29T12:34:56.789012", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "0044-03-15T01:02:03 BC", "12024-01-01T00:00:00", "infinity", "-infinity"}},
	{"timestamptz", typename.TimestampTZ, []string{"1970-01-01T00:00:00+00:00", "2024-02-29T12:34:56.789012+00:00", "0044-03-15T01:02:03+00:00 BC", "12024-01-01T00:00:00+00:00", "infinity", "-infinity"}},
	{"uuid", typename.UUID, []string{"00000000-0000-0000-0000-000000000000", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
	{"json", typename.JSON, []string{"null", "{}", `{"a": [1, "b", null, {"c": "é\n"}]}`, `"text"`, "1.10"}},
	{"interval", arrow.FixedWidthTypes.MonthDayNanoInterval, []string{"PT0S", "P1Y2M3DT-4H-5M-6.789S", "P-178Y", "P1000D"}},
	{"ints", arrow.ListOf(arrow.PrimitiveTypes.Int32), []string{"[]", "[1,null,-2147483648]"}},
	{"texts", arrow.ListOf(arrow.BinaryTypes.String), []string{"[]", `["","NULL",null,"a\"b\\c","{},"]`}},
}

// ZooFields are the columns of the zoo: a name for the row, then one for each type.
func ZooFields() []arrow.Field {
	fields := []arrow.Field{{Name: "specimen", Type: arrow.BinaryTypes.String}}
	for _, s := range specimens {
		fields = append(fields, arrow.Field{Name: s.name, Type: s.t, Nullable: true})
	}
	return fields
}

// Zoo is one row for each value of each type, all else NULL, named "<type> <n>"; then a
// row of NULLs and one that is full.
func Zoo() []Row {
	empty := make(Row, 1+len(specimens))
	for i := range empty {
		empty[i] = Null
	}
	empty[0] = "nulls"
	full := append(Row(nil), empty...)
	full[0] = "full"
	all := []Row{empty}
	for c, s := range specimens {
		for n, v := range s.values {
			row := append(Row(nil), empty...)
			row[0], row[c+1] = fmt.Sprintf("%s %d", s.name, n), v
			all = append(all, row)
		}
		full[c+1] = s.values[0]
	}
	return append(all, full)
}

// types: every value is kept exactly, or its row is rejected with a reason.
func types(b *bench) {
	f := feed{fields: ZooFields(), rows: Zoo(), key: []string{"specimen"}}
	a := b.begin(f)
	p := a.part("0")
	a.publish()
	var want []Row
	for n, row := range f.rows {
		code, refused := b.Refuses[row[0]]
		r, rejected := a.kept["0"][int64(n)]
		switch {
		case refused && !rejected:
			b.Errorf("%s is not rejected", draw(row[:1]))
		case rejected && (!refused || r.Code != code):
			b.Errorf("%s: rejected as %s (%s), want %q", draw(row[:1]), r.Code, r.Message, code)
		}
		if !refused {
			want = append(want, row)
		}
	}
	if p.Counts.Rejected != int64(len(a.kept["0"])) || p.Counts.Inserted != int64(len(want)) {
		b.Errorf("counted %+v, want %d inserted and %d rejected", p.Counts, len(want), len(f.rows)-len(want))
	}
	b.shows(a, want)
}
