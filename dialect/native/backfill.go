package native

import (
	"context"
	"slices"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/client"
	"github.com/synclinehq/syncline/ledger"
)

// backfill starts a run for a window, or one for each slot of it, all or none.
func (a *API) backfill(ctx context.Context, p *syncline.Pipeline, o client.Order) (client.Started, error) {
	if o.Adopt {
		return client.Started{}, syncline.Invalid("adopt", "a run with a window is always a new one").Try("leave adopt out, or resume the run by its id")
	}
	if err := catalog.Windowed(p.Definition); err != nil {
		return client.Started{}, err
	}
	pieces, err := slots(o)
	if err != nil {
		return client.Started{}, err
	}
	var orders []ledger.Order
	for _, w := range pieces {
		one := ledger.Order{PipelineID: p.ID, Mode: o.Mode, Window: &w, DataTime: w.To}
		if o.DedupeKey != "" {
			one.DedupeKey = o.DedupeKey + "/" + w.From.UTC().Format(time.RFC3339Nano)
		}
		orders = append(orders, one)
	}
	rs, err := a.o.Ledger.StartAll(ctx, orders)
	if err != nil {
		return client.Started{}, err
	}
	out := client.Started{How: string(ledger.Queued)}
	if rs[0].Head {
		out.How = string(ledger.Started)
	}
	for _, r := range rs {
		out.Runs = append(out.Runs, drawRun(ledger.Detail{Run: r}, nil))
	}
	out.Run = out.Runs[0]
	return out, nil
}

// slots are the windows of an order, the newest first; the last one of a window that is no
// multiple of its slots is shorter.
func slots(o client.Order) ([]syncline.Window, error) {
	switch {
	case o.Window == nil:
		return nil, syncline.Invalid("every", "every %q cuts a window, and there is none", o.Every).Try("say from when to when")
	case o.Every == "":
		return []syncline.Window{*o.Window}, nil
	case !o.Window.From.Before(o.Window.To):
		return nil, syncline.Invalid("window", "the window ends before it begins, or is empty").Try("the end itself is not in it")
	}
	every, err := time.ParseDuration(o.Every)
	if err != nil || every < time.Second {
		return nil, syncline.Invalid("every", "every %q is no length of time", o.Every).Try("write it as 24h, 1h or 15m; a second at least")
	}
	if n := (o.Window.To.Sub(o.Window.From)-1)/every + 1; n > ledger.MaxOrders {
		return nil, syncline.Invalid("every", "the window has %d times %s; at most %d runs are started at once", n, o.Every, ledger.MaxOrders).
			Try("take a shorter window, or a longer time")
	}
	var all []syncline.Window
	for from := o.Window.From; from.Before(o.Window.To); from = from.Add(every) {
		to := from.Add(every)
		if to.After(o.Window.To) {
			to = o.Window.To
		}
		all = append(all, syncline.Window{From: from, To: to})
	}
	slices.Reverse(all)
	return all, nil
}
