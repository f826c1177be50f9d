package cli

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline/app"
)

func (c *command) serveCommand() *cobra.Command {
	var o app.Options
	var listen, config string
	cmd := &cobra.Command{
		Use: "serve", Short: "Run pipelines on their schedules until stopped", Args: cobra.NoArgs,
		Long: `Run pipelines on their schedules until stopped. Every other command of the same user
reaches a running server by itself. A second server on the same data is refused; with
--ledger postgres://… any number may share one ledger.

With --listen it serves its APIs on TCP, to whoever has a key: the first one is in
admin.key in the data directory, "syncline keys" makes more. On anything but this
machine it demands TLS, which the file of --config sets up.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			o.Command, o.Server = cmd.CommandPath(), true
			if err := settings(&o, config, listen); err != nil {
				return err
			}
			return c.serve(cmd.Context(), o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&listen, "listen", "", "`address` of the APIs: HOST:PORT, or a port of this machine alone; 0 picks one")
	f.StringVar(&config, "config", "", "`file` with the server's settings (docs/server.md)")
	f.BoolVar(&o.InsecureHTTP, "insecure-http", false, "no TLS, although others than this machine can connect")
	f.BoolVar(&o.NoAuth, "no-auth", false, "let every process of this machine in without a key")
	return cmd
}

// settings reads the file; what the command line says goes before it.
func settings(o *app.Options, config, listen string) (err error) {
	if config != "" {
		if o.Settings, err = app.ReadSettings(config); err != nil {
			return err
		}
	}
	if listen != "" {
		o.Settings.Listen = listen
	}
	return nil
}

func (c *command) serve(ctx context.Context, o app.Options) error {
	if err := c.open(ctx, o); err != nil {
		return err
	}
	log := c.app.Log()
	url, key := c.app.Listening()
	log.Info("serving", "version", app.Version(), "data", c.app.Data(), "listen", url)
	if url != "" {
		if err := c.draw(map[string]string{"listen": url, "key": key}, func() { c.listening(url, key) }); err != nil {
			return err
		}
	}
	err := c.app.Work(ctx)
	log.Info("stopped")
	return stopped(ctx, err)
}

func (c *command) listening(url, key string) {
	c.say("listening on %s", url)
	if key != "" {
		c.say("  next: curl -H \"Authorization: Bearer $(cat %s)\" %s/api/v1/about", quote(key), url)
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
