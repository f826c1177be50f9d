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
	"github.com/synclinehq/syncline/rows"
)

// A transaction is committed at the first checkpoint after so much of either.
const (
	commitBytes = 8 << 20
	commitAfter = 500 * time.Millisecond
)

// lane writes one part on a session of its own, in transactions that end with the part's
// checkpoint.
type lane struct {
	w       *writer
	id      string
	token   int64
	seq     int64 // of the checkpoint that this lane wrote last
	conn    *pgx.Conn
	backend backend
	enc     *encoder
	marks   []string // columns of the private table that are not the entity's

	durable  rows.Position
	counts   counts // durable
	pending  counts // of the open transaction
	open     bool
	next     []byte    // the last checkpoint that was written up to
	last     time.Time // of a commit
	bytes    int
	staged   []int64 // ordinals of the rows in the private table
	tuples   tuples
	ordinals []int64 // of the rows of the batch at hand
	closed   error   // why nothing more can be written
}

var _ destination.Lane = (*lane)(nil)

// Part opens the lane of one part under its own session.
func (w *writer) Part(ctx context.Context, id string, token int64) (destination.Lane, error) {
	l := &lane{w: w, id: id, token: token}
	if !w.direct {
		l.marks = w.shape.free("_syncline_n", "_syncline_del")
	}
	var err error
	if l.enc, err = newEncoder(w.shape, w.target.Entity.Schema, l.marks); err != nil {
		return nil, err
	}
	if err := l.connect(ctx); err != nil {
		_ = l.Close()
		return nil, err
	}
	return l, nil
}

// Write copies a batch, and commits when enough has come and the batch has a checkpoint.
func (l *lane) Write(ctx context.Context, b rows.Batch) (rows.Position, error) {
	return l.step(ctx, func() error { return l.write(ctx, b) })
}

// Finish commits what is left and marks the part done.
func (l *lane) Finish(ctx context.Context) (rows.Position, error) {
	return l.step(ctx, func() error {
		if l.durable.Done && !l.open {
			return nil
		}
		if err := l.begin(ctx); err != nil {
			return err
		}
		return l.commit(ctx, true)
	})
}

func (l *lane) Close() error {
	shut(l.conn)
	l.conn = nil
	if l.closed == nil {
		l.closed = syncline.Errorf(syncline.FailedPrecondition, "part %s is closed", l.id)
	}
	return nil
}

// step runs one step; after one that failed the lane is of no more use.
func (l *lane) step(ctx context.Context, do func() error) (rows.Position, error) {
	if l.closed != nil {
		return l.durable, l.closed
	}
	if err := do(); err != nil {
		l.closed = l.explain(ctx, err)
		_ = l.Close()
		return l.durable, l.closed
	}
	return l.durable, nil
}

// explain finds out whether a session that is gone was ended by a newer holder.
func (l *lane) explain(ctx context.Context, err error) error {
	if pgurl.Lost(err) && ctx.Err() == nil {
		if _, looked := l.look(ctx); errors.Is(looked, syncline.ErrLeaseLost) {
			return looked
		}
	}
	return classed(ctx, err, "write part %s of %s", l.id, l.w.name.text())
}

func (l *lane) write(ctx context.Context, b rows.Batch) error {
	if b.Format != l.w.target.Format && b.Format != rows.Arrow {
		return fmt.Errorf("no %s batches were asked for", b.Format)
	}
	if err := l.begin(ctx); err != nil {
		return err
	}
	c := &l.pending
	c.Read += b.Read()
	c.Rejected += int64(len(b.Rejects))
	c.Keyless += int64(len(b.Rejects))
	c.Filtered += b.Filtered
	c.Bytes += b.Bytes
	c.Requests += b.Requests
	if err := l.take(ctx, b); err != nil {
		return err
	}
	if b.Next == nil {
		return nil
	}
	l.next = b.Next
	if l.bytes < commitBytes && l.w.db.env.Now().Sub(l.last) < commitAfter {
		return nil
	}
	return l.commit(ctx, false)
}

func (l *lane) take(ctx context.Context, b rows.Batch) error {
	switch {
	case b.Census != rows.NoCensus:
		return l.named(ctx, b)
	case b.Format == rows.PGCopy:
		return l.putRaw(ctx, b)
	}
	return l.put(ctx, b)
}

// begin opens a transaction unless one is open.
func (l *lane) begin(ctx context.Context) error {
	if l.open {
		return nil
	}
	if l.conn == nil {
		if err := l.connect(ctx); err != nil {
			return err
		}
	}
	// What is checked at commit only would fail rows that nobody could name any more.
	if _, err := l.conn.Exec(ctx, "begin; set constraints all immediate", pgx.QueryExecModeSimpleProtocol); err != nil {
		return err
	}
	l.open, l.pending, l.bytes, l.staged = true, l.counts, 0, l.staged[:0]
	return nil
}

// commit ends the transaction. The checkpoint comes last, so that its row is locked as
// shortly as can be, and it compares token and seq in the statement that writes.
func (l *lane) commit(ctx context.Context, done bool) error {
	if !l.w.direct {
		if err := l.merge(ctx); err != nil {
			return err
		}
	}
	doc, err := json.Marshal(l.pending)
	if err != nil {
		return err
	}
	tag, err := l.conn.Exec(ctx, "update "+l.w.cp.quoted+` set seq = $4 + 1, position = $5, done = $6, counts = $7, pid = $8, backend_start = $9, updated_at = now()
		where stream = $1 and part = $2 and token = $3 and seq = $4`,
		l.w.stream, l.id, l.token, l.seq, l.next, done, string(doc), l.backend.pid, l.backend.start)
	if err != nil {
		return err
	}
	if tag.RowsAffected() == 0 {
		return syncline.ErrLeaseLost
	}
	if _, err = l.conn.Exec(ctx, "commit"); err != nil {
		err = l.settle(ctx, err)
	}
	if err != nil {
		return err
	}
	l.seq++
	l.counts, l.open, l.last = l.pending, false, l.w.db.env.Now()
	l.durable = rows.Position{Next: l.next, Done: done, Counts: l.counts.Counts}
	return nil
}

// settle finds out what became of a commit whose answer was lost. It is never guessed:
// only the row can tell.
func (l *lane) settle(ctx context.Context, err error) error {
	if !pgurl.Lost(err) || ctx.Err() != nil {
		return err
	}
	p, looked := l.look(ctx)
	if looked != nil {
		return looked
	}
	if p.seq != l.seq+1 {
		return err
	}
	shut(l.conn)
	l.conn = nil // the next transaction opens another session
	return nil
}

// look reads the part's row under a session of its own, after the one that may still be
// committing has ended.
func (l *lane) look(ctx context.Context) (part, error) {
	conn, err := l.w.db.connect(ctx)
	if err != nil {
		return part{}, err
	}
	defer shut(conn)
	if err := l.w.terminate(ctx, conn, []backend{l.backend}); err != nil {
		return part{}, err
	}
	parts, err := l.w.cp.parts(ctx, conn, l.w.stream)
	if err != nil {
		return part{}, err
	}
	p, ok := parts[l.id]
	if !ok || p.token != l.token { // the row of a newer holder, or of another load's
		return part{}, syncline.ErrLeaseLost
	}
	return p, nil
}
