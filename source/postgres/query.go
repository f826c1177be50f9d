package postgres

import (
	"cmp"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/source"
)

// place is what a Next holds, as JSON: how many rows of the part came before it, and where
// to go on: after these values of the columns that the part is ordered by, in their text
// form, or from this block on.
type place struct {
	Rows  int64    `json:"rows"`
	At    []string `json:"at,omitempty"`
	Block *int64   `json:"block,omitempty"`
}

// bounds is a part's, as JSON: what it reads, and how.
type bounds struct {
	// Order: the columns that the rows are ordered by, which a Next names a place in.
	Order []string `json:"order,omitempty"`
	// Pages: a stretch of a table's blocks, as they lie.
	Pages  *pages `json:"pages,omitempty"`
	Server string `json:"server,omitempty"`
	// Changed and Census belong to a read that was gone on with; Void: such a part that
	// has been replaced by a newer one.
	Changed changes `json:"changed,omitempty"`
	Census  bool    `json:"census,omitempty"`
	Void    bool    `json:"void,omitempty"`
}

func parsePart(part source.Part, from []byte) (b bounds, at place, err error) {
	if part.Bounds != nil {
		if err := json.Unmarshal(part.Bounds, &b); err != nil {
			return b, at, fmt.Errorf("bounds of part %s: %w", part.ID, err)
		}
	}
	if from == nil || b.Void {
		return b, at, nil
	}
	err = json.Unmarshal(from, &at)
	if err != nil || len(at.At) != len(b.Order) || b.Pages != nil && at.Block == nil {
		return b, at, syncline.Errorf(syncline.DataLoss, "the position %.200q is none of part %s, which is read by %s", from, part.ID, cmp.Or(strings.Join(b.Order, ", "), "blocks")).
			Of(syncline.ClassSource)
	}
	return b, at, nil
}

// copySQL copies rows of a relation; order may be none.
func (s *Source) copySQL(r *relation, schema *arrow.Schema, conditions, order []string) string {
	return s.copySQLFrom(r.from(), schema, conditions, order)
}

func (s *Source) copySQLFrom(from string, schema *arrow.Schema, conditions, order []string) string {
	var expressions []string
	for _, f := range schema.Fields() {
		expressions = append(expressions, pgcopy.SelectExpr(f, ident(f.Name)))
	}
	sql := "select " + strings.Join(expressions, ", ") + " from " + from + where(conditions)
	if len(order) > 0 {
		sql += " order by " + identList(order)
	}
	return "copy (" + sql + ") to stdout (format binary)"
}

func where(conditions []string) string {
	if len(conditions) == 0 {
		return ""
	}
	return " where " + strings.Join(conditions, " and ")
}

func identList(names []string) string {
	quoted := make([]string, len(names))
	for i, n := range names {
		quoted[i] = ident(n)
	}
	return strings.Join(quoted, ", ")
}

// after compares rows as the index does that orders them.
func (r *relation) after(order, at []string) string {
	values := make([]string, len(at))
	for i, v := range at {
		c, _ := r.column(order[i])
		values[i] = literal(v, c.Type)
	}
	return "(" + identList(order) + ") > (" + strings.Join(values, ", ") + ")"
}

// conditions limit a query by its cursor.
func (s *Source) conditions(r *relation, q source.Query, until []byte) []string {
	c, ok := r.column(q.Cursor)
	if !ok || q.Mode != syncline.ModeIncremental && q.Window == nil {
		return nil
	}
	name := ident(c.Name)
	switch {
	case q.Window != nil:
		return []string{name + " >= " + moment(q.Window.From, c.Type), name + " < " + moment(q.Window.To, c.Type)}
	case q.Since != nil:
		return []string{name + since(q, c), name + " <= " + literal(string(until), c.Type)}
	case until != nil: // the first read, in full: also of what no mark will ever reach
		return []string{fmt.Sprintf("(%s <= %s or not (%s))", name, literal(string(until), c.Type), s.usable(c))}
	}
	return nil
}

func since(q source.Query, c column) string {
	mark := literal(string(q.Since), c.Type)
	switch {
	case q.Tail:
		return " > " + mark
	case q.Overlap > 0:
		return fmt.Sprintf(" >= %s - interval '%d microseconds'", mark, q.Overlap.Microseconds())
	}
	return " >= " + mark
}

// moment is a time as a time column reads it: without a zone, in UTC.
func moment(t time.Time, typ string) string {
	text := t.UTC().Format("2006-01-02 15:04:05.999999")
	if strings.HasSuffix(typ, "with time zone") {
		return literal(text+"+00", "timestamptz")
	}
	return literal(text, "timestamp")
}
