package sqlite

import (
	"context"
	"errors"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/rows"
)

// lane writes one part. A batch with a position is one transaction; rows of batches
// without one wait in a table that only this connection sees, so that no lock is held
// from one call to the next.
type lane struct {
	w     *Writer
	id    string
	token int64
	part  part // as it is durable

	pending syncline.Counts // of rows that are not durable yet
	keyless int64           // the same
	next    []byte          // position of the last batch that had one
	err     error           // why nothing more can be written
	closed  bool

	conn    *sqlitefile.Conn // that what follows is bound to
	inserts inserts
	spool   string      // temporary table
	seq     int64       // of the last row in it
	waiting bool        // there are rows in it
	naming  rows.Census // what the keys that wait belong to
}

var _ destination.Lane = (*lane)(nil)

// Write takes a batch. After an error the lane is of no more use.
func (l *lane) Write(ctx context.Context, b rows.Batch) (rows.Position, error) {
	if l.err == nil {
		l.err = l.write(ctx, b)
	}
	return l.part.at, l.err
}

func (l *lane) write(ctx context.Context, b rows.Batch) error {
	if b.Census != rows.NoCensus {
		return l.name(ctx, b)
	}
	l.pending.Read += b.Read()
	l.pending.Rejected += int64(len(b.Rejects))
	l.keyless += int64(len(b.Rejects))
	l.pending.Filtered += b.Filtered
	l.pending.Bytes += b.Bytes
	l.pending.Requests += b.Requests
	good, err := l.screen(ctx, &b)
	if err != nil {
		return err
	}
	if b.Next == nil {
		return l.put(ctx, good)
	}
	l.next = b.Next
	return l.commit(ctx, good, false)
}

// put leaves rows in the spool.
func (l *lane) put(ctx context.Context, b *batch) error {
	err := l.w.file.use(ctx, func(c *sqlitefile.Conn) error {
		return c.View(func() error { return l.addToSpool(c, b) }) // nothing of the file is written
	})
	l.waiting = true
	return l.w.explain(err)
}

// commit makes everything so far durable. Rows go straight to their table; when one of
// them is refused there, or repeats a key, they go by way of the spool.
func (l *lane) commit(ctx context.Context, b *batch, done bool) error {
	if !l.waiting && l.w.t.Disposition != syncline.Upsert {
		err := l.transact(ctx, done, func(c *sqlitefile.Conn, n *syncline.Counts) error {
			n.Inserted = int64(len(b.rows))
			return l.insertAll(c, b)
		})
		if _, broken := sqlitefile.Broken(err); !broken && !errors.Is(err, errRepeated) {
			return err
		}
	}
	return l.transact(ctx, done, func(c *sqlitefile.Conn, n *syncline.Counts) error {
		if err := l.addToSpool(c, b); err != nil {
			return err
		}
		if l.seq == 0 {
			return nil
		}
		if err := l.merge(ctx, c, 1, l.seq, n); err != nil {
			return err
		}
		return c.Exec("delete from temp." + l.spool)
	})
}

// transact runs fn and writes the position and what fn counted, in one transaction that
// begins by looking whether the part is still this lane's.
func (l *lane) transact(ctx context.Context, done bool, fn func(*sqlitefile.Conn, *syncline.Counts) error) error {
	var next part
	seq := l.seq
	err := l.w.update(ctx, func(c *sqlitefile.Conn) error {
		if err := l.mine(c); err != nil {
			return err
		}
		var n syncline.Counts
		if err := l.writeNames(c); err != nil {
			return err
		}
		if err := fn(c, &n); err != nil {
			return err
		}
		next = part{
			token: l.token, seq: l.part.seq + 1, keyless: l.part.keyless + l.keyless,
			at: rows.Position{Next: l.next, Done: done, Counts: l.part.at.Counts.Add(l.pending).Add(n)},
		}
		return writePart(c, l.w.t.Fence.Stream, l.w.t.Load, l.id, next)
	})
	if err != nil {
		l.seq = seq
		return err
	}
	l.part, l.pending, l.keyless, l.waiting, l.seq, l.naming = next, syncline.Counts{}, 0, false, 0, rows.NoCensus
	return nil
}

// mine answers ErrLeaseLost when somebody else has the stream, or just this part.
func (l *lane) mine(c *sqlitefile.Conn) error {
	if _, err := fenced(c, l.w.t.Fence.Stream, l.w.t.Load, l.token); err != nil {
		return err
	}
	parts, err := readParts(c, l.w.t.Fence.Stream, l.w.t.Load)
	if p := parts[l.id]; err == nil && (p.token != l.token || p.seq != l.part.seq) {
		return syncline.ErrLeaseLost
	}
	return err
}

// Finish makes the rest durable and marks the part done.
func (l *lane) Finish(ctx context.Context) (rows.Position, error) {
	if l.err == nil && !l.part.at.Done {
		l.err = l.commit(ctx, &batch{}, true)
	}
	return l.part.at, l.err
}

// Close lets go of what the lane holds of the connection.
func (l *lane) Close() error {
	if l.closed {
		return nil
	}
	l.closed = true
	l.w.file.idle(func(c *sqlitefile.Conn) {
		if c == nil || c != l.conn {
			return
		}
		l.inserts.close()
		_ = c.Exec("drop table if exists temp." + l.spool + "; drop table if exists " + l.names()) // they end with the connection anyway
	})
	l.w.file.release()
	return nil
}

// bind makes sure that what was prepared belongs to this connection.
func (l *lane) bind(c *sqlitefile.Conn) error {
	if l.conn == c {
		return nil
	}
	if l.conn != nil {
		return syncline.Errorf(syncline.Aborted, "%s was replaced by another file while it was written", c.Path()).
			Of(syncline.ClassDestination).Try("let nobody move the file during a run").Again()
	}
	l.conn = c
	return nil
}
