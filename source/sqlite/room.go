package sqlite

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
)

// room is how much a batch took: its rows, and the bytes of each column of text or blobs.
type room struct {
	rows int
	data []int
}

func roomOf(rec arrow.RecordBatch) room {
	r := room{int(rec.NumRows()), make([]int, rec.NumCols())}
	for i, c := range rec.Columns() {
		if e, ok := c.(array.ExtensionArray); ok {
			c = e.Storage()
		}
		if v, ok := c.(array.BinaryLike); ok {
			r.data[i] = len(v.ValueBytes())
		}
	}
	return r
}

// reserve gives empty builders this room and a little more. Rows of a table are much
// alike, and growing by doubling would hold, and leave behind, twice what a batch needs.
func (r room) reserve(columns []array.Builder) {
	for i, c := range columns {
		c.Resize(r.rows + r.rows/16)
		if e, ok := c.(interface{ StorageBuilder() array.Builder }); ok {
			c = e.StorageBuilder()
		}
		if b, ok := c.(interface{ ReserveData(bytes int) }); ok {
			b.ReserveData(r.data[i] + r.data[i]/16)
		}
	}
}
