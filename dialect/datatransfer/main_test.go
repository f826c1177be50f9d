package datatransfer

import (
	"bytes"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"testing"
	"time"

	_ "modernc.org/sqlite"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/builtin"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/store/sqlite"
	"github.com/synclinehq/syncline/task/transfer"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// desk is the API over a ledger of its own, on a clock that stands still.
type desk struct {
	*testing.T
	url     string
	ledger  *ledger.Ledger
	catalog *catalog.Catalog
	dir     string
	who     auth.Principal
}

// now is a Wednesday, that of the published vectors of the schedule grammar.
var now = time.Date(2026, 3, 4, 10, 17, 42, 0, time.UTC)

func newDesk(t *testing.T) *desk {
	t.Helper()
	dir := t.TempDir()
	store, err := sqlite.Open(t.Context(), filepath.Join(dir, "ledger.db"))
	must(t, err)
	t.Cleanup(func() { _ = store.Close() })
	keys, err := secret.Load(filepath.Join(dir, "key"), "")
	must(t, err)
	d := &desk{T: t, dir: dir, ledger: ledger.New(store, ledger.Options{}), who: auth.Principal{Key: "a", Name: "admin", Role: auth.Admin}}
	d.catalog = catalog.New(catalog.Options{Store: store, Registry: builtin.Registry(transfer.Options{}), Box: keys, Host: "here"})
	api, err := New(Options{
		Ledger: d.ledger, Catalog: d.catalog, Log: slog.New(slog.DiscardHandler), Now: func() time.Time { return now }, Box: keys,
		Dataset: func(id string) (syncline.Endpoint, error) {
			return syncline.Endpoint{Kind: "sqlite", Settings: json.RawMessage(fmt.Sprintf(`{"path":%q}`, filepath.Join(dir, id+".db")))}, nil
		},
	})
	must(t, err)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if !api.Owns(r) {
			http.NotFound(w, r)
			return
		}
		api.ServeHTTP(w, r.WithContext(auth.With(r.Context(), d.who)))
	}))
	t.Cleanup(server.Close)
	d.url = server.URL
	return d
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// source is a SQLite file with one table.
func (d *desk) source() string {
	d.Helper()
	path := filepath.Join(d.dir, "source.db")
	db, err := sql.Open("sqlite", path)
	must(d, err)
	defer func() { must(d, db.Close()) }()
	_, err = db.ExecContext(d.Context(), "create table orders (id integer primary key, at timestamp, v text)")
	must(d, err)
	return path
}

type doc = map[string]any

// call sends one request and reads the answer.
func (d *desk) call(method, path string, body any) (int, doc) {
	d.Helper()
	var raw []byte
	switch b := body.(type) {
	case nil:
	case string:
		raw = []byte(b)
	default:
		var err error
		raw, err = json.Marshal(b)
		must(d, err)
	}
	r, err := http.NewRequestWithContext(d.Context(), method, d.url+path, bytes.NewReader(raw))
	must(d, err)
	answer, err := http.DefaultClient.Do(r)
	must(d, err)
	defer func() { _ = answer.Body.Close() }()
	text, err := io.ReadAll(answer.Body)
	must(d, err)
	out := doc{}
	if err := json.Unmarshal(text, &out); err != nil {
		d.Fatalf("%s %s: %d %q", method, path, answer.StatusCode, text)
	}
	return answer.StatusCode, out
}

// ok is call for what must succeed.
func (d *desk) ok(method, path string, body any) doc {
	d.Helper()
	status, out := d.call(method, path, body)
	if status != http.StatusOK {
		d.Fatalf("%s %s: %d %v", method, path, status, out)
	}
	return out
}

// refused is call for what must not; it answers the error.
func (d *desk) refused(method, path string, body any, status int, word string) doc {
	d.Helper()
	got, out := d.call(method, path, body)
	e, _ := out["error"].(doc)
	if got != status || e["status"] != word {
		d.Fatalf("%s %s: %d %v, want %d %s", method, path, got, out, status, word)
	}
	return e
}

const parent = "/v1/projects/p1/locations/us"

// orders is a config over the source.
func (d *desk) orders(more doc) doc {
	body := doc{
		"displayName": "orders", "dataSourceId": "sqlite", "destinationDatasetId": "ds1",
		"params": doc{"path": filepath.Join(d.dir, "source.db"), "tables": []string{"orders"}},
	}
	for k, v := range more {
		body[k] = v
	}
	return body
}

func text(v any) string {
	raw, err := json.Marshal(v)
	if err != nil {
		return err.Error()
	}
	return string(raw)
}

func mustJSON(t testing.TB, raw []byte, into any) {
	t.Helper()
	must(t, json.Unmarshal(raw, into))
}
