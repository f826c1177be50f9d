package cli

import (
	"strconv"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/spf13/cobra"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

func (c *command) keysCommand() *cobra.Command {
	cmd := &cobra.Command{
		Use: "keys", Short: "List, make and revoke the keys of a server that listens", Args: cobra.NoArgs,
		Long: `List, make and revoke the keys that open a server which listens (serve --listen).
Commands of this machine's user need none.`,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listKeys(cmd) },
	}
	list := &cobra.Command{
		Use: "list", Short: "List keys; their secrets cannot be shown", Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error { return c.listKeys(cmd) },
	}
	c.add(cmd, "", list, c.createKeyCommand(), c.revokeKeyCommand())
	return cmd
}

func (c *command) listKeys(cmd *cobra.Command) error {
	api, err := c.client(cmd)
	if err != nil {
		return err
	}
	ks, err := api.Keys(cmd.Context())
	if err != nil {
		return err
	}
	return c.draw(ks, func() { c.keysTable(ks) })
}

func (c *command) keysTable(ks []client.Key) {
	if len(ks) == 0 {
		c.say("no keys\n  next: syncline keys create --role viewer; serve --listen makes the first one by itself")
		return
	}
	now := time.Now()
	t := newTable(c.Out, "key", "name", "role", "pipelines", "created", "used", "expires")
	for _, k := range ks {
		expires := clock(k.ExpiresAt, now)
		if !k.ExpiresAt.IsZero() && k.ExpiresAt.Before(now) {
			expires = "expired"
		}
		t.AppendRow(table.Row{
			k.ID, clip(plain(k.Name), 40), k.Role, clip(plain(strings.Join(k.Pipelines, ", ")), 40),
			clock(k.CreatedAt, now), clock(k.UsedAt, now), expires,
		})
	}
	t.Render()
}

func (c *command) createKeyCommand() *cobra.Command {
	var k client.NewKey
	var expires string
	cmd := &cobra.Command{
		Use: "create --role ROLE", Short: "Make a key and show its secret, this once", Args: cobra.NoArgs,
		Long: `Make a key and show its secret, this once: the ledger keeps only its hash.

  viewer    reads
  operator  and starts, cancels, holds and resumes runs
  editor    and changes pipelines
  admin     and does everything else, keys among it
  worker    executes: it claims runs and reports on them, with --pipeline on those alone`,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if k.ExpiresAt, err = expiry(expires, time.Now()); err != nil {
				return err
			}
			return c.createKey(cmd, k)
		},
	}
	f := cmd.Flags()
	f.StringVar(&k.Role, "role", "", "`role`: viewer, operator, editor, admin or worker")
	f.StringArrayVar(&k.Pipelines, "pipeline", nil, "`name` of a pipeline that a worker's key is for; may be repeated (default: all)")
	f.StringVar(&k.Name, "name", "", "what people call it")
	f.StringVar(&expires, "expires", "", "`when` it ends: 90d, 12h, or a date (default: never)")
	return cmd
}

func (c *command) createKey(cmd *cobra.Command, k client.NewKey) error {
	if k.Role == "" {
		return syncline.Errorf(syncline.InvalidArgument, "the key needs a role").Try("--role viewer, operator, editor, admin or worker")
	}
	api, err := c.client(cmd)
	if err != nil {
		return err
	}
	made, err := api.CreateKey(cmd.Context(), k)
	if err != nil {
		return err
	}
	return c.draw(made, func() { c.madeKey(made) })
}

func (c *command) madeKey(m client.MadeKey) {
	c.say("key %s, role %s; it is shown this once, in each way to send it:\n", m.ID, m.Role)
	c.say("  Authorization: Bearer %s", m.Bearer)
	c.say("  Authorization: ApiKey %s", m.APIKey)
	c.say("  user %s, password %s", m.ID, m.Secret)
}

func (c *command) revokeKeyCommand() *cobra.Command {
	return &cobra.Command{
		Use: "revoke KEY…", Short: "Make keys worthless, within a second", Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, ids []string) error {
			api, err := c.client(cmd)
			if err != nil {
				return err
			}
			for _, id := range ids {
				if err := api.RevokeKey(cmd.Context(), id); err != nil {
					return err
				}
			}
			return c.draw(map[string][]string{"revoked": ids}, func() { c.say("revoked %s", strings.Join(ids, ", ")) })
		},
	}
}

// expiry reads when a key ends: days, what time.ParseDuration reads, or a date.
func expiry(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if n, err := strconv.Atoi(strings.TrimSuffix(text, "d")); err == nil && strings.HasSuffix(text, "d") && n > 0 {
		return now.AddDate(0, 0, n), nil
	}
	if d, err := time.ParseDuration(text); err == nil && d > 0 {
		return now.Add(d), nil
	}
	if at, err := time.ParseInLocation(time.DateOnly, text, time.Local); err == nil && at.After(now) {
		return at, nil
	}
	return time.Time{}, syncline.Errorf(syncline.InvalidArgument, "a key cannot expire at %q", text).Try("90d, 12h, or a date to come: 2030-01-31")
}
