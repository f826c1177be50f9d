package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgurl"
	"github.com/synclinehq/syncline/rows"
)

// private is the table of a session into which rows are copied first, so that only a
// short statement touches the target.
const private = "pg_temp._syncline_private"

// free finds names that no column has.
func (s *shape) free(names ...string) []string {
	for i := range names {
		for slices.Contains(s.names(), names[i]) {
			names[i] += "_"
		}
	}
	return names
}

func (s *shape) createPrivate(marks []string) string {
	defs := make([]string, 0, len(s.columns)+2)
	for _, l := range s.columns {
		defs = append(defs, quote(l.name)+" "+l.typ.typ)
	}
	defs = append(defs, quote(marks[0])+" bigint", quote(marks[1])+" boolean")
	return "create temporary table _syncline_private (" + strings.Join(defs, ", ") + ") on commit delete rows"
}

// merge moves the rows of the private table into the target. Rows that the target refuses
// are found by halves, in order, so that the last row of a key still wins.
func (l *lane) merge(ctx context.Context) error {
	if len(l.staged) == 0 {
		return nil
	}
	if l.w.sweeps() {
		_, err := l.conn.Exec(ctx, fmt.Sprintf("insert into %[1]s (%[2]s) select %[2]s from %[3]s where not %[4]s",
			l.w.stage.quoted(), list("", l.w.shape.key), private, quote(l.marks[1])))
		if err != nil {
			return err
		}
	}
	return l.mergeRange(ctx, l.staged)
}

func (l *lane) mergeRange(ctx context.Context, ordinals []int64) error {
	first, last := ordinals[0], ordinals[len(ordinals)-1]
	err := l.tryMerge(ctx, first, last)
	bad := refusal(err)
	switch {
	case bad == nil:
		return err
	case len(ordinals) == 1:
		return l.rejectMerged(ctx, first, bad)
	}
	mid := len(ordinals) / 2
	if err := l.mergeRange(ctx, ordinals[:mid]); err != nil {
		return err
	}
	return l.mergeRange(ctx, ordinals[mid:])
}

// tryMerge repeats what another session's locks have stopped: the rows are still there.
func (l *lane) tryMerge(ctx context.Context, first, last int64) error {
	for try := 0; ; try++ {
		err := l.savepoint(ctx, func() error {
			if l.w.target.Disposition == syncline.Append {
				return l.appendRows(ctx, first, last)
			}
			return l.upsertRows(ctx, first, last)
		})
		if state := pgurl.State(err); state != "40P01" && state != "40001" || try == 5 {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(time.Duration(try+1) * 50 * time.Millisecond):
		}
	}
}

func (l *lane) appendRows(ctx context.Context, first, last int64) error {
	columns, n := list("", l.w.shape.names()), quote(l.marks[0])
	tag, err := l.conn.Exec(ctx, fmt.Sprintf("insert into %[1]s (%[2]s) %[3]s select %[2]s from %[4]s where %[5]s between $1 and $2 order by %[5]s",
		l.w.name.quoted(), columns, overriding, private, n), first, last)
	if err != nil {
		return err
	}
	var staged int64
	err = l.conn.QueryRow(ctx, fmt.Sprintf("select count(*) from %s where %s between $1 and $2", private, n), first, last).Scan(&staged)
	if err == nil && staged != tag.RowsAffected() {
		return l.swallowed(staged, tag.RowsAffected())
	}
	l.pending.Inserted += tag.RowsAffected()
	return err
}

// overriding lets the source's values stand in identity columns. It means nothing to others.
const overriding = "overriding system value"

// swallowed: a trigger or a rule of the target's keeps rows out, and the books know of
// no such row.
func (l *lane) swallowed(staged, written int64) error {
	return syncline.Errorf(syncline.FailedPrecondition, "%d of %d rows did not arrive in %s", staged-written, staged, l.w.name.text()).
		Of(syncline.ClassDestination).Because("unbalanced").Try("a trigger or rule of the table, or another session, changes what is written: look at \\d %s", l.w.name.text())
}

// upsertSQL is one statement, so that all of it sees one state of the target. Each row is
// looked up once, and one that changes is then updated where it was found: ON CONFLICT would
// look it up and lock it again, and is left to what is new and to what another session moves
// or removes meanwhile. Rows that are the same already are neither locked nor written; the
// comparison is that of the bytes, which every type has and which tells 1.0 from 1.00. What
// was inserted and what updated is the database's own word. "not in" is hashed whatever the
// planner believes of a table without statistics; a join could become a loop in a loop.
const upsertSQL = `
with staged as (select distinct on ({key}) * from {private} where {n} between $1 and $2 order by {key}, {n} desc),
met as materialized (select s.*, t.ctid as {at}, coalesce(record_image_eq({t.image}, {s.image}), false) as {same}
	from staged s left join {target} t on {match}),
gone as (delete from {target} t using met s where s.{del} and {match} returning 1),
changed as ({changed}),
put as (insert into {target} as t ({columns}) {overriding} select {s.columns} from met s
	where not s.{del} and not s.{same} and s.{n} not in (select n from changed) order by {s.key}
	on conflict ({key}) {update} returning {fresh} as fresh)
select (select count(*) from {private} where {n} between $1 and $2), count(*), count(*) filter (where s.{del}), (select count(*) from gone),
	count(*) filter (where s.{same} and not s.{del}), (select count(*) from put where fresh),
	(select count(*) from changed) + (select count(*) from put where not fresh) from met s`

const changedSQL = `update {target} t set {set} from met s
	where not s.{del} and not s.{same} and t.ctid = s.{at} and {match} returning s.{n} as n`

func (l *lane) upsertStatement() string {
	s := l.w.shape
	own := s.free("_syncline_at", "_syncline_same")
	update, changed := "do nothing", "select s.{n} as n from met s where false"
	set := s.settable()
	if len(set) > 0 {
		update = "do update set " + assign("excluded", set)
		changed = changedSQL
	}
	fresh := "(t.xmax = 0)"
	if l.w.partitioned { // which does not show system columns
		fresh = "not exists (select from met s where s.{at} is not null and {match})"
	}
	statement := strings.NewReplacer("{changed}", changed, "{fresh}", fresh).Replace(upsertSQL)
	return strings.NewReplacer(
		"{private}", private, "{target}", l.w.name.quoted(), "{n}", quote(l.marks[0]), "{del}", quote(l.marks[1]), "{at}", quote(own[0]), "{same}", quote(own[1]),
		"{key}", list("", s.key), "{s.key}", list("s.", s.key), "{match}", pairs(s.key, "t.%s = s.%[1]s", " and "),
		"{columns}", list("", s.names()), "{s.columns}", list("s.", s.names()), "{t.image}", image("t.", s.columns), "{s.image}", image("s.", s.columns),
		"{overriding}", overriding, "{set}", assign("s", set), "{update}", update,
	).Replace(statement)
}

// pairs draws a format for each name, quoted.
func pairs(names []string, format, between string) string {
	drawn := make([]string, len(names))
	for i, n := range names {
		drawn[i] = fmt.Sprintf(format, quote(n))
	}
	return strings.Join(drawn, between)
}

func (l *lane) upsertRows(ctx context.Context, first, last int64) error {
	var staged, distinct, deletes, gone, same, inserted, updated int64
	err := l.conn.QueryRow(ctx, l.upsertStatement(), first, last).Scan(&staged, &distinct, &deletes, &gone, &same, &inserted, &updated)
	if err != nil {
		return err
	}
	if puts := distinct - deletes; same+inserted+updated != puts {
		return l.swallowed(puts, same+inserted+updated)
	}
	c := &l.pending
	c.Superseded += staged - distinct
	c.Inserted += inserted
	c.Updated += updated
	c.Deleted += gone
	c.Unchanged += same + deletes - gone // to delete what is not there changes nothing
	return nil
}

// rejectMerged draws a refused row out of the private table; its batch is long gone.
func (l *lane) rejectMerged(ctx context.Context, ordinal int64, bad *pgconn.PgError) error {
	r := rows.Reject{Row: ordinal, Code: codeOf(bad), Message: bad.Message}
	key := "''"
	if len(l.w.shape.key) > 0 {
		key = "concat_ws(', ', " + pairs(l.w.shape.key, "%s::text", ", ") + ")"
	}
	var sample string
	err := l.conn.QueryRow(ctx, fmt.Sprintf("select %s, left(row(%s)::text, %d) from %s where %s = $1",
		key, list("", l.w.shape.names()), rows.MaxSample, private, quote(l.marks[0])), ordinal).Scan(&r.Key, &sample)
	if err != nil {
		return err
	}
	r.Sample = []byte(sample[:min(len(sample), rows.MaxSample)])
	return l.reject(ctx, r)
}
