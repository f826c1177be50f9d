package text_test

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// TestPostgresReadsAndWritesTheForms casts text forms to PostgreSQL's types. What it
// prints of them must mean to Parse what the form meant.
func TestPostgresReadsAndWritesTheForms(t *testing.T) {
	conn, err := pgx.Connect(t.Context(), testserver.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	if _, err := conn.Exec(t.Context(), "set intervalstyle = iso_8601; set timezone = 'Asia/Kolkata'; set extra_float_digits = 1"); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ word, pg, values string }{
		{"int16", "smallint", "-32768|32767"},
		{"int64", "bigint", "-9223372036854775808|9223372036854775807"},
		{"float32", "real", "NaN|Infinity|-Infinity|0.1|3.4028235e+38|1e-45|-0"},
		{"float64", "double precision", "NaN|Infinity|-Infinity|0.1|5e-324|1.7976931348623157e+308|-0|1e+21|123456789012345680"},
		{"bool", "boolean", "true|false"},
		{"decimal(5,2)", "numeric(5,2)", "1.10|-999.99|0.00"},
		{"decimal(76,38)", "numeric(76,38)", strings.Repeat("9", 38) + "." + strings.Repeat("9", 38)},
		{"binary", "bytea", `\x|\x00ff5c`},
		{"date", "date", "2024-02-29|0001-01-01|0044-03-15 BC|4713-01-01 BC|12024-01-01|5874897-12-31|infinity|-infinity"},
		{"time", "time", "00:00:00|24:00:00|12:34:56.789"},
		{"timestamp", "timestamp", "2024-02-29T12:34:56.789012|0044-03-15T01:02:03 BC|294246-12-31T23:59:59.999999|infinity|-infinity"},
		{"timestamptz", "timestamptz", "2024-02-29T12:34:56.789012+00:00|0044-03-15T01:02:03+00:00 BC|1850-01-01T00:00:00+00:00|infinity|-infinity"},
		{"uuid", "uuid", "a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11"},
		{"interval", "interval", "PT0S|P1Y2M3DT4H5M6.789S|P-1Y-2M3DT-4H-5M-6.789S|PT-0.000001S|P-178Y|P1000D|PT2562047H"},
	} {
		dt, err := typename.Parse(c.word)
		if err != nil {
			t.Fatal(err)
		}
		for want := range strings.SplitSeq(c.values, "|") {
			var printed string
			if err := conn.QueryRow(t.Context(), "select $1::text::"+c.pg+"::text", want).Scan(&printed); err != nil {
				t.Errorf("%s %s: %v", c.pg, want, err)
				continue
			}
			if got, err := form(dt, printed); err != nil || got != want {
				t.Errorf("%s: %s is printed as %s, which is %s (%v)", c.pg, want, printed, got, err)
			}
		}
	}
}

// form is the text form of the value that s means.
func form(t arrow.DataType, s string) (string, error) {
	b := array.NewBuilder(memory.DefaultAllocator, t)
	defer b.Release()
	if err := text.Parse(b, arrow.Field{Name: "x", Type: t}, s); err != nil {
		return "", err
	}
	arr := b.NewArray()
	defer arr.Release()
	return string(text.Append(nil, arr, 0)), nil
}
