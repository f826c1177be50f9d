package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline/app"
)

func (c *command) serveCommand() *cobra.Command {
	return &cobra.Command{
		Use: "serve", Short: "Run pipelines on their schedules until stopped", Args: cobra.NoArgs,
		Long: `Run pipelines on their schedules until stopped. Every other command of the same user
reaches a running server by itself. A second server on the same data is refused; with
--ledger postgres://… any number may share one ledger.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := c.open(ctx, app.Options{Command: cmd.CommandPath(), Server: true}); err != nil {
				return err
			}
			c.app.Log().Info("serving", "version", app.Version(), "data", c.app.Data())
			err := c.app.Work(ctx)
			c.app.Log().Info("stopped")
			return stopped(ctx, err)
		},
	}
}

func (c *command) workerCommand() *cobra.Command {
	var once bool
	cmd := &cobra.Command{
		Use: "worker", Short: "Execute runs until stopped", Args: cobra.NoArgs,
		Long: `Execute runs that others start, until stopped. Idle workers of one --ledger help with
parts of a large run that another worker holds.

With --once: execute one run, with all its tries, and exit with its outcome, as sync
does; 0 also when there was nothing to do.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			ctx := cmd.Context()
			if err := c.open(ctx, app.Options{Command: cmd.CommandPath()}); err != nil {
				return err
			}
			if once {
				return c.workOnce(ctx)
			}
			return stopped(ctx, c.app.Work(ctx))
		},
	}
	cmd.Flags().BoolVar(&once, "once", false, "execute one run and exit with its outcome")
	return cmd
}

// workOnce claims one run and shows it until it ends or waits for a person.
func (c *command) workOnce(ctx context.Context) error {
	work, stop := context.WithCancel(ctx)
	defer stop()
	claimed, worked := make(chan string, 1), make(chan error, 1)
	none := false
	go func() {
		some, err := c.app.WorkOnce(work, func(run string) { claimed <- run })
		none = !some
		worked <- err
	}()
	select {
	case id := <-claimed:
		r, err := c.follow(ctx, id)
		stop()
		return c.conclude(ctx, r, errors.Join(err, <-worked), false)
	case err := <-worked:
		if none {
			return c.draw(map[string]bool{"worked": false}, func() { c.say("nothing to do") })
		}
		return stopped(ctx, err)
	}
}

// stopped is how a service ends: a signal is the ordinary way.
func stopped(ctx context.Context, err error) error {
	if sig, ok := errors.AsType[Interrupt](context.Cause(ctx)); ok && (err == nil || errors.Is(err, context.Canceled)) {
		return ended(128 + int(sig))
	}
	return err
}
