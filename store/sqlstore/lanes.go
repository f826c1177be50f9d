package sqlstore

import (
	"fmt"
	"slices"
	"time"

	"github.com/synclinehq/syncline"
)

// RunInLane locks a run's lane, and then reads the run.
func (t *Tx) RunInLane(id string) (*syncline.Run, error) {
	if t.f.LaneOf != "" {
		if err := t.s.Later(t.f.LaneOf, id); err != nil {
			return nil, fmt.Errorf("lock the lane of run %s: %w", id, err)
		}
	}
	return t.Run(id)
}

// RunsInLanes waits for nobody, so that those who lock many lanes cannot deadlock.
func (t *Tx) RunsInLanes(ids ...string) ([]*syncline.Run, error) {
	if t.f.LanesOf == "" {
		return t.eachRun(ids)
	}
	var free []string
	var found []*syncline.Run
	err := t.s.Ask(t.also(
		into(&free, text, t.f.LanesOf, t.f.List(ids)),
		into(&found, runFrom, `select `+runCols+` from {runs} where id {any} $1 {end}{skip}`, t.f.List(ids)))...)
	if err != nil {
		return nil, fmt.Errorf("read %d runs: %w", len(ids), err)
	}
	return slices.DeleteFunc(found, func(r *syncline.Run) bool { return !slices.Contains(free, r.ID) }), nil
}

func (t *Tx) eachRun(ids []string) (all []*syncline.Run, err error) {
	for _, id := range ids {
		r, err := t.Run(id)
		switch {
		case err == nil:
			all = append(all, r)
		case syncline.CodeOf(err) != syncline.NotFound:
			return nil, err
		}
	}
	return all, nil
}

// LockLane serializes those who start or end runs of a lane. It needs no row: a lane
// exists only as long as somebody holds it.
func (t *Tx) LockLane(lane string) error {
	if t.f.Lane == "" {
		return nil
	}
	return wrapf(t.s.Later(t.f.Lane, lane), "lock lane %s", lane)
}

// LaneHead is the lane's admitted run.
func (t *Tx) LaneHead(lane string) (*syncline.Run, error) {
	var head []*syncline.Run
	err := t.s.Ask(t.also(into(&head, runFrom, `select `+runCols+` from {runs} where lane = $1 and head`, lane))...)
	if err != nil {
		return nil, fmt.Errorf("read the head of lane %s: %w", lane, err)
	}
	if len(head) == 0 {
		return nil, nil
	}
	return head[0], nil
}

// LaneNext is the lane's run that is next to be admitted.
func (t *Tx) LaneNext(lane string) (*syncline.Run, error) {
	r, err := first(t, runFrom, `select `+runCols+` from {runs} where lane = $1 and not head and state = 'pending'
		order by priority, not_before, id limit 1{lock}`, lane)
	if err != nil {
		return nil, fmt.Errorf("read the next run of lane %s: %w", lane, err)
	}
	return r, nil
}

// LaneWaiting counts the waiting runs of the lane that go before the given one.
func (t *Tx) LaneWaiting(lane string, before *syncline.Run) (int, error) {
	var n int
	_, err := t.one(`select count(*) from {runs} where lane = $1 and not head and state = 'pending'
		and (priority, not_before, id) < ($2, $3, $4)`,
		[]any{lane, before.Priority, micros(before.NotBefore), before.ID}, &n)
	if err != nil {
		return 0, fmt.Errorf("count the waiting runs of lane %s: %w", lane, err)
	}
	return n, nil
}

// Claimable selects and locks the runs that a worker may take.
func (t *Tx) Claimable(f syncline.ClaimFilter) ([]*syncline.Run, error) {
	now, err := t.Now()
	if err != nil {
		return nil, err
	}
	q := where{text: `select ` + runCols + ` from {runs}
		where head and owner = 'engine' and (state = 'pending' or (state = 'suspended' and wait = 'shutdown'))`, any: true}
	q.and(`(state = 'suspended' or not_before <= ?)`, micros(now))
	q.and(`kind {any} ? {end}`, t.f.List(f.Kinds))
	q.and(`(host = '' or host = ?)`, f.Host)
	if len(f.Only) > 0 {
		// Not the bare column: its index has the pipelines' whole past.
		q.and(`(pipeline_id || '') {any} ? {end}`, t.f.List(f.Only))
	}
	if f.Run != "" {
		q.and(`id = ?`, f.Run)
	}
	q.add(` order by priority, not_before, id limit ?{skip}`, most(f.Limit))
	all, err := list(t, runFrom, q.text, q.args...)
	if err != nil {
		return nil, fmt.Errorf("select claimable runs: %w", err)
	}
	return all, nil
}

// Orphans finds children that nobody waits for any more.
func (t *Tx) Orphans(limit int) ([]string, error) {
	ids, err := list(t, text, `select c.id from {runs} c left join {runs} p on p.id = c.parent_run
		where c.parent_run <> '' and c.ended_at is null and c.aspect <> 'canceling'
		and (p.id is null or p.ended_at is not null or p.aspect = 'canceling') order by c.parent_run limit $1`, most(limit))
	return ids, wrapf(err, "select runs whose parents have ended")
}

// Alarmed selects and locks unfinished runs that ran out of time.
func (t *Tx) Alarmed(now time.Time, limit int) ([]*syncline.Run, error) {
	all, err := list(t, runFrom, `select `+runCols+` from {runs} where alarm_at < $1 and alarm_at is not null
		order by alarm_at limit $2{skip}`, micros(now), most(limit))
	if err != nil {
		return nil, fmt.Errorf("select runs past their deadline: %w", err)
	}
	return all, nil
}
