package text

import (
	"math"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/rows"
)

const (
	second = int64(1_000_000)
	minute = 60 * second
	hour   = 60 * minute
	day    = 24 * hour
)

// appendClock writes a time of day in microseconds; 24:00:00 is one.
func appendClock(dst []byte, t int64) []byte {
	dst = append(append2(dst, int(t/hour)), ':')
	dst = append(append2(dst, int(t%hour/minute)), ':')
	dst = append2(dst, int(t%minute/second))
	return appendFraction(dst, uint64(t%second), 6)
}

// appendFraction writes .frac, of so many digits, without the zeros at its end.
func appendFraction(dst []byte, frac uint64, digits int) []byte {
	if frac == 0 {
		return dst
	}
	for frac%10 == 0 {
		frac, digits = frac/10, digits-1
	}
	dst = append(dst, '.')
	start := len(dst)
	for range digits {
		dst = append(dst, '0')
	}
	for i := start + digits - 1; frac > 0; i-- {
		dst[i] = byte('0' + frac%10)
		frac /= 10
	}
	return dst
}

func parseTime(s string) (arrow.Time64, error) {
	t, rest, ok := parseClock(s)
	if !ok || rest != "" {
		return 0, bad(s, "a time such as 12:34:56.789")
	}
	return arrow.Time64(t), nil
}

// parseClock reads HH:MM[:SS[.ffffff]] at the start of s.
func parseClock(s string) (t int64, rest string, ok bool) {
	if len(s) < 5 || s[2] != ':' {
		return 0, s, false
	}
	h, m := parse2(s), parse2(s[3:])
	rest = s[5:]
	sec, frac := 0, int64(0)
	if rest != "" && rest[0] == ':' {
		sec, rest = parse2(rest[1:]), rest[min(3, len(rest)):]
		if frac, rest, ok = parseFraction(rest, 6); !ok {
			return 0, s, false
		}
	}
	if h < 0 || m < 0 || m > 59 || sec < 0 || sec > 59 {
		return 0, s, false
	}
	t = int64(h)*hour + int64(m)*minute + int64(sec)*second + frac
	return t, rest, t <= day
}

// parseFraction reads .fff at the start of s, if it is there, in units of 10^-digits.
// Zeros beyond them are no loss, any other digit is.
func parseFraction(s string, digits int) (frac int64, rest string, ok bool) {
	if s == "" || s[0] != '.' {
		return 0, s, true
	}
	i := 1
	for ; i < len(s) && s[i]-'0' <= 9; i++ {
		if i <= digits {
			frac = frac*10 + int64(s[i]-'0')
		} else if s[i] != '0' {
			return 0, s, false
		}
	}
	for n := i - 1; n < digits; n++ {
		frac *= 10
	}
	return frac, s[i:], i > 1
}

func appendTimestamp(dst []byte, t arrow.Timestamp, zone string) []byte {
	switch t {
	case rows.TimeInfinity:
		return append(dst, infinity...)
	case rows.TimeNegInfinity:
		return append(dst, negInfinity...)
	}
	days := floorDiv(int64(t), day)
	dst, bc := appendCivil(dst, days)
	// The first day there is begins before the smallest int64: subtracting wraps round
	// twice and comes out right.
	dst = appendClock(append(dst, 'T'), int64(t)-days*day)
	dst = append(dst, zone...)
	if bc {
		dst = append(dst, bcSuffix...)
	}
	return dst
}

// parseTimestamp reads date, T or a space, time and, when zoned, an offset, which must
// then be there: without one the moment would be a guess.
func parseTimestamp(s string, zoned bool) (arrow.Timestamp, error) {
	switch s {
	case infinity:
		return rows.TimeInfinity, nil
	case negInfinity:
		return rows.TimeNegInfinity, nil
	}
	body, bc := strings.CutSuffix(s, bcSuffix)
	days, rest, ok := parseCivil(body, bc)
	var clock, offset int64
	if ok && rest != "" {
		if rest[0] != 'T' && rest[0] != ' ' {
			return 0, badTimestamp(s, zoned)
		}
		clock, rest, ok = parseClock(rest[1:])
	}
	if ok && zoned {
		offset, rest, ok = parseZone(rest)
	}
	if !ok || rest != "" || clock == day {
		return 0, badTimestamp(s, zoned)
	}
	t, ok := joinTimestamp(days, clock-offset)
	if !ok {
		return 0, errFar(s)
	}
	return t, nil
}

func badTimestamp(s string, zoned bool) error {
	if zoned {
		return bad(s, "a timestamp with its zone, such as 2024-02-29T12:34:56Z")
	}
	return bad(s, "a timestamp without zone, such as 2024-02-29T12:34:56")
}

func joinTimestamp(days, micros int64) (arrow.Timestamp, bool) {
	seconds := days*(day/second) + floorDiv(micros, second)
	frac := micros - floorDiv(micros, second)*second
	const most = math.MaxInt64 / 1_000_000
	if seconds > most || seconds < -most-1 {
		return 0, false
	}
	t := seconds*second + frac // may wrap at the very ends
	if seconds >= 0 && t < 0 || seconds < 0 && t >= 0 {
		return 0, false
	}
	return arrow.Timestamp(t), t != math.MaxInt64 && t != math.MinInt64
}

// parseZone reads Z, ±HH, ±HHMM, ±HH:MM or ±HH:MM:SS, in microseconds east of UTC.
func parseZone(s string) (offset int64, rest string, ok bool) {
	if s == "" {
		return 0, s, false
	}
	if s[0] == 'Z' || s[0] == 'z' {
		return 0, s[1:], true
	}
	if s[0] != '+' && s[0] != '-' {
		return 0, s, false
	}
	negative := s[0] == '-'
	rest = s[1:]
	for i, unit := range [...]int64{hour, minute, second} {
		if i > 0 {
			if rest == "" {
				break
			}
			rest = strings.TrimPrefix(rest, ":")
		}
		n := parse2(rest)
		if n < 0 || n > 59 {
			return 0, s, false
		}
		offset, rest = offset+int64(n)*unit, rest[2:]
	}
	if negative {
		offset = -offset
	}
	return offset, rest, offset < day && offset > -day
}
