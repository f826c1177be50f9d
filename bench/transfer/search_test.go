package transfer_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/synclinehq/syncline/bench/measure"
	"github.com/synclinehq/syncline/testserver"
)

// fewRows and manyRows are loads whose memory is compared.
const (
	fewRows  = 200_000
	manyRows = 1_000_000
)

// search is a search server that is written to.
type search struct {
	*server
	*testserver.Search
}

// toSearch measures against a loop that does nothing but send the same bodies to the same
// server, two at a time, as Syncline does.
func (s *server) toSearch(t *testing.T) {
	x := search{s, testserver.NewOpenSearch(t)}
	measure.Version("OpenSearch 2.19.6, heap of 512 MB, 1 shard, log synced for each request")
	few := x.measure(t, "search_few", fewRows, 0)
	many := x.measure(t, "search_many", manyRows, 1)
	s.exec(t, src, "drop table if exists search_few, search_many")
	measure.Bound(t, measure.Limit{
		Name: fmt.Sprintf("PostgreSQL→OpenSearch, peak memory of %s to that of %s", count(manyRows), count(fewRows)), Unit: "times",
		Value: float64(many) / float64(few), Bar: 1.1, AtMost: true,
	})
}

// measure compares the first sync of a table and returns the most memory it took. 0 rounds
// are as many as usual.
func (x search) measure(t *testing.T, table string, rows, rounds int) int64 {
	t.Helper()
	x.mixed(t, table, rows)
	var p program
	ours := func(t testing.TB) measure.Sample {
		x.forget(t, "ours", "syncline-checkpoints")
		p = newProgram(t)
		return p.sync(t, rows, x.url(src), fmt.Sprintf("opensearch://127.0.0.1:%d/ours?replicas=0", x.Port), "--entities", "public."+table)
	}
	ours(t) // the server's code is compiled while it runs: the first time counts for nobody
	bodies, mapping := x.bodies(t), x.mapping(t)
	row := measure.Compare(t, measure.Comparison{
		Name: "PostgreSQL→OpenSearch, " + count(rows), Against: "a loop that sends the same bodies", Unit: "rows/s", Bar: 0.9, MaxRSS: memory, Rounds: rounds, Ours: ours,
		Theirs: func(t testing.TB) measure.Sample {
			x.forget(t, "theirs")
			x.Do(t, "PUT", "/theirs", `{"settings":{"index":{"number_of_shards":1,"number_of_replicas":0}},"mappings":`+mapping+`}`)
			return measure.Sample{Count: int64(rows), Took: x.loop(t, bodies)}
		},
	})
	p.told(t)
	for _, index := range []string{"ours", "theirs"} {
		if n := x.holds(t, index); n != rows {
			t.Errorf("%s holds %d documents of %d", index, n, rows)
		}
	}
	return row.RSS
}

// forget deletes indices and lets the server come to rest.
func (x search) forget(t testing.TB, indices ...string) {
	t.Helper()
	for _, i := range indices {
		x.Do(t, "DELETE", "/"+i, "")
	}
	x.settle(t)
}

func (x search) holds(t testing.TB, index string) int {
	t.Helper()
	var n struct{ Count int }
	x.Do(t, "POST", "/"+index+"/_refresh", "")
	x.ask(t, "GET", "/"+index+"/_count", "", &n)
	return n.Count
}

func (x search) ask(t testing.TB, method, path, body string, into any) {
	t.Helper()
	if err := json.Unmarshal(x.Do(t, method, path, body), into); err != nil {
		t.Fatal(err)
	}
}

// mapping is that of Syncline's index.
func (x search) mapping(t testing.TB) string {
	t.Helper()
	var index map[string]struct{ Mappings json.RawMessage }
	x.ask(t, "GET", "/ours", "", &index)
	return string(index["ours"].Mappings)
}

// span is where a body lies in the file of all of them.
type span struct{ from, to int64 }

// sent are the bodies that Syncline has sent, as far as they can be seen by what came of
// them: every action and every document to the byte.
type sent struct {
	file   *os.File
	bodies []span
}

func (x search) bodies(t testing.TB) sent {
	t.Helper()
	file, err := os.Create(filepath.Join(t.TempDir(), "bodies"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	all := sent{file: file}
	var body bytes.Buffer
	var at int64
	flush := func() {
		if _, err := file.Write(body.Bytes()); err != nil {
			t.Fatal(err)
		}
		all.bodies = append(all.bodies, span{at, at + int64(body.Len())})
		at += int64(body.Len())
		body.Reset()
	}
	x.each(t, func(id string, version int64, doc []byte) {
		fmt.Fprintf(&body, `{"index":{"_id":"%s","version":%d,"version_type":"external_gte"}}`+"\n%s\n", id, version, doc)
		if body.Len() >= 2*mib { // as Syncline does
			flush()
		}
	})
	flush()
	return all
}

// each reads Syncline's index.
func (x search) each(t testing.TB, do func(id string, version int64, doc []byte)) {
	t.Helper()
	var page struct {
		ID   string `json:"_scroll_id"`
		Hits struct {
			Hits []struct {
				ID      string          `json:"_id"`
				Version int64           `json:"_version"`
				Source  json.RawMessage `json:"_source"`
			}
		}
	}
	x.ask(t, "POST", "/ours/_search?scroll=1m", `{"size":10000,"sort":["_doc"],"version":true}`, &page)
	for len(page.Hits.Hits) > 0 {
		for _, h := range page.Hits.Hits {
			do(h.ID, h.Version, h.Source)
		}
		page.Hits.Hits = nil
		x.ask(t, "POST", "/_search/scroll", `{"scroll":"1m","scroll_id":"`+page.ID+`"}`, &page)
	}
}

// loop sends all bodies, two at a time, until their documents can be found.
func (x search) loop(t testing.TB, all sent) time.Duration {
	t.Helper()
	begun := time.Now()
	next := make(chan span)
	var senders sync.WaitGroup
	var failed [2]error
	for i := range failed {
		senders.Go(func() {
			for s := range next {
				failed[i] = errors.Join(failed[i], x.post(all.file, s))
			}
		})
	}
	for _, s := range all.bodies {
		next <- s
	}
	close(next)
	senders.Wait()
	if err := errors.Join(failed[:]...); err != nil {
		t.Fatal(err)
	}
	x.Do(t, "POST", "/theirs/_refresh", "")
	return time.Since(begun)
}

func (x search) post(file *os.File, s span) error {
	body := make([]byte, s.to-s.from)
	if _, err := file.ReadAt(body, s.from); err != nil {
		return err
	}
	resp, err := http.Post(x.URL()+"/theirs/_bulk?filter_path=errors", "application/x-ndjson", bytes.NewReader(body))
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	answer, err := io.ReadAll(resp.Body)
	if err == nil && !strings.Contains(string(answer), `"errors":false`) {
		err = fmt.Errorf("%s: %s", resp.Status, answer[:min(len(answer), 500)])
	}
	return err
}
