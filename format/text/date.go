package text

import (
	"errors"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/rows"
)

const (
	infinity    = "infinity"
	negInfinity = "-infinity"
	bcSuffix    = " BC"
)

func appendDate(dst []byte, d arrow.Date32) []byte {
	switch d {
	case rows.DateInfinity:
		return append(dst, infinity...)
	case rows.DateNegInfinity:
		return append(dst, negInfinity...)
	}
	dst, bc := appendCivil(dst, int64(d))
	if bc {
		dst = append(dst, bcSuffix...)
	}
	return dst
}

func parseDate(s string) (arrow.Date32, error) {
	switch s {
	case infinity:
		return rows.DateInfinity, nil
	case negInfinity:
		return rows.DateNegInfinity, nil
	}
	body, bc := strings.CutSuffix(s, bcSuffix)
	days, rest, ok := parseCivil(body, bc)
	if !ok || rest != "" {
		return 0, bad(s, "a date such as 2024-02-29")
	}
	if days >= int64(rows.DateInfinity) || days <= int64(rows.DateNegInfinity) {
		return 0, errFar(s)
	}
	return arrow.Date32(days), nil
}

func errFar(s string) error { return errors.New(short(s) + " is too far from today to be kept") }

// appendCivil writes year-month-day and says whether "BC" is to follow.
func appendCivil(dst []byte, days int64) ([]byte, bool) {
	y, m, d := civil(days)
	bc := y <= 0
	if bc {
		y = 1 - y // there is no year 0: it is 1 BC
	}
	for limit := int64(1000); limit > 1 && y < limit; limit /= 10 {
		dst = append(dst, '0')
	}
	dst = append(strconv.AppendInt(dst, y, 10), '-')
	dst = append(append2(dst, m), '-')
	return append2(dst, d), bc
}

// parseCivil reads year-month-day at the start of s.
func parseCivil(s string, bc bool) (days int64, rest string, ok bool) {
	dash := strings.IndexByte(s, '-')
	if dash < 4 || dash > 7 || len(s) < dash+6 || s[dash+3] != '-' {
		return 0, s, false
	}
	var y int64
	for i := range dash {
		c := s[i] - '0'
		if c > 9 {
			return 0, s, false
		}
		y = y*10 + int64(c)
	}
	m, d := parse2(s[dash+1:]), parse2(s[dash+4:])
	if bc {
		y = 1 - y
	}
	if y < 1 != bc || m < 1 || m > 12 || d < 1 || d > monthDays(y, m) {
		return 0, s, false
	}
	return dayNumber(y, m, d), s[dash+6:], true
}

func append2(dst []byte, n int) []byte { return append(dst, byte('0'+n/10), byte('0'+n%10)) }

// parse2 reads two digits at the start of s, -1 when there are none.
func parse2(s string) int {
	if len(s) < 2 || s[0]-'0' > 9 || s[1]-'0' > 9 {
		return -1
	}
	return int(s[0]-'0')*10 + int(s[1]-'0')
}

func monthDays(y int64, m int) int {
	switch {
	case m == 2 && (y%4 != 0 || y%100 == 0 && y%400 != 0):
		return 28
	case m == 2:
		return 29
	case m == 4 || m == 6 || m == 9 || m == 11:
		return 30
	}
	return 31
}

// The two conversions count in eras of 400 years that begin on a 1 March, so that the
// leap day is the last of its year: https://howardhinnant.github.io/date_algorithms.html

const eraDays, epochShift = 146_097, 719_468

func dayNumber(y int64, m, d int) int64 {
	if m <= 2 {
		y--
	}
	era := floorDiv(y, 400)
	year := y - era*400
	day := int64((153*((m+9)%12)+2)/5 + d - 1)
	return era*eraDays + year*365 + year/4 - year/100 + day - epochShift
}

func civil(days int64) (y int64, m, d int) {
	days += epochShift
	era := floorDiv(days, eraDays)
	day := days - era*eraDays
	year := (day - day/1460 + day/36524 - day/146096) / 365
	day -= 365*year + year/4 - year/100
	month := (5*day + 2) / 153
	d = int(day - (153*month+2)/5 + 1)
	m = int((month+2)%12) + 1
	y = year + era*400
	if m <= 2 {
		y++
	}
	return y, m, d
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}
