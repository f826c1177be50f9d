package app

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/ledger"
)

// TestLoadsOfAnOutsideRun: a run that is done outside adds loads of files, which the engine
// does; it shows their rows and ends with the last of them. A load never reaches what the
// pipeline's owner must not.
func TestLoadsOfAnOutsideRun(t *testing.T) {
	root := t.TempDir()
	file := thousandRows(t, root)
	a, err := Open(t.Context(), Options{Data: t.TempDir(), Command: t.Name(), Settings: Settings{Roots: []string{root}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = a.Close() })
	about(t, a)
	s := a.held()
	partner := auth.With(t.Context(), auth.Principal{Key: "k", Role: auth.Admin})
	p, _, err := s.catalog.Put(partner, "config", syncline.Definition{Owner: syncline.OwnerExternal, Overlap: syncline.OverlapQueue}, catalog.PutOptions{})
	if err != nil {
		t.Fatal(err)
	}
	target := filepath.Join(root, "warehouse.db")
	d, err := s.catalog.Storable(partner, "orders", load(file, target, "orders"))
	if err != nil {
		t.Fatal(err)
	}
	if !d.Confined {
		t.Error("a partner's load is not confined")
	}
	if _, err := s.catalog.Storable(partner, "orders", load(thousandRows(t, t.TempDir()), target, "orders")); err == nil {
		t.Error("a file outside the roots was accepted")
	}

	r, err := runOutside(t, s.ledger, p.ID)
	if err != nil {
		t.Fatal(err)
	}
	by := ledger.Outside{By: "k", Worker: "partner"}
	other, err := s.catalog.Storable(partner, "lines", load(file, target, "lines"))
	if err != nil {
		t.Fatal(err)
	}
	children, err := s.ledger.StartChildren(t.Context(), r.ID, by, 0,
		ledger.Child{Task: "orders", Definition: d}, ledger.Child{Task: "lines", Definition: other})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.ledger.FinishOutside(t.Context(), r.ID, by); err != nil {
		t.Fatal(err)
	}
	work(t, a, func() bool {
		shown, err := a.Client().Run(t.Context(), r.ID)
		return err == nil && shown.State.Final()
	})
	shown, err := a.Client().Run(t.Context(), r.ID)
	if err != nil || shown.State != syncline.StateSucceeded || shown.Totals.Read != 2000 || shown.Totals.Inserted != 2000 || len(shown.Tasks) != 3 {
		t.Fatalf("the run is shown as %+v, %v", shown, err)
	}
	if c, err := a.Client().Run(t.Context(), children[0].ID); err != nil || c.Parent == nil || c.Parent.Run != r.ID || c.Parent.Name() != "orders" || c.Totals.Read != 1000 {
		t.Errorf("a load is shown as %+v, %v", c, err)
	}
	for _, table := range []string{"orders", "lines"} {
		if n := rowsOf(t, target, table); n != 1000 {
			t.Errorf("%s has %d rows", table, n)
		}
	}
}

// TestSecretsOfLoads: what a load's definition keeps is sealed.
func TestSecretsOfLoads(t *testing.T) {
	a := open(t, t.TempDir(), false)
	about(t, a)
	d := load("/x.csv", "", "orders")
	d.Destination = syncline.Endpoint{Kind: "postgres", Settings: json.RawMessage(`{"host":"h","user":"u","database":"d","password":"canary"}`)}
	d, err := a.held().catalog.Storable(t.Context(), "orders", d)
	if err != nil {
		t.Fatal(err)
	}
	if text, err := json.Marshal(d); err != nil || strings.Contains(string(text), "canary") || d.Destination.Shown == "" {
		t.Errorf("%s, %v", text, err)
	}
}

func load(file, database, table string) syncline.Definition {
	return syncline.Definition{
		Source:      syncline.Endpoint{Kind: "files", Settings: json.RawMessage(fmt.Sprintf(`{"path":%q}`, file))},
		Destination: syncline.Endpoint{Kind: "sqlite", Settings: json.RawMessage(fmt.Sprintf(`{"path":%q}`, database))},
		Entities:    []syncline.EntitySpec{{Name: filepath.Base(file), Table: table, Mode: syncline.ModeFull, Write: syncline.Replace}},
	}
}

func thousandRows(t *testing.T, dir string) string {
	t.Helper()
	var text strings.Builder
	text.WriteString("id,word\n")
	for i := range 1000 {
		fmt.Fprintf(&text, "%d,w%d\n", i, i)
	}
	path := filepath.Join(dir, "orders.csv")
	if err := os.WriteFile(path, []byte(text.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func runOutside(t *testing.T, l *ledger.Ledger, pipeline string) (syncline.Run, error) {
	t.Helper()
	r, _, err := l.Start(t.Context(), ledger.Order{PipelineID: pipeline})
	if err != nil {
		return r, err
	}
	return l.ClaimOutside(t.Context(), r.ID, ledger.Outside{By: "k", Worker: "partner"})
}

// work runs a worker until ok says so.
func work(t *testing.T, a *App, ok func() bool) {
	t.Helper()
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan error, 1)
	go func() { ended <- a.Work(ctx) }()
	for end := time.Now().Add(30 * time.Second); !ok() && time.Now().Before(end); {
		time.Sleep(50 * time.Millisecond)
	}
	stop()
	if err := <-ended; err != nil && ctx.Err() == nil {
		t.Error(err)
	}
}

func rowsOf(t *testing.T, database, table string) (n int) {
	t.Helper()
	db, err := sql.Open("sqlite", database)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = db.Close() }()
	if err := db.QueryRowContext(t.Context(), `select count(*) from "`+table+`"`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}
