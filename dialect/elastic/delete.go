package elastic

import (
	"github.com/synclinehq/syncline"
)

// deleteConnector sets a connector aside or, hard, removes it. The index is never touched.
func (c *call) deleteConnector() (answer, error) {
	id, err := c.connectorID("connector_id missing")
	if err != nil {
		return answer{}, err
	}
	hard, err := c.flag("hard")
	if err != nil {
		return answer{}, err
	}
	jobsToo, err := c.flag("delete_sync_jobs")
	if err != nil {
		return answer{}, err
	}
	k, err := c.connector(id)
	if err != nil {
		return answer{}, err
	}
	if hard {
		err = c.remove(k)
	} else {
		_, err = c.updateLive(set(map[string]any{"deleted": true}))
	}
	if err == nil && jobsToo {
		err = c.eachRun(syncline.RunFilter{PipelineID: k.p.ID}, func(run string) error { return c.api.o.Ledger.Delete(c.ctx(), run) })
	}
	return ok(map[string]any{"acknowledged": true}), err
}

// remove takes a connector away for good. Its jobs stay to be read; those that live end,
// for nobody could say any more what they were to do.
func (c *call) remove(k *connector) error {
	if foreign(k.p) {
		return rule("Connector [%s] was not made through this API: it is deleted where it was made.", k.id)
	}
	const tries = 5 // a job may be made between the end of the others and the deletion
	for try := 1; ; try++ {
		err := c.eachRun(syncline.RunFilter{PipelineID: k.p.ID, UnfinishedIn: true}, func(run string) error {
			return c.api.o.Ledger.End(c.ctx(), run, "its connector was deleted")
		})
		if err == nil {
			err = c.api.o.Catalog.Delete(c.ctx(), k.p.ID)
		}
		if syncline.CodeOf(err) != syncline.FailedPrecondition || try == tries {
			return err
		}
	}
}

// eachRun does something to every run of a kind after which it is not of that kind any more.
func (c *call) eachRun(f syncline.RunFilter, do func(run string) error) error {
	for {
		page, err := c.api.o.Ledger.Runs(c.ctx(), f)
		if err != nil || len(page) == 0 {
			return err
		}
		for _, d := range page {
			if err := do(d.Run.ID); err != nil && syncline.CodeOf(err) != syncline.NotFound {
				return err
			}
		}
	}
}
