package elasticsearch

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/destination/destinationtest"
	"github.com/synclinehq/syncline/format/jsontext"
	"github.com/synclinehq/syncline/format/ndjson"
	"github.com/synclinehq/syncline/format/record"
	places "github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

var env = source.Env{Dial: (&net.Dialer{}).DialContext, Now: time.Now, Log: slog.New(slog.DiscardHandler)}

// place is a search server, seen from outside.
type place struct {
	*testserver.Search
	settings map[string]any
}

// newPlace empties the server: the tests of a package use it one after the other.
func newPlace(t testing.TB, s *testserver.Search, settings ...string) place {
	t.Helper()
	p := place{s, map[string]any{"host": "127.0.0.1", "port": s.Port, "replicas": 0}}
	for i := 0; i < len(settings); i += 2 {
		p.settings[settings[i]] = settings[i+1]
	}
	p.wipe(t)
	return p
}

func (p place) wipe(t testing.TB) {
	t.Helper()
	var all map[string]any
	p.ask(t, "GET", "/_all/_settings?expand_wildcards=all&filter_path=*.settings.index.uuid", "", &all)
	for name := range all {
		p.Do(t, "DELETE", "/"+url.PathEscape(name), "")
	}
}

func (p place) ask(t testing.TB, method, path, body string, into any) {
	t.Helper()
	if err := json.Unmarshal(p.Do(t, method, path, body), into); err != nil {
		t.Fatal(err)
	}
}

func (p place) Open(t testing.TB) destination.Destination {
	t.Helper()
	settings, err := json.Marshal(p.settings)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Kind.Open(context.Background(), env, settings)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// found is a document as a search gives it.
type found struct {
	ID     string                     `json:"_id"`
	Source map[string]json.RawMessage `json:"_source"`
}

// all are the documents of an index; false when there is none.
func (p place) all(t testing.TB, index string) (docs []found, ok bool) {
	t.Helper()
	at := "/" + url.PathEscape(index)
	var there map[string]any
	if p.ask(t, "GET", at, "", &there); there["error"] != nil {
		return nil, false
	}
	p.Do(t, "POST", at+"/_refresh", "")
	var n struct{ Count int }
	p.ask(t, "GET", at+"/_count", "", &n)
	size := 5000
	if n.Count < 10 {
		size = 1 // they may be large
	}
	var page struct {
		ID   string `json:"_scroll_id"`
		Hits struct{ Hits []found }
	}
	p.ask(t, "POST", at+"/_search?scroll=1m", fmt.Sprintf(`{"size":%d,"sort":["_doc"]}`, size), &page)
	for len(page.Hits.Hits) > 0 {
		docs = append(docs, page.Hits.Hits...)
		page.Hits.Hits = nil
		p.ask(t, "POST", "/_search/scroll", `{"scroll":"1m","scroll_id":"`+page.ID+`"}`, &page)
	}
	p.Do(t, "DELETE", "/_search/scroll", `{"scroll_id":["`+page.ID+`"]}`)
	if len(docs) != n.Count {
		t.Fatalf("%d documents of %d", len(docs), n.Count)
	}
	return docs, true
}

func (p place) Rows(t testing.TB, table string, fields []arrow.Field) ([]destinationtest.Row, bool) {
	t.Helper()
	docs, ok := p.all(t, table)
	var lines []byte
	for _, d := range docs {
		lines = append(appendFields(append(lines, '{'), d.Source, fields), "}\n"...)
	}
	return p.read(t, table, lines, fields), ok
}

// appendFields appends the members that are among the fields.
func appendFields(dst []byte, doc map[string]json.RawMessage, fields []arrow.Field) []byte {
	first := true
	for _, f := range fields {
		raw, ok := doc[f.Name]
		if !ok {
			continue
		}
		if !first {
			dst = append(dst, ',')
		}
		first = false
		dst = append(append(jsontext.AppendQuoted(dst, f.Name), ':'), raw...)
	}
	return dst
}

func (p place) read(t testing.TB, table string, lines []byte, fields []arrow.Field) (all []destinationtest.Row) {
	t.Helper()
	var schema []arrow.Field
	for _, f := range fields {
		f.Nullable = true
		if f.Type.ID() == arrow.EXTENSION {
			f.Metadata = arrow.NewMetadata([]string{"native"}, []string{"test:json"})
		}
		schema = append(schema, f)
	}
	r, err := ndjson.NewReader(bytes.NewReader(lines), table, arrow.NewSchema(schema, nil), record.Position{Place: places.Start})
	if err != nil {
		t.Fatal(err)
	}
	for {
		b, err := r.Next()
		if err != nil {
			return all
		}
		for _, r := range b.Rejects {
			t.Errorf("%s: %s %q", r.Key, r.Message, r.Sample)
		}
		all = append(all, destinationtest.Texts(b.Record)...)
	}
}

// Leftovers are the positions of parts.
func (p place) Leftovers(t testing.TB) (left []string) {
	t.Helper()
	docs, _ := p.all(t, checkpointIndex)
	for _, d := range docs {
		if part, ok := d.Source["part"]; ok {
			left = append(left, "part "+string(part))
		}
	}
	return left
}

func (p place) Drop(t testing.TB, table string) { p.Do(t, "DELETE", "/"+url.PathEscape(table), "") }

func (p place) Empty(t testing.TB, table string) {
	t.Helper()
	docs, _ := p.all(t, table)
	var body strings.Builder
	for _, d := range docs {
		fmt.Fprintf(&body, "{\"delete\":{\"_id\":%q}}\n", d.ID)
	}
	p.Do(t, "POST", "/"+table+"/_bulk", body.String())
}

// LoseStagedRow deletes a document; there is no stage.
func (p place) LoseStagedRow(t testing.TB) {
	t.Helper()
	docs, _ := p.all(t, "orders")
	p.Do(t, "DELETE", "/orders/_doc/"+docs[0].ID, "")
}
