package text

import (
	"math"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
)

const nano = uint64(1_000_000_000)

// appendInterval writes each part with a sign of its own, as PostgreSQL does and reads.
func appendInterval(dst []byte, v arrow.MonthDayNanoInterval) []byte {
	dst = append(dst, 'P')
	dst = appendPart(dst, int64(v.Months/12), 'Y')
	dst = appendPart(dst, int64(v.Months%12), 'M')
	dst = appendPart(dst, int64(v.Days), 'D')
	if v.Nanoseconds == 0 {
		if v.Months == 0 && v.Days == 0 {
			dst = append(dst, "T0S"...)
		}
		return dst
	}
	dst = append(dst, 'T')
	n := v.Nanoseconds
	dst = appendPart(dst, n/(3600*int64(nano)), 'H')
	dst = appendPart(dst, n/(60*int64(nano))%60, 'M')
	if n %= 60 * int64(nano); n != 0 {
		if n < 0 {
			dst, n = append(dst, '-'), -n
		}
		dst = strconv.AppendUint(dst, uint64(n)/nano, 10)
		dst = append(appendFraction(dst, uint64(n)%nano, 9), 'S')
	}
	return dst
}

func appendPart(dst []byte, n int64, unit byte) []byte {
	if n == 0 {
		return dst
	}
	return append(strconv.AppendInt(dst, n, 10), unit)
}

func parseInterval(s string) (arrow.MonthDayNanoInterval, error) {
	wrong := func() (arrow.MonthDayNanoInterval, error) {
		return arrow.MonthDayNanoInterval{}, bad(s, "an ISO 8601 interval such as P1Y2M3DT4H5M6.789S")
	}
	rest, ok := strings.CutPrefix(s, "P")
	date, clock, timed := strings.Cut(rest, "T")
	if !ok || rest == "" || timed && clock == "" {
		return wrong()
	}
	var total [3]int64 // months, days, nanoseconds
	if !sumParts(&total, date, dateUnits) || !sumParts(&total, clock, clockUnits) {
		return wrong()
	}
	months, days := total[0], total[1]
	if months != int64(int32(months)) || days != int64(int32(days)) {
		return arrow.MonthDayNanoInterval{}, bad(s, "an interval that can be kept: it is too long")
	}
	return arrow.MonthDayNanoInterval{Months: int32(months), Days: int32(days), Nanoseconds: total[2]}, nil
}

// unit is a designator, what it counts in, and how many of that.
type unit struct {
	name  byte
	of    int
	times int64
}

var (
	dateUnits  = []unit{{'Y', 0, 12}, {'M', 0, 1}, {'W', 1, 7}, {'D', 1, 1}}
	clockUnits = []unit{{'H', 2, 3600 * int64(nano)}, {'M', 2, 60 * int64(nano)}, {'S', 2, int64(nano)}}
)

// sumParts adds up a run of numbers with designators, which must come in order.
func sumParts(total *[3]int64, s string, units []unit) bool {
	for s != "" {
		n, frac, rest, ok := parsePart(s)
		if !ok {
			return false
		}
		for len(units) > 0 && units[0].name != rest[0] {
			units = units[1:]
		}
		if len(units) == 0 || frac != 0 && units[0].name != 'S' {
			return false
		}
		u := units[0]
		units, s = units[1:], rest[1:]
		if !addTimes(&total[u.of], n, u.times) || !addTimes(&total[u.of], frac, 1) {
			return false
		}
	}
	return true
}

// parsePart reads a signed number, its fraction in billionths; rest starts with the designator.
func parsePart(s string) (n, frac int64, rest string, ok bool) {
	end := strings.IndexFunc(s, func(r rune) bool { return r >= 'A' && r <= 'Z' })
	if end < 0 {
		return 0, 0, s, false
	}
	whole, tail := s[:end], ""
	if dot := strings.IndexByte(whole, '.'); dot >= 0 {
		whole, tail = whole[:dot], whole[dot:]
	}
	n, err := parseInt(whole, 64)
	if err != nil {
		return 0, 0, s, false
	}
	frac, tail, ok = parseFraction(tail, 9)
	if whole[0] == '-' {
		frac = -frac
	}
	return n, frac, s[end:], ok && tail == ""
}

// addTimes sets sum += n*times, false when that does not fit.
func addTimes(sum *int64, n, times int64) bool {
	product := n * times
	if n != 0 && (product/n != times || n == -1 && times == math.MinInt64) {
		return false
	}
	next := *sum + product
	if (next > *sum) != (product > 0) && product != 0 {
		return false
	}
	*sum = next
	return true
}
