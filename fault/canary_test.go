package fault_test

import (
	"bytes"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/testserver"
)

// TestCanaries: secrets that come in over Elastic's API, with the ledger's address, with the
// server's settings and as keys are afterwards in no log, answer, event, dump or file.
func TestCanaries(t *testing.T) {
	if testing.Short() {
		t.Skip("processes: not under the race detector, which does not see into them")
	}
	t.Run("sqlite", func(t *testing.T) {
		t.Parallel()
		newAviary(t).watch(nil)
	})
	t.Run("postgres", func(t *testing.T) {
		t.Parallel()
		ledger := testserver.Database(t)
		dsn, err := url.Parse(ledger)
		if err != nil {
			t.Fatal(err)
		}
		dsn.User = url.UserPassword(dsn.User.Username(), "canary-of-the-dsn")
		newAviary(t, "--ledger", dsn.String(), "--i-accept-data-loss").watch(connect(t, ledger))
	})
}

// aviary is a server that was told canaries.
type aviary struct {
	*connected
	canaries []string
}

func newAviary(t *testing.T, flags ...string) *aviary {
	a := &aviary{connected: newConnector(t, 500, flags...), canaries: []string{
		"canary-of-the-dsn", "canary-of-the-cluster", "canary-of-a-field", "canary-of-a-change", "canary-of-another", "canary-of-a-secret", "canary-in-a-wrong-place",
	}}
	a.config += "    user: syncline\n    password: canary-of-the-cluster\n"
	a.serve()
	var key struct{ Secret string }
	if err := json.Unmarshal([]byte(a.run(0, "keys", "create", "--role", "viewer", "--json")), &key); err != nil || key.Secret == "" {
		t.Fatalf("%+v %v", key, err)
	}
	a.canaries = append(a.canaries, key.Secret)
	return a
}

// watch uses every secret, well and badly, and then looks for it everywhere.
func (a *aviary) watch(ledger *pgx.Conn) {
	a.configure("canary-of-a-field")
	a.completed(a.post("full"), 1)
	a.ask(http.StatusOK, http.MethodPut, "/_connector/shop/_configuration", object{"values": object{"password": "canary-of-a-change", "sslmode": "verify-full"}}, nil)
	id := a.post("full")
	a.untilJob("an error", func(j jobDoc) bool { return j.ID == id && j.Status == "error" })

	a.ask(http.StatusCreated, http.MethodPut, "/_connector/others", object{"index_name": "others", "service_type": "sharepoint"}, nil)
	a.ask(http.StatusOK, http.MethodPut, "/_connector/others/_configuration", object{"configuration": object{"token": object{"label": "Token", "sensitive": true, "type": "str", "value": "canary-of-another"}}}, nil)
	a.ask(http.StatusCreated, http.MethodPost, "/_connector/_sync_job", object{"id": "others"}, nil)
	a.ask(http.StatusOK, http.MethodPost, "/_connector/_secret", object{"value": "canary-of-a-secret"}, nil)
	a.refused()
	a.answers()
	a.server.stop(a.t)
	read := a.files()
	a.documents()
	if ledger != nil {
		read += a.tables(ledger)
	}
	if read < 10_000 {
		a.t.Errorf("%d bytes of files and tables: the log and the ledger are not among them", read)
	}
}

// stop ends a command as a person would.
func (c *process) stop(t *testing.T) {
	t.Helper()
	_ = c.Process.Signal(os.Interrupt)
	c.wait(t, time.Minute)
}

// refused makes calls with a secret where it does not belong.
func (a *aviary) refused() {
	const canary = "canary-in-a-wrong-place"
	for _, call := range []struct {
		method, path string
		body         any
	}{
		{http.MethodPost, "/_connector/_secret", object{"value": object{"inside": canary}}},
		{http.MethodPost, "/_connector/_secret", object{"value": []any{canary}}},
		{http.MethodPost, "/_connector/_secret", object{"value": "x", "valeu": canary}},
		{http.MethodPut, "/_connector/_secret/x", object{"value": object{canary: 1}}},
		{http.MethodPut, "/_connector/shop/_configuration", object{"values": object{"password": []any{canary}}}},
		{http.MethodPut, "/_connector/shop/_configuration", object{"values": object{"pasword": canary}}},
		{http.MethodPut, "/_connector/shop/_configuration", object{"configuration": object{"p": object{"sensitive": true, "value": canary}}}},
		{http.MethodPut, "/_connector/shop/_configuration", object{"configuration": object{"p": object{"label": "p", "sensitive": true, "type": "secret", "value": canary}}}},
		{http.MethodPut, "/_connector/shop/_configuration", "{\"values\":{\"password\":\"" + canary},
		{http.MethodPut, "/_connector/shop/_api_key_id", object{"api_key": canary}},
	} {
		status, answer, err := a.call(call.method, call.path, call.body)
		if err != nil || status < 400 || status > 499 {
			a.t.Errorf("%s %s: %d %s %v", call.method, call.path, status, answer, err)
		}
		a.holds(call.method+" "+call.path, answer)
	}
}

// answers reads everything that the APIs tell.
func (a *aviary) answers() {
	paths := []string{
		"/_connector", "/_connector/shop", "/_connector/others", "/_connector/_sync_job", "/.elastic-connectors/_search", "/.elastic-connectors-sync-jobs/_search",
		"/.elastic-connectors/_doc/shop", "/.elastic-connectors/_doc/others", "/", "/_license", "/metrics", "/healthz", "/readyz",
		"/api/v1/pipelines", "/api/v1/pipelines/shop", "/api/v1/runs", "/api/v1/keys", "/api/v1/about",
	}
	var runs []shown
	a.ask(http.StatusOK, http.MethodGet, "/api/v1/runs", nil, &runs)
	for _, r := range runs {
		at := "/api/v1/runs/" + r.ID
		paths = append(paths, at, at+"/messages", at+"/events", at+"/rejects", "/_connector/_sync_job/"+r.ID, "/.elastic-connectors-sync-jobs/_doc/"+r.ID)
	}
	for _, path := range paths {
		status, answer, err := a.call(http.MethodGet, path, nil)
		if err != nil || status != http.StatusOK {
			a.t.Errorf("%s: %d %s %v", path, status, answer, err)
		}
		a.holds(path, answer)
	}
	for _, args := range [][]string{{"pipelines", "--json"}, {"why", "shop"}, {"runs", "--json"}, {"runs", "show", "last"}, {"runs", "logs", "last"}, {"keys", "--json"}} {
		a.holds(strings.Join(args, " "), []byte(a.run(0, args...)))
	}
}

// files reads all that was written: the data directory, with its ledger, and the log.
func (a *aviary) files() (read int) {
	for _, dir := range []string{a.data, filepath.Dir(a.log)} {
		err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
			if err != nil || !d.Type().IsRegular() {
				return err
			}
			text, err := os.ReadFile(path)
			read += len(text)
			a.holds(path, text)
			return err
		})
		if err != nil {
			a.t.Error(err)
		}
	}
	return read
}

// documents reads what the cluster was given.
func (a *aviary) documents() {
	for _, path := range []string{"/" + a.index + "/_search?size=1000", "/_all/_search?size=1000", "/_all/_mapping", "/_all/_settings"} {
		r, err := http.NewRequestWithContext(within(a.t, time.Minute), http.MethodGet, a.cluster+path, nil)
		if err != nil {
			a.t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(r)
		if err != nil {
			a.t.Fatal(err)
		}
		text, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK {
			a.t.Errorf("%s: %d %s %v", path, resp.StatusCode, text, err)
		}
		a.holds(path, text)
	}
}

// tables dumps a ledger that is kept in PostgreSQL.
func (a *aviary) tables(ledger *pgx.Conn) (read int) {
	names, err := ledger.Query(within(a.t, time.Minute), "select format('%I.%I', schemaname, tablename) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')")
	if err != nil {
		a.t.Fatal(err)
	}
	all, err := pgx.CollectRows(names, pgx.RowTo[string])
	if err != nil || len(all) < 5 {
		a.t.Fatalf("%v %v", all, err)
	}
	for _, name := range all {
		var dump bytes.Buffer
		if _, err := ledger.PgConn().CopyTo(within(a.t, time.Minute), &dump, fmt.Sprintf("copy (select x::text from %s x) to stdout", name)); err != nil {
			a.t.Fatal(err)
		}
		a.holds("table "+name, dump.Bytes())
		read += dump.Len()
	}
	return read
}

// holds fails when a canary sits in text, as it is or in one of the forms it may travel in.
func (a *aviary) holds(where string, text []byte) {
	a.t.Helper()
	for _, c := range a.canaries {
		for form, s := range map[string]string{"plain": c, "hex": hex.EncodeToString([]byte(c)), "base64": base64.StdEncoding.EncodeToString([]byte(c))[:len(c)*4/3-4]} {
			if bytes.Contains(text, []byte(s)) {
				a.t.Errorf("%s holds %s, %s", where, c, form)
			}
		}
	}
}
