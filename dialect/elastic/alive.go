package elastic

import (
	"context"
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
		if d.Run.Owner == syncline.OwnerExternal {
			c.hear(c.ctx(), d.Run.ID)
		}
	}
	return nil
}

// hear notes that whoever holds a run lives. A write goes on without it.
func (c *call) hear(ctx context.Context, id string) {
	if err := c.api.o.Ledger.HearOutside(ctx, id, "", silence); err != nil {
		c.api.o.Log.Warn("note a worker's sign of life", "run", id, "err", err)
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
