package sqlstore

import (
	"time"

	"github.com/synclinehq/syncline"
)

const leases = `select run_id, part, token, worker, session, seen_at, expires_at, ask from {leases}`

func leaseFrom(scan Scan) (syncline.Lease, error) {
	var l syncline.Lease
	var seen, expires int64
	err := scan(&l.Run, &l.Part, &l.Token, &l.Worker, &l.Session, &seen, &expires, &l.Ask)
	l.SeenAt, l.ExpiresAt = fromMicros(seen), fromMicros(expires)
	return l, err
}

const (
	putLease = `insert into {leases} (run_id, part, token, worker, session, seen_at, expires_at, ask)
		values ($1, $2, $3, $4, $5, $6, $7, $8)` + orReplaced
	orReplaced = ` on conflict (run_id, part) do update set token = excluded.token, worker = excluded.worker,
		session = excluded.session, seen_at = excluded.seen_at, expires_at = excluded.expires_at, ask = excluded.ask`
	deleteLeases = `delete from {leases} where run_id = $1`
)

// PutLease inserts or replaces the lease of (Run, Part).
func (t *Tx) PutLease(l syncline.Lease) error {
	err := t.s.Later(putLease,
		l.Run, l.Part, l.Token, l.Worker, l.Session, micros(l.SeenAt), micros(l.ExpiresAt), int(l.Ask))
	return wrapf(err, "store the lease of run %s", l.Run)
}

// Lease is the lease of (run, part), nil if nobody has one.
func (t *Tx) Lease(runID, part string) (*syncline.Lease, error) {
	l, err := list(t, leaseFrom, leases+` where run_id = $1 and part = $2{lock}`, runID, part)
	if err != nil || len(l) == 0 {
		return nil, wrapf(err, "read the lease of run %s", runID)
	}
	return &l[0], nil
}

// Leases lists the leases of a run and its parts.
func (t *Tx) Leases(runID string) ([]syncline.Lease, error) {
	l, err := list(t, leaseFrom, leases+` where run_id = $1 order by part{lock}`, runID)
	return l, wrapf(err, "list the leases of run %s", runID)
}

// DeleteLease ends one lease, if there is one.
func (t *Tx) DeleteLease(runID, part string) error {
	err := t.s.Later(`delete from {leases} where run_id = $1 and part = $2`, runID, part)
	return wrapf(err, "delete the lease of run %s", runID)
}

// DeleteLeases ends all leases of a run.
func (t *Tx) DeleteLeases(runID string) error {
	err := t.s.Later(deleteLeases, runID)
	return wrapf(err, "delete the leases of run %s", runID)
}

// SetAsk tells all holders of a run.
func (t *Tx) SetAsk(runID string, a syncline.Ask) error {
	err := t.s.Later(`update {leases} set ask = $1 where run_id = $2`, int(a), runID)
	return wrapf(err, "tell the holders of run %s", runID)
}

// ExpiredLeases selects and locks leases that ended before now, the longest first.
func (t *Tx) ExpiredLeases(now time.Time, limit int) ([]syncline.Lease, error) {
	l, err := list(t, leaseFrom, leases+` where expires_at < $1 order by expires_at, run_id, part limit $2{skip}`, micros(now), most(limit))
	return l, wrapf(err, "select expired leases")
}

// Sessions lists those who hold leases.
func (t *Tx) Sessions() ([]string, error) {
	all, err := list(t, text, `select distinct session from {leases} order by session`)
	return all, wrapf(err, "list the sessions that hold leases")
}

// SessionLeases selects the leases of one session.
func (t *Tx) SessionLeases(session string) ([]syncline.Lease, error) {
	l, err := list(t, leaseFrom, leases+` where session = $1 order by run_id, part`, session)
	return l, wrapf(err, "list the leases of session %s", session)
}
