package sqlstore

import (
	"encoding/json"

	"github.com/synclinehq/syncline"
)

const insertEvent = `insert into {events} (run_id, seq, doc) values ($1, $2, $3) on conflict do nothing`

// AppendEvents adds to the journal of runs.
func (t *Tx) AppendEvents(es ...syncline.Event) error {
	return appendAll(t, insertEvent, "event", es,
		func(e syncline.Event) (string, int64) { return e.RunID, e.Seq })
}

// Events lists a run's events with Seq > after.
func (t *Tx) Events(runID string, after int64, limit int) ([]syncline.Event, error) {
	es, err := list(t, fromDoc[syncline.Event], `select doc from {events} where run_id = $1 and seq > $2 order by seq limit $3`,
		runID, after, most(limit))
	return es, wrapf(err, "list the events of run %s", runID)
}

// AppendMessages adds to the log of runs.
func (t *Tx) AppendMessages(ms ...syncline.Message) error {
	return appendAll(t, `insert into {messages} (run_id, seq, doc) values ($1, $2, $3) on conflict do nothing`, "message", ms,
		func(m syncline.Message) (string, int64) { return m.RunID, m.Seq })
}

// Messages lists a run's messages with Seq > after.
func (t *Tx) Messages(runID string, after int64, limit int) ([]syncline.Message, error) {
	ms, err := list(t, fromDoc[syncline.Message], `select doc from {messages} where run_id = $1 and seq > $2 order by seq limit $3`,
		runID, after, most(limit))
	return ms, wrapf(err, "list the messages of run %s", runID)
}

func fromDoc[T any](scan Scan) (T, error) {
	var v T
	var doc []byte
	if err := scan(&doc); err != nil {
		return v, err
	}
	return v, json.Unmarshal(doc, &v)
}

func appendAll[T any](t *Tx, stmt, noun string, all []T, key func(T) (string, int64)) error {
	if len(all) == 0 {
		return nil
	}
	args := make([][]any, len(all))
	for i, v := range all {
		d, err := doc(v)
		if err != nil {
			return err
		}
		run, seq := key(v)
		args[i] = []any{run, seq, d}
	}
	run, seq := key(all[0])
	n, err := t.each(stmt, args)
	if err == nil && n < int64(len(all)) {
		return syncline.Errorf(syncline.AlreadyExists, "run %q has %s %d, or one of those after it, already", run, noun, seq)
	}
	return wrapf(err, "store %ss of run %s", noun, run)
}

// each waits for the answers only where there is more than the one event of a change.
func (t *Tx) each(stmt string, args [][]any) (int64, error) {
	if len(args) == 1 {
		return t.s.Sure(stmt, args[0]...)
	}
	return t.s.Each(stmt, args)
}

// PutRejects keeps rejects and answers how many are new.
func (t *Tx) PutRejects(rs ...syncline.Reject) (int, error) {
	if len(rs) == 0 {
		return 0, nil
	}
	args := make([][]any, len(rs))
	for i, r := range rs {
		d, err := doc(r)
		if err != nil {
			return 0, err
		}
		args[i] = []any{r.RunID, r.Task, r.Part, r.Row, d}
	}
	n, err := t.s.Each(`insert into {rejects} (run_id, task, part, row_no, doc) values ($1, $2, $3, $4, $5) on conflict do nothing`, args)
	return int(n), wrapf(err, "store rejects of run %s", rs[0].RunID)
}

// Rejects lists the rejects of a run, or of one of its tasks.
func (t *Tx) Rejects(runID, task string, offset, limit int) ([]syncline.Reject, error) {
	q := where{text: `select doc from {rejects}`}
	q.and(`run_id = ?`, runID)
	if task != "" {
		q.and(`task = ?`, task)
	}
	q.add(` order by task, part, row_no limit ? offset ?`, most(limit), max(offset, 0))
	rs, err := list(t, fromDoc[syncline.Reject], q.text, q.args...)
	return rs, wrapf(err, "list the rejects of run %s", runID)
}

// CountRejects counts what Rejects lists.
func (t *Tx) CountRejects(runID, task string) (int64, error) {
	q := where{text: `select count(*) from {rejects}`}
	q.and(`run_id = ?`, runID)
	if task != "" {
		q.and(`task = ?`, task)
	}
	var n int64
	_, err := t.one(q.text, q.args, &n)
	return n, wrapf(err, "count the rejects of run %s", runID)
}
