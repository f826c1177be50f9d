package typename

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
)

func TestWordsComeBack(t *testing.T) {
	list := []arrow.DataType{Decimal(10, 2), Decimal(76, 40), Decimal(5, -2), arrow.ListOf(Decimal(3, 1)), arrow.ListOf(arrow.ListOf(UUID))}
	for _, known := range types {
		list = append(list, known.t)
	}
	for _, dt := range list {
		back, err := Parse(Word(dt))
		if err != nil || !arrow.TypeEqual(back, dt) {
			t.Errorf("%s is called %s, which means %v (%v)", dt, Word(dt), back, err)
		}
	}
}

func TestParse(t *testing.T) {
	for word, want := range map[string]string{
		"BIGINT": "int64", "numeric(10, 2)": "decimal(10,2)", "decimal(8)": "decimal(8,0)", "list<string>": "list<text>",
	} {
		if dt, err := Parse(word); err != nil || Word(dt) != want {
			t.Errorf("%q is %v (%v), want %s", word, dt, err, want)
		}
	}
	for _, word := range []string{"", "varchar", "decimal", "decimal(77,0)", "decimal(0)", "decimal(a,b)", "list<>", "list<int64"} {
		if dt, err := Parse(word); err == nil {
			t.Errorf("%q was taken as %s", word, dt)
		}
	}
}
