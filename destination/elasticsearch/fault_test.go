package elasticsearch

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/testserver"
)

// TestServerIsKilled: the server is killed in the middle of a load and comes back.
func TestServerIsKilled(t *testing.T) {
	p := newPlace(t, testserver.NewOpenSearch(t))
	a := try(t, p, "load-1", 1)
	a.lane()
	a.writeAll("a", 0, 5000)
	back := make(chan struct{})
	go func() {
		defer close(back)
		time.Sleep(20 * time.Millisecond) // whatever is under way just then
		p.Stop(t, syscall.SIGKILL)
		p.Start(t)
	}()
	a.writeAll("a", 5000, 60_000)
	<-back
	a.writeAll("a", 60_000, 62_000)
	published := a.publish(a.finish())
	if c := published.Counts; c.Read != 62_000 || c.Inserted+c.Updated != 62_000 {
		t.Errorf("%+v", c)
	}
	p.holds(t, expected("a", 0, 62_000))
}

// TestBusy: others write so much that the server refuses more.
func TestBusy(t *testing.T) {
	p := newPlace(t, testserver.NewOpenSearch(t))
	a := try(t, p, "load-1", 1)
	var refusedWhole, refusedItems atomic.Int64
	ctx, stop := context.WithCancel(t.Context())
	a.watch(func(r *http.Request, resp *http.Response, err error) (*http.Response, error) {
		if refusedWhole.Load()+refusedItems.Load() > 2 {
			stop() // the crowd would leave no room, ever: those who press do not wait
		}
		if err == nil && resp.StatusCode == http.StatusTooManyRequests {
			refusedWhole.Add(1)
		}
		if err == nil && strings.HasSuffix(r.URL.Path, "_bulk") {
			resp.Body = inspect(t, resp.Body, func(answer []byte) {
				refusedItems.Add(int64(bytes.Count(answer, []byte(`"status":429`))))
			})
		}
		return resp, err
	})
	var crowd sync.WaitGroup
	for range 16 {
		crowd.Go(func() { press(ctx, p.URL()) })
	}
	a.lane()
	n, refused := 0, func() int64 { return refusedWhole.Load() + refusedItems.Load() }
	for deadline := time.Now().Add(time.Minute); refused() == 0 && time.Now().Before(deadline); n += 1000 {
		a.writeAll("a", n, n+1000)
	}
	stop()
	crowd.Wait()
	a.writeAll("a", n, n+1000)
	n += 1000
	published := a.publish(a.finish())
	t.Logf("%d rows; %d requests and %d items were refused: %+v", n, refusedWhole.Load(), refusedItems.Load(), published.Counts)
	if refused() == 0 {
		t.Error("the server was never busy")
	}
	p.holds(t, expected("a", 0, n))
}

// inspect shows an answer as it is passed on.
func inspect(t *testing.T, body io.ReadCloser, look func([]byte)) io.ReadCloser {
	answer, err := io.ReadAll(body)
	if err != nil {
		t.Error(err)
	}
	_ = body.Close()
	look(answer)
	return io.NopCloser(bytes.NewReader(answer))
}

// press keeps a large request under way.
func press(ctx context.Context, url string) {
	line := `{"index":{}}` + "\n" + `{"text":"` + strings.Repeat("many words make it slow ", 200) + `"}` + "\n"
	body := strings.Repeat(line, 5<<20/len(line))
	for ctx.Err() == nil {
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, url+"/crowd/_bulk?filter_path=took", strings.NewReader(body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/x-ndjson")
		if resp, err := http.DefaultClient.Do(req); err == nil {
			_, _ = io.Copy(io.Discard, resp.Body)
			_ = resp.Body.Close()
		}
	}
}

// TestAnswersAreLost: requests get lost, and answers to requests that were carried out.
func TestAnswersAreLost(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	var mu sync.Mutex
	dice := rand.New(rand.NewPCG(seed, 0))
	p := newPlace(t, testserver.OpenSearch(t))
	var told atomic.Int32
	a := try(t, p, "load-1", 1, func(d *destination.Target) {
		log := d.Note
		d.Note = func(s syncline.Severity, format string, args ...any) {
			if log(s, format, args...); strings.Contains(format, "sent again") {
				told.Add(1)
			}
		}
	})
	asked, lost := map[string]bool{}, map[string]int{} // the first answer to each question is lost, and one in eight of the others
	a.watch(func(r *http.Request, resp *http.Response, err error) (*http.Response, error) {
		mu.Lock()
		defer mu.Unlock()
		what := r.Method + " " + r.URL.Path
		if first := !asked[what]; err != nil || !first && dice.IntN(8) > 0 {
			return resp, err
		}
		asked[what] = true
		_, _ = io.Copy(io.Discard, resp.Body)
		_ = resp.Body.Close()
		kind, _, _ := strings.Cut(what, "/_doc/")
		lost[kind]++
		return nil, io.ErrUnexpectedEOF
	})
	a.lane()
	a.writeAll("a", 0, 30_000)
	position := a.finish()
	published := a.publish(position)
	mu.Lock()
	t.Logf("lost: %v; %+v", lost, published.Counts)
	if lost["PUT /syncline-checkpoints"] == 0 || lost["POST /people/_bulk"] == 0 {
		t.Error("no answer was lost that matters")
	}
	if n := told.Load(); n != 1 {
		t.Errorf("people were told %d times that rows are sent again", n)
	}
	mu.Unlock()
	if c := published.Counts; c.Inserted+c.Updated != 30_000 {
		t.Errorf("%+v", c)
	}
	p.holds(t, expected("a", 0, 30_000))
}

// TestStaleWriter: what a stopped holder still sends is refused by each document that its
// successor has written, and the holder hears of it.
func TestStaleWriter(t *testing.T) {
	p := newPlace(t, testserver.OpenSearch(t))
	load(t, p, "before", 1, 0, 3000)
	stale := try(t, p, "load-1", 2)
	stale.lane()
	stale.writeAll("stale", 0, 1000)
	next := try(t, p, "load-1", 3, func(d *destination.Target) { d.Restart = true })
	next.lane()
	next.writeAll("new", 0, 3000)
	position := next.finish()
	conflicts := 0
	stale.watch(func(r *http.Request, resp *http.Response, err error) (*http.Response, error) {
		if err == nil && strings.HasSuffix(r.URL.Path, "_bulk") {
			resp.Body = inspect(t, resp.Body, func(answer []byte) { conflicts += bytes.Count(answer, []byte(`"status":409`)) })
		}
		return resp, err
	})
	_, err := stale.write(people("stale", 1000, 3000))
	if err == nil {
		_, err = stale.l.Finish(t.Context())
	}
	if !errors.Is(err, syncline.ErrLeaseLost) {
		t.Errorf("%v, want ErrLeaseLost", err)
	}
	if conflicts != 2000 {
		t.Errorf("%d of 2000 documents were refused", conflicts)
	}
	if len(stale.kept) > 0 {
		t.Errorf("%d rows of a stale writer are rejects", len(stale.kept))
	}
	next.publish(position)
	p.holds(t, expected("new", 0, 3000))
}

// TestSweepIsCutOff: whoever goes on after a kill in the middle of a sweep brings it to its
// end, counts what went in all, and does not take it for an accident.
func TestSweepIsCutOff(t *testing.T) {
	p := newPlace(t, testserver.OpenSearch(t))
	load(t, p, "before", 1, 0, 14_000)
	a := try(t, p, "load-2", 2)
	a.lane()
	a.writeAll("after", 0, 7000)
	position := a.finish()
	ctx, kill := context.WithCancel(t.Context())
	a.watch(func(r *http.Request, resp *http.Response, err error) (*http.Response, error) {
		if strings.HasSuffix(r.URL.Path, "_bulk") {
			kill()
		}
		return resp, err
	})
	if _, err := a.w.Publish(ctx, nil, position.Counts, nil); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v: the sweep was not cut off", err)
	}
	_ = a.w.Close()
	if n := len(all(t, p)); n != 14_000-page {
		t.Fatalf("%d documents are left", n)
	}
	next := try(t, p, "load-2", 3)
	position = next.standing.Parts["0"]
	if !position.Done {
		t.Fatalf("%+v", position)
	}
	published := next.publish(position)
	if published.Swept != 7000 || published.Total != 7000 || published.Counts.Swept != 7000 {
		t.Errorf("%+v", published)
	}
	p.holds(t, expected("after", 0, 7000))
}

func all(t *testing.T, p place) []found {
	t.Helper()
	docs, _ := p.all(t, "people")
	return docs
}

// TestBrokenRound: what only the first try of a load had read is gone when it began anew.
func TestBrokenRound(t *testing.T) {
	p := newPlace(t, testserver.OpenSearch(t))
	a := try(t, p, "load-1", 1)
	a.lane()
	a.writeAll("a", 0, 3000)
	a.finish()
	_ = a.w.Close()
	b := try(t, p, "load-1", 2, func(d *destination.Target) { d.Restart = true })
	b.lane()
	b.writeAll("b", 1000, 2500)
	published := b.publish(b.finish())
	if published.Swept != 1500 {
		t.Errorf("%+v", published)
	}
	p.holds(t, expected("b", 1000, 2500))
}

// TestRejects: a document that the mapping refuses is put aside with all that a person
// needs, and the others are written.
func TestRejects(t *testing.T) {
	p := newPlace(t, testserver.OpenSearch(t))
	p.Do(t, "PUT", "/people", `{"settings":{"index":{"number_of_replicas":0}},"mappings":{"properties":{"name":{"type":"date","format":"'good' yyyy"}}}}`)
	a := try(t, p, "load-1", 1)
	a.lane()
	a.writeAll("bad", 1001, 1004)
	a.writeAll("good", 2004, 2009)
	position := a.finish()
	if c := position.Counts; c.Rejected != 3 || c.Inserted != 5 {
		t.Errorf("%+v", c)
	}
	r := a.kept[1002]
	if len(a.kept) != 3 || r.Key != "1002" || r.Code != "constraint" || !strings.Contains(r.Message, "bad 1002") || !strings.Contains(string(r.Sample), `"bad 1002"`) {
		t.Errorf("%+v, sample %s", r, r.Sample)
	}
	a.publish(position)
	p.holds(t, expected("good", 2004, 2009))
}

// TestDocumentsOfOthers stay as they are, also under an id that is a row's key.
func TestDocumentsOfOthers(t *testing.T) {
	p := newPlace(t, testserver.OpenSearch(t))
	others := map[string]string{
		"7":     `{"name":"mine","by":"hand"}`,
		"notes": `{"name":"also mine"}`,
		"8":     `{"name":"another pipeline's","_syncline":{"stream":"pipeline-2/people","load":"x"}}`,
	}
	p.Do(t, "PUT", "/people", `{"settings":{"index":{"number_of_replicas":0}},"mappings":{"properties":`+string(body(map[string]mapping{marker: markerMapping}))+`}}`)
	for id, doc := range others {
		p.Do(t, "PUT", "/people/_doc/"+id, doc)
	}
	for i, to := range []int{20, 10} {
		a := try(t, p, fmt.Sprintf("load-%d", i), int64(i+1))
		a.lane()
		a.writeAll("a", 0, to)
		a.publish(a.finish())
		if len(a.kept) != 2 || a.kept[7].Key != "7" || a.kept[8].Code != "constraint" {
			t.Errorf("kept %v", a.kept)
		}
	}
	for id, doc := range others {
		var now struct {
			Version int `json:"_version"`
			Source  any `json:"_source"`
		}
		p.ask(t, "GET", "/people/_doc/"+id, "", &now)
		if now.Version != 1 || fmt.Sprint(now.Source) != decoded(t, doc) {
			t.Errorf("%s is now %+v", id, now)
		}
	}
	want := expected("a", 0, 10)
	want["7"], want["8"], want["notes"] = "mine", "another pipeline's", "also mine"
	p.holds(t, want)
}

// TestMarkerOfOthers: an index in which our documents could not be found is refused before
// anything is written.
func TestMarkerOfOthers(t *testing.T) {
	p := newPlace(t, testserver.OpenSearch(t))
	p.Do(t, "PUT", "/people/_doc/1", `{"_syncline":{"stream":"by hand","load":"x"}}`)
	d := p.Open(t)
	defer func() { _ = d.Close() }()
	_, err := d.Open(t.Context(), destination.Target{Table: "people", Entity: sourceOfPeople, Disposition: syncline.Replace})
	if syncline.CodeOf(err) != syncline.FailedPrecondition || !strings.Contains(err.Error(), "is text and not keyword") {
		t.Errorf("%v", err)
	}
}

// decoded draws a document as fmt does what JSON gives.
func decoded(t *testing.T, doc string) string {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(doc), &v); err != nil {
		t.Fatal(err)
	}
	return fmt.Sprint(v)
}
