package fault_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/testserver"
)

var nativeRows = flag.Int("native-rows", 200_000, "rows of the table that a native connector keeps in a search index")

// TestNativeConnector: a connector that Syncline runs itself, made over Elastic's API, keeps
// a table in a search index: on its schedule, through a cancel, kills in the load and in the
// sweep, deletes and updates at the source, and incrementally.
func TestNativeConnector(t *testing.T) {
	if testing.Short() {
		t.Skip("many rows and processes: not under the race detector, which does not see into them")
	}
	c := newConnector(t, *nativeRows)
	c.serve()
	password, _ := c.from.User.Password()
	c.configure(password)

	writing := c.tap.nth(3, `{"index":`, false)
	c.schedule("full", time.Now().UTC().Add(3*time.Second).Format("5 4 15 ? 1 *"), true) // once
	c.wait(writing, "rows of a scheduled job")
	job := c.untilJob("the job that writes", func(j jobDoc) bool { return j.Status == "in_progress" })
	if job.Trigger != "scheduled" {
		t.Errorf("the job of the schedule says that it is %s", job.Trigger)
	}
	asked := time.Now()
	c.ask(http.StatusOK, http.MethodPut, "/_connector/_sync_job/"+job.ID+"/_cancel", nil, nil)
	c.untilJob("canceled", func(j jobDoc) bool { return j.ID == job.ID && j.Status == "canceled" })
	if took := time.Since(asked); took > 2*beat { // a beat, and what a busy machine adds to it
		t.Errorf("the job was canceled %s after it was asked for: a beat is %s", took, beat)
	} else {
		t.Logf("canceled %s after it was asked for", took.Round(time.Millisecond))
	}
	writing = c.tap.nth(4, `{"index":`, true)
	id := c.post("full")
	c.wait(writing, "rows of a job")
	c.kill()
	c.tap.pass()
	c.serve()
	c.completed(id, 2)
	c.same()

	execute(t, c.db, "delete from public.orders where id % 100 = 7", "update public.orders set note = 'changed ' || id, updated_at = now() where id % 100 = 8", "analyze public.orders")
	sweeping := c.tap.nth(1, `{"delete":`, true)
	id = c.post("full")
	c.wait(sweeping, "the sweep")
	c.kill()
	c.tap.pass()
	c.serve()
	c.completed(id, 2)
	c.same()

	// A row that is committed with a time before the last mark is not lost: the overlap
	// brings it, however late it comes. Only one from long before needs a full sync.
	execute(t, c.db, "update public.orders set note = 'late', updated_at = now() - interval '2 minutes' where id = 1",
		"insert into public.orders values (-1, 5, 'late too', now() - interval '2 minutes')",
		"update public.orders set note = 'unseen', updated_at = now() - interval '1 day' where id = 2")
	c.completed(c.post("incremental"), 1)
	for id, want := range map[string]string{"1": "late", "-1": "late too", "2": "note 2"} {
		if got := c.document(id); got.Note != want {
			t.Errorf("document %s says %q, want %q", id, got.Note, want)
		}
	}
	c.completed(c.post("full"), 1)
	c.same()
	c.agrees()
}

// beat is how often a worker asks whether its run is still wanted: a fifth of its lease.
const beat = 3 * time.Second

// connected is a server with one native connector, its table and its cluster.
type connected struct {
	*program
	db      *pgx.Conn
	from    *url.URL
	cluster string
	index   string // its own in a cluster that others use
	tap     *searchTap
	config  string // of the server
	server  *process
	log     string // a file
	at, key string
}

// newConnector starts a server; every command gets flags.
func newConnector(t *testing.T, n int, flags ...string) *connected {
	from := testserver.Database(t)
	c := &connected{program: newProgram(t, flags...), db: connect(t, from), cluster: testserver.OpenSearch(t).URL()}
	var err error
	if c.from, err = url.Parse(from); err != nil {
		t.Fatal(err)
	}
	c.index = "content-" + strings.TrimPrefix(c.from.Path, "/")
	execute(t, c.db, "create table public.orders (id bigint primary key, qty integer not null, note text, updated_at timestamptz not null)",
		fmt.Sprintf("insert into public.orders select g, g %% 1000, case g %% 3 when 0 then null else 'note ' || g end, now() - interval '1 hour' from generate_series(1, %d) g", n), "vacuum analyze public.orders")
	c.tap = newSearchTap(t, c.cluster)
	c.log = filepath.Join(t.TempDir(), "serve.log")
	c.config = "elastic:\n  upstream:\n    url: " + c.tap.URL + "\n"
	return c
}

// serve starts the server and waits until it answers.
func (c *connected) serve() {
	c.t.Helper()
	config := filepath.Join(c.t.TempDir(), "server.yaml")
	if err := os.WriteFile(config, []byte(c.config), 0o600); err != nil {
		c.t.Fatal(err)
	}
	said := filepath.Join(c.t.TempDir(), "said.json")
	out, err := os.Create(said)
	if err != nil {
		c.t.Fatal(err)
	}
	log, err := os.OpenFile(c.log, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		c.t.Fatal(err)
	}
	c.server = c.command("--json", "--log-level", "debug", "serve", "--listen", "0", "--config", config)
	c.server.Stdout, c.server.Stderr = out, log
	c.server.begin(c.t)
	_ = out.Close()
	_ = log.Close()
	for end := time.Now().Add(time.Minute); time.Now().Before(end) && !c.server.ended(); time.Sleep(20 * time.Millisecond) {
		var at struct{ Listen, Key string }
		text, _ := os.ReadFile(said)
		if json.Unmarshal(text, &at) != nil {
			continue
		}
		key, err := os.ReadFile(at.Key)
		if err != nil {
			c.t.Fatal(err)
		}
		c.at, c.key = at.Listen, strings.TrimSpace(string(key))
		return
	}
	text, _ := os.ReadFile(c.log)
	c.t.Fatalf("the server does not say where it listens:\n%s", text)
}

// kill ends the server as a machine's end would.
func (c *connected) kill() {
	c.t.Helper()
	if c.server.ended() {
		c.t.Fatal("the server had ended by itself")
	}
	_ = c.server.Process.Signal(syscall.SIGKILL)
	<-c.server.done
}

// call makes one call of Elastic's API.
func (c *connected) call(method, path string, body any) (int, []byte, error) {
	var text io.Reader
	if body != nil {
		raw, err := json.Marshal(body)
		if err != nil {
			return 0, nil, err
		}
		text = bytes.NewReader(raw)
	}
	r, err := http.NewRequestWithContext(within(c.t, time.Minute), method, c.at+path, text)
	if err != nil {
		return 0, nil, err
	}
	r.Header.Set("Authorization", "Bearer "+c.key)
	r.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(r)
	if err != nil {
		return 0, nil, err
	}
	defer func() { _ = resp.Body.Close() }()
	raw, err := io.ReadAll(resp.Body)
	return resp.StatusCode, raw, err
}

// ask is a call that must be answered so.
func (c *connected) ask(status int, method, path string, body, into any) {
	c.t.Helper()
	got, raw, err := c.call(method, path, body)
	if err != nil || got != status {
		c.t.Fatalf("%s %s: %d %s %v", method, path, got, raw, err)
	}
	if into == nil {
		return
	}
	if err := json.Unmarshal(raw, into); err != nil {
		c.t.Fatalf("%s %s: %s: %v", method, path, raw, err)
	}
}

type object = map[string]any

// configure makes the connector and fills in the form that it gets.
func (c *connected) configure(password string) {
	c.t.Helper()
	const at = "/_connector/shop"
	c.ask(http.StatusCreated, http.MethodPut, at, object{"name": "Orders", "index_name": c.index, "is_native": true, "service_type": "postgresql"}, nil)
	var doc struct {
		Status        string
		Error         *string
		Configuration map[string]struct{ Sensitive bool }
	}
	c.ask(http.StatusOK, http.MethodGet, at, nil, &doc)
	if doc.Status != "needs_configuration" || !doc.Configuration["password"].Sensitive {
		c.t.Fatalf("a new connector: %+v", doc)
	}
	c.ask(http.StatusOK, http.MethodPut, at+"/_configuration", object{"values": object{
		"host": c.from.Hostname(), "port": c.from.Port(), "username": c.from.User.Username(), "password": password,
		"database": strings.TrimPrefix(c.from.Path, "/"), "sslmode": "disable", "schema": "public", "tables": "orders", "cursor": "updated_at",
	}}, nil)
	c.ask(http.StatusOK, http.MethodGet, at, nil, &doc)
	if doc.Status != "configured" || doc.Error != nil {
		c.t.Fatalf("a configured connector: %s, %v", doc.Status, *doc.Error)
	}
}

func (c *connected) schedule(kind, cron string, on bool) {
	c.t.Helper()
	c.ask(http.StatusOK, http.MethodPut, "/_connector/shop/_scheduling", object{"scheduling": object{kind: object{"enabled": on, "interval": cron}}}, nil)
}

// jobDoc is what these tests read of a sync job.
type jobDoc struct {
	ID      string `json:"id"`
	Status  string `json:"status"`
	Error   string `json:"error"`
	Trigger string `json:"trigger_method"`
	Indexed int64  `json:"indexed_document_count"`
	Deleted int64  `json:"deleted_document_count"`
	Total   int64  `json:"total_document_count"`
}

func (c *connected) post(kind string) string {
	c.t.Helper()
	var made struct{ ID string }
	c.ask(http.StatusCreated, http.MethodPost, "/_connector/_sync_job", object{"id": "shop", "job_type": kind}, &made)
	return made.ID
}

// untilJob polls the connector's jobs until one is as ok says.
func (c *connected) untilJob(what string, ok func(jobDoc) bool) jobDoc {
	c.t.Helper()
	var list struct{ Results []jobDoc }
	for end := time.Now().Add(5 * time.Minute); time.Now().Before(end); time.Sleep(20 * time.Millisecond) {
		c.ask(http.StatusOK, http.MethodGet, "/_connector/_sync_job?connector_id=shop", nil, &list)
		for _, j := range list.Results {
			if ok(j) {
				return j
			}
		}
	}
	text, _ := os.ReadFile(c.log)
	c.t.Fatalf("not in time: %s; the jobs are %+v\n%s", what, list.Results, text[max(0, len(text)-4000):])
	return jobDoc{}
}

// completed waits for a job's end and checks that it took so many attempts.
func (c *connected) completed(id string, attempts int) {
	c.t.Helper()
	began := time.Now()
	j := c.untilJob("the end of "+id, func(j jobDoc) bool {
		return j.ID == id && (j.Status == "completed" || j.Status == "error" || j.Status == "canceled")
	})
	var r shown
	if err := json.Unmarshal([]byte(c.run(0, "runs", "show", id, "--json")), &r); err != nil {
		c.t.Fatal(err)
	}
	if j.Status != "completed" || len(r.Attempts) != attempts {
		c.t.Fatalf("the job is %s after %d attempts, want %d: %s", j.Status, len(r.Attempts), attempts, j.Error)
	}
	c.t.Logf("%d indexed, %d deleted, %d attempts, %s waited for", j.Indexed, j.Deleted, len(r.Attempts), time.Since(began).Round(100*time.Millisecond))
}

// row is a table's row and an index's document.
type row struct {
	ID   int64     `json:"id"`
	Qty  int       `json:"qty"`
	Note string    `json:"note"`
	At   time.Time `json:"updated_at"`
}

// same holds every document against the table.
func (c *connected) same() {
	c.t.Helper()
	c.ask(http.StatusOK, http.MethodPost, "/"+c.index+"/_refresh", nil, nil)
	want := map[string]row{}
	found, err := c.db.Query(within(c.t, time.Minute), "select id, qty, coalesce(note, ''), updated_at from public.orders")
	if err != nil {
		c.t.Fatal(err)
	}
	for found.Next() {
		var r row
		if err := found.Scan(&r.ID, &r.Qty, &r.Note, &r.At); err != nil {
			c.t.Fatal(err)
		}
		r.At = r.At.UTC()
		want[fmt.Sprint(r.ID)] = r
	}
	if err := found.Err(); err != nil {
		c.t.Fatal(err)
	}
	got := c.documents()
	bad := 0
	for id, r := range want {
		if g, ok := got[id]; (!ok || g != r) && bad < 5 {
			bad++
			c.t.Errorf("document %s: there %v, %+v, the row is %+v", id, ok, g, r)
		}
	}
	if len(got) != len(want) || bad > 0 {
		c.t.Fatalf("%d documents for %d rows", len(got), len(want))
	}
}

// documents reads the whole index, page by page.
func (c *connected) documents() map[string]row {
	c.t.Helper()
	type page struct {
		Scroll string `json:"_scroll_id"`
		Hits   struct {
			Hits []struct {
				ID     string `json:"_id"`
				Source row    `json:"_source"`
			}
		}
	}
	all := map[string]row{}
	var p page
	c.ask(http.StatusOK, http.MethodPost, "/"+c.index+"/_search?scroll=1m", object{"sort": "_doc", "size": 10_000}, &p)
	for len(p.Hits.Hits) > 0 {
		for _, h := range p.Hits.Hits {
			h.Source.At = h.Source.At.UTC()
			all[h.ID] = h.Source
		}
		id := p.Scroll
		p = page{}
		c.ask(http.StatusOK, http.MethodPost, "/_search/scroll", object{"scroll": "1m", "scroll_id": id}, &p)
	}
	return all
}

func (c *connected) document(id string) row {
	c.t.Helper()
	var doc struct {
		Source row `json:"_source"`
	}
	c.ask(http.StatusOK, http.MethodGet, "/"+c.index+"/_doc/"+id, nil, &doc)
	return doc.Source
}

// agrees checks that the connector tells of its last job what the job does.
func (c *connected) agrees() {
	c.t.Helper()
	var doc struct {
		Status  string
		Last    string `json:"last_sync_status"`
		Indexed int64  `json:"last_indexed_document_count"`
		Deleted int64  `json:"last_deleted_document_count"`
	}
	c.ask(http.StatusOK, http.MethodGet, "/_connector/shop", nil, &doc)
	j := c.untilJob("the newest", func(jobDoc) bool { return true })
	if doc.Status != "connected" || doc.Last != j.Status || doc.Indexed != j.Indexed || doc.Deleted != j.Deleted {
		c.t.Errorf("the connector says %+v, its last job %+v", doc, j)
	}
	r := c.newest()
	if r.State != "succeeded" || r.Totals.Inserted+r.Totals.Updated+r.Totals.Unchanged != j.Indexed {
		c.t.Errorf("the run says %+v, the job %+v", r, j)
	}
}

func (c *connected) wait(seen <-chan struct{}, what string) {
	c.t.Helper()
	select {
	case <-seen:
	case <-time.After(5 * time.Minute):
		c.t.Fatalf("not in time: %s", what)
	}
}

// searchTap passes requests on to a cluster. The answer to one that is looked for may have
// to wait until the test lets it pass.
type searchTap struct {
	*httptest.Server
	mu    sync.Mutex
	want  string // how its body begins; "": none is looked for
	left  int    // the so manieth
	holds bool
	seen  chan struct{}
	open  chan struct{}
}

func newSearchTap(t *testing.T, cluster string) *searchTap {
	to, err := url.Parse(cluster)
	if err != nil {
		t.Fatal(err)
	}
	tap := &searchTap{}
	pass := &httputil.ReverseProxy{
		Rewrite:      func(r *httputil.ProxyRequest) { r.SetURL(to) },
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) {}, // of a server that was killed
	}
	tap.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		r.Body = io.NopCloser(bytes.NewReader(body))
		r.ContentLength, r.TransferEncoding = int64(len(body)), nil
		pass.ServeHTTP(w, r)
		if open := tap.notice(body); open != nil {
			select {
			case <-open:
			case <-r.Context().Done():
			}
		}
	}))
	t.Cleanup(tap.Close)
	return tap
}

// nth is closed when the nth request from now on that begins so was passed on.
func (p *searchTap) nth(n int, begins string, holds bool) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.want, p.left, p.holds, p.seen, p.open = begins, n, holds, make(chan struct{}), make(chan struct{})
	return p.seen
}

// pass lets go of what is held.
func (p *searchTap) pass() { close(p.open) }

// notice is what the answer to a request waits for; nil when it may go.
func (p *searchTap) notice(body []byte) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.want == "" || !bytes.HasPrefix(body, []byte(p.want)) {
		return nil
	}
	if p.left--; p.left > 0 {
		return nil
	}
	p.want = ""
	close(p.seen)
	if !p.holds {
		return nil
	}
	return p.open
}
