package cli

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/app"
	"github.com/synclinehq/syncline/client"
)

func (c *command) syncCommand() *cobra.Command {
	var a client.Adhoc
	var mode, write string
	cmd := &cobra.Command{
		Use:   "sync SOURCE DESTINATION",
		Short: "Copy from a source to a destination, or go on with it",
		Long: `Copy from a source to a destination. The same command again is the same pipeline:
what was killed, interrupted or failed goes on where it stopped; what was finished
starts anew, or with --mode incremental from where it ended.

SOURCE and DESTINATION are URLs or paths: postgres://user@host/db, warehouse.db,
'exports/*.csv', sqlite:///var/lib/x.db. Quote patterns, so that the shell leaves
them alone.`,
		Example: `  syncline sync postgres://app@db/shop warehouse.db --entities 'public.*'
  syncline sync 'exports/*.csv.gz' postgres://app@db/shop
  syncline sync postgres://app@db/shop warehouse.db --mode incremental --cursor updated_at`,
		Args: cobra.ExactArgs(2),
		RunE: func(cmd *cobra.Command, args []string) error {
			a.Source, a.Destination = args[0], args[1]
			a.Mode, a.Write = syncline.Mode(mode), syncline.Disposition(write)
			return c.sync(cmd, a)
		},
	}
	f := cmd.Flags()
	f.StringSliceVar(&a.Entities, "entities", nil, "`patterns` of what to copy: 'public.*', orders (default: everything)")
	f.StringVar(&mode, "mode", "", "full or incremental (default full)")
	f.StringVar(&a.Cursor, "cursor", "", "`column` that grows with every change, for incremental")
	f.StringSliceVar(&a.Key, "key", nil, "key `columns` (default: the source's primary key)")
	f.StringVar(&write, "write", "", "append, upsert or replace (default: replace for full; for incremental upsert with a key, append without)")
	f.StringVar(&a.Name, "name", "", "`name` of the pipeline (default: made of source, destination and what is asked)")
	return cmd
}

func (c *command) sync(cmd *cobra.Command, a client.Adhoc) error {
	ctx := cmd.Context()
	var err error
	if a.Dir, err = workingDir(); err != nil {
		return err
	}
	if err := c.open(ctx, app.Options{Command: cmd.CommandPath()}); err != nil {
		return err
	}
	r, err := c.syncOnce(ctx, a)
	return c.conclude(ctx, r, err, true)
}

// syncOnce sees a run of what is described to its end.
func (c *command) syncOnce(ctx context.Context, a client.Adhoc) (client.Run, error) {
	p, err := c.app.Client().Adhoc(ctx, a)
	if err != nil {
		return client.Run{}, err
	}
	s, err := c.adopt(ctx, p)
	if err != nil {
		return client.Run{}, err
	}
	c.plan(p, s)
	return c.workAndFollow(ctx, s.Run.ID)
}

// plan says in two lines what is going to happen.
func (c *command) plan(p client.Pipeline, s client.Started) {
	if c.json {
		return
	}
	fmt.Fprintf(c.Err, "%s → %s%s\n", plain(p.Source.URL), plain(p.Destination.URL), asked(p.Entities))
	what := "started"
	if s.How == "adopted" {
		what = "goes on where it stopped: " + plural(s.Run.Totals.Read, "row") + " are durable"
	}
	fmt.Fprintf(c.Err, "run %s %s\n", tail(s.Run.ID), what)
}

// asked writes what the entities say, as the flags do.
func asked(entities []syncline.EntitySpec) string {
	if len(entities) == 0 {
		return " (everything, full)"
	}
	e, names := entities[0], []string{}
	for _, e := range entities {
		names = append(names, plain(cmp.Or(e.Name, "everything")))
	}
	words := []string{strings.Join(names, ", "), string(e.Mode)}
	if e.Mode == "" {
		words[1] = string(syncline.ModeFull)
	}
	if e.Cursor != "" {
		words = append(words, "cursor "+plain(e.Cursor))
	}
	if len(e.Key) > 0 {
		words = append(words, "key "+plain(strings.Join(e.Key, ", ")))
	}
	if e.Write != "" {
		words = append(words, string(e.Write))
	}
	return " (" + strings.Join(words, "; ") + ")"
}

// adopt starts the pipeline's run, or goes on with the unfinished one. One whose worker
// gives no sign of life is waited for until its lease ends.
func (c *command) adopt(ctx context.Context, p client.Pipeline) (client.Started, error) {
	var first *client.Lease
	for {
		s, err := c.app.Client().Start(ctx, p.ID, client.Order{Adopt: true})
		if !busy(err) {
			return s, err
		}
		r, lerr := c.unfinished(ctx, p)
		if lerr != nil {
			return s, lerr
		}
		if r == nil || r.Lease == nil {
			first = nil // it has just ended, or was just released
		} else if first, err = c.await(*r, first, err); err != nil {
			return s, err
		}
		if !pause(ctx, 300*time.Millisecond) {
			return s, ctx.Err()
		}
	}
}

func busy(err error) bool {
	e, ok := errors.AsType[*syncline.Error](err)
	return ok && e.Reason == "busy"
}

// unfinished is the pipeline's run that somebody holds.
func (c *command) unfinished(ctx context.Context, p client.Pipeline) (*client.Run, error) {
	rs, err := c.app.Client().Runs(ctx, client.RunFilter{Pipeline: p.ID, States: []syncline.State{syncline.StateRunning}, Limit: 1})
	if err != nil || len(rs) == 0 {
		return nil, err
	}
	r, err := c.app.Client().Run(ctx, rs[0].ID)
	return &r, err
}

// await refuses when the holder is alive: it beat since we looked first, or is a process
// of this machine, whose end would have been noticed.
func (c *command) await(r client.Run, first *client.Lease, refusal error) (*client.Lease, error) {
	lease := r.Lease
	if app.Here(lease.Session) || first != nil && lease.SeenAt.After(first.SeenAt) {
		e := syncline.Errorf(syncline.FailedPrecondition, "run %s of this pipeline is being executed by worker %s", tail(r.ID), lease.Worker)
		if told, ok := errors.AsType[*syncline.Error](refusal); ok {
			e.Hint, e.Reason = told.Hint, told.Reason
		}
		return first, e
	}
	if first == nil && !c.json {
		fmt.Fprintf(c.Err, "run %s is held by worker %s, last seen %s ago; it goes on here when its lease ends, in about %s\n",
			tail(r.ID), lease.Worker, took(time.Since(lease.SeenAt)), took(max(0, time.Until(lease.ExpiresAt))))
	}
	if first == nil {
		first = lease
	}
	return first, nil
}

// workAndFollow executes a run, unless a server does, and shows it until it ends.
func (c *command) workAndFollow(ctx context.Context, id string) (client.Run, error) {
	work, stop := context.WithCancel(ctx)
	worked := make(chan error, 1)
	go func() { worked <- c.app.WorkOn(work, id) }()
	r, err := c.follow(ctx, id)
	stop()
	return r, errors.Join(err, <-worked)
}

// follow shows a run until it ends or waits for a person.
func (c *command) follow(ctx context.Context, id string) (client.Run, error) {
	v := c.view()
	defer v.done()
	for r, err := range c.app.Client().Watch(ctx, id) {
		if err != nil {
			return r, err
		}
		v.show(r)
		if r.State.Final() || r.State == syncline.StateSuspended && r.Wait != syncline.WaitShutdown && r.Wait != syncline.WaitExternal {
			return r, nil
		}
	}
	return client.Run{}, ctx.Err()
}

// conclude tells the end of a run that was followed. again: the same command goes on with it.
func (c *command) conclude(ctx context.Context, r client.Run, err error, again bool) error {
	if sig, ok := errors.AsType[Interrupt](context.Cause(ctx)); ok && (err != nil || !r.State.Final()) {
		c.interrupted(ctx, again)
		return ended(128 + int(sig))
	}
	if err != nil {
		return err
	}
	if err := c.draw(r, func() { c.summary(r) }); err != nil {
		return err
	}
	return verdict(r)
}

// interrupted says what becomes of a run that nobody watches any more.
func (c *command) interrupted(ctx context.Context, again bool) {
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), 2*time.Second)
	defer stop()
	switch left, err := c.app.LeftToServer(ctx); {
	case err == nil && left:
		fmt.Fprintln(c.Err, "the run goes on in the server\n  next: syncline runs watch last, or syncline runs cancel last")
	case again:
		fmt.Fprintln(c.Err, "interrupted: the same command goes on where it stopped")
	}
}

func workingDir() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("where this is: %w", err)
	}
	return dir, nil
}

func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}
