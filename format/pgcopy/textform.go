package pgcopy

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/synclinehq/syncline/format/text"
)

// AppendValue appends value i of an array in the text form that PostgreSQL's input
// function of its type reads back exactly. The value must not be NULL.
func AppendValue(dst []byte, a arrow.Array, i int) []byte {
	if list, ok := a.(*array.List); ok {
		return appendList(dst, list, i)
	}
	return text.Append(dst, a, i)
}

// appendList draws {1,NULL,"a \"b\""}, the form of arrays. Every element is quoted: what
// needs it depends on the type.
func appendList(dst []byte, a *array.List, i int) []byte {
	start, end := a.ValueOffsets(i)
	values := a.ListValues()
	dst = append(dst, '{')
	var scratch []byte
	for j := int(start); j < int(end); j++ {
		if j > int(start) {
			dst = append(dst, ',')
		}
		if values.IsNull(j) {
			dst = append(dst, "NULL"...)
			continue
		}
		scratch = text.Append(scratch[:0], values, j)
		dst = appendQuoted(dst, scratch)
	}
	return append(dst, '}')
}

func appendQuoted(dst, element []byte) []byte {
	dst = append(dst, '"')
	for _, c := range element {
		if c == '"' || c == '\\' {
			dst = append(dst, '\\')
		}
		dst = append(dst, c)
	}
	return append(dst, '"')
}
