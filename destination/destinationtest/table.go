package destinationtest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/text"
)

// Texts draws the rows of a record in the text forms of package format/text.
func Texts(rec arrow.RecordBatch) []Row {
	all := make([]Row, rec.NumRows())
	for i := range all {
		all[i] = make(Row, rec.NumCols())
		for c, column := range rec.Columns() {
			all[i][c] = Null
			if column.IsValid(i) {
				all[i][c] = string(text.Append(nil, column, i))
			}
		}
	}
	return all
}

// record builds a batch's record from rows.
func record(t testing.TB, schema *arrow.Schema, all []Row) arrow.RecordBatch {
	t.Helper()
	b := array.NewRecordBuilder(memory.DefaultAllocator, schema)
	defer b.Release()
	for _, row := range all {
		for c, f := range schema.Fields() {
			if row[c] == Null {
				b.Field(c).AppendNull()
			} else if err := text.Parse(b.Field(c), f, row[c]); err != nil {
				t.Fatalf("suite: %v", err)
			}
		}
	}
	return b.NewRecordBatch()
}

// scribble overwrites a record, as the next batch will: whoever still reads it after
// Write has returned writes garbage.
func scribble(rec arrow.RecordBatch) {
	for _, column := range rec.Columns() {
		scribbleData(column.Data())
	}
}

func scribbleData(d arrow.ArrayData) {
	for _, b := range d.Buffers() {
		if b == nil {
			continue
		}
		for i := range b.Bytes() {
			b.Bytes()[i] = 0xEE
		}
	}
	for _, child := range d.Children() {
		scribbleData(child)
	}
}

// same compares rows in any order and says which are missing and which are too many.
func same(t testing.TB, what string, got, want []Row) {
	t.Helper()
	count := map[string]int{}
	for _, r := range want {
		count[draw(r)]++
	}
	for _, r := range got {
		count[draw(r)]--
	}
	var missing, extra []string
	for r, n := range count {
		if n > 0 {
			missing = append(missing, r)
		} else if n < 0 {
			extra = append(extra, r)
		}
	}
	if len(missing)+len(extra) > 0 {
		t.Errorf("%s: %d rows, want %d\nmissing: %s\nnot wanted: %s", what, len(got), len(want), few(missing), few(extra))
	}
}

func draw(r Row) string {
	shown := make([]string, len(r))
	for i, v := range r {
		shown[i] = fmt.Sprintf("%q", v)
		if v == Null {
			shown[i] = "NULL"
		}
	}
	return strings.Join(shown, " ")
}

func few(all []string) string {
	slices.Sort(all)
	more := ""
	if len(all) > 5 {
		more = fmt.Sprintf("\n  … and %d more", len(all)-5)
		all = all[:5]
	}
	for i, s := range all {
		all[i] = s[:min(len(s), 300)]
	}
	return "\n  " + strings.Join(all, "\n  ") + more
}
