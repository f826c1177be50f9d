package postgres

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/pgurl"
)

// replace puts the stage in the target's place: by its name where nothing hangs on the old
// table, else row by row.
func (p *publishing) replace(ctx context.Context, c *counts) error {
	have, s, err := p.meet(ctx, p.tx)
	if err != nil {
		return err
	}
	if err := sameShape(p.name, p.writer.shape, s); err != nil {
		return err
	}
	p.writer.shape = s
	old, err := p.choose(ctx, have)
	if err == nil && have != nil {
		err = p.lock(ctx, "share row exclusive")
	}
	if err != nil {
		return err
	}
	within, args := p.window(have)
	p.phase("build key")
	if err := p.prepare(ctx, p.keys(old), p.surveying(have, within), args, have, c); err != nil {
		return err
	}
	p.phase("publish")
	switch {
	case !p.byName && p.target.Window != nil:
		return p.mergeWindow(ctx, have, within, args, c)
	case !p.byName:
		if _, _, err := p.merge(ctx, have, within, args); err != nil {
			return err
		}
		return p.recount(ctx, within, args, c.Total)
	case have == nil:
		return p.rename(ctx, nil)
	}
	if err := p.lock(ctx, "access exclusive"); err != nil {
		return err
	}
	return p.rename(ctx, old)
}

// prepare makes of the stage what the target shall hold, and counts what will go of the
// rows that are there, which nobody else can write now. The counting takes another session
// while this one builds keys.
func (p *publishing) prepare(ctx context.Context, k keys, sql string, args []any, have *table, c *counts) error {
	over := []name{p.stage}
	if have != nil {
		over = append(over, p.name)
	}
	wait, err := p.beside(ctx, sql, args, over...)
	if pgurl.State(err) == "42P01" {
		return &destination.Unbalanced{Table: p.name.text(), Staged: 0, Count: p.sum.Inserted}
	}
	if err != nil {
		return err
	}
	removed, err := p.buildKeys(ctx, k)
	v, missed := wait(err != nil)
	if err == nil {
		err = missed
	}
	if err == nil && v.staged != p.sum.Inserted {
		err = &destination.Unbalanced{Table: p.name.text(), Staged: v.staged, Count: p.sum.Inserted}
	}
	if err != nil {
		return err
	}
	c.Superseded += removed
	c.Inserted -= removed
	c.Total = v.staged - removed
	if removed > 0 { // which the other session could not see
		if v, err = ask(ctx, p.tx, sql, args); err != nil {
			return err
		}
	}
	c.Swept = v.gone
	// Rows that were all rejected are no better than rows that did not come.
	if err := p.guard(v.had, v.gone, min(p.sum.Read, c.Total)); err != nil {
		return err
	}
	return p.attach(ctx, k)
}

// choose says whether the stage takes the target's name.
func (p *publishing) choose(ctx context.Context, have *table) (o *old, err error) {
	p.byName = have == nil
	if have == nil || p.target.Window != nil {
		return nil, nil
	}
	err = inFull(ctx, p.tx, func() error {
		o, err = study(ctx, p.tx, have, p.shape)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("see what depends on %s: %w", p.name.text(), err)
	}
	if p.byName = len(o.special) == 0; !p.byName {
		p.target.Note(syncline.Info, "%s is changed row by row, since more hangs on it than its name: %s", p.name.text(), some(o.special))
	}
	return o, nil
}

// gone is the rows of the target whose key the stage does not have.
func (p *publishing) gone(within string) string {
	return fmt.Sprintf("from %s t where %s and not exists (select from %s s where %s)",
		p.name.quoted(), within, p.stage.quoted(), pairs(p.shape.key, "s.%s = t.%[1]s", " and "))
}

// merge changes the rows of the target to those of the stage, which keeps everything that
// hangs on the table. Writers are locked out, readers are not, save for the moment that a
// change of columns takes.
func (p *publishing) merge(ctx context.Context, have *table, within string, args []any) (updated, inserted int64, err error) {
	if p.shape.changed() {
		if err := p.lock(ctx, "access exclusive"); err != nil {
			return 0, 0, err
		}
		if _, err := p.tx.Exec(ctx, p.shape.alter(p.name)); err != nil {
			return 0, 0, err
		}
		p.shape.note(p.target, p.name)
	}
	if len(p.shape.key) == 0 || !have.keyed(p.shape.key) {
		inserted, err = p.refill(ctx, within, args)
		return 0, inserted, err
	}
	if _, err := p.tx.Exec(ctx, "delete "+p.gone(within), args...); err != nil {
		return 0, 0, err
	}
	match, columns := pairs(p.shape.key, "t.%s = s.%[1]s", " and "), list("", p.shape.names())
	if set := p.shape.settable(); len(set) > 0 {
		tag, err := p.tx.Exec(ctx, fmt.Sprintf("update %s t set %s from %s s where %s and not record_image_eq(%s, %s)",
			p.name.quoted(), assign("s", set), p.stage.quoted(), match, image("t.", set), image("s.", set)))
		if err != nil {
			return 0, 0, err
		}
		updated = tag.RowsAffected()
	}
	tag, err := p.tx.Exec(ctx, fmt.Sprintf("insert into %[1]s (%[2]s) %[3]s select %[2]s from %[4]s s where not exists (select from %[1]s t where %[5]s)",
		p.name.quoted(), columns, overriding, p.stage.quoted(), match))
	return updated, tag.RowsAffected(), err
}

// refill is for tables whose rows cannot be told apart. delete, not truncate: readers keep
// seeing the old rows until the commit, and what hangs on the table allows it. Where rows
// have a key, those that stood outside a window make way too: a key is unique.
func (p *publishing) refill(ctx context.Context, within string, args []any) (inserted int64, err error) {
	if len(p.shape.key) > 0 {
		within = fmt.Sprintf("(%s) or exists (select from %s s where %s)", within, p.stage.quoted(), pairs(p.shape.key, "s.%s = t.%[1]s", " and "))
	}
	if _, err := p.tx.Exec(ctx, "delete from "+p.name.quoted()+" t where "+within, args...); err != nil {
		return 0, err
	}
	columns := list("", p.shape.names())
	tag, err := p.tx.Exec(ctx, fmt.Sprintf("insert into %[1]s (%[2]s) %[3]s select %[2]s from %[4]s", p.name.quoted(), columns, overriding, p.stage.quoted()))
	return tag.RowsAffected(), err
}

// buildKeys takes from the stage what does not belong there, and makes its keys and indexes.
// Rows that repeat a key are thinned out first, if there are any: the index says so.
func (p *publishing) buildKeys(ctx context.Context, k keys) (removed int64, err error) {
	if removed, err = p.absent(ctx); err != nil {
		return 0, err
	}
	for i, b := range k.first {
		err := p.build(ctx, b)
		if i == 0 && pgurl.State(err) == "23505" && len(p.shape.key) > 0 {
			var repeated int64
			if repeated, err = p.thin(ctx); err == nil {
				err = p.build(ctx, b)
			}
			removed += repeated
		}
		if err != nil {
			return 0, p.broken(b, err)
		}
	}
	return removed, p.analyze(ctx)
}

// attach makes keys of indexes, for which nobody else may look at the stage.
func (p *publishing) attach(ctx context.Context, k keys) error {
	for _, b := range k.last {
		if err := p.build(ctx, b); err != nil {
			return p.broken(b, err)
		}
	}
	return nil
}

func (p *publishing) build(ctx context.Context, b building) error {
	return inSavepoint(ctx, p.tx, func(tx pgx.Tx) error {
		_, err := tx.Exec(ctx, b.sql)
		return err
	})
}

// analyze gives the planner what it needs to know of a table that has just been made: left
// to autovacuum, queries would be slow for a minute. It is of no consequence if it fails.
func (p *publishing) analyze(ctx context.Context) error {
	if !p.byName {
		return nil
	}
	err := p.build(ctx, building{sql: "analyze " + p.stage.quoted()})
	if _, ok := errors.AsType[*pgconn.PgError](err); ok {
		p.db.env.Log.Warn("analyze", "table", p.name.text(), "err", err)
		return nil
	}
	return err
}

// broken names the rule by the name that a person knows, not the stage's.
func (p *publishing) broken(k building, err error) error {
	bad := refusal(err)
	if bad == nil {
		return err
	}
	detail := cmp.Or(bad.Detail, strings.ReplaceAll(bad.Message, p.stage.table, p.name.table))
	return syncline.Errorf(syncline.FailedPrecondition, "rows of the source break the %s of %s: %s", k.what, p.name.text(), detail).
		Of(syncline.ClassData).Because("constraint").Try("correct the rows in the source, or drop the rule at the target")
}

// thin leaves of each key the row that was read last. Each COPY has a transaction number of
// its own, which grows in the order of reading; repeats within one batch never came here.
// Few keys repeat, so they are found first.
func (p *publishing) thin(ctx context.Context) (int64, error) {
	key := list("", p.shape.key)
	tag, err := p.tx.Exec(ctx, fmt.Sprintf(`with twice as (select %[2]s from %[1]s group by %[2]s having count(*) > 1),
		ranked as (select s.ctid as at, row_number() over (partition by %[2]s order by age(s.xmin), s.ctid desc) as n from %[1]s s join twice using (%[2]s))
		delete from %[1]s s using ranked r where s.ctid = r.at and r.n > 1`, p.stage.quoted(), key))
	if err != nil {
		return 0, err
	}
	severity := syncline.Warning
	if p.target.Corrects { // rows that changed while the load was interrupted
		severity = syncline.Info
	}
	p.target.Note(severity, "%s: %d rows repeated the key (%s) of another; of each key the last one read was kept", p.name.text(), tag.RowsAffected(), list("", p.shape.key))
	return tag.RowsAffected(), nil
}

// sameShape: the target was altered since the stage was made for it.
func sameShape(n name, before, now *shape) error {
	b, a := before.columns, now.columns
	same := len(b) == len(a)
	for i := 0; same && i < len(b); i++ {
		same = b[i].name == a[i].name && b[i].typ == a[i].typ && b[i].required == a[i].required
	}
	if same {
		return nil
	}
	return altered(n)
}

func altered(n name) error {
	return syncline.Errorf(syncline.Aborted, "the columns of %s were changed while it was loaded", n.text()).Of(syncline.ClassDestination).Again().
		Try("run again: the load begins anew for the table as it is now")
}

func some(all []string) string {
	if len(all) > 3 {
		return strings.Join(all[:3], ", ") + fmt.Sprintf(" and %d more", len(all)-3)
	}
	return strings.Join(all, ", ")
}
