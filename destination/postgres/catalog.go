package postgres

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
)

// querier is a session or a transaction on it.
type querier interface {
	Query(ctx context.Context, sql string, args ...any) (pgx.Rows, error)
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

// table is a table as the catalog describes it.
type table struct {
	name
	oid      uint32
	filenode uint32
	kind     string // 'r', or 'p' when partitioned
	owned    bool   // this role may alter and drop it
	meddled  bool   // triggers or rules of a user's may change what is written
	columns  []column
	uniques  []unique
	primary  bool
}

type column struct {
	name      string
	typ       string // as format_type spells it with only pg_catalog on the search path
	enum      bool
	notNull   bool
	filled    bool // has a default, an identity or an expression, so that it may be left out
	generated bool
	identity  bool // generated always
	domain    bool // typ is what the domain is made of
}

// unique is a unique index that ON CONFLICT can use.
type unique struct{ columns []string }

func (t *table) column(name string) *column {
	i := slices.IndexFunc(t.columns, func(c column) bool { return c.name == name })
	if i < 0 {
		return nil
	}
	return &t.columns[i]
}

// keyed reports whether a unique index has just these columns, in any order.
func (t *table) keyed(key []string) bool {
	want := slices.Sorted(slices.Values(key))
	return slices.ContainsFunc(t.uniques, func(u unique) bool {
		return slices.Equal(slices.Sorted(slices.Values(u.columns)), want)
	})
}

// identity changes when the table is made anew or its rows are thrown away as a whole.
func (t *table) identity() string { return fmt.Sprintf("%d/%d", t.oid, t.filenode) }

// describe reads a table from the catalog; nil when there is none.
func describe(ctx context.Context, q querier, n name) (*table, error) {
	t := &table{name: n}
	err := q.QueryRow(ctx, `select c.oid, coalesce(pg_relation_filenode(c.oid), 0), c.relkind::text, pg_has_role(c.relowner, 'USAGE'),
		c.relhasrules or exists (select from pg_trigger where tgrelid = c.oid and not tgisinternal)
		from pg_class c join pg_namespace n on n.oid = c.relnamespace where n.nspname = $1 and c.relname = $2`, n.schema, n.table).
		Scan(&t.oid, &t.filenode, &t.kind, &t.owned, &t.meddled)
	if errors.Is(err, pgx.ErrNoRows) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("look up %s: %w", n.text(), err)
	}
	if t.kind != "r" && t.kind != "p" {
		return nil, syncline.Errorf(syncline.FailedPrecondition, "%s is not a table but %s", n.text(), kinds[t.kind]).
			Of(syncline.ClassDestination).Try("choose another name for where the entity lands")
	}
	if t.columns, err = columnsOf(ctx, q, t.oid); err != nil {
		return nil, fmt.Errorf("read the columns of %s: %w", n.text(), err)
	}
	if err := t.readUniques(ctx, q); err != nil {
		return nil, fmt.Errorf("read the indexes of %s: %w", n.text(), err)
	}
	return t, nil
}

var kinds = map[string]string{
	"v": "a view", "m": "a materialized view", "f": "a foreign table", "i": "an index", "I": "an index",
	"S": "a sequence", "c": "a composite type", "t": "a TOAST table",
}

func columnsOf(ctx context.Context, q querier, oid uint32) ([]column, error) {
	rows, err := q.Query(ctx, `select a.attname, format_type(case when t.typtype = 'd' then t.typbasetype else a.atttypid end,
			case when t.typtype = 'd' then t.typtypmod else a.atttypmod end),
		t.typtype = 'e', a.attnotnull, a.atthasdef or a.attidentity <> '', a.attgenerated <> '', a.attidentity = 'a', t.typtype = 'd'
		from pg_attribute a join pg_type t on t.oid = a.atttypid
		where a.attrelid = $1 and a.attnum > 0 and not a.attisdropped order by a.attnum`, oid)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(r pgx.CollectableRow) (c column, err error) {
		err = r.Scan(&c.name, &c.typ, &c.enum, &c.notNull, &c.filled, &c.generated, &c.identity, &c.domain)
		return c, err
	})
}

func (t *table) readUniques(ctx context.Context, q querier) error {
	rows, err := q.Query(ctx, `select i.indisprimary, array(select a.attname::text from unnest(i.indkey[0:i.indnkeyatts-1]) k(n)
			join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.n)
		from pg_index i where i.indrelid = $1 and i.indisunique and i.indimmediate and i.indisvalid
		and i.indpred is null and i.indexprs is null`, t.oid)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var u unique
		var primary bool
		if err := rows.Scan(&primary, &u.columns); err != nil {
			return err
		}
		t.uniques, t.primary = append(t.uniques, u), t.primary || primary
	}
	return rows.Err()
}

// isEmpty asks the table itself: statistics may be old.
func (t *table) isEmpty(ctx context.Context, q querier) (empty bool, err error) {
	err = q.QueryRow(ctx, "select not exists (select from "+t.quoted()+")").Scan(&empty)
	return empty, err
}

// inFull runs fn while the catalog spells every name with its schema, so that what it
// spells can be read again. Triggers of the target's are to find the role's own path again.
func inFull(ctx context.Context, tx pgx.Tx, fn func() error) error {
	if _, err := tx.Exec(ctx, "set local search_path = pg_catalog"); err != nil {
		return err
	}
	if err := fn(); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, "set local search_path to default")
	return err
}
