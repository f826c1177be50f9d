package sourcetest

import (
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/text"
)

var (
	stamp = &arrow.TimestampType{Unit: arrow.Microsecond, TimeZone: "UTC"}
	// epoch is the time of row 0 of a table.
	epoch = time.Date(2024, 1, 1, 0, 0, 0, 0, time.UTC)
	// step is the time between two rows of a table.
	step = 10 * time.Second
)

func tableSchema() *arrow.Schema {
	return arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "label", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "at", Type: stamp, Nullable: true},
		{Name: "score", Type: arrow.PrimitiveTypes.Float64, Nullable: true},
	}, nil)
}

// table has rows from id first to last, whose "at" is a step later each. Labels hold what
// formats stumble over.
func table(first, last int) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, tableSchema())
	defer b.Release()
	for id := first; id <= last; id++ {
		addRow(b, id, epoch.Add(time.Duration(id)*step), true)
	}
	return b.NewRecordBatch()
}

// rowAt is one row of a table with a time of its own, or none.
func rowAt(id int, at time.Time, valid bool) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, tableSchema())
	defer b.Release()
	addRow(b, id, at, valid)
	return b.NewRecordBatch()
}

func addRow(b *array.RecordBuilder, id int, at time.Time, valid bool) {
	b.Field(0).(*array.Int64Builder).Append(int64(id))
	label := b.Field(1).(*array.StringBuilder)
	switch id % 10 {
	case 3:
		label.AppendNull()
	case 4:
		label.Append(fmt.Sprintf("a,b;\t\"quoted\" 'single' \\N \\ %d\nnext line", id))
	case 5:
		label.Append(fmt.Sprintf("Grüße, 東京 🚀 %d", id))
	default:
		label.Append(fmt.Sprintf("label %d", id))
	}
	if valid {
		b.Field(2).(*array.TimestampBuilder).Append(arrow.Timestamp(at.UnixMicro()))
	} else {
		b.Field(2).(*array.TimestampBuilder).AppendNull()
	}
	if id%7 == 0 {
		b.Field(3).(*array.Float64Builder).AppendNull()
	} else {
		b.Field(3).(*array.Float64Builder).Append(float64(id) + 0.5)
	}
}

// big is a table of two columns whose second has these sizes.
func big(sizes ...int) arrow.RecordBatch {
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "id", Type: arrow.PrimitiveTypes.Int64},
		{Name: "body", Type: arrow.BinaryTypes.String, Nullable: true},
	}, nil)
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for i, size := range sizes {
		b.Field(0).(*array.Int64Builder).Append(int64(i + 1))
		b.Field(1).(*array.StringBuilder).Append(strings.Repeat("x", size))
	}
	return b.NewRecordBatch()
}

// zoo are the types that travel, with values in text form that are hard to keep.
func zoo() []struct {
	name   string
	t      arrow.DataType
	values []string
} {
	json, err := extensions.NewJSONType(arrow.BinaryTypes.String)
	if err != nil {
		panic(err)
	}
	return []struct {
		name   string
		t      arrow.DataType
		values []string
	}{
		{"i16", arrow.PrimitiveTypes.Int16, []string{"-32768", "32767", "0"}},
		{"i32", arrow.PrimitiveTypes.Int32, []string{"-2147483648", "2147483647"}},
		{"i64", arrow.PrimitiveTypes.Int64, []string{"-9223372036854775808", "9223372036854775807", "9007199254740993"}},
		{"f32", arrow.PrimitiveTypes.Float32, []string{"NaN", "Infinity", "-Infinity", fmt.Sprint(math.MaxFloat32), "1e-45", "0.1"}},
		{"f64", arrow.PrimitiveTypes.Float64, []string{"NaN", "Infinity", "-Infinity", fmt.Sprint(math.MaxFloat64), "5e-324", "0.1", "-0"}},
		{"bool", arrow.FixedWidthTypes.Boolean, []string{"true", "false"}},
		{"dec12", &arrow.Decimal128Type{Precision: 12, Scale: 2}, []string{"0.00", "-0.01", "9999999999.99", "-9999999999.99"}},
		{"dec38", &arrow.Decimal128Type{Precision: 38, Scale: 10}, []string{"9999999999999999999999999999.9999999999", "-0.0000000001"}},
		{"dec76", &arrow.Decimal256Type{Precision: 76, Scale: 0}, []string{strings.Repeat("9", 76), "-" + strings.Repeat("9", 76)}},
		{"text", arrow.BinaryTypes.String, []string{"", " ", "NULL", `\N`, "0123", "a\tb\r\nc", `"'\`, "🚀 東京", "é"}},
		{"bytes", arrow.BinaryTypes.Binary, []string{`\x`, `\x00ff0a`}},
		{"date", arrow.FixedWidthTypes.Date32, []string{"1970-01-01", "0001-01-01", "9999-12-31", "2000-02-29", "4713-01-01 BC", "12024-01-01", "infinity", "-infinity"}},
		{"time", arrow.FixedWidthTypes.Time64us, []string{"00:00:00", "23:59:59.999999", "24:00:00"}},
		{"ts", &arrow.TimestampType{Unit: arrow.Microsecond}, []string{"1969-12-31T23:59:59.999999", "0001-01-01T00:00:00", "9999-12-31T23:59:59.999999", "0044-03-15T12:00:00 BC", "12024-01-01T00:00:00", "infinity", "-infinity"}},
		{"tstz", stamp, []string{"1969-12-31T23:59:59.999999+00:00", "2024-06-01T12:00:00+00:00", "0044-03-15T12:00:00+00:00 BC", "infinity", "-infinity"}},
		{"uuid", extensions.NewUUIDType(), []string{"00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
		{"json", json, []string{`{"a": [1, 2.50, null], "b": "🚀"}`, `null`, `"x"`, `[]`}},
		{"iv", arrow.FixedWidthTypes.MonthDayNanoInterval, []string{"PT0S", "P1Y2M3DT4H5M6.789S", "P-1M2DT-0.000001S"}},
		{"ints", arrow.ListOfField(arrow.Field{Name: "item", Type: arrow.PrimitiveTypes.Int64, Nullable: true}), []string{"[]", "[1,null,-9007199254740993]"}},
		{"texts", arrow.ListOfField(arrow.Field{Name: "item", Type: arrow.BinaryTypes.String, Nullable: true}), []string{"[]", `["",null,"NULL","a\"b","c\\d","{}"]`}},
	}
}

// zooRecord has one column per type that the source's place holds, an id, and in each
// row a value of one column; the last row is all NULL.
func zooRecord(t testing.TB, f Fixture) arrow.RecordBatch {
	t.Helper()
	fields := []arrow.Field{{Name: "id", Type: arrow.PrimitiveTypes.Int64}}
	columns := [][]string{nil}
	longest := 0
	for _, z := range zoo() {
		field := arrow.Field{Name: z.name, Type: z.t, Nullable: true}
		if f.Reads(field) == nil {
			t.Logf("%s is not held", z.name)
			continue
		}
		fields, columns = append(fields, field), append(columns, z.values)
		longest = max(longest, len(z.values))
	}
	b := array.NewRecordBuilder(memory.DefaultAllocator, arrow.NewSchema(fields, nil))
	defer b.Release()
	for row := range longest + 1 {
		b.Field(0).(*array.Int64Builder).Append(int64(row))
		for c := 1; c < len(fields); c++ {
			addText(t, b.Field(c), fields[c], columns[c], row)
		}
	}
	return b.NewRecordBatch()
}

// addText appends values[row], NULL beyond them.
func addText(t testing.TB, b array.Builder, f arrow.Field, values []string, row int) {
	t.Helper()
	if row >= len(values) {
		b.AppendNull()
		return
	}
	if err := text.Parse(b, f, values[row]); err != nil {
		t.Fatalf("%s: %v", values[row], err)
	}
}
