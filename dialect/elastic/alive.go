package elastic

import (
	"time"

	"github.com/synclinehq/syncline"
)

const (
	// listenAgain is how often a write to an index is worth a look for whose it is.
	listenAgain = 5 * time.Second
	// maxHeard bounds how many indexes are remembered.
	maxHeard = 10000
)

// alive counts a write to an index as a sign of life of the worker whose job writes there.
func (c *call) alive(index string) error {
	if !c.api.cluster.due(index, c.api.o.Now()) {
		return nil
	}
	p, err := c.writer(index)
	if err != nil || p == nil {
		return err
	}
	at, err := c.api.o.Ledger.Runs(c.ctx(), syncline.RunFilter{PipelineID: p.ID, States: []syncline.State{syncline.StateRunning}, Limit: 10})
	if err != nil {
		return err
	}
	for _, d := range at {
		c.heard(&d.Run, "")
	}
	return nil
}

// heard counts a call as a sign of life of the worker that holds a job under a key; "" is
// whichever it is. What it cannot write down it does without: the call goes on all the same.
func (c *call) heard(r *syncline.Run, by string) {
	if r.State != syncline.StateRunning || r.Owner != syncline.OwnerExternal {
		return
	}
	if err := c.api.o.Ledger.HearOutside(c.ctx(), r.ID, by, silence); err != nil {
		c.api.o.Log.Warn("note a worker's sign of life", "run", r.ID, "err", err)
	}
}

// due reports whether an index was not looked at for a while.
func (k *cluster) due(index string, now time.Time) bool {
	k.mu.Lock()
	defer k.mu.Unlock()
	if now.Sub(k.heard[index]) < listenAgain {
		return false
	}
	if len(k.heard) >= maxHeard {
		clear(k.heard)
	}
	k.heard[index] = now
	return true
}
