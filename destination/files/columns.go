package files

import (
	"path/filepath"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sidecar"
	"github.com/synclinehq/syncline/format/tree"
	"github.com/synclinehq/syncline/format/typename"
)

// columns are those that are written, and where they stand in the source's rows.
type columns struct {
	schema *arrow.Schema
	from   []int
}

// settle brings the source's columns together with those of the file that is there, as
// far as its schema is known. New ones are added, left out, or stop the run; a type that
// does not hold all values of before stops it.
func settle(t destination.Target, there *arrow.Schema) (columns, error) {
	var c columns
	var fields []arrow.Field
	for i, f := range t.Entity.Schema.Fields() {
		at := -1
		if there != nil {
			at = slices.IndexFunc(there.Fields(), func(old arrow.Field) bool { return old.Name == f.Name })
		}
		switch {
		case there != nil && at < 0 && t.Columns == syncline.ColumnsIgnore:
			continue
		case there != nil && at < 0 && t.Columns == syncline.ColumnsFreeze:
			return c, &destination.SchemaChange{Table: t.Table, Column: f.Name, Source: typename.Word(f.Type), Policy: t.Columns}
		case at >= 0 && !widens(there.Field(at).Type, f.Type):
			return c, &destination.SchemaChange{
				Table: t.Table, Column: f.Name, Policy: t.Columns,
				Source: typename.Word(f.Type), Target: typename.Word(there.Field(at).Type),
			}
		}
		fields, c.from = append(fields, f), append(c.from, i)
	}
	c.schema = arrow.NewSchema(fields, nil)
	return c, nil
}

// widens reports whether every value of a type is one of another.
func widens(from, to arrow.DataType) bool {
	if sameType(from, to) || arrow.TypeEqual(to, arrow.BinaryTypes.String) {
		return true
	}
	whole := map[arrow.Type]int32{arrow.INT16: 5, arrow.INT32: 10, arrow.INT64: 19}
	fromDec, ok := from.(arrow.DecimalType)
	toDec, okTo := to.(arrow.DecimalType)
	switch {
	case ok && okTo:
		return toDec.GetScale() >= fromDec.GetScale() && toDec.GetPrecision()-toDec.GetScale() >= fromDec.GetPrecision()-fromDec.GetScale()
	case okTo && whole[from.ID()] > 0:
		return toDec.GetPrecision()-toDec.GetScale() >= whole[from.ID()]
	case whole[from.ID()] > 0 && whole[to.ID()] > 0:
		return whole[to.ID()] > whole[from.ID()]
	}
	return from.ID() == arrow.FLOAT32 && to.ID() == arrow.FLOAT64
}

// sameType looks past what lists say of their elements beside the type.
func sameType(a, b arrow.DataType) bool { return typename.Word(a) == typename.Word(b) }

// project is a record of only the columns that are written.
func (c columns) project(rec arrow.RecordBatch) arrow.RecordBatch {
	if len(c.from) == int(rec.NumCols()) {
		rec.Retain()
		return rec
	}
	var kept []arrow.Array
	for _, i := range c.from {
		kept = append(kept, rec.Column(i))
	}
	return array.NewRecordBatch(c.schema, kept, rec.NumRows())
}

// shape tells whether what an earlier attempt staged can be gone on with.
func (c columns) shape(s settings) string {
	var b strings.Builder
	b.WriteString(s.Format + " " + string(s.codec()))
	for _, f := range c.schema.Fields() {
		b.WriteString("\x00" + f.Name + "\x00" + typename.Word(f.Type))
	}
	return short(b.String())
}

// known is the schema of the file that is there, of appended ones the newest; nil when it
// is not known.
func known(t *tree.Tree, p place) *arrow.Schema {
	if !p.append {
		if side, ok := sidecar.Read(t, p.target); ok {
			return side.Columns
		}
		return nil
	}
	entries, _ := t.ReadDir(filepath.Dir(p.target)) // none: nothing is known
	for _, e := range slices.Backward(entries) {
		if side, ok := sidecar.Read(t, filepath.Join(filepath.Dir(p.target), e.Name())); ok {
			return side.Columns
		}
	}
	return nil
}
