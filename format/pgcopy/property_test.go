package pgcopy_test

import (
	"bytes"
	"context"
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/format/text"
)

// drawn are types with a generator of their values' text forms.
var drawn = []struct {
	typ  string
	draw func(*rapid.T) string
}{
	{"smallint", func(t *rapid.T) string { return fmt.Sprint(rapid.Int16().Draw(t, "i2")) }},
	{"integer", func(t *rapid.T) string { return fmt.Sprint(rapid.Int32().Draw(t, "i4")) }},
	{"bigint", func(t *rapid.T) string { return fmt.Sprint(rapid.Int64().Draw(t, "i8")) }},
	{"double precision", func(t *rapid.T) string {
		return strings.NewReplacer("+Inf", "Infinity", "-Inf", "-Infinity").Replace(fmt.Sprint(math.Float64frombits(rapid.Uint64().Draw(t, "f8"))))
	}},
	{"boolean", func(t *rapid.T) string { return fmt.Sprint(rapid.Bool().Draw(t, "b")) }},
	{"numeric(12,2)", number(10, 2)},
	{"numeric(18,18)", number(0, 18)},
	{"numeric(38,10)", number(28, 10)},
	{"numeric(76,30)", number(46, 30)},
	{"numeric", number(300, 300)},
	{"text", func(t *rapid.T) string { return strings.ReplaceAll(rapid.String().Draw(t, "text"), "\x00", "0") }},
	{"bytea", func(t *rapid.T) string { return fmt.Sprintf(`\x%x`, rapid.SliceOf(rapid.Byte()).Draw(t, "bytea")) }},
	{"date", draw("date", func(t *rapid.T, b array.Builder) {
		b.(*array.Date32Builder).Append(arrow.Date32(rapid.Int32Range(-2_440_588, 2_145_042_905).Draw(t, "date")))
	})},
	{"time without time zone", draw("time without time zone", func(t *rapid.T, b array.Builder) {
		b.(*array.Time64Builder).Append(arrow.Time64(rapid.Int64Range(0, 86_400_000_000).Draw(t, "time")))
	})},
	{"timestamp with time zone", draw("timestamp with time zone", func(t *rapid.T, b array.Builder) {
		b.(*array.TimestampBuilder).Append(arrow.Timestamp(rapid.Int64Range(-2_440_588*86_400_000_000, math.MaxInt64).Draw(t, "tstz")))
	})},
	{"interval", draw("interval", func(t *rapid.T, b array.Builder) {
		b.(*array.MonthDayNanoIntervalBuilder).Append(arrow.MonthDayNanoInterval{
			Months: rapid.Int32().Draw(t, "months"), Days: rapid.Int32().Draw(t, "days"),
			Nanoseconds: rapid.Int64Range(math.MinInt64/1000, math.MaxInt64/1000).Draw(t, "micros") * 1000,
		})
	})},
	{"integer[]", func(t *rapid.T) string {
		return strings.ReplaceAll(fmt.Sprint(rapid.SliceOf(rapid.Int32()).Draw(t, "ints")), " ", ",")
	}},
}

// draw makes a generator of text forms from one that fills a builder of the type.
func draw(typ string, add func(*rapid.T, array.Builder)) func(*rapid.T) string {
	f := pgcopy.Field(pgcopy.Column{Name: "c", Type: typ})
	return func(t *rapid.T) string {
		b := array.NewBuilder(memory.DefaultAllocator, f.Type)
		defer b.Release()
		add(t, b)
		a := b.NewArray()
		defer a.Release()
		return string(text.Append(nil, a, 0))
	}
}

// number draws a decimal of at most so many digits before and after the point, often with
// zeros at either end, where digits of base 10000 begin and end.
func number(whole, fraction int) func(*rapid.T) string {
	return func(t *rapid.T) string {
		digits := func(most int) string {
			return rapid.StringOfN(rapid.RuneFrom([]rune("0001239")), 0, most, most).Draw(t, "digits")
		}
		sign := rapid.SampledFrom([]string{"", "-"}).Draw(t, "sign")
		return sign + "0" + digits(whole) + "." + digits(fraction) + "0"
	}
}

// TestValuesReachTheServer: values written in binary form are, for the server, what their
// text says, and come back from it as they were.
func TestValuesReachTheServer(t *testing.T) {
	db := connect(t)
	columns := make([]pgcopy.Column, len(drawn))
	defs := make([]string, len(drawn))
	targets := make([]string, len(drawn))
	for i, d := range drawn {
		columns[i] = pgcopy.Column{Name: fmt.Sprintf("c%d", i), Type: d.typ, Nullable: true}
		defs[i], targets[i] = columns[i].Name+" "+d.typ, d.typ
	}
	schema := schemaOf(columns)
	exec(t, db, fmt.Sprintf("create table p (%s)", strings.Join(defs, ", ")))
	rapid.Check(t, func(rt *rapid.T) {
		rec := drawRecord(rt, schema)
		exec(t, db, "truncate p")
		stream := encode(t, rec, columns)
		if _, err := db.PgConn().CopyFrom(context.Background(), bytes.NewReader(stream), "copy p from stdin (format binary)"); err != nil {
			rt.Fatal(err)
		}
		back, rejects, err := decode(schema, copyOut(t, db, schema, "p"), 1<<20)
		if err != nil || len(rejects) > 0 || back.NumRows() != rec.NumRows() {
			rt.Fatalf("%v %v", err, rejects)
		}
		for c, column := range rec.Columns() {
			for i := range int(rec.NumRows()) {
				if !sameValue(array.NewSlice(column, int64(i), int64(i+1)), back.Column(c), i) {
					rt.Fatalf("%s: %s came back as %s", drawn[c].typ, column.ValueStr(i), back.Column(c).ValueStr(i))
				}
			}
		}
	})
}

func drawRecord(t *rapid.T, schema *arrow.Schema) arrow.RecordBatch {
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for range rapid.IntRange(1, 5).Draw(t, "rows") {
		for c, d := range drawn {
			if rapid.IntRange(0, 9).Draw(t, "null") == 0 {
				b.Field(c).AppendNull()
				continue
			}
			value := d.draw(t)
			if d.typ == "numeric" {
				value = normal(value)
			}
			if err := text.Parse(b.Field(c), schema.Field(c), value); err != nil {
				t.Fatal(err)
			}
		}
	}
	return b.NewRecordBatch()
}

// normal is a number as the server prints it.
func normal(s string) string {
	negative := strings.HasPrefix(s, "-")
	s = strings.TrimLeft(strings.TrimPrefix(s, "-"), "0")
	if strings.HasPrefix(s, ".") {
		s = "0" + s
	}
	if negative && strings.Trim(s, "0.") != "" {
		s = "-" + s
	}
	return s
}
