package postgres

import (
	"context"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/source"
)

// patience is how long open transactions are waited for.
const patience = 60 * time.Second

// fixMark is the greatest cursor value, never less than the last mark; nil: there is no
// cursor, or no row. A value without a time to overlap, a sequence's, may have been drawn
// by a transaction that commits after a later one: so the transactions that are open now
// are waited for before the snapshot is taken.
func (s *Source) fixMark(ctx context.Context, r *relation, q source.Query) ([]byte, error) {
	if q.Cursor == "" {
		return nil, nil
	}
	c, _ := r.column(q.Cursor)
	var mark *string
	var open int64
	err := s.ask(ctx, "find the greatest "+q.Cursor, func(ctx context.Context, db *pgx.Conn) error {
		return db.QueryRow(ctx, s.markSQL(r, c, q.Since)).Scan(&mark, &open)
	})
	if err != nil || mark == nil {
		return nil, err
	}
	if cursorType(c.Type) != ofTime {
		err = s.waitFor(ctx, open, q.Entity.Name)
	}
	return []byte(*mark), err
}

// markSQL asks for the greatest value by an order that an index can give; not every type
// has a max. Infinite values are no marks: nothing would ever come after them.
func (s *Source) markSQL(r *relation, c column, since []byte) string {
	last := "null"
	if since != nil {
		last = literal(string(since), c.Type)
	}
	name := ident(c.Name)
	return fmt.Sprintf("select greatest((select %[1]s from %[2]s where %[3]s order by %[1]s desc limit 1), %[4]s::%[5]s)::text, txid_snapshot_xmax(txid_current_snapshot())",
		name, r.from(), s.usable(c), last, c.Type)
}

// usable is the condition that a cursor column holds a value that others can be compared with.
func (s *Source) usable(c column) string {
	condition := ident(c.Name) + " is not null"
	if odd := s.odd(c); odd != "" {
		condition += " and " + ident(c.Name) + " not in (" + odd + ")"
	}
	return condition
}

// odd are the values of a type that no mark can be, for an IN list.
func (s *Source) odd(c column) string {
	switch base := cursorType(c.Type); {
	case base == ofTime:
		return literal("infinity", c.Type) + ", " + literal("-infinity", c.Type)
	case len(c.Type) >= 7 && c.Type[:7] == "numeric":
		odd := "'NaN'::numeric"
		if s.version >= 140_000 {
			odd += ", 'Infinity'::numeric, '-Infinity'::numeric"
		}
		return odd
	}
	return ""
}

func literal(text, typ string) string { return quote(text) + "::" + typ }

// waitFor waits until every transaction below a transaction id has ended.
func (s *Source) waitFor(ctx context.Context, open int64, entity string) error {
	limit := time.NewTimer(patience)
	defer limit.Stop()
	for pause := 10 * time.Millisecond; ; pause = min(2*pause, 250*time.Millisecond) {
		var oldest int64
		err := s.ask(ctx, "look for open transactions", func(ctx context.Context, db *pgx.Conn) error {
			return db.QueryRow(ctx, "select txid_snapshot_xmin(txid_current_snapshot())").Scan(&oldest)
		})
		if err != nil || oldest >= open {
			return err
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-limit.C:
			s.log.Warn("transactions older than the read are still open: rows they commit later with a smaller cursor value will be missed",
				"entity", entity, "waited", patience, "transaction", oldest)
			return nil
		case <-time.After(pause):
		}
	}
}

// unusableSQL counts the rows that an incremental read passes by: those whose cursor is
// NULL or infinite.
func (s *Source) unusableSQL(r *relation, q source.Query) string {
	c, _ := r.column(q.Cursor)
	condition := ident(c.Name) + " is null"
	if odd := s.odd(c); odd != "" {
		condition += " or " + ident(c.Name) + " in (" + odd + ")"
	}
	return fmt.Sprintf("select count(*) from %s where %s", r.from(), condition)
}
