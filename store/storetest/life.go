package storetest

import (
	"encoding/json"
	"fmt"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
)

var lifeChecks = []check{
	{"a closed store says so", closed},
}

func closed(t *T) {
	must(t, t.Close())
	must(t, t.Close())
	fn := func(syncline.Tx) error { t.Error("it was started"); return nil }
	_, beat := t.Beat(t.Context(), []syncline.Hold{{Run: "r"}}, time.Second)
	for _, err := range []error{t.Update(t.Context(), fn), t.View(t.Context(), fn), beat} {
		refused(t.T, err, syncline.Unavailable, "closed")
	}
}

// Newer holds that a program of today carries through what one of tomorrow has written
// into documents. db runs a statement on the ledger's own tables and answers with the
// first column of the last row; table gives a table its full name.
func Newer(tt *testing.T, s syncline.Store, db func(statement string) string, table func(string) string) {
	t := &T{T: tt, Store: s}
	r, p, k := run("r"), pipeline("p"), &syncline.Task{RunID: "r", Name: "k"}
	t.insert(r)
	t.put(p)
	t.update(func(tx syncline.Tx) error { return tx.PutTask(k) })
	for name, doc := range map[string]string{
		"runs":               newer(t, r, `"facts":{"tomorrow":0},"tomorrow":1`),
		"pipelines":          newer(t, p, `"tomorrow":2`),
		"pipeline_revisions": newer(t, p.Definition, `"tomorrow":3`),
		"tasks":              newer(t, k, `"tomorrow":4`),
	} {
		db(fmt.Sprintf(`update %s set shape = 999, doc = '%s'`, table(name), doc))
	}
	r.Why, r.Facts.Overrun, k.Where = "today", true, "today"
	p.Revision, p.Definition.Parallel = 2, 7
	for range 2 { // the second time over what today's program has left
		t.update(func(tx syncline.Tx) error {
			if err := tx.PutPipeline(p); err != nil {
				return err
			}
			if err := tx.PutRun(r); err != nil {
				return err
			}
			return tx.PutTask(k)
		})
	}
	equal(t.T, "run", t.run("r"), r)
	equal(t.T, "task", t.tasks("r"), []*syncline.Task{k})
	equal(t.T, "pipeline", t.pipeline("p"), p)
	for name, want := range map[string]float64{"runs": 1, "pipelines": 2, "pipeline_revisions": 3, "tasks": 4} {
		doc := db("select doc from " + table(name) + " order by shape, doc")
		var got struct {
			Tomorrow float64
			Facts    struct {
				Tomorrow *int
				Overrun  bool
			}
		}
		must(t, json.Unmarshal([]byte(doc), &got))
		if got.Tomorrow != want || name == "runs" && (got.Facts.Tomorrow == nil || !got.Facts.Overrun) {
			t.Errorf("%s has lost what a newer program wrote: %s", name, doc)
		}
	}
}

// newer is v's document with more members.
func newer(t *T, v any, more string) string {
	t.Helper()
	b, err := json.Marshal(v)
	must(t, err)
	var doc map[string]any
	must(t, json.Unmarshal(b, &doc))
	must(t, json.Unmarshal([]byte("{"+more+"}"), &doc))
	b, err = json.Marshal(doc)
	must(t, err)
	return string(b)
}
