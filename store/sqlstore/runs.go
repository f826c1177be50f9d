package sqlstore

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

const runCols = `version, doc`

func runFrom(scan Scan) (*syncline.Run, error) {
	var version int64
	var doc []byte
	if err := scan(&version, &doc); err != nil {
		return nil, err
	}
	r := &syncline.Run{}
	if err := json.Unmarshal(doc, r); err != nil {
		return nil, fmt.Errorf("read a run's document: %w", err)
	}
	r.Version = version
	return r, nil
}

// runArgs are the columns of a run beside id, di, version, shape and doc.
func runArgs(r *syncline.Run) []any {
	parent := ""
	if r.Parent != nil {
		parent = r.Parent.Run
	}
	var dedupe any
	if r.DedupeKey != "" {
		dedupe = r.DedupeKey
	}
	return []any{
		r.PipelineID, r.Lane, string(r.Owner), r.Kind, string(r.State), string(r.Wait), r.Head, r.Priority,
		micros(r.NotBefore), r.Host, parent, dedupe, micros(r.CreatedAt), orNull(r.EndedAt), orNull(alarm(r)),
		string(r.Aspect()), string(r.Mode),
	}
}

// alarm is when the ledger must look at the run though nobody calls.
func alarm(r *syncline.Run) (at time.Time) {
	if r.State.Final() {
		return at
	}
	for _, t := range []time.Time{r.Deadline, r.Facts.CancelBy, r.UpdateBy} {
		if !t.IsZero() && (at.IsZero() || t.Before(at)) {
			at = t
		}
	}
	return at
}

const runByID = `select ` + runCols + ` from {runs} where id = $1{lock}`

// Run finds a run by its id.
func (t *Tx) Run(id string) (*syncline.Run, error) {
	var found []*syncline.Run
	if err := t.s.Ask(t.also(into(&found, runFrom, runByID, id))...); err != nil {
		return nil, fmt.Errorf("read run %s: %w", id, err)
	}
	if len(found) == 0 {
		return nil, noRun(id)
	}
	return found[0], nil
}

func noRun(id string) error { return syncline.Errorf(syncline.NotFound, "no run %q", id) }

// RunByDedupeKey finds the run that was started with this key.
func (t *Tx) RunByDedupeKey(key string) (*syncline.Run, error) {
	r, err := first(t, runFrom, `select `+runCols+` from {runs} where dedupe_key = $1`, key)
	if err != nil {
		return nil, fmt.Errorf("read the run with key %q: %w", key, err)
	}
	if r == nil {
		return nil, syncline.Errorf(syncline.NotFound, "no run with key %q", key)
	}
	return r, nil
}

func words[S ~string](all []S) []string {
	out := make([]string, len(all))
	for i, s := range all {
		out[i] = string(s)
	}
	return out
}

// RunsLike finds runs by the beginning or the end of their ids.
func (t *Tx) RunsLike(fragment string, limit int) ([]*syncline.Run, error) {
	if fragment == "" {
		return nil, nil
	}
	back := backwards(fragment)
	all, err := list(t, runFrom, `select `+runCols+` from {runs}
		where id in (select id from {runs} where id >= $1 and id < $2 union select id from {runs} where di >= $3 and di < $4)
		order by created_at desc, id desc limit $5`, fragment, beyond(fragment), back, beyond(back), most(limit))
	if err != nil {
		return nil, fmt.Errorf("find runs like %q: %w", fragment, err)
	}
	return all, nil
}

// beyond sorts after everything that begins with s.
func beyond(s string) string { return s + "\U0010FFFF" }

func backwards(s string) string {
	runes := []rune(s)
	slices.Reverse(runes)
	return string(runes)
}

const insertRun = `insert into {runs} (id, di, pipeline_id, lane, owner, kind, state, wait, head, priority, not_before, host,
		parent_run, dedupe_key, created_at, ended_at, alarm_at, aspect, mode, version, shape, doc)
	values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, 1, $20, $21)
	on conflict do nothing`

// InsertRun stores a new run.
func (t *Tx) InsertRun(r *syncline.Run) error {
	d, err := doc(r)
	if err != nil {
		return err
	}
	args := append([]any{r.ID, backwards(r.ID)}, runArgs(r)...)
	n, err := t.s.Sure(insertRun, append(args, Schema, d)...)
	if err != nil {
		return fmt.Errorf("store run %s: %w", r.ID, err)
	}
	if n == 0 {
		return t.taken(r)
	}
	t.version(&r.Version, 1)
	return nil
}

// taken says which of a run's unique things another run has.
func (t *Tx) taken(r *syncline.Run) error {
	other := func(cond string, arg string) (string, bool) {
		id, err := list(t, text, `select id from {runs} where `+cond, arg)
		return strings.Join(id, ""), err == nil && len(id) > 0
	}
	if _, ok := other(`id = $1`, r.ID); ok && r.Version == 0 {
		return syncline.Errorf(syncline.AlreadyExists, "run %q exists already", r.ID)
	}
	if id, ok := other(`dedupe_key = $1`, r.DedupeKey); ok && id != r.ID {
		return syncline.Errorf(syncline.AlreadyExists, "run %q was started with key %q already", id, r.DedupeKey)
	}
	id, _ := other(`lane = $1 and head`, r.Lane)
	return syncline.Errorf(syncline.AlreadyExists, "lane %q is taken by run %q", r.Lane, id)
}

const putRun = `update {runs} set pipeline_id = $1, lane = $2, owner = $3, kind = $4, state = $5, wait = $6, head = $7, priority = $8,
		not_before = $9, host = $10, parent_run = $11, dedupe_key = $12, created_at = $13, ended_at = $14, alarm_at = $15,
		aspect = $16, mode = $17, version = version + 1, shape = $18, doc = $19
	where id = $20 and version = $21 and shape <= $18`

// Asked for rather than caught: in PostgreSQL a failed statement ends the transaction.
const (
	ifFree = ` and not exists (select 1 from {runs} o where o.lane = $2 and o.head and o.id <> $20)`
	ifNew  = ` and not exists (select 1 from {runs} o where o.dedupe_key = $12 and o.id <> $20)`
)

// PutRun replaces the row of r.Version.
func (t *Tx) PutRun(r *syncline.Run) error {
	d, err := doc(r)
	if err != nil {
		return err
	}
	n, err := t.putRun(r, Schema, d)
	if err == nil && n == 0 {
		return t.notPut(r, d)
	}
	if err != nil {
		return fmt.Errorf("store run %s: %w", r.ID, err)
	}
	t.version(&r.Version, r.Version+1)
	return nil
}

func (t *Tx) putRun(r *syncline.Run, shape int64, doc string) (int64, error) {
	stmt := putRun
	switch {
	case r.Head && r.DedupeKey != "":
		stmt = putRun + ifFree + ifNew
	case r.Head:
		stmt = putRun + ifFree
	case r.DedupeKey != "":
		stmt = putRun + ifNew
	}
	return t.s.Sure(stmt, append(runArgs(r), shape, doc, r.ID, r.Version)...)
}

// notPut finds out why a run was not replaced, and replaces it if the reason is only
// that a newer program wrote it.
func (t *Tx) notPut(r *syncline.Run, d string) error {
	var version, shape int64
	var old []byte
	found, err := t.one(`select version, shape, doc from {runs} where id = $1`, []any{r.ID}, &version, &shape, &old)
	switch {
	case err != nil:
		return fmt.Errorf("store run %s: %w", r.ID, err)
	case !found:
		return noRun(r.ID)
	case version != r.Version:
		return syncline.Errorf(syncline.Aborted, "run %q was changed meanwhile", r.ID).Again()
	case shape <= Schema:
		return t.taken(r)
	}
	n, err := t.putRun(r, shape, carry[syncline.Run](old, d))
	if err != nil {
		return fmt.Errorf("store run %s: %w", r.ID, err)
	}
	if n == 0 {
		return t.taken(r)
	}
	t.version(&r.Version, r.Version+1)
	return nil
}

// DeleteRun removes the run with all that hangs on it.
func (t *Tx) DeleteRun(id string) error {
	for _, stmt := range []string{
		`delete from {tasks} where run_id = $1`,
		`delete from {task_stats} where run_id = $1`,
		`delete from {leases} where run_id = $1`,
		`delete from {offers} where run_id = $1`,
		`delete from {parts} where run_id = $1`,
		`delete from {events} where run_id = $1`,
		`delete from {messages} where run_id = $1`,
		`delete from {rejects} where run_id = $1`,
		`delete from {slots} where run_id = $1`,
	} {
		if err := t.s.Later(stmt, id); err != nil {
			return fmt.Errorf("delete run %s: %w", id, err)
		}
	}
	n, err := t.s.Exec(`delete from {runs} where id = $1`, id)
	if err != nil {
		return fmt.Errorf("delete run %s: %w", id, err)
	}
	if n == 0 {
		return noRun(id)
	}
	return nil
}
