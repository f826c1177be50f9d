package pgcopy

import (
	"encoding/binary"
	"fmt"
	"math"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/rows"
)

// Days and microseconds between Arrow's epoch, 1970, and PostgreSQL's, 2000.
const (
	epochDays   = 10_957
	epochMicros = epochDays * 86_400_000_000
)

// newVector picks how a field's values are read.
func newVector(f arrow.Field) (*vector, error) {
	v := &vector{field: f}
	if err := v.layout(); err != nil {
		return nil, err
	}
	var err error
	switch wireOf(f) {
	case wireText:
		v.put = putText
	case wireOverride:
		v.put, err = parserOf(f)
	default:
		v.put = scannerOf(f)
	}
	if err == nil && v.put == nil {
		err = fmt.Errorf("column %q: no way to read %s", f.Name, f.Type)
	}
	v.reset()
	return v, err
}

// layout sets how the values of the field's type lie in memory.
func (v *vector) layout() error {
	switch t := v.field.Type.(type) {
	case *arrow.BooleanType:
		v.width = -1
	case *arrow.StringType, *arrow.BinaryType, *extensions.JSONType:
	case *extensions.UUIDType:
		v.width = 16
	case *arrow.ListType:
		elem := t.ElemField()
		if wireOf(v.field) == wireOverride {
			return fmt.Errorf("column %q: a list cannot be made of text", v.field.Name)
		}
		if wireOf(v.field) == wireTexts {
			elem = rows.Field(elem.Name, elem.Type, true, Native+"text")
		}
		var err error
		v.child, err = newVector(elem)
		return err
	case arrow.FixedWidthDataType:
		v.width = t.Bytes()
	default:
		return fmt.Errorf("column %q: %s does not come from PostgreSQL", v.field.Name, t)
	}
	return nil
}

func scannerOf(f arrow.Field) func(*vector, []byte) error {
	switch t := f.Type.(type) {
	case *arrow.Int16Type:
		return scan16
	case *arrow.Int32Type, *arrow.Float32Type:
		return scan32
	case *arrow.Int64Type, *arrow.Float64Type:
		return scan64
	case *arrow.BooleanType:
		return scanBool
	case *arrow.StringType:
		return putText
	case *arrow.BinaryType:
		return putBytes
	case arrow.DecimalType:
		return numericScanner(t)
	case *arrow.Date32Type:
		return scanDate
	case *arrow.Time64Type:
		return scan64
	case *arrow.TimestampType:
		return scanTimestamp
	case *extensions.UUIDType:
		return scanUUID
	case *extensions.JSONType:
		if rows.Native(f) == Native+"jsonb" {
			return scanJSONB
		}
		return putText
	case *arrow.MonthDayNanoIntervalType:
		return scanInterval
	case *arrow.ListType:
		return scanList
	}
	return nil
}

func wrongSize(b []byte, n int) error {
	return faultf(rows.CodeMalformed, "%d bytes where %d belong", len(b), n)
}

func scan16(v *vector, b []byte) error {
	if len(b) != 2 {
		return wrongSize(b, 2)
	}
	v.data = append(v.data, b[1], b[0])
	return nil
}

func scan32(v *vector, b []byte) error {
	if len(b) != 4 {
		return wrongSize(b, 4)
	}
	v.data = binary.LittleEndian.AppendUint32(v.data, binary.BigEndian.Uint32(b))
	return nil
}

func scan64(v *vector, b []byte) error {
	if len(b) != 8 {
		return wrongSize(b, 8)
	}
	v.data = binary.LittleEndian.AppendUint64(v.data, binary.BigEndian.Uint64(b))
	return nil
}

func scanBool(v *vector, b []byte) error {
	if len(b) != 1 || b[0] > 1 {
		return faultf(rows.CodeMalformed, "not a boolean: %x", b[:min(len(b), 8)])
	}
	v.addBit(b[0] == 1)
	return nil
}

func putBytes(v *vector, b []byte) error {
	v.data = append(v.data, b...)
	return nil
}

// putText keeps text. The server promises UTF-8, but not in a database in SQL_ASCII.
func putText(v *vector, b []byte) error {
	if !utf8.Valid(b) {
		return faultf(rows.CodeEncoding, "not UTF-8")
	}
	v.data = append(v.data, b...)
	return nil
}

func scanJSONB(v *vector, b []byte) error {
	if len(b) < 1 || b[0] != 1 {
		return faultf(rows.CodeMalformed, "not version 1 of jsonb")
	}
	return putText(v, b[1:])
}

func scanUUID(v *vector, b []byte) error {
	if len(b) != 16 {
		return wrongSize(b, 16)
	}
	v.data = append(v.data, b...)
	return nil
}

func scanDate(v *vector, b []byte) error {
	if len(b) != 4 {
		return wrongSize(b, 4)
	}
	days := int32(binary.BigEndian.Uint32(b))
	switch {
	case days == math.MaxInt32 || days == math.MinInt32: // infinity: the extremes here too
	case days > math.MaxInt32-epochDays-1:
		return faultf(rows.CodeOutOfRange, "a date beyond what date32 holds")
	default:
		days += epochDays
	}
	v.data = binary.LittleEndian.AppendUint32(v.data, uint32(days))
	return nil
}

// scanTimestamp rejects the last 29 years of PostgreSQL's range, from the year 294247 on:
// counted from 1970 they do not fit 64 bits of microseconds.
func scanTimestamp(v *vector, b []byte) error {
	if len(b) != 8 {
		return wrongSize(b, 8)
	}
	micros := int64(binary.BigEndian.Uint64(b))
	switch {
	case micros == math.MaxInt64 || micros == math.MinInt64: // infinity: the extremes here too
	case micros > math.MaxInt64-epochMicros-1:
		return faultf(rows.CodeOutOfRange, "a timestamp after the year 294246, more than 64 bits of microseconds hold")
	default:
		micros += epochMicros
	}
	v.data = binary.LittleEndian.AppendUint64(v.data, uint64(micros))
	return nil
}

func scanInterval(v *vector, b []byte) error {
	if len(b) != 16 {
		return wrongSize(b, 16)
	}
	micros := int64(binary.BigEndian.Uint64(b))
	if micros > math.MaxInt64/1000 || micros < math.MinInt64/1000 {
		return faultf(rows.CodeOutOfRange, "an interval with more than 292 years of hours, or infinite")
	}
	v.data = binary.LittleEndian.AppendUint32(v.data, binary.BigEndian.Uint32(b[12:])) // months
	v.data = binary.LittleEndian.AppendUint32(v.data, binary.BigEndian.Uint32(b[8:]))  // days
	v.data = binary.LittleEndian.AppendUint64(v.data, uint64(micros*1000))
	return nil
}

// scanList reads a one-dimensional array that begins at 1, as Arrow's lists do. Others
// are legal in any array column, and are rejected: a list would forget their shape.
func scanList(v *vector, b []byte) error {
	if len(b) < 12 {
		return faultf(rows.CodeMalformed, "array of %d bytes", len(b))
	}
	dims := int32(binary.BigEndian.Uint32(b))
	if dims == 0 && len(b) == 12 {
		return nil
	}
	if dims != 1 {
		return faultf(rows.CodeType, "an array of %d dimensions is no list; give the column the type text to keep it", dims)
	}
	if len(b) < 20 {
		return faultf(rows.CodeMalformed, "array of %d bytes", len(b))
	}
	n, lower := int32(binary.BigEndian.Uint32(b[12:])), int32(binary.BigEndian.Uint32(b[16:]))
	if lower != 1 {
		return faultf(rows.CodeType, "an array that begins at %d is no list; give the column the type text to keep it", lower)
	}
	return scanElements(v.child, b[20:], int(n))
}

func scanElements(child *vector, p []byte, n int) error {
	for i := range n {
		value, null, rest, ok := cutField(p)
		if !ok {
			return faultf(rows.CodeMalformed, "array ends in element %d of %d", i+1, n)
		}
		p = rest
		if err := child.add(value, null); err != nil {
			return err
		}
	}
	if n < 0 || len(p) > 0 {
		return faultf(rows.CodeMalformed, "array of %d elements with %d bytes more", n, len(p))
	}
	return nil
}
