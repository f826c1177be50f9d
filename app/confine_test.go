package app

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/task/transfer"
)

// TestFilesOfThisMachineAreMarked: a setting that takes a file and does not say so would
// be open to whoever may define a pipeline over the network.
func TestFilesOfThisMachineAreMarked(t *testing.T) {
	t.Parallel()
	speaks := regexp.MustCompile(`(?i)\b(file|files|folder|path)\b`)
	harmless := map[string]string{
		"files.entity": "a name", "files.separator": "a sign", "files.format": "a word", "files.header": "yes or no", "files.compress": "a word",
		"postgres.host": "a socket's folder makes the endpoint local", "postgres.password": "asked of no file",
		"files.root": "set by the catalog", "sqlite.root": "set by the catalog",
	}
	kinds := builtin.Registry(transfer.Options{})
	for _, side := range []registry.Side{registry.Source, registry.Destination} {
		for _, s := range kinds.Specs(side) {
			marked := false
			for _, f := range s.Fields {
				marked = marked || f.File
				if f.File || harmless[s.Kind+"."+f.Name] != "" || !speaks.MatchString(f.Help) {
					continue
				}
				t.Errorf("%s %s.%s: is it File? %s", side, s.Kind, f.Name, f.Help)
			}
			if s.Root != "" && !marked {
				t.Errorf("%s %s has a root and no file", side, s.Kind)
			}
		}
	}
}

func confinedCatalog(t *testing.T, roots ...string) *catalog.Catalog {
	t.Helper()
	return catalog.New(catalog.Options{
		Registry: builtin.Registry(transfer.Options{}), Host: "here", Roots: roots, Local: ownUser,
		Env: source.Env{Dial: guardedDial(Options{})},
	})
}

// TestConfinedEndpoints: what a caller with a key may name of this machine, with the real
// kinds.
func TestConfinedEndpoints(t *testing.T) {
	t.Parallel()
	root, outside := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(outside, "secret.csv"), []byte("word\ncanary\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(root, "a.csv"), []byte("word\ninside\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(filepath.Join(outside, "secret.csv"), filepath.Join(root, "b.csv")); err != nil {
		t.Fatal(err)
	}
	c := confinedCatalog(t, root)
	for raw, refused := range map[string]bool{
		root + "/a.csv": false, root + "/*.csv": false, root + "/b.csv": true, outside + "/secret.csv": true, "/etc/passwd": true,
		"file://" + root + "/../x": true, "sqlite://" + outside + "/x.db": true, "postgres://u@/d?host=/run/postgresql": true,
		"postgres://u@h/d?sslkey=/etc/ssl/private/key.pem": true, "postgres://u@/d?host=h,/run/x": true, "postgres://u:${env:HOME}@h/d": true,
	} {
		found, err := c.CheckURL(auth.With(t.Context(), auth.Principal{Key: "k", Role: auth.Admin}), raw, "/")
		bad := err != nil
		for _, f := range found {
			bad = bad || f.Side == registry.Source && f.Findings[0].Level == source.Fail && strings.Contains(f.Findings[0].Text, "leads out")
			text, _ := json.Marshal(f)
			if strings.Contains(string(text), "canary") {
				t.Errorf("%s shows %s", raw, text)
			}
		}
		if bad != refused {
			t.Errorf("%s: %+v, %v", raw, found, err)
		}
	}
	// What is read of the root is what is really in it.
	d := syncline.Definition{Source: syncline.Endpoint{Kind: "files", Settings: json.RawMessage(`{"path":"` + root + `/*.csv"}`)}, Confined: true}
	all, err := c.Entities(t.Context(), d)
	if err != nil || len(all) != 1 || all[0].Name != "a.csv" {
		t.Errorf("%+v, %v", all, err)
	}
}

func TestOwnUser(t *testing.T) {
	t.Parallel()
	for who, want := range map[*auth.Principal]bool{
		nil: true, &auth.Local: true, {Key: "k", Role: auth.Admin}: false, {Key: "no-auth", Role: auth.Admin}: false, {Key: "w", Role: auth.Worker}: false,
	} {
		ctx := context.Background()
		if who != nil {
			ctx = auth.With(ctx, *who)
		}
		if ownUser(ctx) != want {
			t.Errorf("%+v: %v", who, !want)
		}
	}
}
