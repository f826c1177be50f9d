package elasticsearch

import (
	"context"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
)

// index is one that is there.
type index struct {
	name   string // its own, where an alias was asked for
	uuid   string // another one once it was dropped and made anew
	fields map[string]mapping
}

// field finds one by its path: "a.b" is the field b of the object a.
func (x *index) field(name string) (mapping, bool) {
	if x == nil {
		return mapping{}, false
	}
	m, of := mapping{}, x.fields
	for part := range strings.SplitSeq(name, ".") {
		var ok bool
		if m, ok = of[part]; !ok {
			return m, false
		}
		of = m.Properties
	}
	return m, true
}

// filled reports whether the index has fields: one without has no schema to be held to.
func (x *index) filled() bool { return x != nil && len(x.fields) > 0 }

// describe looks at the index; nil when there is none.
func (w *writer) describe(ctx context.Context) (*index, error) {
	var found map[string]struct {
		Mappings struct{ Properties map[string]mapping }
		Settings struct{ Index struct{ UUID string } }
	}
	err := w.db.call(ctx, request{method: http.MethodGet, path: path(w.target.Table)}, &found)
	if status(err) == http.StatusNotFound {
		return nil, nil
	}
	if err != nil {
		return nil, failed(ctx, err, "look at the index %s", w.target.Table)
	}
	if len(found) != 1 {
		return nil, syncline.Errorf(syncline.FailedPrecondition, "%s stands for %d indices: %s", w.target.Table, len(found), strings.Join(slices.Sorted(maps.Keys(found)), ", ")).
			Of(syncline.ClassConfig).Try("name one index, or an alias of one")
	}
	for name, x := range found {
		return &index{name: name, uuid: x.Settings.Index.UUID, fields: x.Mappings.Properties}, nil
	}
	return nil, nil
}

// make creates the index, or adds what it lacks, and looks at it again.
func (w *writer) make(ctx context.Context, have *index) (*index, error) {
	s, err := settle(w.target, have)
	if err != nil {
		return nil, err
	}
	w.shape = s
	switch {
	case have == nil:
		err = w.create(ctx, s)
	case len(s.add) > 0:
		err = w.db.call(ctx, request{method: http.MethodPut, path: path(w.target.Table, "_mapping"), body: body(mapping{Properties: s.add})}, nil)
		w.noteAdded(s, err)
	default:
		return have, nil
	}
	if err != nil {
		return nil, failed(ctx, err, "give the index %s its fields", w.target.Table)
	}
	return w.describe(ctx)
}

func (w *writer) noteAdded(s *shape, err error) {
	names := slices.DeleteFunc(slices.Sorted(maps.Keys(s.add)), func(n string) bool { return n == marker })
	if err == nil && len(names) > 0 {
		w.target.Note(syncline.Info, "added to the index %s: %s", w.target.Table, strings.Join(names, ", "))
	}
}

// commonLimit is how many fields an index has at most unless it says otherwise.
const commonLimit = 1000

func (w *writer) create(ctx context.Context, s *shape) error {
	settings := map[string]any{"number_of_shards": w.db.Shards, "number_of_replicas": w.db.Replicas}
	if n := 2 * len(s.add); n > commonLimit/2 {
		settings["mapping.total_fields.limit"] = n + commonLimit
	}
	doc := map[string]any{"settings": map[string]any{"index": settings}, "mappings": mapping{Properties: s.add}}
	err := w.db.call(ctx, request{method: http.MethodPut, path: path(w.target.Table), body: body(doc), wait: true}, nil)
	if is(err, "resource_already_exists_exception") {
		return nil // an earlier try whose answer was lost, or somebody else this moment: it is looked at again
	}
	if err == nil {
		w.target.Note(syncline.Info, "made the index %s with %d fields", w.target.Table, len(s.schema.Fields()))
	}
	return err
}

// refresh makes what is acknowledged visible to searches.
func (d *cluster) refresh(ctx context.Context, index string) error {
	return d.call(ctx, request{method: http.MethodPost, path: path(index, "_refresh"), wait: true}, nil)
}

// count counts the documents that match a query.
func (w *writer) count(ctx context.Context, query any) (int64, error) {
	var n struct {
		Count  int64                `json:"count"`
		Shards struct{ Failed int } `json:"_shards"`
	}
	err := w.db.call(ctx, request{method: http.MethodPost, path: path(w.target.Table, "_count"), body: body(map[string]any{"query": query}), wait: true}, &n)
	if err == nil && n.Shards.Failed > 0 {
		err = fmt.Errorf("%d shards did not answer", n.Shards.Failed)
	}
	return n.Count, failed(ctx, err, "count documents of %s", w.target.Table)
}

type object = map[string]any

// ours are the documents of this stream.
func (w *writer) ours() object { return term("stream", w.target.Fence.Stream) }

// seen are those that this load has written.
func (w *writer) seen() object { return every(w.ours(), term("load", w.load())) }

// unseen are those that it has not, and that are to go.
func (w *writer) unseen() object {
	q := object{"bool": object{"filter": []object{w.ours()}, "must_not": []object{term("load", w.load())}}}
	if stretch(w.target) {
		q = every(q, w.within())
	}
	return q
}

// within are those in the window of the cursor.
func (w *writer) within() object {
	const form = "2006-01-02T15:04:05.000Z"
	from, to := w.target.Window.From.UTC().Format(form), w.target.Window.To.UTC().Format(form)
	return object{"range": object{w.target.Cursor: object{"gte": from, "lt": to, "format": dates}}}
}

func term(field, value string) object { return object{"term": object{marker + "." + field: value}} }

func every(all ...object) object { return object{"bool": object{"filter": all}} }

// params are query parameters, by name and value.
func params(pairs ...string) url.Values {
	q := url.Values{}
	for i := 0; i < len(pairs); i += 2 {
		q.Set(pairs[i], pairs[i+1])
	}
	return q
}
