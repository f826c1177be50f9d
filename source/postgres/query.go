package postgres

import (
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/source"
)

// place is what a Next holds, as JSON: how many rows of the part came before it, and the
// last one's values of the columns that the part is ordered by, in their text form.
type place struct {
	Rows int64    `json:"rows"`
	At   []string `json:"at"`
}

func parsePlace(from []byte, order []string) (place, error) {
	var p place
	if from == nil {
		return p, nil
	}
	if err := json.Unmarshal(from, &p); err != nil || len(p.At) != len(order) {
		return p, syncline.Errorf(syncline.DataLoss, "the position %.200q is none of a read by %s", from, strings.Join(order, ", ")).Of(syncline.ClassSource)
	}
	return p, nil
}

// copySQL reads a part from a place on.
func (s *Source) copySQL(r *relation, q source.Query, until []byte, order []string, from place) string {
	var expressions []string
	for _, f := range q.Entity.Schema.Fields() {
		expressions = append(expressions, pgcopy.SelectExpr(f, ident(f.Name)))
	}
	sql := "select " + strings.Join(expressions, ", ") + " from " + r.from()
	conditions := s.conditions(r, q, until)
	if len(from.At) > 0 {
		conditions = append(conditions, r.after(order, from.At))
	}
	if len(conditions) > 0 {
		sql += " where " + strings.Join(conditions, " and ")
	}
	if len(order) > 0 {
		sql += " order by " + identList(order)
	}
	return "copy (" + sql + ") to stdout (format binary)"
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
