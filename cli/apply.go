package cli

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/app"
	"github.com/synclinehq/syncline/client"
)

func (c *command) applyCommand() *cobra.Command {
	var paths []string
	var dry bool
	cmd := &cobra.Command{
		Use: "apply -f FILE|DIR", Short: "Make pipelines what YAML files say", Args: cobra.NoArgs,
		Long: `Make pipelines what YAML files say, all of them or none. Pipelines that no file names
stay as they are.`,
		Example: `  syncline apply -f pipelines.yaml --dry-run

  pipelines:
    - name: orders
      source: postgres://app:${env:PGPASSWORD}@db/app
      destination: sqlite:///var/lib/warehouse.db
      entities: [public.orders, {name: public.events, mode: incremental, cursor: created_at}]
      schedule: {every: 15m}`,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if len(paths) == 0 {
				return syncline.Errorf(syncline.InvalidArgument, "apply needs to know what").Try("-f FILE, -f FOLDER, or -f - for standard input")
			}
			return c.apply(cmd, paths, dry)
		},
	}
	cmd.Flags().StringArrayVarP(&paths, "file", "f", nil, "a YAML `file`, a folder of them, or - for standard input; may be repeated")
	cmd.Flags().BoolVar(&dry, "dry-run", false, "only say what would change")
	return cmd
}

func (c *command) apply(cmd *cobra.Command, paths []string, dry bool) error {
	files, err := app.ReadConfig(paths, c.In)
	if err != nil {
		return err
	}
	api, err := c.client(cmd)
	if err != nil {
		return err
	}
	changes, err := api.Apply(cmd.Context(), client.Apply{Files: files, DryRun: dry})
	if err != nil {
		return err
	}
	return c.draw(changes, func() { c.changes(changes, dry) })
}

func (c *command) changes(changes []client.Change, dry bool) {
	changed := 0
	for _, ch := range changes {
		c.say("%-9s  %s", ch.What, plain(ch.Pipeline))
		if ch.What == "unchanged" {
			continue
		}
		changed++
		for _, f := range ch.Fields {
			c.say("           %s", difference(f))
		}
	}
	if dry && changed > 0 {
		c.say("nothing was changed: --dry-run\n  next: the same command without it")
	}
}

func difference(f client.FieldChange) string {
	field, from, to := plain(f.Field), plain(f.From), plain(f.To)
	switch {
	case from == "":
		return fmt.Sprintf("%s: %s", field, to)
	case to == "":
		return fmt.Sprintf("%s: was %s", field, from)
	}
	return fmt.Sprintf("%s: %s → %s", field, from, to)
}
