package server_test

import (
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/server"
)

// A run that goes through the store is counted: what happened to it, what it moved, how
// late it was, and how the ledger stands meanwhile.
func TestMetrics(t *testing.T) {
	f := setup(t).serve(server.Listen{Address: "0"})
	l := ledger.New(f.store, ledger.Options{})
	viewer := f.key(auth.Viewer)
	p := &syncline.Pipeline{ID: "p", Name: "p", Revision: 1, Definition: syncline.Definition{Owner: syncline.OwnerEngine, MaxTries: 5}}
	f.must(f.store.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(p) }))
	_, _, err := l.Start(t.Context(), ledger.Order{PipelineID: "p"})
	f.must(err)
	f.shows(viewer, `syncline_runs{state="pending"} 1`, `syncline_queue_length 1`, `syncline_leases 0`, `syncline_run_changes_total{event="created"} 1`)

	gs, err := l.Claim(t.Context(), syncline.Worker{ID: "w", Session: "s", Host: "h", Kinds: []string{"sync"}}, 1)
	f.must(err)
	if len(gs) != 1 {
		t.Fatal("nothing was claimed")
	}
	h := gs[0].Hold()
	_, err = l.Plan(t.Context(), h, []syncline.Task{{Name: "a", Kind: "transfer"}, {Name: "b", Kind: "transfer"}})
	f.must(err)
	stats := syncline.Stats{Counts: syncline.Counts{Read: 10, Inserted: 7, Updated: 2, Rejected: 1, Bytes: 1000}}
	for _, name := range []string{"a", "b"} {
		f.must(l.BeginTask(t.Context(), h, name))
		_, err = l.Report(t.Context(), []syncline.TaskReport{{Run: h.Run, Token: h.Token, Task: name, Stats: stats}})
		f.must(err)
	}
	f.shows(viewer, `syncline_runs{state="running"} 1`, `syncline_queue_length 0`, `syncline_leases 1`, `syncline_workers 1`, `syncline_running_rows 20`, `syncline_running_bytes 2000`)
	for _, name := range []string{"a", "b"} {
		f.must(l.EndTask(t.Context(), h, syncline.TaskEnd{Name: name, State: syncline.TaskSucceeded, Stats: stats}))
	}
	_, err = l.Finish(t.Context(), h)
	f.must(err)
	f.shows(viewer, `syncline_runs{state="running"} 0`, `syncline_running_rows 0`, `syncline_rows_total{what="read"} 20`,
		`syncline_rows_total{what="written"} 18`, `syncline_rows_total{what="rejected"} 2`, `syncline_bytes_total 2000`,
		`syncline_store_call_seconds_count{call="update"}`, `syncline_http_requests_total{code="200",dialect="front",method="GET"}`)
}

func (f *fixture) shows(c auth.Credential, lines ...string) {
	f.t.Helper()
	status, text := f.do(f.request("GET", "/metrics", "", c))
	if status != 200 {
		f.t.Fatalf("%d %s", status, text)
	}
	for _, want := range lines {
		if !regexp.MustCompile(`(?m)^` + regexp.QuoteMeta(want) + `($| )`).MatchString(text) {
			f.t.Errorf("no line %q in\n%s", want, grep(text, strings.FieldsFunc(want, func(r rune) bool { return r == '{' || r == ' ' })[0]))
		}
	}
}

func grep(text, word string) string {
	var out []string
	for line := range strings.Lines(text) {
		if strings.HasPrefix(line, word) {
			out = append(out, line)
		}
	}
	return strings.Join(out, "")
}

// A slot that a run was made of late is seen as late, and one that was there already is not
// counted twice; a transaction that fails counts nothing.
func TestScheduleDelay(t *testing.T) {
	f := setup(t).serve(server.Listen{Address: "0"})
	at := time.Now().Add(-3 * time.Second)
	insert := func(tx syncline.Tx) error {
		_, err := tx.InsertSlot(syncline.Slot{PipelineID: "p", ScheduleID: "s", At: at, RunID: "r"})
		return err
	}
	p := &syncline.Pipeline{ID: "p", Name: "p", Revision: 1}
	f.must(f.store.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(p) }))
	failed := f.store.Update(t.Context(), func(tx syncline.Tx) error {
		f.must(insert(tx))
		return syncline.ErrLeaseLost
	})
	if failed == nil {
		t.Fatal("the transaction did not fail")
	}
	f.must(f.store.Update(t.Context(), insert))
	f.must(f.store.Update(t.Context(), insert))
	f.shows(f.key(auth.Viewer), `syncline_schedule_delay_seconds_count 1`, `syncline_schedule_delay_seconds_bucket{le="2"} 0`, `syncline_schedule_delay_seconds_bucket{le="5"} 1`)
}
