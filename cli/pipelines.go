package cli

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/app"
	"github.com/synclinehq/syncline/client"
)

func (c *command) pipelinesCommand() *cobra.Command {
	return &cobra.Command{
		Use: "pipelines", Short: "List pipelines", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			ps, err := api.Pipelines(cmd.Context())
			if err != nil {
				return err
			}
			return c.draw(ps, func() { c.pipelines(ps) })
		},
	}
}

func (c *command) pipelines(ps []client.Pipeline) {
	if len(ps) == 0 {
		c.say("no pipelines\n  next: syncline sync SOURCE DESTINATION, or syncline apply -f FILE")
		return
	}
	now := time.Now()
	t := newTable(c.Out, "pipeline", "source", "destination", "schedule", "next")
	for _, p := range ps {
		t.AppendRow(table.Row{plain(p.Name), clip(plain(p.Source.URL), 50), clip(plain(p.Destination.URL), 50), schedules(p), next(p, now)})
	}
	t.Render()
}

func schedules(p client.Pipeline) string {
	var all []string
	for _, s := range p.Schedules {
		text := s.Cron
		if s.Every != "" {
			text = "every " + s.Every
		}
		if s.Zone != "" {
			text += " " + s.Zone
		}
		all = append(all, text)
	}
	return strings.Join(all, "; ")
}

// next is when a pipeline runs next by itself.
func next(p client.Pipeline, now time.Time) string {
	if !p.PausedAt.IsZero() {
		return "paused"
	}
	var nearest time.Time
	for _, s := range p.Schedules {
		if nearest.IsZero() || !s.Next.IsZero() && s.Next.Before(nearest) {
			nearest = s.Next
		}
	}
	return clock(nearest, now)
}

// started says what became of an order, or sees the run to its end.
func (c *command) started(cmd *cobra.Command, s client.Started, wait bool) error {
	if wait {
		if !c.json {
			fmt.Fprintf(c.Err, "run %s of %s %s\n", tail(s.Run.ID), plain(s.Run.Pipeline), s.How)
		}
		r, err := c.workAndFollow(cmd.Context(), s.Run.ID)
		return c.conclude(cmd.Context(), r, err, false)
	}
	others, err := c.othersWork(cmd.Context())
	if err != nil {
		return err
	}
	return c.draw(s.Run, func() {
		c.say("run %s of %s %s", tail(s.Run.ID), plain(s.Run.Pipeline), s.How)
		c.left(others, s.Run)
	})
}

// left says who executes what was ordered.
func (c *command) left(others bool, r client.Run) {
	if others || r.Owner == syncline.OwnerExternal {
		c.say("  next: syncline runs watch %s", tail(r.ID))
		return
	}
	c.say("  next: no server is running that would execute it: syncline serve, or syncline worker --once")
}

// othersWork reports whether somebody else may be expected to execute a run that waits.
func (c *command) othersWork(ctx context.Context) (bool, error) {
	about, err := c.app.Client().About(ctx)
	return about.Server || about.Ledger == "postgres", err
}

func (c *command) pauseCommand() *cobra.Command {
	return c.switchCommand("pause", "Start no more scheduled runs of a pipeline", "paused", (*client.Client).Pause)
}

func (c *command) unpauseCommand() *cobra.Command {
	return c.switchCommand("unpause", "Start scheduled runs of a pipeline again", "not paused", (*client.Client).Unpause)
}

func (c *command) switchCommand(name, short, state string, do func(*client.Client, context.Context, string) (client.Pipeline, error)) *cobra.Command {
	return &cobra.Command{
		Use: name + " PIPELINE", Short: short, Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			p, err := do(api, cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return c.draw(p, func() { c.say("%s is %s", plain(p.Name), state) })
		},
	}
}

func (c *command) whyCommand() *cobra.Command {
	var at string
	cmd := &cobra.Command{
		Use: "why PIPELINE", Short: "Say why a run did or did not happen", Args: cobra.ExactArgs(1),
		Long:    "Say why a run did or did not happen: its slot, overlap, pause, misfire, lease, retry, place in the queue.",
		Example: "  syncline why orders --at 03:00\n  syncline why orders --at '2026-11-25 03:00'",
		RunE: func(cmd *cobra.Command, args []string) error {
			when, err := moment(at, time.Now())
			if err != nil {
				return err
			}
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			rs, err := api.Why(cmd.Context(), args[0], when)
			if err != nil {
				return err
			}
			return c.draw(rs, func() { c.reasons(rs) })
		},
	}
	cmd.Flags().StringVar(&at, "at", "", "around this `time`: RFC 3339, or local date and time, or time of today (default: now)")
	return cmd
}

func (c *command) reasons(rs []client.Reason) {
	now := time.Now()
	t := newTable(c.Out, "when", "what", "why")
	for _, r := range rs {
		t.AppendRow(table.Row{cmp.Or(clock(r.At, now), "now"), r.What, plain(r.Text)})
	}
	t.Render()
}

// moment reads a time as people write it.
func moment(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if t, err := time.Parse(time.RFC3339, text); err == nil {
		return t, nil
	}
	for _, layout := range []string{time.DateTime, "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02T15:04:05", time.DateOnly} {
		if t, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return t, nil
		}
	}
	for _, layout := range []string{"15:04", time.TimeOnly} {
		if t, err := time.Parse(layout, text); err == nil {
			y, m, d := now.Local().Date()
			return time.Date(y, m, d, t.Hour(), t.Minute(), t.Second(), 0, time.Local), nil
		}
	}
	return time.Time{}, syncline.Errorf(syncline.InvalidArgument, "--at %q is no time", text).
		Try("write it as %s, or %s for today", now.Local().Format("2006-01-02T15:04"), now.Local().Format("15:04"))
}

func (c *command) checkCommand() *cobra.Command {
	return &cobra.Command{
		Use: "check URL", Short: "Say what works at a source or destination, and what to do about the rest", Args: cobra.ExactArgs(1),
		RunE: func(cmd *cobra.Command, args []string) error {
			dir, err := workingDir()
			if err != nil {
				return err
			}
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			found, err := api.Check(cmd.Context(), client.CheckURL{URL: args[0], Dir: dir})
			if err != nil {
				return err
			}
			if err := c.draw(found, func() { c.findings(found) }); err != nil {
				return err
			}
			return checked(found)
		},
	}
}

func (c *command) findings(found []client.Checked) {
	for i, side := range found {
		if i > 0 {
			c.say("")
		}
		c.say("%s as %s (%s)", plain(side.URL), side.Side, side.Kind)
		for _, f := range side.Findings {
			c.say("  %-4s  %s: %s", strings.ToUpper(f.Level), plain(f.What), plain(f.Text))
			if f.Remedy != "" {
				c.say("        next: %s", plainLines(f.Remedy))
			}
		}
	}
}

// checked fails when the endpoint is good for nothing: on every side something fails. A
// missing right to write is no failure of a source.
func checked(found []client.Checked) error {
	for _, side := range found {
		if !fails(side) {
			return nil
		}
	}
	return ended(exitFailed)
}

func fails(side client.Checked) bool {
	for _, f := range side.Findings {
		if f.Level == "fail" {
			return true
		}
	}
	return false
}

func (c *command) kindsCommand() *cobra.Command {
	return &cobra.Command{
		Use: "kinds [KIND]", Short: "List what can be read and written, and the settings of one kind", Args: cobra.MaximumNArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			kinds := app.Kinds()
			if len(args) == 0 {
				return c.draw(kinds, func() { c.kinds(kinds) })
			}
			var chosen []app.Kind
			var names []string
			for _, k := range kinds {
				if k.Kind == args[0] {
					chosen = append(chosen, k)
				}
				names = append(names, k.Kind)
			}
			if len(chosen) == 0 {
				return syncline.Errorf(syncline.NotFound, "no kind %q", args[0]).Try("known are: %s", strings.Join(distinct(names), ", "))
			}
			return c.draw(chosen, func() { c.settings(chosen) })
		},
	}
}

// distinct leaves out repeated words, and empty ones.
func distinct(names []string) (out []string) {
	seen := map[string]bool{"": true}
	for _, n := range names {
		if !seen[n] {
			out = append(out, n)
		}
		seen[n] = true
	}
	return out
}

func (c *command) kinds(kinds []app.Kind) {
	t := newTable(c.Out, "kind", "side", "URLs", "what")
	for _, k := range kinds {
		t.AppendRow(table.Row{k.Kind, k.Side, strings.Join(k.Schemes, ", "), k.Summary})
	}
	t.Render()
}

func (c *command) settings(kinds []app.Kind) {
	for i, k := range kinds {
		if i > 0 {
			c.say("")
		}
		c.say("%s as %s: %s", k.Kind, k.Side, k.Summary)
		t := newTable(c.Out, "setting", "type", "default", "what")
		for _, s := range k.Settings {
			def := s.Default
			if s.Required {
				def = "(required)"
			}
			help := s.Help
			if len(s.Options) > 0 {
				help += " One of: " + strings.Join(s.Options, ", ")
			}
			t.AppendRow(table.Row{s.Name, s.Type, def, help})
		}
		t.Render()
	}
}

func (c *command) versionCommand() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "Say which version this is", Args: cobra.NoArgs,
		RunE: func(*cobra.Command, []string) error {
			v := map[string]string{"version": app.Version()}
			return c.draw(v, func() { c.say("syncline %s", v["version"]) })
		},
	}
}
