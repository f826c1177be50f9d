package ledger

import (
	"context"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
)

// scanClock remembers when this process last saw the ledger answer. The database being
// away must not look like ten thousand dead workers, so after a gap, a start of its own,
// or a restart of the database, a scan releases nothing for one lease.
type scanClock struct {
	mu      sync.Mutex
	last    time.Time // of the last good scan, on this process's monotonic clock
	quietTo time.Time
	server  time.Time // when the database server started
}

// scanGap is how long a scan may have been away before its silence counts.
const scanGap = 5 * time.Second

// ready reports whether leases may be released now.
func (c *scanClock) ready(now, server time.Time, ttl time.Duration) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.last.IsZero() || now.Sub(c.last) > scanGap || !server.Equal(c.server) {
		c.quietTo = now.Add(ttl)
	}
	c.last, c.server = now, server
	return !now.Before(c.quietTo)
}

// Scan does what every server does once a second: it takes runs from holders whose lease
// has ended or whose process is known to be gone, ends runs whose deadline has passed or
// whose source is silent, cancels over the head of a worker that does not answer, and
// cancels children whose parents have ended. It returns how many runs it changed.
func (l *Ledger) Scan(ctx context.Context) (changed int, err error) {
	n, err := l.releaseDead(ctx)
	if err != nil {
		return n, err
	}
	changed += n
	if n, err = l.releaseExpired(ctx); err != nil {
		return changed + n, err
	}
	changed += n
	if n, err = l.alarms(ctx); err != nil {
		return changed + n, err
	}
	changed += n
	n, err = l.reap(ctx)
	return changed + n, err
}

const scanBatch = 100

func (l *Ledger) releaseExpired(ctx context.Context) (int, error) {
	started, err := l.store.Started(ctx)
	if err != nil {
		return 0, err
	}
	if !l.scan.ready(time.Now(), started, l.ttl) {
		return 0, nil
	}
	now, err := l.store.Now(ctx)
	if err != nil {
		return 0, err
	}
	var leases []syncline.Lease
	err = l.view(ctx, func(tx syncline.Tx) error {
		leases, err = tx.ExpiredLeases(now, scanBatch)
		return err
	})
	if err != nil {
		return 0, err
	}
	return l.release(ctx, leases, func(lease *syncline.Lease, now time.Time) bool { return lease.ExpiresAt.Before(now) })
}

// releaseDead takes runs from processes of this machine that have ended: their leases
// need not run out.
func (l *Ledger) releaseDead(ctx context.Context) (n int, err error) {
	var sessions []string
	err = l.view(ctx, func(tx syncline.Tx) error {
		sessions, err = tx.Sessions()
		return err
	})
	for _, s := range sessions {
		if !l.dead(s) {
			continue
		}
		var leases []syncline.Lease
		err = l.view(ctx, func(tx syncline.Tx) error {
			leases, err = tx.SessionLeases(s)
			return err
		})
		if err != nil {
			return n, err
		}
		m, err := l.release(ctx, leases, func(lease *syncline.Lease, _ time.Time) bool { return lease.Session == s })
		n += m
		if err != nil {
			return n, err
		}
	}
	return n, err
}

// release looks at each lease again under the run's lock, since its holder may have beaten
// meanwhile, and takes the run away where still still says so.
func (l *Ledger) release(ctx context.Context, leases []syncline.Lease, still func(*syncline.Lease, time.Time) bool) (n int, err error) {
	for _, seen := range leases {
		if seen.Part != "" {
			err := l.releasePart(ctx, seen, still)
			if err != nil && err != errStillHeld && syncline.CodeOf(err) != syncline.NotFound {
				return n, err
			}
			continue
		}
		_, err := l.change(ctx, seen.Run, evRelease, func(tx syncline.Tx, r *syncline.Run, m *move) error {
			lease, err := tx.Lease(seen.Run, seen.Part)
			if err != nil {
				return err
			}
			if lease == nil || lease.Token != seen.Token || !still(lease, m.now) {
				return errStillHeld
			}
			m.seenAt = lease.SeenAt
			_, err = l.tally(tx, r, m)
			return err
		})
		switch {
		case err == nil:
			n++
			l.log.Info("took a run from a silent worker", "run", seen.Run, "worker", seen.Worker, "last_seen", seen.SeenAt)
		case err == errStillHeld || syncline.CodeOf(err) == syncline.NotFound:
		default:
			return n, err
		}
	}
	return n, nil
}

var errStillHeld = syncline.Errorf(syncline.Aborted, "the lease is held again")

func (l *Ledger) alarms(ctx context.Context) (n int, err error) {
	now, err := l.store.Now(ctx)
	if err != nil {
		return 0, err
	}
	var runs []*syncline.Run
	err = l.view(ctx, func(tx syncline.Tx) error {
		runs, err = tx.Alarmed(now, scanBatch)
		return err
	})
	for _, r := range runs {
		if err := l.alarm(ctx, r.ID); err != nil && syncline.CodeOf(err) != syncline.FailedPrecondition && syncline.CodeOf(err) != syncline.NotFound {
			return n, err
		}
		n++
	}
	return n, err
}

// alarm ends a run whose time is up.
func (l *Ledger) alarm(ctx context.Context, id string) error {
	_, err := l.change(ctx, id, evForceCancel, func(tx syncline.Tx, r *syncline.Run, m *move) error {
		if r.State == syncline.StateRunning && canceling(*r) && !m.now.Before(r.Facts.CancelBy) {
			m.reason = "its worker did not answer the cancel"
			_, err := l.tally(tx, r, m)
			return err
		}
		m.event = evRunDeadline
		if m.err = late(*r, m.now); m.err == nil {
			return errStillHeld
		}
		_, err := l.tally(tx, r, m)
		return err
	})
	if err == errStillHeld {
		return nil
	}
	return err
}

// late says which of a run's times is past; nil: none.
func late(r syncline.Run, now time.Time) *syncline.Error {
	past := func(t time.Time) bool { return !t.IsZero() && !now.Before(t) }
	switch {
	case past(r.UpdateBy):
		return unheard(r)
	case past(r.Deadline):
		return syncline.Errorf(syncline.DeadlineExceeded, "the run did not end by its deadline %s", r.Deadline.UTC().Format(time.RFC3339)).
			Of(syncline.ClassInternal).Because("run_deadline").Try("raise the pipeline's deadline, or go on with what is there: syncline runs resume %s", r.ID)
	}
	return nil
}
