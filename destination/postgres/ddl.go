package postgres

import (
	"fmt"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
)

// create is the statement that makes a table of the shape, without keys.
func (s *shape) create(n name) string {
	defs := make([]string, len(s.columns))
	for i, l := range s.ordered() {
		defs[i] = l.definition()
	}
	return fmt.Sprintf("create table %s (%s)", n.quoted(), strings.Join(defs, ", "))
}

func (l landing) definition() string {
	def := quote(l.name) + " " + l.typ.typ
	if l.required {
		def += " not null"
	}
	return def
}

// alter is the statement that brings an existing table into the shape.
func (s *shape) alter(n name) string {
	var actions []string
	for _, l := range s.columns {
		column := quote(l.name)
		if l.change.add { // rows that are there already have NULL in it
			actions = append(actions, fmt.Sprintf("add column if not exists %s %s", column, l.typ.typ))
		}
		if l.change.widen {
			actions = append(actions, fmt.Sprintf("alter column %s type %s", column, l.typ.typ))
		}
		if l.change.loosen {
			actions = append(actions, fmt.Sprintf("alter column %s drop not null", column))
		}
	}
	return "alter table " + n.quoted() + " " + strings.Join(actions, ", ")
}

// note tells the run's log what alter did.
func (s *shape) note(t destination.Target, n name) {
	for _, l := range s.columns {
		if l.change.add {
			t.Note(syncline.Info, "%s: column %q %s added", n.text(), l.name, l.typ.typ)
		}
		if l.change.widen {
			t.Note(syncline.Info, "%s: column %q widened from %s to %s", n.text(), l.name, l.was, l.typ.typ)
		}
		if l.change.loosen {
			t.Note(syncline.Info, "%s: column %q may be NULL now", n.text(), l.name)
		}
	}
}
