package pgcopy

import (
	"encoding/binary"
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
)

// Ends of PostgreSQL's calendar, counted from 1970: 4714-11-24 BC, 5874897-12-31 for
// dates and 294276-12-31 for timestamps, which is beyond 64 bits of microseconds here.
const (
	firstDay   = -2_440_588
	lastDay    = 2_145_042_905
	dayMicros  = 86_400_000_000
	firstMicro = firstDay * dayMicros
)

func writeDate(dst []byte, a arrow.Array, i int) ([]byte, error) {
	days := int32(a.(*array.Date32).Value(i))
	switch {
	case days == math.MaxInt32 || days == math.MinInt32:
	case days < firstDay || days > lastDay:
		return dst, beyond("the day "+string(text.Append(nil, a, i)), "date")
	default:
		days -= epochDays
	}
	return binary.BigEndian.AppendUint32(dst, uint32(days)), nil
}

func timeWriter(t *arrow.Time64Type, target pgType) writer {
	if t.Unit != arrow.Microsecond || target.base != "time without time zone" {
		return nil
	}
	unit := fractionUnit(target)
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		micros := int64(a.(*array.Time64).Value(i))
		if micros < 0 || micros > dayMicros {
			return dst, beyond(micros, "the microseconds of a day")
		}
		if micros%unit != 0 {
			return dst, finer(target)
		}
		return binary.BigEndian.AppendUint64(dst, uint64(micros)), nil
	}
}

// fractionUnit is the smallest step of a time type in microseconds.
func fractionUnit(target pgType) int64 {
	unit := int64(1)
	for range 6 - min(target.digits(), 6) {
		unit *= 10
	}
	return unit
}

func finer(target pgType) error {
	return faultf(rows.CodeOutOfRange, "a finer fraction of a second than %s keeps", target)
}

// timestampWriter keeps the difference between a moment and a reading of a clock: one
// does not become the other without a time zone that nobody named.
func timestampWriter(t *arrow.TimestampType, target pgType) writer {
	base := "timestamp without time zone"
	if t.TimeZone != "" {
		base = "timestamp with time zone"
	}
	if t.Unit != arrow.Microsecond || target.base != base {
		return nil
	}
	unit := fractionUnit(target)
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		micros := int64(a.(*array.Timestamp).Value(i))
		switch {
		case micros == math.MaxInt64 || micros == math.MinInt64:
		case micros < firstMicro:
			return dst, beyond("the time "+string(text.Append(nil, a, i)), target.base)
		case micros%unit != 0:
			return dst, finer(target)
		default:
			micros -= epochMicros
		}
		return binary.BigEndian.AppendUint64(dst, uint64(micros)), nil
	}
}

// intervalWriter writes into interval, and into one with restricted fields only what came
// from the same: the server would cut the rest.
func intervalWriter(f arrow.Field, target pgType) writer {
	if target.base != "interval" || target.fields != "" && rows.Native(f) != Native+target.String() {
		return nil
	}
	unit := fractionUnit(target) * 1000
	return func(dst []byte, a arrow.Array, i int) ([]byte, error) {
		v := a.(*array.MonthDayNanoInterval).Value(i)
		if v.Nanoseconds%unit != 0 {
			return dst, finer(target)
		}
		dst = binary.BigEndian.AppendUint64(dst, uint64(v.Nanoseconds/1000))
		dst = binary.BigEndian.AppendUint32(dst, uint32(v.Days))
		return binary.BigEndian.AppendUint32(dst, uint32(v.Months)), nil
	}
}
