package elastic

import (
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
)

func (d *desk) pipeline(id string) *syncline.Pipeline {
	d.t.Helper()
	p, err := d.api.o.Catalog.Named(d.t.Context(), Name, id)
	if err != nil {
		d.t.Fatal(err)
	}
	return p
}

// What says nothing new stores nothing: the version, which is the document's _seq_no, and
// the time of the last change stay.
func TestNoopStoresNothing(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		d.must("PUT /_connector/a", `{"index_name":"search-a","service_type":"shop"}`)
		d.must("PUT /_connector/a/_configuration", `{"configuration":{"pw":{"label":"P","sensitive":true,"value":"canary"},"n":{"label":"N","value":1.50}}}`)
		for call, body := range map[string]string{
			"_name":          `{"name":"x","description":"y"}`,
			"_index_name":    `{"index_name":"search-a"}`,
			"_configuration": `{"values":{"pw":"canary","n":1.50}}`,
			"_error":         `{"error":null}`,
			"_scheduling":    `{"scheduling":{"full":{"enabled":true,"interval":"0 0 3 * * ?"}}}`,
			"_pipeline":      `{"pipeline":{"name":"p","extract_binary_content":true,"reduce_whitespace":true,"run_ml_inference":true}}`,
			"_last_sync":     `{"last_sync_status":"completed","sync_cursor":{"a":1.0}}`,
			"_features":      `{"features":{"incremental_sync":{"enabled":true}}}`,
			"_api_key_id":    `{"api_key_id":"k"}`,
			"_filtering":     `{"rules":[{"created_at":"2023-05-25T12:30:00.000Z","updated_at":"2023-05-25T12:30:00.000Z","field":"_","id":"DEFAULT","order":0,"policy":"include","rule":"regex","value":".*"}]}`,
		} {
			d.must("PUT /_connector/a/"+call, body)
			before := d.pipeline("a")
			got := d.must("PUT /_connector/a/"+call, body)
			after := d.pipeline("a")
			if got["result"] != "noop" || after.Version != before.Version || !after.UpdatedAt.Equal(before.UpdatedAt) {
				t.Errorf("%s: %v, version %d, then %d", call, got, before.Version, after.Version)
			}
		}
	})
}

// Whatever calls follow each other, a result of "noop" is the only one that leaves the
// version alone, and no two connectors have one index.
func TestAnySequenceOfCalls(t *testing.T) {
	t.Parallel()
	a := apiFor(t)
	calls := []struct{ path, body string }{
		{"", `{"index_name":"i1"}`},
		{"", `{"index_name":"i2"}`},
		{"", `{}`},
		{"/_index_name", `{"index_name":"i1"}`},
		{"/_index_name", `{"index_name":"i2"}`},
		{"/_index_name", `{"index_name":null}`},
		{"/_name", `{"name":"a"}`},
		{"/_name", `{"name":"b"}`},
		{"/_error", `{"error":"x"}`},
		{"/_error", `{"error":null}`},
		{"/_status", `{"status":"configured"}`},
		{"/_service_type", `{"service_type":"s"}`},
		{"/_filtering/_activate", ``},
		{"/_filtering", `{"advanced_snippet":{"created_at":"2023-05-25T12:30:00Z","updated_at":"2023-05-25T12:30:00Z","value":{}}}`},
		{"/_last_sync", `{"sync_cursor":{"a":{"b":1}}}`},
		{"/_last_sync", `{"sync_cursor":{"a":{"c":null}}}`},
	}
	rapid.Check(t, func(rt *rapid.T) {
		for _, id := range []string{"a", "b"} {
			send(t, a, http.MethodDelete, "/_connector/"+id+"?hard=true", "")
			send(t, a, http.MethodPut, "/_connector/"+id, "")
		}
		for range rapid.IntRange(1, 12).Draw(rt, "calls") {
			id, call := rapid.SampledFrom([]string{"a", "b"}).Draw(rt, "id"), rapid.SampledFrom(calls).Draw(rt, "call")
			before := versionOf(t, a, id)
			if rapid.IntRange(0, 9).Draw(rt, "delete") == 0 {
				send(t, a, http.MethodDelete, "/_connector/"+id, "")
				before = versionOf(t, a, id)
			}
			status, doc := send(t, a, http.MethodPut, "/_connector/"+id+call.path, call.body)
			stays := versionOf(t, a, id) == before
			if status >= 500 || stays != (doc["result"] == "noop" || status >= 400) && call.path != "" {
				rt.Fatalf("%s of %s %s: %d %v, stored: %v", call.path, id, call.body, status, doc, !stays)
			}
		}
		oneIndexEach(rt, t, a)
	})
}

func versionOf(t *testing.T, a *API, id string) int64 {
	t.Helper()
	p, err := a.o.Catalog.Named(t.Context(), Name, id)
	if err != nil {
		t.Fatal(err)
	}
	return p.Version
}

func oneIndexEach(rt *rapid.T, t *testing.T, a *API) {
	_, doc := send(t, a, http.MethodGet, "/_connector", "")
	seen := map[any]bool{}
	for _, r := range doc["results"].([]any) {
		index := r.(map[string]any)["index_name"]
		if index != nil && seen[index] {
			rt.Fatalf("two connectors have the index %v", index)
		}
		seen[index] = true
	}
}

// Of many who want one index at the same time, through two servers, one gets it.
func TestOneGetsTheIndex(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		const many = 12
		for i := range many {
			d.must(fmt.Sprintf("PUT /_connector/c%d", i), "")
		}
		other := New(d.api.o)
		var wg sync.WaitGroup
		results := make([]int, many)
		for i := range many {
			wg.Go(func() {
				a := d.api
				if i%2 == 0 {
					a = other
				}
				results[i], _ = send(t, a, http.MethodPut, fmt.Sprintf("/_connector/c%d/_index_name", i), `{"index_name":"search-one"}`)
			})
		}
		wg.Wait()
		won := 0
		for i, status := range results {
			switch status {
			case http.StatusOK:
				won++
			case http.StatusBadRequest:
			default:
				t.Errorf("c%d: %d", i, status)
			}
		}
		list := d.must("GET /_connector?index_name=search-one", "")
		if won != 1 || list["count"] != json.Number("1") {
			t.Errorf("%d were told that they have it, %v have", won, list["count"])
		}
	})
}

// Changes of one connector from many sides are all there in the end.
func TestChangesFromManySides(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		d.must("PUT /_connector/a", "")
		const many = 16
		var wg sync.WaitGroup
		for i := range many {
			wg.Go(func() {
				if status, doc := send(t, d.api, http.MethodPut, "/_connector/a/_last_sync", fmt.Sprintf(`{"sync_cursor":{"k%d":%d}}`, i, i)); status != http.StatusOK {
					t.Errorf("%d %v", status, doc)
				}
			})
		}
		wg.Wait()
		if cursor := d.must("GET /_connector/a", "")["sync_cursor"].(map[string]any); len(cursor) != many {
			t.Errorf("%d of %d are there", len(cursor), many)
		}
	})
}

// A secret is found nowhere but in what its worker reads.
func TestSecretsAreSealed(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		const canary = "canary-7f3e"
		d.must("PUT /_connector/a", "")
		d.must("PUT /_connector/a/_configuration", `{"configuration":{"pw":{"label":"P","sensitive":true,"value":"`+canary+`"},"o":{"label":"O","sensitive":true,"value":{"deep":"`+canary+`"}}}}`)
		p := d.pipeline("a")
		whole, err := json.Marshal(p)
		if err != nil || strings.Contains(string(whole), canary) {
			t.Errorf("the stored pipeline holds it: %s, %v", whole, err)
		}
		for _, who := range []auth.Principal{admin, callers["viewer"], callers["editor"], callers["operator"]} {
			for _, path := range []string{"/_connector/a", "/_connector"} {
				doc := d.as(who).must("GET "+path, "")
				if text := must(encoded(doc)); strings.Contains(text, canary) || !strings.Contains(text, mask) {
					t.Errorf("%s reads %s", who.Name, text)
				}
			}
		}
		for _, who := range []auth.Principal{worker("w"), worker("w", "a")} {
			text := must(encoded(d.as(who).must("GET /_connector/a", "")))
			if strings.Count(text, canary) != 2 {
				t.Errorf("%s reads %s", who.Name, text)
			}
		}
		d.must("PUT /_connector/a/_check_in", "")
		if strings.Contains(d.log.String(), canary) {
			t.Errorf("the log holds it: %s", d.log)
		}
	})
}

// Whoever may change a field may not therefore read its secret.
func TestSecretsAreNotLaidOpen(t *testing.T) {
	t.Parallel()
	a := apiFor(t)
	send(t, a, http.MethodPut, "/_connector/a", "")
	put := func(fields string) (int, map[string]any) {
		return send(t, a, http.MethodPut, "/_connector/a/_configuration", `{"configuration":{`+fields+`}}`)
	}
	put(`"pw":{"label":"P","sensitive":true,"value":"canary"}`)
	for _, fields := range []string{
		`"pw":{"label":"P","sensitive":false,"value":"•••"}`, `"pw":{"label":"P","value":"•••"}`, `"other":{"label":"P","sensitive":true,"value":"•••"}`,
	} {
		put(fields)
		_, doc := send(t, a, http.MethodGet, "/_connector/a", "")
		if text := must(encoded(doc)); strings.Contains(text, "canary") || strings.Contains(text, "sealed") {
			t.Errorf("%s: reads %s", fields, text)
		}
		put(`"pw":{"label":"P","sensitive":true,"value":"canary"}`)
	}
	// The same through a change of the document, which may leave the value out.
	err := changing(t, a, func(doc map[string]any) error {
		merge(doc, map[string]any{"configuration": map[string]any{"pw": map[string]any{"sensitive": false}}})
		return nil
	})
	if err == nil {
		t.Error("a field may stop being sensitive and keep its value")
	}
}

// changing changes the connector a as an admin.
func changing(t *testing.T, a *API, fn func(doc map[string]any) error) error {
	r := httptest.NewRequestWithContext(auth.With(t.Context(), admin), http.MethodPut, "/", nil)
	_, _, err := (&call{api: a, r: r, route: route{may: auth.Edit}}).change("a", fn)
	return err
}

// Jobs outlive a connector that is removed, and none of them is left alive.
func TestHardDeletion(t *testing.T) {
	atDesks(t, func(t *testing.T, d *desk) {
		d.must("PUT /_connector/a", `{"index_name":"search-a","service_type":"shop"}`)
		pending := d.must("POST /_connector/_sync_job", `{"id":"a"}`)["id"].(string)
		running := d.must("POST /_connector/_sync_job", `{"id":"a","job_type":"access_control"}`)["id"].(string)
		d.must("PUT /_connector/_sync_job/"+running+"/_claim", `{"worker_hostname":"h"}`)
		d.must("DELETE /_connector/a?hard=true", "")
		for _, id := range []string{pending, running} {
			job := d.must("GET /_connector/_sync_job/"+id, "")
			if job["status"] != "canceled" || job["connector"].(map[string]any)["id"] != "a" {
				t.Errorf("a job is %v of %v", job["status"], job["connector"])
			}
		}
		d.must("PUT /_connector/a", `{"index_name":"search-a","service_type":"shop"}`)
		again := d.must("POST /_connector/_sync_job", `{"id":"a"}`)["id"].(string)
		d.must("PUT /_connector/_sync_job/"+again+"/_claim", `{"worker_hostname":"h"}`)
		d.must("DELETE /_connector/a?hard=true&delete_sync_jobs=true", "")
		if status, _ := d.say("GET /_connector/_sync_job/"+again, ""); status != http.StatusNotFound {
			t.Errorf("a job is there after its deletion: %d", status)
		}
	})
}

// A list of many is read by everybody who polls.
func TestListOfMany(t *testing.T) {
	t.Parallel()
	a := apiFor(t)
	const many = 250
	for i := range many {
		send(t, a, http.MethodPut, fmt.Sprintf("/_connector/c%04d", many-i), fmt.Sprintf(`{"index_name":"search-%04d"}`, i))
	}
	seen := map[any]bool{}
	last := ""
	for from := 0; from < many+100; from += 100 {
		_, doc := send(t, a, http.MethodGet, fmt.Sprintf("/_connector?from=%d", from), "")
		if doc["count"] != float64(many) {
			t.Errorf("count %v", doc["count"])
		}
		for _, r := range doc["results"].([]any) {
			index := r.(map[string]any)["index_name"].(string)
			if index <= last {
				t.Errorf("%s comes after %s", index, last)
			}
			last = index
			seen[index] = true
		}
	}
	if len(seen) != many {
		t.Errorf("%d of %d are listed", len(seen), many)
	}
}

func BenchmarkList(b *testing.B) {
	a := apiFor(b)
	for i := range 1000 {
		send(b, a, http.MethodPut, fmt.Sprintf("/_connector/c%04d", i), fmt.Sprintf(`{"index_name":"search-%04d"}`, i))
	}
	for b.Loop() {
		send(b, a, http.MethodGet, "/_connector", "")
	}
}

func BenchmarkCheckIn(b *testing.B) {
	a := apiFor(b)
	send(b, a, http.MethodPut, "/_connector/a", `{"index_name":"search-a"}`)
	for b.Loop() {
		send(b, a, http.MethodPut, "/_connector/a/_check_in", "")
	}
}
