package csv

import (
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/format/typename"
)

// moneyScale is how many digits behind the point a column of decimals may have.
const moneyScale = 4

// numbers gathers what the numbers of a column look like.
type numbers struct {
	ok           bool // all so far are numbers
	plain        bool // at least one is more than a word such as NaN
	special      bool // some are words or have an exponent: only a float can be those
	inexact      bool // some have more digits than a float64 holds
	whole        int  // most digits before the point
	least, scale int  // fewest and most digits behind it
}

func newNumbers() numbers { return numbers{ok: true, least: 1 << 20} }

func (n *numbers) add(s string) {
	if !n.ok {
		return
	}
	if s == "NaN" || s == "Infinity" || s == "-Infinity" {
		n.special = true
		return
	}
	mantissa, exponent := s, ""
	if e := strings.IndexAny(s, "eE"); e >= 0 {
		mantissa, exponent, n.special = s[:e], s[e+1:], true
		if _, err := strconv.Atoi(exponent); err != nil {
			n.ok = false
			return
		}
	}
	whole, frac, pointed := strings.Cut(strings.TrimPrefix(mantissa, "-"), ".")
	// 0123 and 00.5 are no numbers that somebody counts with.
	if !isDigits(whole) || pointed && !isDigits(frac) || len(whole) > 1 && whole[0] == '0' {
		n.ok = false
		return
	}
	n.plain = true
	n.whole = max(n.whole, len(whole))
	n.least, n.scale = min(n.least, len(frac)), max(n.scale, len(frac))
	n.inexact = n.inexact || !text.FloatHolds(s)
}

func isDigits(s string) bool { return s != "" && strings.Trim(s, "0123456789") == "" }

// decide is the type that holds them all, nil when there is none.
func (n *numbers) decide() arrow.DataType {
	digits := n.whole + n.scale
	switch {
	case !n.ok || !n.plain || n.scale == 0 && !n.special:
		return nil // whole numbers too long for int64 are names of something
	case !n.special && n.least == n.scale && n.scale <= moneyScale && digits <= 38:
		return typename.Decimal(38, int32(n.scale))
	case !n.inexact:
		return arrow.PrimitiveTypes.Float64
	case n.special || digits > 76:
		return nil
	case digits <= 38:
		return typename.Decimal(38, int32(n.scale))
	}
	return typename.Decimal(76, int32(n.scale))
}
