package sqlite

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlstore"
)

// What runs every second, for every page and for every run finds its rows by an index,
// in their order. The leases of those who live are few, and read as a whole.
func TestPlans(t *testing.T) {
	db := openHere(t)
	spy := &explainer{t: t, plans: map[string]string{}}
	err := db.writer.do(t.Context(), func(s *session) error {
		spy.session = s
		sayAll(sqlstore.NewTx(spy, flavor, db.now))
		return nil
	})
	if err != nil || len(spy.plans) < 45 {
		t.Fatalf("%d plans, %v", len(spy.plans), err)
	}
	for stmt, plan := range spy.plans {
		for line := range strings.Lines(plan) {
			if reads(line) && !strings.Contains(stmt, "order by ordinal") { // a pipeline's few schedules
				t.Errorf("%s: the plan of\n%s\nis\n%s", strings.TrimSpace(line), stmt, plan)
			}
		}
	}
}

// reads reports whether a line of a plan reads a table as a whole, or sorts all it found.
func reads(line string) bool {
	whole := strings.Contains(line, "SCAN") && !strings.Contains(line, "INDEX") && !strings.Contains(line, "json_each")
	return whole || strings.Contains(line, "TEMP B-TREE FOR ORDER BY")
}

// sayAll makes a transaction say its statements. The answers are empty, so many methods
// fail, which is of no interest here.
func sayAll(tx *sqlstore.Tx) {
	now := time.Now()
	r := &syncline.Run{ID: "r", Version: 1, Head: true, DedupeKey: "k"}
	_, _ = tx.Pipeline("p")
	_, _ = tx.PipelineNamed("p")
	_, _ = tx.Pipelines(syncline.PipelineFilter{After: "p"})
	_ = tx.PutPipeline(&syncline.Pipeline{ID: "p", Version: 1})
	_, _ = tx.Revision("p", 1)
	_, _ = tx.PutRevision("p", &syncline.Definition{})
	_ = tx.DeleteRevision("p", -1)
	_ = tx.DeletePipeline("p")
	_, _ = tx.Name("d", "n")
	_, _ = tx.Run("r")
	_, _ = tx.RunByDedupeKey("k")
	for _, f := range []syncline.RunFilter{
		{},
		{BeforeAt: now},
		{PipelineID: "p"},
		{PipelineID: "p", BeforeAt: now, BeforeID: "r"},
		{ParentRun: "r"},
		{ParentRun: "r", UnfinishedIn: true},
		{PipelineID: "p", Roots: true},
		{UnfinishedIn: true},
		{States: []syncline.State{"succeeded", "failed"}, BeforeAt: now},
		{PipelineID: "p", States: []syncline.State{"failed", "canceled"}},
		{Offset: 5},
		{Pipelines: []string{"p", "q"}, Modes: []syncline.Mode{"full", ""}, Offset: 5},
		{Pipelines: []string{"p", "q"}, Aspects: []syncline.Aspect{"pending", "running"}, Offset: 5},
		{Aspects: []syncline.Aspect{"succeeded", "rejects"}, Offset: 5},
		{Modes: []syncline.Mode{"full", ""}, Offset: 5},
	} {
		_, _ = tx.Runs(f)
		f.Offset = 0
		_, _ = tx.Runs(f)
		_, _ = tx.CountRuns(f)
	}
	_ = tx.InsertRun(r)
	_ = tx.PutRun(r)
	_ = tx.DeleteRun("r")
	_, _ = tx.RunInLane("r")
	_, _ = tx.Tally(r)
	_, _ = tx.LaneHead("l")
	_, _ = tx.LaneNext("l")
	_, _ = tx.LaneWaiting("l", r)
	_, _ = tx.Claimable(syncline.ClaimFilter{Kinds: []string{"sync"}, Only: []string{"p"}})
	_, _ = tx.Claimable(syncline.ClaimFilter{Kinds: []string{"sync"}, Run: "r"})
	_, _ = tx.Alarmed(now, 1)
	_, _ = tx.Orphans(1)
	_, _ = tx.Prunable("p", 10, now, 1)
	_, _ = tx.Prunable("p", 10, time.Time{}, 1)
	_, _ = tx.Tasks("r")
	_, _ = tx.Task("r", "t")
	_, _ = tx.Lease("r", "")
	_, _ = tx.Leases("r")
	_ = tx.SetAsk("r", syncline.AskCancel)
	_, _ = tx.Schedules("p")
	_, _ = tx.DueSchedules(now, 1)
	_, _ = tx.NearestSlot()
	_ = tx.SetNextSlot("p", "s", now)
	_, _ = tx.SlotsBetween("p", now, now, 1)
	_, _ = tx.Events("r", 1, 1)
	_, _ = tx.Messages("r", 1, 1)
	_, _ = tx.Rejects("r", "", 0, 1)
	_, _ = tx.Rejects("r", "t", 0, 1)
	_, _ = tx.CountRejects("r", "")
	_, _ = tx.Doc("d", "k", "i")
	_, _ = tx.Docs("d", "k", "i", 1)
	_ = tx.PutDoc(&syncline.Doc{Revision: 1, Body: []byte("1")})
}

// explainer asks for the plan of each statement instead of running it.
type explainer struct {
	session *session
	t       *testing.T
	plans   map[string]string
}

func (e *explainer) explain(stmt string, args []any) error {
	var plan strings.Builder
	err := e.session.Query(func(scan sqlstore.Scan) error {
		var id, parent, unused int
		var detail string
		err := scan(&id, &parent, &unused, &detail)
		fmt.Fprintln(&plan, detail)
		return err
	}, "explain query plan "+stmt, args...)
	if err != nil {
		e.t.Errorf("%s: %v", stmt, err)
	}
	e.plans[stmt] = plan.String()
	return nil
}

func (e *explainer) Exec(stmt string, args ...any) (int64, error) { return 0, e.explain(stmt, args) }

func (e *explainer) Sure(stmt string, args ...any) (int64, error) { return 0, e.explain(stmt, args) }
func (e *explainer) Later(stmt string, args ...any) error         { return e.explain(stmt, args) }
func (e *explainer) Each(stmt string, args [][]any) (int64, error) {
	return 0, e.explain(stmt, args[0])
}

func (e *explainer) Ask(qs ...sqlstore.Question) error {
	for _, q := range qs {
		if err := e.explain(q.Stmt, q.Args); err != nil {
			return err
		}
	}
	return nil
}

func (e *explainer) Query(_ func(sqlstore.Scan) error, stmt string, args ...any) error {
	return e.explain(stmt, args)
}
