package pgcopy

import (
	"math/big"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/jsontext"
)

// FuzzNumericText: the text of a number becomes binary digits of the same value.
func FuzzNumericText(f *testing.F) {
	for _, s := range []string{"0", "-0.000", "1", "10000", "-9999.9999", "0.00010000", "123456789012345678901234567890.5", "NaN", "-Infinity", ".5", "5.", "+1", "1e5", "", "-"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		n, ok := parseNumeric([]byte(s))
		if !ok || n.special != 0 || len(s) > 2000 {
			return
		}
		want, _ := new(big.Rat).SetString(strings.TrimPrefix(s, "+"))
		n.trim()
		if n.fits(0, 0, false) != nil {
			t.Fatalf("%q does not fit a numeric without limits", s)
		}
		bin, err := readNumeric(n.put(nil))
		if err != nil {
			t.Fatalf("%q: %v", s, err)
		}
		if got := rational(bin); want == nil || got.Cmp(want) != 0 {
			t.Fatalf("%q became %s, want %s", s, got, want)
		}
	})
}

// FuzzNumericBinary: a binary numeric becomes a decimal of the same value, which becomes
// a numeric of the same value; or it is refused.
func FuzzNumericBinary(f *testing.F) {
	f.Add([]byte{0, 0, 0, 0, 0, 0, 0, 0}, 12, 2)
	f.Add([]byte{0, 2, 0, 0, 0, 0, 0, 2, 0, 1, 19, 136}, 12, 2)
	f.Add([]byte{0, 1, 0xff, 0xff, 0x40, 0, 0, 4, 0, 1}, 38, 10)
	f.Add([]byte{0, 1, 0x7f, 0xff, 0, 0, 0, 0, 0, 1}, 76, 0)
	f.Add([]byte{0, 3, 0, 1, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0}, 3, -2)
	f.Fuzz(func(t *testing.T, b []byte, precision, scale int) {
		precision = max(1, min(precision, 76))
		scale = max(-100, min(scale, precision))
		typ, err := arrow.NewDecimalType(decimalID(precision), int32(precision), int32(scale))
		if err != nil {
			t.Skip()
		}
		var v vector
		if err := numericScanner(typ)(&v, b); err != nil {
			if len(v.data) > 0 {
				t.Fatalf("refused (%v), and %d bytes left behind", err, len(v.data))
			}
			return
		}
		n, err := readNumeric(b)
		if err != nil {
			t.Fatal(err)
		}
		if got, want := scaled(v.data, scale), rational(n); got.Cmp(want) != 0 {
			t.Fatalf("%x as %s: %s, want %s", b, typ, got, want)
		}
	})
}

func decimalID(precision int) arrow.Type {
	if precision <= 38 {
		return arrow.DECIMAL128
	}
	return arrow.DECIMAL256
}

// scaled is a little-endian number in two's complement times 10^-scale.
func scaled(data []byte, scale int) *big.Rat {
	be := make([]byte, len(data))
	for i, b := range data {
		be[len(data)-1-i] = b
	}
	n := new(big.Int).SetBytes(be)
	if be[0] >= 0x80 {
		n.Sub(n, new(big.Int).Lsh(big.NewInt(1), uint(8*len(be))))
	}
	r := new(big.Rat).SetInt(n)
	return r.Mul(r, power(10, -scale))
}

func rational(n numeric) *big.Rat {
	sum := new(big.Rat)
	for i := range len(n.digits) / 2 {
		d := new(big.Rat).SetInt64(int64(n.digit(i)))
		sum.Add(sum, d.Mul(d, power(10_000, n.weight-i)))
	}
	if n.sign == signMinus {
		sum.Neg(sum)
	}
	return sum
}

func power(base int64, n int) *big.Rat {
	p := new(big.Int).Exp(big.NewInt(base), big.NewInt(int64(max(n, -n))), nil)
	if n < 0 {
		return new(big.Rat).SetFrac(big.NewInt(1), p)
	}
	return new(big.Rat).SetInt(p)
}

// FuzzJSONB: of a valid JSON text, what has a NUL, half of a surrogate pair, or a number
// beyond numeric is refused, and nothing else.
func FuzzJSONB(f *testing.F) {
	for _, s := range []string{
		`{"a":[1,2.5,-3e10],"b":"\u00e4\ud83d\ude80"}`, `"\u0000"`, `"\\u0000"`, `"\ud800"`, `"\ud800\\udc00"`, `"\udc00\ud800"`, `1e16001`, `-1e-99999999999999999999`, `"1e99999"`, `"\"\u0041"`, ` null `,
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if jsontext.Valid(s) != nil || len(s) > maxNumber {
			return
		}
		if err, bad := jsonbFault(s), plainFault(t, s); (err != nil) != bad {
			t.Fatalf("%s: %v, to be refused: %v", s, err, bad)
		}
	})
}

// plainFault walks a JSON text sign by sign.
func plainFault(t *testing.T, s string) (bad bool) {
	for i := 0; i < len(s); {
		if s[i] != '"' {
			end := i + strings.IndexAny(s[i:]+" ", "\", :[]{}\n\r\t")
			if at := strings.IndexAny(s[i:end], "eE"); at >= 0 && s[i] != 't' && s[i] != 'f' {
				n, ok := new(big.Int).SetString(s[i+at+1:end], 10)
				bad = bad || !ok || n.CmpAbs(big.NewInt(maxNumber)) > 0
			}
			i = max(end, i+1)
			continue
		}
		end, err := jsontext.String(s, i)
		if err != nil {
			t.Fatal(err)
		}
		bad, i = bad || plainString(s[i+1:end-1]), end
	}
	return bad
}

func plainString(s string) bool {
	for len(s) > 0 {
		switch {
		case s[0] != '\\':
			s = s[1:]
		case s[1] != 'u':
			s = s[2:]
		default:
			high := hex(s[2:6])
			if s = s[6:]; high == 0 || 0xdc00 <= high && high <= 0xdfff {
				return true
			}
			if 0xd800 <= high && high <= 0xdbff {
				if len(s) < 6 || s[:2] != `\u` || hex(s[2:6]) < 0xdc00 || hex(s[2:6]) > 0xdfff {
					return true
				}
				s = s[6:]
			}
		}
	}
	return false
}

func hex(s string) int64 {
	n, _ := new(big.Int).SetString(s, 16)
	return n.Int64()
}
