package elastic

import (
	"errors"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// natively makes a connector whose runs are the engine's, whatever its document says.
func (d *desk) natively(id string) *syncline.Pipeline {
	d.t.Helper()
	d.connector(id)
	p, err := d.api.o.Catalog.Alter(d.t.Context(), Name, id, func(_ syncline.Tx, p *syncline.Pipeline) error {
		p.PausedAt = time.Time{}
		return nil
	})
	if err == nil {
		err = d.store.Update(d.t.Context(), func(tx syncline.Tx) error {
			if p, err = tx.Pipeline(p.ID); err != nil {
				return err
			}
			p.Definition.Owner = syncline.OwnerEngine
			p.Revision++
			return tx.PutPipeline(p)
		})
	}
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

func (d *desk) shop() map[string]any {
	d.t.Helper()
	return d.must("GET /_connector/shop", "")
}

func (d *desk) lacks(doc map[string]any, names ...string) {
	d.t.Helper()
	for _, name := range names {
		if v, there := doc[name]; there {
			d.t.Errorf("%s is %v, want none", name, v)
		}
	}
}

func (d *desk) take() syncline.Hold {
	d.t.Helper()
	gs, err := d.api.o.Ledger.Claim(d.t.Context(), syncline.Worker{ID: "h/1", Session: "s", Kinds: []string{"sync"}}, 1)
	if err != nil || len(gs) != 1 {
		d.t.Fatalf("claimed %v, %v", gs, err)
	}
	return gs[0].Hold()
}

func (d *desk) finish(h syncline.Hold, e syncline.TaskEnd) {
	d.t.Helper()
	l := d.api.o.Ledger
	_, err := l.Plan(d.t.Context(), h, []syncline.Task{{Name: e.Name}})
	err = errors.Join(err, l.EndTask(d.t.Context(), h, e))
	_, finished := l.Finish(d.t.Context(), h)
	if err := errors.Join(err, finished); err != nil {
		d.t.Fatal(err)
	}
}

// TestEngineLastSync: of Syncline's own runs the connector says all that Elastic's service
// would have written.
func TestEngineLastSync(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		p := d.natively("shop")
		slot := time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)
		for mode, field := range map[syncline.Mode]string{
			syncline.ModeFull: "last_sync_scheduled_at", syncline.ModeIncremental: "last_incremental_sync_scheduled_at",
		} {
			_, _, err := d.api.o.Ledger.Start(t.Context(), ledger.Order{PipelineID: p.ID, Origin: syncline.OriginSchedule, Mode: mode, DataTime: slot})
			if err != nil {
				t.Fatal(err)
			}
			d.has(d.shop(), map[string]any{field: "2026-03-02T09:00:00.000000Z"})
		}
		d.lacks(d.shop(), "last_sync_status", "last_synced")

		h := d.take()
		d.has(d.shop(), map[string]any{"last_sync_status": "in_progress", "status": "connected"})
		broken := syncline.Errorf(syncline.NotFound, "no table x")
		d.finish(h, syncline.TaskEnd{Name: "x", State: syncline.TaskFailed, Error: broken, Stats: syncline.Stats{Counts: syncline.Counts{Inserted: 2}}})
		d.has(d.shop(), map[string]any{
			"last_sync_status": "error", "last_sync_error": "no table x", "status": "error", "error": "no table x",
			"last_indexed_document_count": 2, "last_deleted_document_count": 0,
		})

		h = d.take()
		d.lacks(d.shop(), "last_sync_error", "error")
		d.finish(h, syncline.TaskEnd{Name: "x", State: syncline.TaskSucceeded, Stats: syncline.Stats{Counts: syncline.Counts{Inserted: 5, Updated: 4, Swept: 3}}})
		shop := d.shop()
		d.has(shop, map[string]any{"last_sync_status": "completed", "status": "connected", "last_indexed_document_count": 9, "last_deleted_document_count": 3})
		d.lacks(shop, "last_sync_error", "error")
		if shop["last_synced"] == nil {
			t.Error("synced at no time")
		}

		access := d.post("shop", `,"job_type":"access_control"`)
		if _, err := d.api.o.Ledger.Fail(t.Context(), d.take(), syncline.Errorf(syncline.Unimplemented, "no source reads that")); err != nil {
			t.Fatal(err)
		}
		d.has(d.job(access), map[string]any{"status": "error", "error": "no source reads that"})
		d.has(d.shop(), map[string]any{
			"last_access_control_sync_status": "error", "last_access_control_sync_error": "no source reads that",
			"last_sync_status": "completed", "last_synced": shop["last_synced"], "last_indexed_document_count": 9,
		})
	})
}

// TestOutsideLastSync: what an outside worker's service writes is left to it; what no
// service will is written.
func TestOutsideLastSync(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		d.connector("shop")
		run := func(then ...string) string {
			id := d.post("shop", "")
			d.must("PUT /_connector/_sync_job/"+id+"/_claim", claim)
			d.must("PUT /_connector/_sync_job/"+id+"/_stats", stats(7, 1, 0, ""))
			for _, call := range then {
				d.must("PUT /_connector/_sync_job/"+id+"/"+call, `{"error":"x"}`)
			}
			return id
		}
		run("_error") // a client of the API alone: its connector is its own affair
		d.lacks(d.shop(), "last_sync_status", "last_synced", "error")
		if status := d.shop()["status"]; status != "created" {
			t.Errorf("status %v", status)
		}

		d.must("PUT /_connector/shop/_last_sync", `{"last_sync_status":"in_progress"}`)
		run("_error") // it said so itself, and nobody would ever say otherwise
		d.has(d.shop(), map[string]any{"last_sync_status": "error", "last_sync_error": "x", "status": "error", "last_indexed_document_count": 7, "last_deleted_document_count": 1})

		d.must("PUT /_connector/shop/_last_sync", `{"last_sync_status":"in_progress"}`)
		id := run()
		if err := d.silence(id); err != nil {
			t.Fatal(err)
		}
		job := d.job(id)
		d.has(job, map[string]any{"status": "error"})
		d.has(d.shop(), map[string]any{"last_sync_status": "error", "last_sync_error": job["error"], "last_synced": job["completed_at"]})

		d.must("PUT /_connector/shop/_last_sync", `{"last_sync_status":"in_progress"}`)
		id = run()
		d.must("DELETE /_connector/_sync_job/"+id, "")
		d.has(d.shop(), map[string]any{"last_sync_status": "canceled"})

		d.must("PUT /_connector/shop/_last_sync", `{"last_sync_status":"completed","last_sync_error":"kept"}`)
		id = d.post("shop", "")
		d.must("PUT /_connector/_sync_job/"+id+"/_cancel", "") // it never ran
		d.has(d.shop(), map[string]any{"last_sync_status": "completed", "last_sync_error": "kept"})
	})
}

// silence lets a run's lease run out, and the ledger see it.
func (d *desk) silence(id string) error {
	for range 100 {
		err := d.store.Update(d.t.Context(), func(tx syncline.Tx) error {
			lease, err := tx.Lease(id, "")
			if err != nil || lease == nil {
				return err
			}
			lease.ExpiresAt = lease.SeenAt
			return tx.PutLease(*lease)
		})
		if err != nil {
			return err
		}
		n, err := d.api.o.Ledger.Scan(d.t.Context())
		if err != nil || n > 0 {
			return err
		}
		time.Sleep(50 * time.Millisecond)
	}
	return errors.New("the run was not taken from its worker")
}
