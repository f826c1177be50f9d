package pgcopy

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// vector is one column being built. It is not one of Arrow's builders because a row that
// turns out bad in its last column has to be taken back from the others, and because its
// memory is used again for the next batch.
type vector struct {
	field arrow.Field
	put   func(v *vector, b []byte) error // appends one value; its validity is set by the caller
	width int                             // bytes of a value; 0: offsets; -1: bits

	n, nulls int
	valid    []byte  // bitmap
	data     []byte  // values, or the bytes that offsets point into
	offsets  []int32 // n+1 of them, for utf8, binary and lists
	child    *vector // of a list
}

func (v *vector) hasOffsets() bool { return v.width == 0 }

// reset empties the vector and keeps its memory, unless that grew out of proportion.
func (v *vector) reset() {
	if cap(v.data) > 16<<20 {
		v.data = nil
	}
	v.n, v.nulls, v.valid, v.data = 0, 0, v.valid[:0], v.data[:0]
	if v.hasOffsets() {
		v.offsets = append(v.offsets[:0], 0)
	}
	if v.child != nil {
		v.child.reset()
	}
}

// add appends one value, or NULL when b is nil.
func (v *vector) add(b []byte, null bool) error {
	if null {
		v.addNull()
		return nil
	}
	if err := v.put(v, b); err != nil {
		v.truncate(v.n)
		return err
	}
	v.mark(true)
	return nil
}

func (v *vector) addNull() {
	switch {
	case v.width > 0:
		v.data = append(v.data, zeros[:v.width]...)
	case v.width < 0:
		v.addBit(false)
	}
	v.nulls++
	v.mark(false)
}

var zeros [32]byte

// mark counts the value just put.
func (v *vector) mark(valid bool) {
	if v.n&7 == 0 {
		v.valid = append(v.valid, 0)
	}
	if valid {
		v.valid[v.n>>3] |= 1 << (v.n & 7)
	}
	v.n++
	if v.hasOffsets() {
		end := len(v.data)
		if v.child != nil {
			end = v.child.n
		}
		v.offsets = append(v.offsets, int32(end))
	}
}

func (v *vector) addBit(b bool) {
	if v.n&7 == 0 {
		v.data = append(v.data, 0)
	}
	if b {
		v.data[v.n>>3] |= 1 << (v.n & 7)
	}
}

// truncate takes back everything after the first n values, also half of one.
func (v *vector) truncate(n int) {
	for i := n; i < v.n; i++ {
		if v.valid[i>>3]&(1<<(i&7)) == 0 {
			v.nulls--
		}
	}
	v.n = n
	v.valid = cutBits(v.valid, n)
	switch {
	case v.width < 0:
		v.data = cutBits(v.data, n)
	case v.width > 0:
		v.data = v.data[:n*v.width]
	default:
		v.offsets = v.offsets[:n+1]
		if v.child != nil {
			v.child.truncate(int(v.offsets[n]))
		} else {
			v.data = v.data[:v.offsets[n]]
		}
	}
}

func cutBits(b []byte, n int) []byte {
	b = b[:(n+7)/8]
	if n&7 != 0 {
		b[n>>3] &= 1<<(n&7) - 1
	}
	return b
}

// array is the column as Arrow, without copying: it is gone with the next reset.
func (v *vector) array() arrow.Array {
	data := v.arrayData()
	defer data.Release()
	return array.MakeFromData(data)
}

func (v *vector) arrayData() arrow.ArrayData {
	buffers := []*memory.Buffer{nil}
	if v.nulls > 0 {
		buffers[0] = memory.NewBufferBytes(v.valid)
	}
	if v.hasOffsets() {
		buffers = append(buffers, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(v.offsets)))
	}
	if v.child == nil {
		buffers = append(buffers, memory.NewBufferBytes(v.data))
		return array.NewData(v.field.Type, v.n, buffers, nil, v.nulls, 0)
	}
	child := v.child.arrayData()
	defer child.Release()
	return array.NewData(v.field.Type, v.n, buffers, []arrow.ArrayData{child}, v.nulls, 0)
}
