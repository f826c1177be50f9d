package typename_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/typename"
)

// FuzzParse: what a word means has a word that means the same.
func FuzzParse(f *testing.F) {
	for _, word := range []string{"int64", "decimal(10,2)", "numeric(5)", "list<list<text>>", "TimestampTZ", "decimal(1,-76)", "list<"} {
		f.Add(word)
	}
	f.Fuzz(func(t *testing.T, word string) {
		if len(word) > 1<<10 {
			return
		}
		typ, err := typename.Parse(word)
		if err != nil {
			return
		}
		again, err := typename.Parse(typename.Word(typ))
		if err != nil || !arrow.TypeEqual(typ, again) {
			t.Fatalf("%q is %s, whose word %q is %v, %v", word, typ, typename.Word(typ), again, err)
		}
	})
}
