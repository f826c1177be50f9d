package csv

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/synclinehq/syncline/format/text"
)

// LayoutKey is the Arrow field metadata key that says how a column writes its dates when
// not as ISO 8601 does: "dd.mm.yyyy".
const LayoutKey = "layout"

// layouts are the ways to write dates that are looked for beside ISO 8601.
var layouts = []string{"yyyy/mm/dd", "dd.mm.yyyy", "dd/mm/yyyy", "mm/dd/yyyy", "dd-mm-yyyy", "mm-dd-yyyy"}

// parser is text.Parser, and reads dates as their column writes them.
func parser(f arrow.Field) (text.ParseFunc, error) {
	layout, ok := f.Metadata.GetValue(LayoutKey)
	if !ok || f.Type.ID() != arrow.DATE32 {
		return text.Parser(f)
	}
	iso, err := text.Parser(f)
	if err != nil {
		return nil, err
	}
	return func(b array.Builder, s string) error {
		date, ok := toISO(layout, s)
		if !ok {
			return notDate(layout, s)
		}
		if iso(b, date) != nil {
			return notDate(layout, s)
		}
		return nil
	}, nil
}

func notDate(layout, s string) error {
	return fmt.Errorf("%q is not a date written %s, as the others in the column are", s[:min(len(s), 40)], layout)
}

// toISO rewrites a date; whether the month has such a day is not looked at.
func toISO(layout, s string) (string, bool) {
	separator := strings.Trim(layout, "dmy")[:1]
	parts := strings.Split(s, separator)
	if len(parts) != 3 {
		return "", false
	}
	var y, m, d int
	for i, word := range strings.Split(layout, separator) {
		n, err := strconv.ParseUint(parts[i], 10, 16)
		if err != nil || len(parts[i]) > len(word) || word == "yyyy" && len(parts[i]) < 4 {
			return "", false
		}
		switch word {
		case "yyyy":
			y = int(n)
		case "mm":
			m = int(n)
		case "dd":
			d = int(n)
		}
	}
	return fmt.Sprintf("%04d-%02d-%02d", y, m, d), true
}
