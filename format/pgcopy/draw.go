package pgcopy

import (
	"bytes"
	"fmt"
	"io"
	"slices"

	"github.com/synclinehq/syncline/rows"
)

// Ends says where each tuple ends in bytes that hold whole tuples of so many columns and
// nothing else.
func Ends(raw []byte, columns int) (ends []int, err error) {
	f := Framer{columns: columns, limit: len(raw), header: true, in: raw}
	for at := 0; at < len(raw); {
		t, err := f.Next()
		switch {
		case err == io.EOF, t == nil && err == nil:
			return nil, fmt.Errorf("%w: it ends within a tuple", ErrMalformed)
		case err != nil:
			return nil, err
		}
		at += len(t)
		ends = append(ends, at)
	}
	return ends, nil
}

// drawn is how much of one value a person gets to see.
const drawn = 200

// Key draws the named columns of a tuple, with commas between; NULL is empty.
func (d *Decoder) Key(tuple []byte, columns []string) (string, error) {
	var at []int
	for _, c := range columns {
		at = append(at, d.schema.FieldIndices(c)...)
	}
	texts, err := d.Text(tuple, at)
	for i, t := range texts {
		texts[i] = t[:min(len(t), drawn)]
	}
	return string(bytes.Join(texts, []byte(","))), err
}

// Sample draws the columns of a tuple that are not NULL as "name=value", at most
// rows.MaxSample bytes of them.
func (d *Decoder) Sample(tuple []byte) (sample []byte, err error) {
	all := make([]int, d.schema.NumFields())
	for i := range all {
		all[i] = i
	}
	texts, err := d.Text(tuple, all)
	for i, t := range texts {
		if t != nil && len(sample) <= rows.MaxSample {
			sample = fmt.Appendf(sample, "%s=%q ", d.schema.Field(i).Name, t[:min(len(t), drawn)])
		}
	}
	return slices.Clip(sample[:min(len(sample), rows.MaxSample)]), err
}
