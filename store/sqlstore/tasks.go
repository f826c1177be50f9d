package sqlstore

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/synclinehq/syncline"
)

// taskDoc is a task without its stats, which are written far more often.
type taskDoc struct {
	*syncline.Task
	Stats *struct{} `json:"stats,omitempty"`
}

const tasks = `select t.doc, s.doc from {tasks} t left join {task_stats} s on s.run_id = t.run_id and s.task = t.name where t.run_id = $1`

func taskFrom(scan Scan) (*syncline.Task, error) {
	var doc, stats []byte
	if err := scan(&doc, &stats); err != nil {
		return nil, err
	}
	k := &syncline.Task{}
	if err := json.Unmarshal(doc, &taskDoc{Task: k}); err != nil {
		return nil, fmt.Errorf("read a task's document: %w", err)
	}
	if stats == nil {
		return k, nil
	}
	if err := json.Unmarshal(stats, &k.Stats); err != nil {
		return nil, fmt.Errorf("read the stats of task %s: %w", k.Name, err)
	}
	return k, nil
}

const tasksInOrder = tasks + ` order by t.ordinal, t.name`

// Tasks lists the tasks of runs, each run's in their order, in one round trip. Each run has
// a question of its own: for a list of them PostgreSQL may read all of both tables.
func (t *Tx) Tasks(runIDs ...string) ([]*syncline.Task, error) {
	byRun := make([][]*syncline.Task, len(runIDs))
	qs := make([]Question, len(runIDs))
	for i, id := range runIDs {
		qs[i] = into(&byRun[i], taskFrom, tasksInOrder, id)
	}
	err := t.s.Ask(qs...)
	return slices.Concat(byRun...), wrapf(err, "list the tasks of %d runs", len(runIDs))
}

// Task finds one task of a run.
func (t *Tx) Task(runID, name string) (*syncline.Task, error) {
	k, err := first(t, taskFrom, tasks+` and t.name = $2{lock t}`, runID, name)
	if err == nil && k == nil {
		return nil, syncline.Errorf(syncline.NotFound, "run %q has no task %q", runID, name)
	}
	return k, wrapf(err, "read task %s of run %s", name, runID)
}

const putTask = `insert into {tasks} as t (run_id, name, ordinal, shape, doc) values ($1, $2, $3, $4, $5)
	on conflict (run_id, name) do update set ordinal = excluded.ordinal, shape = excluded.shape, doc = excluded.doc
	where t.shape <= excluded.shape`

// PutTask inserts or replaces a task, leaving its stats.
func (t *Tx) PutTask(k *syncline.Task) error {
	d, err := doc(taskDoc{Task: k})
	if err != nil {
		return err
	}
	n, err := t.s.Sure(putTask, k.RunID, k.Name, k.Ordinal, Schema, d)
	if err != nil || n > 0 {
		return wrapf(err, "store task %s of run %s", k.Name, k.RunID)
	}
	var shape int64
	var old []byte
	_, err = t.one(`select shape, doc from {tasks} where run_id = $1 and name = $2`, []any{k.RunID, k.Name}, &shape, &old)
	if err == nil {
		_, err = t.s.Exec(putTask, k.RunID, k.Name, k.Ordinal, shape, carry[taskDoc](old, d))
	}
	return wrapf(err, "store task %s of run %s", k.Name, k.RunID)
}

const putStats = `insert into {task_stats} (run_id, task, doc) values ($1, $2, $3)
	on conflict (run_id, task) do update set doc = excluded.doc`

// PutStats stores how far a task has come.
func (t *Tx) PutStats(runID, task string, s syncline.Stats) error {
	d, err := doc(s)
	if err != nil {
		return err
	}
	err = t.s.Later(putStats, runID, task, d)
	return wrapf(err, "store the stats of task %s of run %s", task, runID)
}

// DeleteTasks removes all tasks of a run.
func (t *Tx) DeleteTasks(runID string) error {
	err := t.s.Later(`delete from {tasks} where run_id = $1`, runID)
	if err == nil {
		err = t.s.Later(`delete from {task_stats} where run_id = $1`, runID)
	}
	return wrapf(err, "delete the tasks of run %s", runID)
}
