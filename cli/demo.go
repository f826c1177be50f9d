package cli

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline/app"
	"github.com/synclinehq/syncline/client"
)

func (c *command) demoCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo", Short: "See it work on real data, without anything set up", Args: cobra.NoArgs,
		Long: `Copy two months of flights out of New York City and the world's airports from CSV files
into a SQLite database, both in the data directory. Three rows are bad on purpose. The
exit code is 0 although there are rejects: they are the point of the demo.`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := c.open(cmd.Context(), app.Options{Command: cmd.CommandPath()}); err != nil {
				return err
			}
			return c.demo(cmd.Context())
		},
	}
}

func (c *command) demo(ctx context.Context) error {
	files, database, err := c.app.Demo()
	if err != nil {
		return err
	}
	r, err := c.syncOnce(ctx, client.Adhoc{Source: "file://" + files + "/" + demoSettings, Destination: database, Dir: files, Name: "demo"})
	err = c.conclude(ctx, r, err, true)
	if err != ended(exitPartly) || r.Facts.FailedTasks > 0 {
		return err
	}
	if c.json {
		return nil
	}
	rs, err := c.app.Client().Rejects(ctx, r.ID, "", 0, 10)
	if err != nil {
		return err
	}
	c.say("\nThese rows could not be kept exactly, so they were put aside. That is what the demo is for,\nand why it exits with 0; a sync with rejects exits with 3.\n")
	c.rejects(rs, 0)
	me := c.invocation()
	c.say("\n  next: %s runs rejects %s          # the list above", me, tail(r.ID))
	c.say("        %s runs                           # what has run", me)
	c.say("        %s runs show %s             # all there is to know of it", me, tail(r.ID))
	c.say("        sqlite3 %s 'select * from flights limit 3'", quote(database))
	return nil
}

// invocation is how this program was called, for commands that can be copied.
func (c *command) invocation() string {
	me := "syncline"
	if path, err := os.Executable(); err == nil && strings.Contains(path, "go-build") {
		me = "go run ./cmd/syncline"
	}
	if c.data != "" && c.data != os.Getenv("SYNCLINE_DATA") {
		me += fmt.Sprintf(" --data %s", quote(c.data))
	}
	return me
}

// demoSettings says how the demo's files write that there is no value.
const demoSettings = "?null=NA"
