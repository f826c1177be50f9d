package pgcopy

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/text"
	"github.com/synclinehq/syncline/rows"
)

// parserOf reads text as the type that the pipeline gave a column. What is not of that
// type is a reject.
func parserOf(f arrow.Field) (func(*vector, []byte) error, error) {
	if f.Type.ID() == arrow.STRING {
		return putText, nil
	}
	if f.Type.ID() == arrow.LIST {
		return nil, fmt.Errorf("column %q: its text cannot be read as a list", f.Name)
	}
	parse, err := text.Parser(f)
	if err != nil {
		return nil, err
	}
	one := array.NewBuilder(memory.DefaultAllocator, f.Type)
	return func(v *vector, b []byte) error {
		if err := parse(one, string(b)); err != nil {
			return parseFault(err)
		}
		a := one.NewArray()
		defer a.Release()
		v.putFirst(a)
		return nil
	}, nil
}

func parseFault(err error) error {
	if errors.Is(err, text.ErrUTF8) {
		return faultf(rows.CodeEncoding, "%v", err)
	}
	return faultf(rows.CodeType, "%v", err)
}

// putFirst appends the first value of an array of the vector's type.
func (v *vector) putFirst(a arrow.Array) {
	buffers := a.Data().Buffers()
	switch {
	case v.width > 0:
		v.data = append(v.data, buffers[1].Bytes()[:v.width]...)
	case v.width < 0:
		v.addBit(buffers[1].Bytes()[0]&1 == 1)
	default:
		v.data = append(v.data, buffers[2].Bytes()...)
	}
}
