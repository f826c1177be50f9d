package destinationtest

import (
	"errors"
	"fmt"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
)

var colour = arrow.Field{Name: "colour", Type: arrow.BinaryTypes.String, Nullable: true}

func red(n int) string { return fmt.Sprintf("red %d", n) }

func newColumn(b *bench) {
	b.load(orders(0, 20))
	f := orders(0, 25).with(colour, red)
	a := b.begin(f, byLoad("load-2"))
	a.part("0")
	a.publish()
	b.shows(a, f.rows)
}

func ignoredColumn(b *bench) {
	b.load(orders(0, 20))
	plain := orders(0, 25)
	a := b.begin(plain.with(colour, red), byLoad("load-2"), columns(syncline.ColumnsIgnore))
	a.part("0")
	a.publish()
	a.feed = plain
	b.shows(a, plain.rows)
}

// stopped expects a load to be refused for its columns, at the latest by Takeover.
func stopped(b *bench, f feed, changes ...change) *destination.SchemaChange {
	b.Helper()
	_, err := b.tryBegin(f, append(changes, byLoad("load-2"))...)
	s, ok := errors.AsType[*destination.SchemaChange](err)
	if !ok {
		b.Fatalf("%v, want a SchemaChange", err)
	}
	return s
}

func frozenColumn(b *bench) {
	before := orders(0, 20)
	a := b.begin(before)
	a.part("0")
	a.publish()
	s := stopped(b, orders(0, 25).with(colour, red), columns(syncline.ColumnsFreeze))
	if s.Column != "colour" || s.Source == "" || s.Target != "" || s.Policy != syncline.ColumnsFreeze {
		b.Errorf("%+v", s)
	}
	b.shows(a, before.rows)
}

// missingColumn: what the source no longer has stays in the target.
func missingColumn(b *bench) {
	full := orders(0, 20).with(colour, red)
	b.load(full)
	f := orders(0, 25)
	a := b.begin(f, byLoad("load-2"))
	a.part("0")
	a.publish()
	a.feed = full
	got, _ := b.place.Rows(b, a.target.Table, full.fields)
	if len(got) != 25 {
		b.Fatalf("%d rows", len(got))
	}
	a.feed = f
	b.shows(a, f.rows)
}

func widen(b *bench) {
	narrow := orders(0, 3)
	narrow.fields = append(narrow.fields, arrow.Field{Name: "n", Type: arrow.PrimitiveTypes.Int32})
	for i := range narrow.rows {
		narrow.rows[i] = append(narrow.rows[i], "2147483647")
	}
	b.load(narrow)
	wide := orders(0, 4)
	wide.fields[2].Type = &arrow.Decimal128Type{Precision: 20, Scale: 4}
	wide.fields = append(wide.fields, arrow.Field{Name: "n", Type: arrow.PrimitiveTypes.Int64, Nullable: true})
	for i := range wide.rows {
		wide.rows[i][2] += "99"
		wide.rows[i] = append(wide.rows[i], "9223372036854775807")
	}
	wide.rows[3][3] = Null
	a := b.begin(wide, byLoad("load-2"))
	a.part("0")
	a.publish()
	b.shows(a, wide.rows)
}

func incompatible(b *bench) {
	before := orders(0, 3)
	a := b.begin(before)
	a.part("0")
	a.publish()
	f := orders(0, 3)
	f.fields[2].Type = arrow.FixedWidthTypes.Boolean
	for i := range f.rows {
		f.rows[i][2] = "true"
	}
	s := stopped(b, f)
	if s.Column != "amount" || s.Source == "" || s.Target == "" || s.Table == "" {
		b.Errorf("%+v", s)
	}
	b.shows(a, before.rows)
}
