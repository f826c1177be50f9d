package ledger_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/bench/measure"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/dialect/elastic"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
)

const (
	connectors     = 1000
	outsideWorkers = 100
	statsPerJob    = 3
)

// paces are how long a worker of this benchmark waits between two calls. Elastic's service
// waits ten seconds and more; at the shorter of these, clients, server and PostgreSQL keep
// two cores busy.
var paces = []time.Duration{500 * time.Millisecond, 250 * time.Millisecond}

// TestOutside has many outside workers at many connectors over HTTP: each polls for jobs,
// claims, reports and ends. No call fails but the claims that come second, no job is had by
// two, and a report is answered soon.
func TestOutside(t *testing.T) {
	for _, pace := range paces {
		t.Run("SQLite", func(t *testing.T) { outside(t, "SQLite", openSQLite(t), pace) })
		t.Run("PostgreSQL", func(t *testing.T) { outside(t, "PostgreSQL", openPostgres(t, durable(t)), pace) })
	}
}

func outside(t *testing.T, where string, s syncline.Store, pace time.Duration) {
	o := &office{t: t, url: serveElastic(t, s), pace: pace}
	o.client.Transport = &http.Transport{MaxIdleConnsPerHost: outsideWorkers}
	o.each(connectors, func(i int) {
		o.must("PUT", fmt.Sprintf("/_connector/c%04d", i), fmt.Sprintf(`{"index_name":"search-%d","service_type":"mine"}`, i))
		o.must("POST", "/_connector/_sync_job", fmt.Sprintf(`{"id":"c%04d"}`, i))
	})
	begun := time.Now()
	o.each(outsideWorkers, o.work)
	took := time.Since(begun)
	if n := o.done.Load(); n != connectors {
		t.Errorf("%d jobs were done, of %d", n, connectors)
	}
	slices.Sort(o.waits)
	p99 := o.waits[len(o.waits)*99/100]
	t.Logf("%s: %d jobs by %d workers in %s, %d claims came second; _stats: median %s, p99 %s, slowest %s", where, connectors, outsideWorkers,
		took.Round(time.Millisecond), o.second.Load(), o.waits[len(o.waits)/2], p99, o.waits[len(o.waits)-1])
	measure.Bound(t, measure.Limit{Name: fmt.Sprintf("p99 of _stats, 100 outside workers with a call every %s, %s", pace, where), Unit: "ms", Value: float64(p99.Microseconds()) / 1000, Bar: 50, AtMost: true})
}

// serveElastic is the API behind a door that knows each caller by its name.
func serveElastic(t testing.TB, s syncline.Store) string {
	t.Helper()
	keys, err := secret.Load(filepath.Join(t.TempDir(), "key"), "")
	must(t, err)
	api := elastic.New(elastic.Options{
		Ledger:  ledger.New(s, ledger.Options{Projections: []ledger.Projection{elastic.Projection}}),
		Catalog: catalog.New(catalog.Options{Store: s, Registry: registry.New(nil, nil, nil), Box: keys, Host: "here"}),
		Log:     slog.New(slog.DiscardHandler),
	})
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who := auth.Principal{Key: r.Header.Get("X-Who"), Name: "bench", Role: auth.Admin}
		api.ServeHTTP(w, r.WithContext(auth.With(r.Context(), who)))
	}))
	t.Cleanup(server.Close)
	return server.URL
}

// office is where the workers come to.
type office struct {
	t            testing.TB
	url          string
	client       http.Client
	pace         time.Duration
	taken        sync.Map
	done, second atomic.Int64
	mu           sync.Mutex
	waits        []time.Duration // of _stats
}

// each does n things, a hundred at once.
func (o *office) each(n int, do func(i int)) {
	var wg sync.WaitGroup
	next := atomic.Int64{}
	for range outsideWorkers {
		wg.Go(func() {
			for i := next.Add(1) - 1; i < int64(n); i = next.Add(1) - 1 {
				do(int(i))
			}
		})
	}
	wg.Wait()
}

func (o *office) call(who, method, path, body string) (int, map[string]any) {
	r, err := http.NewRequestWithContext(context.Background(), method, o.url+path, strings.NewReader(body))
	if err != nil {
		o.t.Error(err)
		return 0, nil
	}
	r.Header.Set("X-Who", who)
	answer, err := o.client.Do(r)
	if err != nil {
		o.t.Errorf("%s %s: %v", method, path, err)
		return 0, nil
	}
	defer func() { _ = answer.Body.Close() }()
	doc := map[string]any{}
	raw, err := io.ReadAll(answer.Body)
	if err == nil {
		err = json.Unmarshal(raw, &doc)
	}
	if err != nil {
		o.t.Errorf("%s %s: %d %v", method, path, answer.StatusCode, err)
	}
	return answer.StatusCode, doc
}

func (o *office) must(method, path, body string) {
	if status, doc := o.call("admin", method, path, body); status >= 300 {
		o.t.Errorf("%s %s: %d %v", method, path, status, doc)
	}
}

// work is the life of one worker: until there is nothing left to claim.
func (o *office) work(i int) {
	who, waiting := fmt.Sprintf("w%03d", i), connectors
	time.Sleep(o.pace * time.Duration(i) / outsideWorkers) // they did not all begin at once
	for ; ; time.Sleep(o.pace) {
		status, page := o.call(who, "GET", fmt.Sprintf("/_connector/_sync_job?status=pending&size=10&from=%d&filter_path=count,results.id", i*10%waiting), "")
		if status != http.StatusOK {
			o.t.Errorf("poll: %d %v", status, page)
			return
		}
		count, _ := page["count"].(float64)
		if waiting = int(count); waiting == 0 {
			return
		}
		if jobs, _ := page["results"].([]any); len(jobs) > 0 { // others may have taken the rest of the list
			o.try(who, jobs[i%len(jobs)].(map[string]any)["id"].(string))
		}
	}
}

func (o *office) try(who, id string) {
	path := "/_connector/_sync_job/" + id
	switch status, doc := o.call(who, "PUT", path+"/_claim", `{"worker_hostname":"`+who+`"}`); {
	case status == http.StatusConflict || status == http.StatusBadRequest && strings.Contains(fmt.Sprint(doc), "from [error]"):
		o.second.Add(1)
		return
	case status != http.StatusOK:
		o.t.Errorf("claim: %d %v", status, doc)
		return
	}
	if other, again := o.taken.LoadOrStore(id, who); again {
		o.t.Errorf("job %s was given to %s and to %s", id, other, who)
	}
	for n := range statsPerJob {
		time.Sleep(o.pace)
		begun := time.Now()
		status, doc := o.call(who, "PUT", path+"/_stats", fmt.Sprintf(`{"indexed_document_count":%d,"deleted_document_count":0,"indexed_document_volume":1,"metadata":{}}`, n))
		o.mu.Lock()
		o.waits = append(o.waits, time.Since(begun))
		o.mu.Unlock()
		if status != http.StatusOK {
			o.t.Errorf("stats: %d %v", status, doc)
		}
	}
	if status, doc := o.call(who, "PUT", path+"/_error", `{"error":"done"}`); status != http.StatusOK {
		o.t.Errorf("end: %d %v", status, doc)
	}
	o.done.Add(1)
}
