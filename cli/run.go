package cli

import (
	"context"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

// ordered is what the flags of run say.
type ordered struct {
	mode, from, to, every string
	wait                  bool
}

func (c *command) runCommand() *cobra.Command {
	var o ordered
	cmd := &cobra.Command{
		Use: "run PIPELINE", Short: "Start a run of a pipeline, or of a stretch of time of it", Args: cobra.ExactArgs(1),
		Long: `Start a run of a pipeline. With --from and --to it reads what its entities' cursors say is
of that time, and replaces exactly that at the destination, however rows are ordinarily
written: [--from, --to). With --every there is one run for each such piece, the newest
first, one after another. Where an incremental run goes on does not change.`,
		Example: `  syncline run orders
  syncline run orders --from 2026-11-01 --to 2026-11-04 --every 24h`,
		RunE: func(cmd *cobra.Command, args []string) error {
			order, err := o.order()
			if err != nil {
				return err
			}
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			s, err := api.Start(cmd.Context(), args[0], order)
			if err != nil {
				return err
			}
			if o.every != "" {
				return c.startedAll(cmd, s, o.wait)
			}
			return c.started(cmd, s, o.wait)
		},
	}
	f := cmd.Flags()
	f.BoolVar(&o.wait, "wait", false, "execute it here when no server does, and return when it has ended")
	f.StringVar(&o.mode, "mode", "", "full or incremental, instead of what the pipeline says")
	f.StringVar(&o.from, "from", "", "only what is of this `time` or later: RFC 3339, or a date, which begins in UTC")
	f.StringVar(&o.to, "to", "", "only what is of before this `time`")
	f.StringVar(&o.every, "every", "", "one run for each `piece` of that time: 24h, 1h, 15m")
	return cmd
}

func (o ordered) order() (client.Order, error) {
	order := client.Order{Mode: syncline.Mode(o.mode), Every: o.every}
	if o.from == "" && o.to == "" && o.every == "" {
		return order, nil
	}
	if o.from == "" || o.to == "" {
		return order, syncline.Errorf(syncline.InvalidArgument, "a stretch of time has two ends").Try("give both: --from 2026-11-01 --to 2026-11-04")
	}
	from, err := edge("--from", o.from)
	if err != nil {
		return order, err
	}
	to, err := edge("--to", o.to)
	order.Window = &syncline.Window{From: from, To: to}
	return order, err
}

// edge reads a time that must mean the same everywhere: rows do not know where a person is.
func edge(flag, text string) (time.Time, error) {
	for _, layout := range []string{time.RFC3339, time.DateOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			return t.UTC(), nil
		}
	}
	return time.Time{}, syncline.Errorf(syncline.InvalidArgument, "%s %q is no time", flag, text).Try("write it as 2026-11-01, which begins in UTC, or as 2026-11-01T06:00:00+01:00")
}

// startedAll says which runs there are now, or sees them to their ends.
func (c *command) startedAll(cmd *cobra.Command, s client.Started, wait bool) error {
	if wait {
		return c.followAll(cmd.Context(), s.Runs)
	}
	others, err := c.othersWork(cmd.Context())
	if err != nil {
		return err
	}
	return c.draw(s.Runs, func() {
		for _, r := range s.Runs {
			c.say("run %s of %s: %s", tail(r.ID), plain(r.Pipeline), stretch(r))
		}
		c.left(others, s.Run)
	})
}

// followAll sees runs to their ends, one after another; the first that did not end well is
// what the command says of all. Behind one that waits for a person the others wait too.
func (c *command) followAll(ctx context.Context, rs []client.Run) error {
	var worst error
	for _, r := range rs {
		if !c.json {
			fmt.Fprintf(c.Err, "run %s of %s: %s\n", tail(r.ID), plain(r.Pipeline), stretch(r))
		}
		r, err := c.workAndFollow(ctx, r.ID)
		err = c.conclude(ctx, r, err, false)
		if err != nil && (ctx.Err() != nil || !r.State.Final()) {
			return err
		}
		if worst == nil {
			worst = err
		}
	}
	return worst
}

// stretch is the time that a run is of; "" of one that is of all.
func stretch(r client.Run) string {
	if r.Window == nil {
		return ""
	}
	return r.Window.From.UTC().Format(time.RFC3339) + " to " + r.Window.To.UTC().Format(time.RFC3339)
}
