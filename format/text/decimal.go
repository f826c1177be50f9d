package text

import (
	"fmt"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow/decimal128"
	"github.com/apache/arrow-go/v18/arrow/decimal256"
)

// wide is a number of 256 bits without sign, lowest word first.
type wide [4]uint64

// mulAdd sets w = w*m + a. The caller knows that it fits.
func (w *wide) mulAdd(m, a uint64) {
	for i := range w {
		hi, lo := bits.Mul64(w[i], m)
		var c uint64
		w[i], c = bits.Add64(lo, a, 0)
		a = hi + c
	}
}

// divMod sets w = w/d and returns the remainder.
func (w *wide) divMod(d uint64) (rem uint64) {
	for i := len(w) - 1; i >= 0; i-- {
		w[i], rem = bits.Div64(rem, w[i], d)
	}
	return rem
}

func (w *wide) negate() {
	var borrow uint64
	for i := range w {
		w[i], borrow = bits.Sub64(0, w[i], borrow)
	}
}

func (w *wide) isZero() bool { return w[0]|w[1]|w[2]|w[3] == 0 }

func appendDecimal128(dst []byte, n decimal128.Num, scale int32) []byte {
	sign := uint64(n.HighBits() >> 63) // all ones when negative
	return appendDecimal(dst, wide{n.LowBits(), uint64(n.HighBits()), sign, sign}, scale)
}

func appendDecimal256(dst []byte, n decimal256.Num, scale int32) []byte {
	return appendDecimal(dst, wide(n.Array()), scale)
}

// appendDecimal takes w as two's complement.
func appendDecimal(dst []byte, w wide, scale int32) []byte {
	if int64(w[3]) < 0 {
		w.negate()
		dst = append(dst, '-')
	}
	var buf [160]byte // 78 digits of 256 bits, or as many zeros as a scale of 76 asks for
	at := len(buf)
	for n := int32(0); !w.isZero() || n <= scale || n == 0; {
		for low, k := w.divMod(1e18), 0; k < 18 && (low > 0 || !w.isZero() || n <= scale || n == 0); k++ {
			if n == scale && scale > 0 {
				at--
				buf[at] = '.'
			}
			at--
			buf[at] = byte('0' + low%10)
			low /= 10
			n++
		}
	}
	dst = append(dst, buf[at:]...)
	if zero := len(buf)-at == 1 && buf[at] == '0'; !zero {
		for ; scale < 0; scale++ {
			dst = append(dst, '0')
		}
	}
	return dst
}

func parseDecimal128(s string, precision, scale int32) (decimal128.Num, error) {
	w, err := parseDecimal(s, precision, scale)
	return decimal128.New(int64(w[1]), w[0]), err
}

func parseDecimal256(s string, precision, scale int32) (decimal256.Num, error) {
	w, err := parseDecimal(s, precision, scale)
	return decimal256.New(w[3], w[2], w[1], w[0]), err
}

// parseDecimal reads s as two's complement, exactly or not at all: zeros behind the
// scale are no loss, any other digit is.
func parseDecimal(s string, precision, scale int32) (wide, error) {
	var w wide
	n, err := number(s)
	if err != nil || n.first < 0 {
		return w, err
	}
	low, high := n.exponent(n.last), n.exponent(n.first)
	if low < -int(scale) {
		return w, fmt.Errorf("%s has more than %d decimals", short(s), scale)
	}
	if high+int(scale) >= int(precision) {
		return w, fmt.Errorf("%s has more than %d digits before the point", short(s), precision-scale)
	}
	n.collect(&w)
	for range low + int(scale) {
		w.mulAdd(10, 0)
	}
	if n.neg {
		w.negate()
	}
	return w, nil
}

// numeral is the anatomy of a number in decimal notation. Digits are counted from 0,
// the point left out; first and last are the outermost that are not 0, -1 if all are.
type numeral struct {
	digits      string // with the point
	neg         bool
	before      int // digits before the point
	exp         int
	first, last int
}

func (n *numeral) exponent(digit int) int { return n.before - 1 - digit + n.exp }

func number(s string) (numeral, error) {
	n := numeral{digits: s, before: -1, first: -1}
	if s != "" && (s[0] == '-' || s[0] == '+') {
		n.neg, n.digits = s[0] == '-', s[1:]
	}
	count := 0
scan:
	for i := range len(n.digits) {
		switch c := n.digits[i]; {
		case c >= '0' && c <= '9':
			if c != '0' {
				if n.last = count; n.first < 0 {
					n.first = count
				}
			}
			count++
		case c == '.' && n.before < 0:
			n.before = count
		case c == 'e' || c == 'E':
			exp, err := parseInt(n.digits[i+1:], 32)
			if err != nil || exp > 1<<20 || exp < -1<<20 {
				return n, bad(s, "a number")
			}
			n.exp, n.digits = int(exp), n.digits[:i]
			break scan
		default:
			return n, bad(s, "a number")
		}
	}
	if count == 0 {
		return n, bad(s, "a number")
	}
	if n.before < 0 {
		n.before = count
	}
	return n, nil
}

// collect sets w to the digits from first to last.
func (n *numeral) collect(w *wide) {
	var chunk, unit uint64 = 0, 1
	count := 0
	for i := 0; i < len(n.digits) && count <= n.last; i++ {
		if n.digits[i] == '.' {
			continue
		}
		if count++; count <= n.first {
			continue
		}
		chunk, unit = chunk*10+uint64(n.digits[i]-'0'), unit*10
		if unit == 1e18 {
			w.mulAdd(unit, chunk)
			chunk, unit = 0, 1
		}
	}
	w.mulAdd(unit, chunk)
}
