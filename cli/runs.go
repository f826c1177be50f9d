package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

const aboutRun = `RUN is a run's id, the beginning or end of one, or "last".`

func (c *command) runsCommand() *cobra.Command {
	var f client.RunFilter
	var state string
	cmd := &cobra.Command{
		Use: "runs [PIPELINE]", Short: "List runs, newest first; see and steer one", Args: cobra.MaximumNArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				f.Pipeline = args[0]
			}
			if state != "" {
				f.States = []syncline.State{syncline.State(state)}
			}
			return c.listRuns(cmd, f)
		},
	}
	cmd.Flags().StringVar(&state, "state", "", "only runs in this `state`; several separated by commas")
	cmd.Flags().IntVar(&f.Limit, "limit", 20, "at most so many")
	c.add(cmd, "", c.showCommand(), c.watchCommand(), c.logsCommand(), c.rejectsCommand(), c.cancelCommand(), c.holdCommand(), c.resumeCommand())
	return cmd
}

func (c *command) listRuns(cmd *cobra.Command, f client.RunFilter) error {
	if f.Limit < 1 || f.Limit > 1000 {
		return syncline.Errorf(syncline.InvalidArgument, "--limit is %d", f.Limit).Try("a number from 1 to 1000")
	}
	api, err := c.client(cmd)
	if err != nil {
		return err
	}
	rs, err := api.Runs(cmd.Context(), f)
	if err != nil {
		return err
	}
	return c.draw(rs, func() { c.runsTable(rs) })
}

func (c *command) runsTable(rs []client.Run) {
	if len(rs) == 0 {
		c.say("no runs\n  next: syncline sync SOURCE DESTINATION, or syncline demo")
		return
	}
	now := time.Now()
	t := newTable(c.Out, "run", "pipeline", "state", "created", "took", "read", "written", "rejected")
	right(t, 5, 6, 7, 8)
	for _, r := range rs {
		t.AppendRow(table.Row{
			tail(r.ID), clip(plain(whose(r)), 60), word(r), clock(r.CreatedAt, now), lasted(r, now),
			count(r.Totals.Read), count(written(r.Totals)), count(r.Totals.Rejected),
		})
	}
	t.Render()
}

// whose is a run's pipeline, and what it is of another run's work.
func whose(r client.Run) string {
	if r.Parent == nil {
		return r.Pipeline
	}
	return r.Pipeline + ": " + r.Parent.Name() + " of " + tail(r.Parent.Run)
}

// lasted is how long a run took, or takes so far.
func lasted(r client.Run, now time.Time) string {
	switch {
	case r.StartedAt.IsZero():
		return ""
	case r.EndedAt.IsZero():
		return took(now.Sub(r.StartedAt))
	}
	return took(r.EndedAt.Sub(r.StartedAt))
}

// word is a run's state with the fact that matters most beside it.
func word(r client.Run) string {
	switch {
	case r.State == syncline.StateRunning && !r.Facts.CancelAskedAt.IsZero():
		return "canceling"
	case r.State == syncline.StateRunning && !r.Facts.HoldAskedAt.IsZero():
		return "holding"
	case r.State == syncline.StateRunning && stale(r, time.Now()):
		return "running (stale)"
	case r.State == syncline.StatePending && r.Waiting:
		return "pending (queued)"
	case r.State == syncline.StatePending && len(r.Attempts) > 0:
		return "pending (retry)"
	case r.State == syncline.StateSuspended:
		return fmt.Sprintf("suspended (%s)", r.Wait)
	case r.State == syncline.StateSucceeded && r.Facts.FailedTasks > 0:
		return fmt.Sprintf("succeeded (%d failed)", r.Facts.FailedTasks)
	case r.State == syncline.StateSucceeded && r.Facts.Rejects > 0:
		return fmt.Sprintf("succeeded (%s)", plural(r.Facts.Rejects, "reject"))
	}
	return string(r.State)
}

// stale reports whether the outside worker that holds a run has been silent for so long
// that it may be dead.
func stale(r client.Run, now time.Time) bool {
	return r.Lease != nil && !r.Lease.StaleAt.IsZero() && now.After(r.Lease.StaleAt)
}

func clip(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n-1]) + "…"
}

func (c *command) showCommand() *cobra.Command {
	return &cobra.Command{
		Use: "show RUN", Short: "Show all there is to know of a run", Long: aboutRun, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			r, err := api.Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.draw(r, func() { c.show(r) })
		},
	}
}

func (c *command) watchCommand() *cobra.Command {
	return &cobra.Command{
		Use: "watch RUN", Short: "Follow a run until it ends", Args: cobra.ExactArgs(1),
		Long: aboutRun + "\nThe exit code is the run's: 0 succeeded, 1 failed, 3 succeeded with rejects or failed\nentities, 4 it waits for a person.",
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			r, err := api.Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			r, err = c.follow(cmd.Context(), r.ID)
			return c.conclude(cmd.Context(), r, err, false)
		},
	}
}

func (c *command) cancelCommand() *cobra.Command {
	var wait bool
	var why string
	cmd := &cobra.Command{
		Use: "cancel RUN", Short: "End a run; what is published stays", Long: aboutRun, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.steer(cmd, args[0], func(api *client.Client, id string) (client.Run, error) {
				r, err := api.Cancel(cmd.Context(), id, why)
				if err != nil || !wait || r.State.Final() {
					return r, err
				}
				return c.follow(cmd.Context(), r.ID)
			})
		},
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "return when the run has ended")
	cmd.Flags().StringVar(&why, "reason", "", "why, for the record")
	return cmd
}

func (c *command) holdCommand() *cobra.Command {
	var why string
	cmd := &cobra.Command{
		Use: "hold RUN", Short: "Make a run wait until it is resumed; what is durable stays", Long: aboutRun, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			return c.steer(cmd, args[0], func(api *client.Client, id string) (client.Run, error) { return api.Hold(cmd.Context(), id, why) })
		},
	}
	cmd.Flags().StringVar(&why, "reason", "", "why, for the record")
	return cmd
}

func (c *command) resumeCommand() *cobra.Command {
	var confirm []string
	var wait bool
	cmd := &cobra.Command{
		Use: "resume RUN", Short: "Let a waiting or failed run go on where it stopped", Long: aboutRun, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			waits, err := waits(confirm)
			if err != nil {
				return err
			}
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			others, err := c.othersWork(cmd.Context())
			if err != nil {
				return err
			}
			r, err := api.Resume(cmd.Context(), args[0], waits...)
			if err != nil {
				return err
			}
			// Who resumes a run wants it to go on, so it does here where nobody else would.
			return c.started(cmd, client.Started{How: "resumed", Run: r}, wait || !others)
		},
	}
	cmd.Flags().StringSliceVar(&confirm, "confirm", nil, "agree to what the run waits for: mass_delete, schema_change")
	cmd.Flags().BoolVar(&wait, "wait", false, "return when it has ended; where no server would execute it, it is executed here in any case")
	return cmd
}

func waits(words []string) (out []syncline.Wait, err error) {
	for _, w := range words {
		switch w := syncline.Wait(w); w {
		case syncline.WaitMassDelete, syncline.WaitSchemaChange:
			out = append(out, w)
		default:
			return nil, syncline.Errorf(syncline.InvalidArgument, "--confirm %s: there is no such wait", w).Try("mass_delete or schema_change")
		}
	}
	return out, nil
}

// steer asks something of a run and says how it stands then.
func (c *command) steer(cmd *cobra.Command, ref string, do func(*client.Client, string) (client.Run, error)) error {
	api, err := c.client(cmd)
	if err != nil {
		return err
	}
	r, err := do(api, ref)
	if err != nil {
		return err
	}
	return c.draw(r, func() { c.say("run %s is %s", tail(r.ID), word(r)) })
}

func (c *command) logsCommand() *cobra.Command {
	var follow bool
	cmd := &cobra.Command{
		Use: "logs RUN", Short: "Read a run's log", Long: aboutRun, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			r, err := api.Run(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			if follow {
				return c.followLog(cmd, api, r.ID)
			}
			var all []syncline.Message
			err = c.readLog(cmd, api, r.ID, 0, func(m syncline.Message) { all = append(all, m) })
			if err != nil {
				return err
			}
			return c.draw(append([]syncline.Message{}, all...), func() {
				for _, m := range all {
					c.message(m)
				}
			})
		},
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "go on until the run has ended; with --json one object on a line")
	return cmd
}

const logPage = 1000

// readLog reads a log from a seq to its end.
func (c *command) readLog(cmd *cobra.Command, api *client.Client, id string, after int64, each func(syncline.Message)) error {
	for {
		ms, err := api.Messages(cmd.Context(), id, after, logPage)
		if err != nil {
			return err
		}
		for _, m := range ms {
			each(m)
			after = m.Seq
		}
		if len(ms) < logPage {
			return nil
		}
	}
}

func (c *command) followLog(cmd *cobra.Command, api *client.Client, id string) error {
	var last int64
	for r, err := range api.Watch(cmd.Context(), id) {
		if err != nil {
			return err
		}
		err = c.readLog(cmd, api, id, last, func(m syncline.Message) {
			last = m.Seq
			c.message(m)
		})
		if err != nil || r.State.Final() {
			return err
		}
	}
	return nil
}

// message writes one line of a log.
func (c *command) message(m syncline.Message) {
	if c.json {
		_ = c.encoder().Encode(m) // like every print: a reader that is gone is none of ours
		return
	}
	c.say("%s  %s", m.At.Local().Format(time.DateTime), told(m))
}

func (c *command) rejectsCommand() *cobra.Command {
	var entity string
	var limit, offset int
	cmd := &cobra.Command{
		Use: "rejects RUN", Short: "List the rows of a run that could not be kept", Long: aboutRun, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			if limit < 1 || limit > 10000 || offset < 0 {
				return syncline.Errorf(syncline.InvalidArgument, "--limit is %d, --offset %d", limit, offset).Try("a limit from 1 to 10000, an offset from 0")
			}
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			rs, err := api.Rejects(cmd.Context(), args[0], entity, offset, limit)
			if err != nil {
				return err
			}
			return c.draw(rs, func() { c.rejects(rs, limit) })
		},
	}
	cmd.Flags().StringVar(&entity, "entity", "", "only of this `entity`")
	cmd.Flags().IntVar(&limit, "limit", 100, "at most so many")
	cmd.Flags().IntVar(&offset, "offset", 0, "leave out so many first")
	return cmd
}

func (c *command) rejects(rs []syncline.Reject, limit int) {
	if len(rs) == 0 {
		c.say("no rejects")
		return
	}
	t := newTable(c.Out, "entity", "row", "code", "why", "sample")
	for _, r := range rs {
		t.AppendRow(table.Row{plain(r.Task), plain(place(r)), plain(r.Code), plain(r.Message), clip(plain(string(r.Sample)), 60)})
	}
	t.Render()
	if len(rs) == limit {
		c.say("there may be more: --offset %d", limit)
	}
}

// place names a row: by its key (of files: file and line), else by its place in the part.
func place(r syncline.Reject) string {
	if r.Key != "" {
		return r.Key
	}
	return fmt.Sprintf("%s #%d", strings.TrimSpace(r.Part), r.Row+1)
}
