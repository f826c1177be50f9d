package pgcopy

import (
	"bytes"
	"encoding/binary"
	"math"
	"math/bits"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/rows"
)

// Signs of a numeric. The value is the sum of digit[i] * 10000^(weight-i).
const (
	signPlus  = 0x0000
	signMinus = 0x4000
	signNaN   = 0xC000
	signInf   = 0xD000
	signNegIn = 0xF000
)

var powers = [...]uint64{1, 10, 100, 1000, 10000}

// numericScanner reads numeric into a decimal of t's precision and scale.
func numericScanner(t arrow.DecimalType) func(*vector, []byte) error {
	p, s := int(t.GetPrecision()), int(t.GetScale())
	width := t.BitWidth() / 8
	return func(v *vector, b []byte) error {
		n, err := readNumeric(b)
		if err != nil {
			return err
		}
		if err := n.fits(p, s); err != nil {
			return err
		}
		if p <= 18 {
			u, exact := n.small(s)
			if !exact {
				return tooFine(s)
			}
			v.data = appendWords(v.data, n.sign == signMinus, width, wide{u})
			return nil
		}
		w, exact := n.wide(s)
		if !exact {
			return tooFine(s)
		}
		v.data = appendWords(v.data, n.sign == signMinus, width, w)
		return nil
	}
}

func tooFine(scale int) error {
	if scale < 0 {
		return faultf(rows.CodeOutOfRange, "not a multiple of 1e%d", -scale)
	}
	return faultf(rows.CodeOutOfRange, "more than %d digits after the point", scale)
}

// numeric is a value in its binary form.
type numeric struct {
	digits []byte // base 10000, two bytes each, no zero first or last
	weight int
	sign   uint16
}

func readNumeric(b []byte) (numeric, error) {
	if len(b) < 8 {
		return numeric{}, faultf(rows.CodeMalformed, "numeric of %d bytes", len(b))
	}
	count := int(binary.BigEndian.Uint16(b))
	n := numeric{digits: b[8:], weight: int(int16(binary.BigEndian.Uint16(b[2:]))), sign: binary.BigEndian.Uint16(b[4:])}
	if len(n.digits) != 2*count {
		return n, faultf(rows.CodeMalformed, "numeric of %d digits in %d bytes", count, len(b))
	}
	switch n.sign {
	case signPlus, signMinus:
		return n.trim()
	case signNaN:
		return n, faultf(rows.CodeType, "NaN has no place in a decimal; give the column the type text to keep it")
	case signInf, signNegIn:
		return n, faultf(rows.CodeType, "infinity has no place in a decimal; give the column the type text to keep it")
	}
	return n, faultf(rows.CodeMalformed, "numeric with the sign %x", n.sign)
}

func (n numeric) digit(i int) uint64 { return uint64(binary.BigEndian.Uint16(n.digits[2*i:])) }

func (n numeric) trim() (numeric, error) {
	for i := range len(n.digits) / 2 {
		if n.digit(i) > 9999 {
			return n, faultf(rows.CodeMalformed, "numeric with the digit %d", n.digit(i))
		}
	}
	for len(n.digits) > 0 && n.digit(0) == 0 {
		n.digits, n.weight = n.digits[2:], n.weight-1
	}
	for len(n.digits) > 0 && n.digit(len(n.digits)/2-1) == 0 {
		n.digits = n.digits[:len(n.digits)-2]
	}
	return n, nil
}

// fits checks that the value times 10^scale has at most precision digits before its
// point, so that nothing below can overflow.
func (n numeric) fits(precision, scale int) error {
	if len(n.digits) == 0 {
		return nil
	}
	lead, first := 4*n.weight, n.digit(0)
	for first > 0 {
		first, lead = first/10, lead+1
	}
	if lead+scale > precision {
		return faultf(rows.CodeOutOfRange, "more than the %d digits of decimal(%d,%d)", precision, precision, scale)
	}
	return nil
}

// shift says by what power of ten digit i counts in the value times 10^scale, and how
// much of it is beyond the point: ok is false when that part is not zero.
func (n numeric) shift(i, scale int) (d, by uint64, ok bool) {
	d = n.digit(i)
	e := 4*(n.weight-i) + scale
	switch {
	case e >= 0:
		return d, 10000, true
	case e <= -4:
		return 0, 1, d == 0
	}
	cut := powers[-e]
	return d / cut, powers[4+e], d%cut == 0
}

// small is the value times 10^scale where it has at most 18 digits.
func (n numeric) small(scale int) (u uint64, exact bool) {
	count := len(n.digits) / 2
	for i := range count {
		d, by, ok := n.shift(i, scale)
		if !ok {
			return 0, false
		}
		u = u*by + d
	}
	for e := n.rest(count, scale); e > 0; e -= 4 {
		u *= powers[min(e, 4)]
	}
	return u, true
}

// rest is the power of ten that is missing after the last digit.
func (n numeric) rest(count, scale int) int { return 4*(n.weight-count+1) + scale }

// wide is small for up to 76 digits.
func (n numeric) wide(scale int) (w wide, exact bool) {
	count := len(n.digits) / 2
	for i := range count {
		d, by, ok := n.shift(i, scale)
		if !ok {
			return w, false
		}
		w.mulAdd(by, d)
	}
	if count == 0 {
		return w, true
	}
	for e := n.rest(count, scale); e > 0; e -= 4 {
		w.mulAdd(powers[min(e, 4)], 0)
	}
	return w, true
}

// wide is an unsigned number of 256 bits, lowest word first.
type wide [4]uint64

func (w *wide) mulAdd(by, add uint64) {
	for i := range w {
		hi, lo := bits.Mul64(w[i], by)
		var carry uint64
		w[i], carry = bits.Add64(lo, add, 0)
		add = hi + carry
	}
}

// divMod divides by a number below 2^63 and returns the remainder.
func (w *wide) divMod(by uint64) (rest uint64) {
	for i := len(w) - 1; i >= 0; i-- {
		w[i], rest = bits.Div64(rest, w[i], by)
	}
	return rest
}

func (w *wide) negate() {
	carry := uint64(1)
	for i := range w {
		w[i], carry = bits.Add64(^w[i], 0, carry)
	}
}

// magnitude takes the sign from a number of so many words in two's complement.
func magnitude(w wide, words int) (wide, bool) {
	if int64(w[words-1]) >= 0 {
		return w, false
	}
	for i := words; i < len(w); i++ {
		w[i] = math.MaxUint64
	}
	w.negate()
	return w, true
}

func (w *wide) isSmall() bool { return w[1]|w[2]|w[3] == 0 }

// appendWords appends the lowest width bytes of w, or of minus w, in two's complement.
func appendWords(dst []byte, negative bool, width int, w wide) []byte {
	if negative {
		w.negate()
	}
	for i := range width / 8 {
		dst = binary.LittleEndian.AppendUint64(dst, w[i])
	}
	return dst
}

// putNumeric appends the binary form of w * 10^-scale.
func putNumeric(dst []byte, negative bool, w wide, scale int) []byte {
	var digits [24]uint16 // base 10000, lowest first
	count := 0
	part := scale % 4 // decimal digits of the lowest one that are in use
	if part > 0 {
		digits[0] = uint16(w.divMod(powers[part]) * powers[4-part])
		count = 1
	}
	lowest := -(scale + 3) / 4 // its power of 10000
	for ; w.isSmall() && w[0] != 0; count++ {
		digits[count] = uint16(w[0] % 10000)
		w[0] /= 10000
	}
	for ; w != (wide{}); count++ {
		digits[count] = uint16(w.divMod(10000))
	}
	return appendNumeric(dst, negative, digits[:count], lowest, scale)
}

// appendNumeric appends digits, lowest first, of which the first counts 10000^lowest.
func appendNumeric(dst []byte, negative bool, digits []uint16, lowest, scale int) []byte {
	for len(digits) > 0 && digits[0] == 0 {
		digits, lowest = digits[1:], lowest+1
	}
	for len(digits) > 0 && digits[len(digits)-1] == 0 {
		digits = digits[:len(digits)-1]
	}
	sign, weight := uint16(signPlus), lowest+len(digits)-1
	switch {
	case len(digits) == 0:
		weight = 0
	case negative:
		sign = signMinus
	}
	dst = binary.BigEndian.AppendUint16(dst, uint16(len(digits)))
	dst = binary.BigEndian.AppendUint16(dst, uint16(int16(weight)))
	dst = binary.BigEndian.AppendUint16(dst, sign)
	dst = binary.BigEndian.AppendUint16(dst, uint16(scale))
	for i := len(digits) - 1; i >= 0; i-- {
		dst = binary.BigEndian.AppendUint16(dst, digits[i])
	}
	return dst
}

// Limits of numeric: digits before and after the point.
const (
	maxWhole    = 131_072
	maxFraction = 16_383
)

// numericText is decimal text taken apart: no sign, no exponent.
type numericText struct {
	whole, fraction []byte
	negative        bool
	special         uint16 // signNaN, signInf, signNegIn; 0 a number
}

// parseNumeric takes the text of a numeric apart: what PostgreSQL prints, no exponents.
func parseNumeric(b []byte) (n numericText, ok bool) {
	switch string(b) {
	case "NaN":
		return numericText{special: signNaN}, true
	case "Infinity":
		return numericText{special: signInf}, true
	case "-Infinity":
		return numericText{special: signNegIn}, true
	}
	if len(b) > 0 && (b[0] == '-' || b[0] == '+') {
		n.negative, b = b[0] == '-', b[1:]
	}
	n.whole = b[:countDigits(b)]
	b = b[len(n.whole):]
	if len(b) > 0 && b[0] == '.' {
		n.fraction = b[1 : 1+countDigits(b[1:])]
		b = b[1+len(n.fraction):]
	}
	return n, len(b) == 0 && len(n.whole)+len(n.fraction) > 0
}

func countDigits(b []byte) int {
	n := 0
	for n < len(b) && '0' <= b[n] && b[n] <= '9' {
		n++
	}
	return n
}

// trim removes zeros before the number; those after the point are kept: they are the
// scale of a numeric without limits.
func (n *numericText) trim() {
	for len(n.whole) > 0 && n.whole[0] == '0' {
		n.whole = n.whole[1:]
	}
}

// fits checks a number against the limits of its target.
func (n *numericText) fits(precision, scale int, limited bool) error {
	if !limited {
		precision, scale = maxWhole+maxFraction, maxFraction
	}
	first, last, zero := n.span()
	switch {
	case zero:
		return nil
	case last < -scale:
		return tooFine(scale)
	case first+scale >= precision:
		return faultf(rows.CodeOutOfRange, "more digits than numeric(%d,%d) has", precision, scale)
	}
	return nil
}

// span are the powers of ten of the first and the last digit that is not zero.
func (n *numericText) span() (first, last int, zero bool) {
	whole := bytes.TrimRight(n.whole, "0")
	fraction := bytes.TrimRight(n.fraction, "0")
	switch {
	case len(fraction) > 0:
		last = -len(fraction)
	case len(whole) > 0:
		last = len(n.whole) - len(whole)
	default:
		return 0, 0, true
	}
	if len(n.whole) > 0 {
		return len(n.whole) - 1, last, false
	}
	return len(bytes.TrimLeft(fraction, "0")) - len(fraction) - 1, last, false
}

// put appends the binary form.
func (n *numericText) put(dst []byte) []byte {
	if n.special != 0 {
		dst = append(dst, 0, 0, 0, 0)
		return append(dst, byte(n.special>>8), byte(n.special), 0, 0)
	}
	lowest := -(len(n.fraction) + 3) / 4
	count := (len(n.whole)+3)/4 - lowest
	digits := make([]uint16, 0, min(count, 64))
	for i := range count {
		digits = append(digits, n.group(lowest+i))
	}
	return appendNumeric(dst, n.negative, digits, lowest, len(n.fraction))
}

// group is the digit that counts 10000^at.
func (n *numericText) group(at int) (d uint16) {
	for place := 4*at + 3; place >= 4*at; place-- {
		d *= 10
		switch {
		case place >= 0 && place < len(n.whole):
			d += uint16(n.whole[len(n.whole)-1-place] - '0')
		case place < 0 && -place <= len(n.fraction):
			d += uint16(n.fraction[-place-1] - '0')
		}
	}
	return d
}
