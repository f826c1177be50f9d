package sqlite

import (
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/extensions"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/synclinehq/syncline/format/typename"
)

// counted adds up what is asked of the Go allocator.
type counted struct {
	memory.GoAllocator
	bytes int
}

func (c *counted) Allocate(n int) []byte {
	c.bytes += n
	return c.GoAllocator.Allocate(n)
}

func (c *counted) Reallocate(n int, b []byte) []byte {
	c.bytes += max(0, n-cap(b))
	return c.GoAllocator.Reallocate(n, b)
}

func TestSecondBatchTakesWhatItNeeds(t *testing.T) {
	t.Parallel()
	schema := arrow.NewSchema([]arrow.Field{
		{Name: "i", Type: arrow.PrimitiveTypes.Int64, Nullable: true},
		{Name: "s", Type: arrow.BinaryTypes.String, Nullable: true},
		{Name: "b", Type: arrow.BinaryTypes.Binary, Nullable: true},
		{Name: "j", Type: typename.JSON, Nullable: true},
		{Name: "u", Type: typename.UUID, Nullable: true},
	}, nil)
	var mem counted
	b := array.NewRecordBuilder(&mem, schema)
	defer b.Release()
	fill := func() arrow.RecordBatch {
		for range 5_000 { // just past a power of two
			b.Field(0).(*array.Int64Builder).Append(1)
			b.Field(1).(*array.StringBuilder).Append(strings.Repeat("x", 33))
			b.Field(2).(*array.BinaryBuilder).Append(make([]byte, 33))
			b.Field(3).(*array.ExtensionBuilder).StorageBuilder().(*array.StringBuilder).Append(`"` + strings.Repeat("j", 33) + `"`)
			b.Field(4).(*extensions.UUIDBuilder).AppendNull()
		}
		return b.NewRecordBatch()
	}
	first := fill()
	grown := mem.bytes
	mem.bytes = 0
	roomOf(first).reserve(b.Fields())
	second := fill()
	defer first.Release()
	defer second.Release()
	if !array.RecordEqual(first, second) {
		t.Fatal("batches of the same rows differ")
	}
	need := 5_000 * (8 + 3*33 + 2 + 3*4 + 16 + 1)
	if mem.bytes > need*9/8 {
		t.Errorf("the second batch took %d bytes, its rows take %d; the first %d", mem.bytes, need, grown)
	}
	if grown < 3*need/2 {
		t.Errorf("the first took %d bytes for %d: nothing was saved", grown, need)
	}
}
