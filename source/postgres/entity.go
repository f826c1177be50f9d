package postgres

import (
	"cmp"
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

func (r *relation) entity() source.Entity {
	fields := make([]arrow.Field, len(r.columns))
	for i, c := range r.columns {
		fields[i] = pgcopy.Field(c.Column)
	}
	e := source.Entity{
		Name: r.name.String(), Schema: arrow.NewSchema(fields, nil), Key: r.key(), Cursors: r.cursors(),
		Rows: r.rows, Bytes: r.bytes,
	}
	if e.Rows >= 0 {
		e.EstimateFrom = "planner statistics"
	}
	return e
}

// Formats says that rows can travel as they come, where every column is read in its type's own binary form.
func (s *Source) Formats(e source.Entity) []rows.Format {
	for _, f := range e.Schema.Fields() {
		if pgcopy.SelectExpr(f, f.Name) != f.Name {
			return []rows.Format{rows.Arrow}
		}
	}
	return []rows.Format{rows.PGCopy, rows.Arrow}
}

// changed says how the relation is no longer what a query was made for; nil: it still is.
// A column that came since is no change: it is the next run's.
func (r *relation) changed(q source.Query) error {
	for _, f := range q.Entity.Schema.Fields() {
		c, ok := r.column(f.Name)
		native := rows.Native(f)
		switch {
		case !ok:
			return schemaChanged("column %q of %s is gone", f.Name, q.Entity.Name)
		case native != "" && native != pgcopy.Native+c.Type:
			return schemaChanged("column %q of %s was %s and is %s", f.Name, q.Entity.Name, strings.TrimPrefix(native, pgcopy.Native), c.Type)
		}
	}
	return nil
}

func schemaChanged(format string, args ...any) error {
	return syncline.Errorf(syncline.FailedPrecondition, format+" since the run was planned", args...).
		Of(syncline.ClassSource).Because("schema_changed").Try("start the run again: it reads the table as it is then").Again()
}

// cursors are the columns that can serve as cursor: times before numbers, those that
// move with every change before those that only say when a row was made.
func (r *relation) cursors() []string {
	var found []column
	for _, c := range r.columns {
		if t := cursorType(c.Type); t == ofTime || t == ofInteger {
			found = append(found, c)
		}
	}
	slices.SortStableFunc(found, func(a, b column) int { return cmp.Compare(cursorRank(a), cursorRank(b)) })
	names := make([]string, len(found))
	for i, c := range found {
		names[i] = c.Name
	}
	return names
}

func cursorRank(c column) int {
	name := strings.ToLower(c.Name)
	has := func(words ...string) bool {
		return slices.ContainsFunc(words, func(w string) bool { return strings.Contains(name, w) })
	}
	switch {
	case cursorType(c.Type) != ofTime:
		return 4
	case strings.HasPrefix(c.Type, "date"):
		return 3
	case has("updat", "modif", "chang", "mtime"):
		return 0
	case has("creat", "insert", "added"):
		return 1
	}
	return 2
}

// order is what kind of order a cursor has.
type order int

const (
	none      order = iota
	ofTime          // a row committed late has a late time: an overlap catches it
	ofInteger       // a sequence
	ofOther         // ordered, but nobody would offer it: text, numeric, uuid
)

func cursorType(t string) order {
	base, _, _ := strings.Cut(t, "(")
	switch {
	case strings.HasSuffix(t, "[]"):
		return none
	case base == "date" || strings.HasPrefix(t, "timestamp"):
		return ofTime
	case base == "smallint" || base == "integer" || base == "bigint":
		return ofInteger
	case base == "numeric" || base == "text" || base == "character varying" || base == "uuid":
		return ofOther
	}
	return none
}
