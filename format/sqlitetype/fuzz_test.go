package sqlitetype

import (
	"math"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/rows"
)

// FuzzRead: whatever is declared and whatever value stands there, it is read as one value
// or refused without a trace; and what can be declared again means the same type.
func FuzzRead(f *testing.F) {
	for _, declared := range []string{"", "INTEGER", "integer", "VARCHAR(20)", "DECIMAL(10,2)", `"TEXT [JSON]"`, "TIMESTAMPTZ", "BOOLEAN", "REAL", "BLOB", "UUID", "numeric", "DATE", "x y(1,2) z"} {
		f.Add(declared, "2024-02-29 12:34:56", int64(1), 0.5, 3)
		f.Add(declared, "\xff\x00", int64(-1)<<63, math.Copysign(0, -1), 4)
	}
	c, err := sqlitefile.OpenWrite(filepath.Join(f.TempDir(), "t.db"))
	if err != nil {
		f.Fatal(err)
	}
	f.Cleanup(func() { _ = c.Close() })
	f.Fuzz(func(t *testing.T, declared, text string, n int64, v float64, class int) {
		field := Field("v", declared, true)
		if again, err := Declare(field); err == nil {
			if back := Field("v", again, true); !arrow.TypeEqual(back.Type, field.Type) {
				t.Fatalf("%q is %s, declared %q, which is %s", declared, field.Type, again, back.Type)
			}
		}
		values := []any{nil, n, v, text, []byte(text)}
		value := values[uint(class)%uint(len(values))]
		readOne(t, c, field, value)
		readOne(t, c, rows.Field("v", field.Type, true, ""), value) // as the pipeline may give it
	})
}

// readOne reads one value that stands in no column: nothing has changed its class.
func readOne(t *testing.T, c *sqlitefile.Conn, f arrow.Field, value any) {
	t.Helper()
	read, err := ReaderOf(f)
	if err != nil {
		return
	}
	out := array.NewBuilder(memory.DefaultAllocator, f.Type)
	must(t, c.Each(func(s *sqlitefile.Stmt) error {
		size, err := read(s, 0, out)
		switch {
		case err != nil && out.Len() != 0:
			t.Fatalf("%v as %s: refused (%v), and %d values appended", value, f.Type, err, out.Len())
		case err == nil && (out.Len() != 1 || size <= 0 && value != "" && len(bytesOf(value)) > 0):
			t.Fatalf("%v as %s: %d values, said to be %d bytes", value, f.Type, out.Len(), size)
		}
		return nil
	}, "select ?", value))
	texts(out.NewArray())
}

func bytesOf(value any) []byte {
	b, _ := value.([]byte)
	return b
}
