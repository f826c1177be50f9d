package ledger_test

import (
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// A run goes on with a corrected password, but not with another job.
func TestAdoptTakesTheNewRevision(t *testing.T) {
	onBoth(t, func(t *testing.T, f *fixture) {
		p := f.pipeline("a", func(p *syncline.Pipeline) { p.Definition.Source = endpoint("wrong", "postgres://db/shop") })
		adopt := ledger.Order{PipelineID: p.ID, Adopt: true}
		r, _, err := f.Start(t.Context(), adopt)
		f.must(err)
		revise := func(settings, shown string) {
			p.Revision++
			p.Definition.Source = endpoint(settings, shown)
			f.must(f.store.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(p) }))
		}

		revise("right", "postgres://db/shop")
		if got, how, err := f.Start(t.Context(), adopt); err != nil || how != ledger.Adopted || got.ID != r.ID || got.Revision != 2 {
			t.Fatalf("waiting: %s revision %d, %s, %v", got.ID, got.Revision, how, err)
		}
		g := f.claim()
		if string(g.Definition.Source.Settings) != `"right"` {
			t.Errorf("the worker gets %s", g.Definition.Source.Settings)
		}
		_, err = f.Fail(t.Context(), g.Hold(), syncline.Errorf(syncline.Unauthenticated, "wrong password"))
		f.must(err)

		revise("better", "postgres://db/shop")
		if got, how, err := f.Start(t.Context(), adopt); err != nil || how != ledger.Adopted || got.ID != r.ID || got.Revision != 3 {
			t.Fatalf("failed: %s revision %d, %s, %v", got.ID, got.Revision, how, err)
		}

		revise("better", "postgres://db/other")
		_, _, err = f.Start(t.Context(), adopt)
		if syncline.CodeOf(err) != syncline.FailedPrecondition {
			t.Errorf("another job goes on with the run: %v", err)
		}
		_, err = f.Cancel(t.Context(), r.ID, "")
		f.must(err)
		if got, how, err := f.Start(t.Context(), adopt); err != nil || how != ledger.Started || got.ID == r.ID || got.Revision != 4 {
			t.Errorf("anew: %s revision %d, %s, %v", got.ID, got.Revision, how, err)
		}
	})
}

func endpoint(settings, shown string) syncline.Endpoint {
	return syncline.Endpoint{Kind: "postgres", Settings: []byte(`"` + settings + `"`), Shown: shown}
}
