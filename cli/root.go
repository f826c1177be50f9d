package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/app"
	"github.com/synclinehq/syncline/client"
)

// command is one invocation.
type command struct {
	IO
	outTTY, errTTY bool

	data, ledger, logLevel string
	json                   bool
	lossy                  bool
	lease                  time.Duration

	app *app.App
}

const (
	groupMove = "move"
	groupRuns = "runs"
	groupMore = "more"
)

func (c *command) root() *cobra.Command {
	root := &cobra.Command{
		Use:   "syncline",
		Short: "Move data, and keep a ledger of every run",
		Long: `Syncline moves data from sources to destinations and keeps a ledger of every run.

  syncline demo                                             see it work, without anything set up
  syncline sync postgres://user@host/db warehouse.db        copy a database
  syncline runs                                             what has run`,
		SilenceUsage: true, SilenceErrors: true,
	}
	root.SetOut(c.Out)
	root.SetErr(c.Err)
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return &usage{err, cmd.CommandPath() + " --help"}
	})
	f := root.PersistentFlags()
	f.StringVar(&c.data, "data", os.Getenv("SYNCLINE_DATA"), "data `directory`: ledger, key and socket; also SYNCLINE_DATA (default: the user's state directory)")
	f.StringVar(&c.ledger, "ledger", "", "`URL` of a PostgreSQL ledger that several machines share; also SYNCLINE_LEDGER")
	f.StringVar(&c.logLevel, "log-level", "", "`level` of the log: debug, info, warn, error")
	f.BoolVar(&c.lossy, "i-accept-data-loss", false, "take a PostgreSQL ledger whose server forgets in a crash what it acknowledged (fsync or synchronous_commit off)")
	f.BoolVar(&c.json, "json", false, "write JSON")
	f.DurationVar(&c.lease, "lease", 0, "how long a worker that gives no sign of life keeps its runs; for tests (docs/reliability.md)")
	_ = f.MarkHidden("lease") // fails only when there is no such flag
	root.AddGroup(&cobra.Group{ID: groupMove, Title: "Move data:"}, &cobra.Group{ID: groupRuns, Title: "See and steer:"}, &cobra.Group{ID: groupMore, Title: "More:"})
	c.add(root, groupMove, c.syncCommand(), c.demoCommand(), c.applyCommand(), c.runCommand(), c.serveCommand(), c.workerCommand())
	c.add(root, groupRuns, c.runsCommand(), c.pipelinesCommand(), c.whyCommand(), c.pauseCommand(), c.unpauseCommand())
	c.add(root, groupMore, c.checkCommand(), c.keysCommand(), c.kindsCommand(), c.versionCommand())
	root.SetHelpCommandGroupID(groupMore)
	root.SetCompletionCommandGroupID(groupMore)
	return root
}

// add puts commands below parent, with what all have in common.
func (c *command) add(parent *cobra.Command, group string, children ...*cobra.Command) {
	for _, child := range children {
		child.GroupID = group
		if run := child.RunE; run != nil {
			child.RunE = func(cmd *cobra.Command, args []string) error {
				if err := run(cmd, args); err != nil {
					return ran{err}
				}
				return nil
			}
		}
		if args := child.Args; args != nil {
			child.Args = func(cmd *cobra.Command, given []string) error {
				if err := args(cmd, given); err != nil {
					return &usage{err, cmd.UseLine()}
				}
				return nil
			}
		}
		parent.AddCommand(child)
	}
}

// open reaches the ledger.
func (c *command) open(ctx context.Context, o app.Options) error {
	level, err := c.level(o.Server)
	if err != nil {
		return err
	}
	o.Data, o.LogTo, o.LogLevel, o.Terminal = c.data, c.Err, level, c.errTTY
	if o.Ledger = c.ledger; o.Ledger == "" {
		o.Ledger = os.Getenv("SYNCLINE_LEDGER")
	}
	o.AcceptDataLoss, o.Lease = c.lossy, c.lease
	c.app, err = app.Open(ctx, o)
	return err
}

// client reaches the ledger for a command that only looks or asks.
func (c *command) client(cmd *cobra.Command) (*client.Client, error) {
	if err := c.open(cmd.Context(), app.Options{Command: cmd.CommandPath()}); err != nil {
		return nil, err
	}
	return c.app.Client(), nil
}

// level is what the log says unless told otherwise: a server tells what it does, a command
// only what is wrong.
func (c *command) level(server bool) (l slog.Level, err error) {
	switch {
	case c.logLevel != "":
		if l.UnmarshalText([]byte(c.logLevel)) != nil {
			return l, syncline.Errorf(syncline.InvalidArgument, "no log level %q", c.logLevel).Try("debug, info, warn or error")
		}
	case !server:
		l = slog.LevelWarn
	}
	return l, nil
}

func (c *command) close() error {
	if c.app == nil {
		return nil
	}
	return c.app.Close()
}

// draw writes v as JSON when that was asked for, else what text writes.
func (c *command) draw(v any, text func()) error {
	if !c.json {
		text()
		return nil
	}
	e := c.encoder()
	e.SetIndent("", "  ")
	return e.Encode(v)
}

func (c *command) encoder() *json.Encoder {
	e := json.NewEncoder(c.Out)
	e.SetEscapeHTML(false)
	return e
}

func (c *command) say(format string, args ...any) { fmt.Fprintf(c.Out, format+"\n", args...) }

// quote writes an argument as a shell takes it.
func quote(arg string) string {
	if arg != "" && !strings.ContainsFunc(arg, special) {
		return arg
	}
	return "'" + strings.ReplaceAll(arg, "'", `'\''`) + "'"
}

func special(r rune) bool {
	return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:@%+,=", r))
}
