package text

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// appendFloat writes plain digits where a person would, an exponent beyond.
func appendFloat(dst []byte, f float64, bits int) []byte {
	switch {
	case math.IsNaN(f):
		return append(dst, "NaN"...)
	case math.IsInf(f, 1):
		return append(dst, "Infinity"...)
	case math.IsInf(f, -1):
		return append(dst, "-Infinity"...)
	}
	format := byte('f')
	if abs := math.Abs(f); abs != 0 && (abs < 1e-6 || abs >= 1e21) {
		format = 'e'
	}
	return strconv.AppendFloat(dst, f, format, -1, bits)
}

func parseFloat(s string, bits int) (float64, error) {
	switch s {
	case "NaN":
		return math.NaN(), nil
	case "Infinity":
		return math.Inf(1), nil
	case "-Infinity":
		return math.Inf(-1), nil
	}
	if !decimalNotation(s) {
		return 0, bad(s, "a number")
	}
	f, err := strconv.ParseFloat(s, bits)
	if err != nil && math.IsInf(f, 0) {
		return 0, fmt.Errorf("%s is beyond the largest float%d", short(s), bits)
	}
	if err != nil {
		return 0, bad(s, "a number")
	}
	if f == 0 && strings.ContainsAny(mantissa(s), "123456789") {
		return 0, fmt.Errorf("%s is below the smallest float%d", short(s), bits)
	}
	return f, nil
}

// FloatHolds reports whether a float64 gives back every digit of the number s.
func FloatHolds(s string) bool {
	f, err := parseFloat(s, 64)
	if err != nil {
		return false
	}
	digits := significant(s)
	return len(digits) <= 15 || digits == significant(string(appendFloat(nil, f, 64)))
}

// significant are the digits of a number without the zeros at either end.
func significant(s string) string {
	return strings.Trim(strings.Map(onlyDigits, mantissa(s)), "0")
}

func onlyDigits(r rune) rune {
	if r >= '0' && r <= '9' {
		return r
	}
	return -1
}

// decimalNotation keeps out what Go reads beyond everybody else's numbers: hexadecimal,
// underscores, "inf".
func decimalNotation(s string) bool {
	for i := range len(s) {
		c := s[i]
		if (c < '0' || c > '9') && c != '.' && c != '-' && c != '+' && c != 'e' && c != 'E' {
			return false
		}
	}
	return true
}

func mantissa(s string) string {
	if e := strings.IndexAny(s, "eE"); e >= 0 {
		return s[:e]
	}
	return s
}

// parseInt is strconv.ParseInt for short decimals, several times as fast.
func parseInt(s string, bits int) (int64, error) {
	digits, neg := s, false
	if len(s) > 1 && (s[0] == '-' || s[0] == '+') {
		digits, neg = s[1:], s[0] == '-'
	}
	if len(digits) == 0 || len(digits) > 18 {
		return parseLongInt(s, bits)
	}
	var n int64
	for i := range len(digits) {
		d := digits[i] - '0'
		if d > 9 {
			return 0, bad(s, "a whole number")
		}
		n = n*10 + int64(d)
	}
	if neg {
		n = -n
	}
	if bits < 64 && n != n<<(64-bits)>>(64-bits) {
		return 0, fmt.Errorf("%s does not fit int%d", short(s), bits)
	}
	return n, nil
}

func parseLongInt(s string, bits int) (int64, error) {
	n, err := strconv.ParseInt(s, 10, bits)
	if e, ok := err.(*strconv.NumError); ok && e.Err == strconv.ErrRange {
		return 0, fmt.Errorf("%s does not fit int%d", short(s), bits)
	}
	if err != nil {
		return 0, bad(s, "a whole number")
	}
	return n, nil
}

// parseBool reads PostgreSQL's words.
func parseBool(s string) (bool, error) {
	switch s {
	case "true", "t", "1":
		return true, nil
	case "false", "f", "0":
		return false, nil
	}
	switch strings.ToLower(s) {
	case "true", "t", "yes", "y", "on":
		return true, nil
	case "false", "f", "no", "n", "off":
		return false, nil
	}
	return false, bad(s, "true or false")
}

// bad says that s is not what was wanted.
func bad(s, want string) error { return fmt.Errorf("%s is not %s", short(s), want) }

// short quotes s, cut to what fits a message.
func short(s string) string {
	const most = 60
	if len(s) > most {
		return strconv.Quote(s[:most]) + "…"
	}
	return strconv.Quote(s)
}
