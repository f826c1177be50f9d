package sqlite

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/format/sqlitetype"
	"github.com/synclinehq/syncline/rows"
)

var _ destination.Corrector = (*Destination)(nil)

// lookFor bounds a look at a table that nobody waits for with a context.
const lookFor = 30 * time.Second

// Corrects holds for what has a key: repeats are settled as they come. A stage takes the
// rules of the table it is made as, and where one of them is about more than the key, a row
// that was read anew may stand in the way of one that has gone meanwhile.
func (d *Destination) Corrects(t destination.Target) bool {
	if len(t.Entity.Key) == 0 || t.Disposition == syncline.Append {
		return false
	}
	if t.Disposition == syncline.Upsert {
		return true
	}
	ctx, stop := context.WithTimeout(context.Background(), lookFor)
	defer stop()
	alone := t.Window == nil
	err := d.look(ctx, func(c *sqlitefile.Conn) error {
		there, err := describe(c, t.Table)
		alone = alone && (there == nil || !there.rulesBeside(t.Entity.Key))
		return err
	})
	return err == nil && alone
}

// rulesBeside reports whether the table's own text tells rows apart by anything that two
// rows of different keys could have in common.
func (t *table) rulesBeside(key []string) bool {
	return slices.ContainsFunc(t.rules, func(rule []string) bool {
		return slices.ContainsFunc(key, func(k string) bool {
			return !slices.ContainsFunc(rule, func(n string) bool { return strings.EqualFold(n, k) })
		})
	})
}

// censusOf names the table of the keys that a census has named. It is kept and dropped with the
// stage.
func censusOf(stage string) string { return stage + "_keys" }

// counts reports whether a census has a say: whether rows go at all that are not read.
func (w *Writer) counts() bool { return w.staged() || w.sweeps() }

// name lets the keys of a batch of a census wait, as rows without a position do, until they
// can become durable with one. Keys that were rejected are those of rows that were as well.
func (l *lane) name(ctx context.Context, b rows.Batch) error {
	l.pending.Bytes += b.Bytes
	l.pending.Requests += b.Requests
	if l.w.counts() {
		err := l.w.file.use(ctx, func(c *sqlitefile.Conn) error {
			return c.View(func() error { return l.addToNames(c, b) }) // nothing of the file is written
		})
		if err != nil {
			return l.w.explain(err)
		}
		if l.naming != rows.CensusBegins {
			l.naming = b.Census
		}
	}
	if b.Next == nil {
		return nil
	}
	l.next = b.Next
	return l.commit(ctx, &batch{}, false)
}

// names is the temporary table of the keys that wait.
func (l *lane) names() string { return "temp." + l.spool + "_keys" }

func (l *lane) addToNames(c *sqlitefile.Conn, b rows.Batch) error {
	if err := l.bind(c); err != nil {
		return err
	}
	key := sqlitefile.QuoteAll(l.w.shape.key)
	if err := c.Exec("create temp table if not exists " + l.spool + "_keys (" + key + ")"); err != nil {
		return err
	}
	if b.Census == rows.CensusBegins {
		if err := c.Exec("delete from " + l.names()); err != nil {
			return err
		}
	}
	if b.Rows == 0 {
		return nil
	}
	to, err := prepareInserts(c, l.names(), key, "", len(l.w.shape.key))
	if err != nil {
		return err
	}
	defer to.close()
	binders := l.w.shape.keyBinders()
	return to.run(c, int(b.Rows), len(binders), func(s *sqlitefile.Stmt, first, row int) {
		for i, bind := range binders {
			bind(s, first+i, b.Record.Column(i), row)
		}
	})
}

// keyBinders are of the key's columns in the order of the key.
func (s *shape) keyBinders() []sqlitetype.Binder {
	all := make([]sqlitetype.Binder, len(s.key))
	for i, k := range s.key {
		p := s.columns[slices.IndexFunc(s.columns, func(p placed) bool { return p.Name == k })]
		all[i] = sqlitetype.BinderOf(p.field, p.Declared)
	}
	return all
}

// writeNames brings the keys that wait into the census, in the transaction of the position
// that comes after them. A census that begins forgets what an earlier one has named.
func (l *lane) writeNames(c *sqlitefile.Conn) error {
	if l.naming == rows.NoCensus {
		return nil
	}
	if err := l.bind(c); err != nil {
		return err
	}
	census := censusOf(l.w.stage)
	if l.naming == rows.CensusBegins {
		if err := l.w.drop(c, census); err != nil {
			return err
		}
		if err := l.w.makeKeys(c, census); err != nil {
			return err
		}
	}
	key := sqlitefile.QuoteAll(l.w.shape.key)
	// A key that is NULL is that of a row which was rejected. In their order, keys are written far
	// faster than as they come.
	if err := c.Exec("insert or ignore into main." + sqlitefile.Quote(census) + " (" + key + ") select " + key + " from " + l.names() + " order by " + key); err != nil {
		return err
	}
	return c.Exec("delete from " + l.names())
}

// counted reports whether a census was taken for this load.
func (p *publishing) counted() (bool, error) {
	n, err := p.c.Int("select count(*) from main.sqlite_schema where type = 'table' and name = ?", censusOf(p.stage))
	return n > 0, err
}

// absent removes rows of the stage that the source no longer has: they were read, and then
// went, while the load was interrupted.
func (p *publishing) absent() (int64, error) {
	there, err := p.counted()
	if err != nil || !there {
		return 0, err
	}
	err = p.c.Exec("delete from main." + sqlitefile.Quote(p.stage) + " as t where " + p.missing(censusOf(p.stage)))
	return p.c.Changes(), err
}

// seen is the table that names the keys which the source has, and how many rows it has
// brought that still count: the keys that this load has come by, or, better, those of a
// census.
func (p *publishing) seen() (table string, read int64, err error) {
	there, err := p.counted()
	if err != nil || !there {
		return p.stage, p.sum.Read, err
	}
	n, err := count(p.c, censusOf(p.stage))
	return censusOf(p.stage), min(n, p.sum.Read), err
}
