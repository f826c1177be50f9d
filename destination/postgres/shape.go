package postgres

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/pgcopy"
)

// shape is how the entity's columns meet the target's.
type shape struct {
	columns []landing // those that are written, in the entity's order
	key     []string
	extras  []string // columns of the target that the source does not have
}

// landing is one column on its way in.
type landing struct {
	field    int // in the entity's schema
	name     string
	typ      resolved
	required bool // NULL is refused
	change   change
	was      string // the target's type before it was widened
	identity bool   // generated always as identity, in the target
	domain   bool   // in the target
	place    int    // in the target, counted from 1; 0: it is not there
	nullable bool   // in the target
}

// change is what must be done to the target before a column can land.
type change struct {
	add, widen bool
	loosen     bool // NOT NULL is dropped
}

// meet brings the entity's schema and the target, nil when it is to be made, together.
// What only a person can settle is a *destination.SchemaChange.
func meet(ctx context.Context, q querier, t destination.Target, have *table) (*shape, error) {
	fields := t.Entity.Schema.Fields()
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = pgcopy.TypeName(f)
	}
	types, err := known(ctx, q, names)
	if err != nil {
		return nil, err
	}
	s := &shape{key: t.Entity.Key}
	for i, f := range fields {
		l := landing{field: i, name: f.Name, typ: types[names[i]], required: !f.Nullable || slices.Contains(s.key, f.Name)}
		lands, err := l.meet(t, have)
		if err != nil {
			return nil, err
		}
		if lands {
			s.columns = append(s.columns, l)
		}
	}
	if have != nil {
		err = s.meetExtras(t, have)
	}
	return s, err
}

// meet settles one column and says whether it is written at all.
func (l *landing) meet(t destination.Target, have *table) (bool, error) {
	if have == nil {
		return true, nil
	}
	l.place = 1 + slices.IndexFunc(have.columns, func(c column) bool { return c.name == l.name })
	if l.place == 0 {
		return l.meetNew(t)
	}
	c := have.columns[l.place-1]
	if c.generated { // the target computes it itself
		return false, nil
	}
	switch {
	case holds(c.typ, l.typ.typ):
		l.typ = resolved{c.typ, c.enum}
	case widens(c.typ, l.typ.typ):
		l.change.widen, l.was = true, c.typ
	default:
		return false, &destination.SchemaChange{Table: have.text(), Column: l.name, Source: l.typ.typ, Target: c.typ, Policy: t.Columns}
	}
	l.identity, l.domain, l.nullable = c.identity, c.domain, !c.notNull
	l.change.loosen = c.notNull && !l.required
	return true, nil
}

func (l *landing) meetNew(t destination.Target) (bool, error) {
	switch t.Columns {
	case syncline.ColumnsFreeze:
		return false, &destination.SchemaChange{Table: t.Table, Column: l.name, Source: l.typ.typ, Policy: t.Columns}
	case syncline.ColumnsIgnore:
		return false, nil
	}
	l.change.add = true
	return true, nil
}

// meetExtras finds columns that only the target has. They stay, so each row must be able
// to do without.
func (s *shape) meetExtras(t destination.Target, have *table) error {
	for _, c := range have.columns {
		if t.Entity.Schema.HasField(c.name) {
			continue
		}
		if c.notNull && !c.filled && !c.generated {
			return &destination.SchemaChange{Table: have.text(), Column: c.name, Target: c.typ + " NOT NULL", Policy: t.Columns}
		}
		s.extras = append(s.extras, c.name)
	}
	return nil
}

func (s *shape) names() []string {
	names := make([]string, len(s.columns))
	for i, l := range s.columns {
		names[i] = l.name
	}
	return names
}

// ordered are the columns as a table made anew has them: where the target has them, and
// new ones at its end, so that whoever reads by position is not surprised.
func (s *shape) ordered() []landing {
	place := func(l landing) int { return cmp.Or(l.place, 1<<30) }
	return slices.SortedStableFunc(slices.Values(s.columns), func(a, b landing) int { return place(a) - place(b) })
}

// settable are the columns that an update may set. Those of the key are among them: equal
// keys need not be the same bytes.
func (s *shape) settable() []landing {
	return slices.DeleteFunc(slices.Clone(s.columns), func(l landing) bool { return l.identity })
}

// image draws a row of the target for a comparison of bytes with one of a stage, whose
// columns know no domains.
func image(prefix string, columns []landing) string {
	drawn := make([]string, len(columns))
	for i, l := range columns {
		drawn[i] = prefix + quote(l.name)
		if l.domain {
			drawn[i] += "::" + l.typ.typ
		}
	}
	return "row(" + strings.Join(drawn, ", ") + ")"
}

// assign draws the assignments of an update from a row of that name.
func assign(from string, columns []landing) string {
	drawn := make([]string, len(columns))
	for i, l := range columns {
		drawn[i] = quote(l.name) + " = " + from + "." + quote(l.name)
	}
	return strings.Join(drawn, ", ")
}

// changed reports whether the target must be altered.
func (s *shape) changed() bool {
	return slices.ContainsFunc(s.columns, func(l landing) bool { return l.change != (change{}) })
}

// schema is the part of the entity's schema that is written.
func (s *shape) schema(all *arrow.Schema) *arrow.Schema {
	fields := make([]arrow.Field, len(s.columns))
	for i, l := range s.columns {
		fields[i] = all.Field(l.field)
	}
	return arrow.NewSchema(fields, nil)
}

// targets are the types that an encoder writes for.
func (s *shape) targets() []string {
	types := make([]string, len(s.columns))
	for i, l := range s.columns {
		types[i] = l.typ.typ
		if l.typ.enum {
			types[i] = "enum"
		}
	}
	return types
}
