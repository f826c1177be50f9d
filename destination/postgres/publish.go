package postgres

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/pgurl"
)

// publishing is one publish: a single transaction, so that what fails or is cut off has
// changed nothing and is simply done again.
type publishing struct {
	*writer
	tx     pgx.Tx
	phase  func(string)
	mark   []byte
	sum    syncline.Counts
	byName bool // the stage takes the target's name
}

// Publish makes the load visible and seals it. It is tried again when the connection is
// lost, since the fence says whether it was done, and when others' locks were in the way.
func (w *writer) Publish(ctx context.Context, mark []byte, sum syncline.Counts, phase func(string)) (destination.Published, error) {
	if phase == nil {
		phase = func(string) {}
	}
	for try := 1; ; try++ {
		p := &publishing{writer: w, phase: phase, mark: mark, sum: sum}
		out, err := p.try(ctx)
		if err == nil {
			return out, nil
		}
		if try == 5 || ctx.Err() != nil || !again(err) {
			return destination.Published{}, classed(ctx, err, "publish %s", w.name.text())
		}
		w.target.Note(syncline.Info, "publishing %s is tried again: %s", w.name.text(), classed(ctx, err, "attempt %d", try))
		select {
		case <-ctx.Done():
			return destination.Published{}, classed(ctx, ctx.Err(), "publish %s", w.name.text())
		case <-time.After(time.Duration(try) * 200 * time.Millisecond):
		}
	}
}

// again reports whether a publish that failed so may succeed without anybody's doing: a
// lost connection, a deadlock, a view that was made meanwhile.
func again(err error) bool {
	switch pgurl.State(err) {
	case "40P01", "40001", "2BP01":
		return true
	}
	return pgurl.Lost(err)
}

func (p *publishing) try(ctx context.Context) (destination.Published, error) {
	if err := p.revive(ctx); err != nil {
		return destination.Published{}, err
	}
	var out destination.Published
	err := pgx.BeginFunc(ctx, p.conn, func(tx pgx.Tx) (err error) {
		p.tx = tx
		out, err = p.publish(ctx)
		return err
	})
	return out, err
}

// revive opens the writer's session again when it is gone, and enters it in the fence so
// that a successor can end it. The one that is gone may still be committing: it is ended
// first, and then the fence tells.
func (w *writer) revive(ctx context.Context) (err error) {
	if w.conn != nil && !w.conn.IsClosed() && w.conn.Ping(ctx) == nil {
		return nil
	}
	shut(w.conn)
	if w.conn, err = w.db.connect(ctx); err != nil {
		return err
	}
	held, err := w.fenceHolder(ctx)
	if err == nil {
		err = w.terminate(ctx, w.conn, held)
	}
	if err != nil {
		return err
	}
	me, err := self(ctx, w.conn)
	if err != nil {
		return err
	}
	tag, err := w.conn.Exec(ctx, "update "+w.cp.quoted+" set pid = $3, backend_start = $4 where stream = $1 and part = '' and token = $2", w.stream, w.token, me.pid, me.start)
	if err == nil && tag.RowsAffected() == 0 {
		return syncline.ErrLeaseLost
	}
	return err
}

func (w *writer) fenceHolder(ctx context.Context) ([]backend, error) {
	found, err := w.conn.Query(ctx, "select pid, backend_start from "+w.cp.quoted+
		" where stream = $1 and part = '' and token = $2 and pid is not null and backend_start is not null", w.stream, w.token)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, scanBackend)
}

func (p *publishing) publish(ctx context.Context) (destination.Published, error) {
	f, err := p.cp.fence(ctx, p.tx, p.stream, "")
	if err != nil {
		return destination.Published{}, err
	}
	if f.Token != p.token || f.Load != p.target.Load {
		return destination.Published{}, syncline.ErrLeaseLost
	}
	if f.Done {
		return p.published(f.Counts), nil
	}
	keyless, err := p.finished(ctx)
	if err == nil {
		err = p.spread(ctx)
	}
	if err != nil {
		return destination.Published{}, err
	}
	c := counts{Counts: p.sum, Total: -1}
	switch {
	case p.target.Disposition == syncline.Replace:
		err = p.replace(ctx, &c)
	case p.sweeps() && keyless > 0:
		p.target.Note(syncline.Warning, "%s: %d rows were rejected before their key was known, so what is gone from the source cannot be told: nothing is swept", p.name.text(), keyless)
	case p.sweeps():
		err = p.sweep(ctx, &c)
	}
	if err == nil {
		err = p.dropStages(ctx, p.tx, "")
	}
	if err == nil {
		err = p.seal(ctx, c)
	}
	return p.published(c), err
}

// finished checks that every part is, and that what transfer counted is what the parts
// say.
func (p *publishing) finished(ctx context.Context) (keyless int64, err error) {
	parts, err := p.cp.parts(ctx, p.tx, p.stream)
	if err != nil {
		return 0, err
	}
	var sum syncline.Counts
	for id, part := range parts {
		if !part.Done {
			return 0, syncline.Errorf(syncline.FailedPrecondition, "part %s of %s is not finished", id, p.name.text()).Of(syncline.ClassInternal)
		}
		sum = sum.Add(part.Counts)
		keyless += part.counts.Keyless
	}
	if sum.Inserted != p.sum.Inserted || !p.sum.Balanced() {
		return 0, &destination.Unbalanced{Table: p.name.text(), Staged: sum.Inserted, Count: p.sum.Inserted}
	}
	return keyless, nil
}

func (w *writer) published(c counts) destination.Published {
	return destination.Published{Total: c.Total, Swept: c.Swept, Where: "table " + w.name.text(), Counts: c.Counts}
}

// seal is the last statement: the load is done, its mark is good for the table as it is
// now, and the parts are no longer needed.
func (p *publishing) seal(ctx context.Context, c counts) error {
	have, err := describe(ctx, p.tx, p.name)
	if err != nil {
		return err
	}
	if have == nil {
		return syncline.Errorf(syncline.NotFound, "%s was dropped while it was loaded", p.name.text()).Of(syncline.ClassDestination).
			Try("run again: it is made and filled anew")
	}
	doc, err := json.Marshal(c)
	if err != nil {
		return err
	}
	if _, err := p.tx.Exec(ctx, "delete from "+p.cp.quoted+" where stream = $1 and part <> ''", p.stream); err != nil {
		return err
	}
	tag, err := p.tx.Exec(ctx, "update "+p.cp.quoted+` set done = true, counts = $4, mark = $5, target_id = $6, pid = null, backend_start = null, updated_at = now()
		where stream = $1 and part = '' and token = $2 and load = $3 and not done`, p.stream, p.token, p.target.Load, string(doc), p.mark, have.identity())
	if err == nil && tag.RowsAffected() == 0 {
		return syncline.ErrLeaseLost
	}
	return err
}

// sweep removes rows that this load has not seen.
func (p *publishing) sweep(ctx context.Context, c *counts) error {
	p.phase("sweep")
	if err := p.lock(ctx, "share row exclusive"); err != nil {
		return err
	}
	seen, err := p.seen(ctx)
	if err != nil {
		return err
	}
	unseen := fmt.Sprintf("from %s t where not exists (select from %s s where %s)",
		p.name.quoted(), seen.quoted(), pairs(p.shape.key, "s.%s = t.%[1]s", " and "))
	var had, gone int64
	err = p.tx.QueryRow(ctx, "select count(*), (select count(*) "+unseen+") from "+p.name.quoted()).Scan(&had, &gone)
	if err == nil {
		err = p.guard(had, gone, p.sum.Read)
	}
	if err != nil {
		return err
	}
	tag, err := p.tx.Exec(ctx, "delete "+unseen)
	c.Swept = tag.RowsAffected()
	return err
}

// guard stops what looks like an accident. What goes was counted, beside all that was
// there, while nobody else can write.
func (p *publishing) guard(had, gone, read int64) error {
	if p.target.Guard.Trips(had, gone, read) {
		return &destination.MassDelete{Table: p.name.text(), Read: read, Had: had, Gone: gone}
	}
	return nil
}

// lockTries bounds how long publishing waits for others to let go of the target.
const lockTries = 20

// lock waits for a lock on the target in short turns: whoever comes after a waiting lock
// queues behind it, so a long query of one reader would stop all others for as long.
func (p *publishing) lock(ctx context.Context, mode string) error {
	for try := 1; ; try++ {
		err := inSavepoint(ctx, p.tx, func(tx pgx.Tx) error {
			if _, err := tx.Exec(ctx, "set local lock_timeout = '2s'"); err != nil {
				return err
			}
			_, err := tx.Exec(ctx, "lock table "+p.name.quoted()+" in "+mode+" mode")
			return err
		})
		if pgurl.State(err) != "55P03" || try == lockTries {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(500 * time.Millisecond):
		}
	}
}

// inSavepoint runs fn so that its failure leaves the transaction alive.
func inSavepoint(ctx context.Context, tx pgx.Tx, fn func(pgx.Tx) error) error {
	inner, err := tx.Begin(ctx)
	if err != nil {
		return err
	}
	if err := fn(inner); err != nil {
		if back := inner.Rollback(ctx); back != nil {
			return errors.Join(err, back)
		}
		return err
	}
	return inner.Commit(ctx)
}
