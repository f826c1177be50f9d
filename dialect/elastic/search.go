package elastic

import (
	"cmp"
	"errors"
	"iter"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// window is how far into its hits a search or list may reach, as in Elasticsearch.
const window = 10000

// search is what a body asks for.
type search struct {
	query      query
	sort       []orderBy
	from, size int
	seqNo      bool
	version    bool
	bare       bool // without _source
}

// hit is a document that was found. draw completes it for those that are shown.
type hit struct {
	id   string
	seq  int64
	doc  map[string]any
	draw func() (map[string]any, error)
}

var searchParser = parser{name: "search", fields: []field{
	{name: "query", kind: objectOrNull},
	{name: "sort", kind: anything},
	{name: "from", kind: long},
	{name: "size", kind: long},
	{name: "seq_no_primary_term", kind: boolean},
	{name: "version", kind: boolean},
	{name: "_source", kind: boolean},
	{name: "track_total_hits", kind: anything},
}}

var countParser = parser{name: "count", fields: []field{{name: "query", kind: objectOrNull}}}

// search reads a request's body and query.
func (c *call) search(p parser) (s search, err error) {
	given, raw, err := p.placed(c, false)
	if err != nil {
		return s, err
	}
	s.query = all{}
	if q := given["query"]; q != nil && !q.isNull() {
		if s.query, err = (asking{raw, c.api.o.Now()}).query(q); err != nil {
			return s, err
		}
	}
	if s.sort, err = orders(raw, given["sort"]); err != nil {
		return s, err
	}
	s.bare = given["_source"] != nil && given["_source"].text == "false"
	s.version = given["version"] != nil && given["version"].text == "true"
	s.seqNo, err = c.flag("seq_no_primary_term")
	s.seqNo = s.seqNo || given["seq_no_primary_term"] != nil && given["seq_no_primary_term"].text == "true"
	if err != nil {
		return s, err
	}
	return s, c.page(&s, given)
}

// page reads which of the hits are wanted.
func (c *call) page(s *search, given map[string]*value) (err error) {
	if s.from, err = c.whole("from", 0); err != nil {
		return err
	}
	if s.size, err = c.whole("size", 10); err != nil {
		return err
	}
	for name, into := range map[string]*int{"from": &s.from, "size": &s.size} {
		if given[name] == nil {
			continue
		}
		n, _ := given[name].long() // the parser has read it
		if n < 0 {
			return illegal("[%s] parameter cannot be negative, found [%d]", name, n)
		}
		*into = int(min(n, window+1))
	}
	if s.from+s.size > window {
		return illegal("Result window is too large, from + size must be less than or equal to: [%d] but was [%d].", window, s.from+s.size)
	}
	return nil
}

// orderBy is one thing that hits are sorted by.
type orderBy struct {
	field string
	down  bool
}

// orders reads a sort: "field", {"field":"desc"}, {"field":{"order":"desc"}} or a list of
// them.
func orders(raw []byte, v *value) (all []orderBy, err error) {
	if v == nil || v.isNull() {
		return nil, nil
	}
	items := v.items
	if v.token != "START_ARRAY" {
		items = []*value{v}
	}
	for _, item := range items {
		if item.token == "VALUE_STRING" {
			all = append(all, orderBy{field: item.text, down: item.text == "_score"})
			continue
		}
		for i := range item.members {
			m := &item.members[i]
			word := m.text
			if m.token == "START_OBJECT" {
				if word = "asc"; m.get("order") != nil {
					word = m.get("order").text
				}
			}
			if !slices.Contains([]string{"asc", "desc"}, strings.ToLower(word)) {
				return nil, parseFault(raw, m.at, "[sort] unknown order [%s]", word)
			}
			all = append(all, orderBy{m.name, strings.EqualFold(word, "desc")})
		}
	}
	return all, nil
}

// top keeps the hits that a search may show, and counts them all: what it holds is bounded
// by what was asked for.
type top struct {
	search
	hits  []*hit
	total int
}

func (t *top) add(h *hit) {
	t.total++
	t.hits = append(t.hits, h)
	if len(t.hits) >= 2*(t.from+t.size)+100 {
		t.cut()
	}
}

func (t *top) cut() {
	slices.SortStableFunc(t.hits, func(a, b *hit) int {
		for _, o := range t.sort {
			if sign := o.compare(a, b); sign != 0 {
				return sign
			}
		}
		return 0
	})
	t.hits = t.hits[:min(len(t.hits), t.from+t.size)]
}

// compare puts what has no value last.
func (o orderBy) compare(a, b *hit) int {
	if o.field == "_id" {
		return turned(strings.Compare(a.id, b.id), o.down)
	}
	x, y := valuesAt(a.doc, o.field), valuesAt(b.doc, o.field)
	if len(x) == 0 || len(y) == 0 {
		return len(y) - len(x)
	}
	return turned(compareValues(scalar(x[0]), scalar(y[0])), o.down)
}

func turned(sign int, down bool) int {
	if down {
		return -sign
	}
	return sign
}

func compareValues(x, y string) int {
	if a, ok := moment(x); ok {
		if b, ok := moment(y); ok {
			return a.Compare(b)
		}
	}
	a, aErr := strconv.ParseFloat(x, 64)
	b, bErr := strconv.ParseFloat(y, 64)
	if aErr == nil && bErr == nil {
		return cmp.Compare(a, b)
	}
	return strings.Compare(x, y)
}

// hitsOf are the documents of a kind that may match a query.
type hitsOf func(c *call, q query) iter.Seq2[*hit, error]

func (c *call) searched(index string, hits hitsOf) (answer, error) {
	s, err := c.search(searchParser)
	if err != nil {
		return answer{}, err
	}
	t, err := find(s, hits(c, s.query))
	if err != nil {
		return answer{}, err
	}
	return t.answer(index)
}

func (c *call) counted(hits hitsOf) (answer, error) {
	s, err := c.search(countParser)
	if err != nil {
		return answer{}, err
	}
	s.from, s.size = 0, 0
	t, err := find(s, hits(c, s.query))
	if err != nil {
		return answer{}, err
	}
	return ok(map[string]any{"count": t.total, "_shards": shards()}), nil
}

// find runs a search over documents.
func find(s search, docs iter.Seq2[*hit, error]) (*top, error) {
	t := &top{search: s}
	return t, t.fill(docs)
}

func (t *top) fill(docs iter.Seq2[*hit, error]) error {
	for h, err := range docs {
		if err != nil {
			return err
		}
		h.doc["_id"] = h.id
		if t.query.match(h.doc) {
			t.add(h)
		}
	}
	t.cut()
	return nil
}

// answer draws the page that was asked for.
func (t *top) answer(index string) (answer, error) {
	hits := []any{}
	for _, h := range t.hits[min(t.from, len(t.hits)):] {
		one := map[string]any{"_index": index, "_id": h.id, "_score": 1.0}
		if len(t.sort) > 0 {
			one["_score"] = nil
		}
		if t.seqNo {
			one["_seq_no"], one["_primary_term"] = h.seq, 1
		}
		if t.version {
			one["_version"] = h.seq
		}
		if !t.bare {
			source, err := h.draw()
			if err != nil {
				return answer{}, err
			}
			one["_source"] = source
		}
		hits = append(hits, one)
	}
	var score any
	if len(t.sort) == 0 && len(hits) > 0 {
		score = 1.0
	}
	return ok(map[string]any{
		"took": 0, "timed_out": false, "_shards": shards(),
		"hits": map[string]any{"total": map[string]any{"value": t.total, "relation": "eq"}, "max_score": score, "hits": hits},
	}), nil
}

func shards() map[string]any {
	return map[string]any{"total": 1, "successful": 1, "skipped": 0, "failed": 0}
}

// connectorHits are the connectors that may match: those that the query names, or all.
func (c *call) connectorHits(q query) iter.Seq2[*hit, error] {
	return func(yield func(*hit, error) bool) {
		for k, err := range c.candidates(q) {
			if err != nil {
				yield(nil, err)
				return
			}
			if !yield(c.connectorHit(k), nil) {
				return
			}
		}
	}
}

func (c *call) candidates(q query) iter.Seq2[*connector, error] {
	ids, limited := q.only("_id")
	if !limited {
		return c.connectors()
	}
	slices.Sort(ids)
	return func(yield func(*connector, error) bool) {
		for _, id := range slices.Compact(ids) {
			k, err := c.connector(id)
			if hidden(err) {
				continue
			}
			if !yield(k, err) || err != nil {
				return
			}
		}
	}
}

// gone reports whether an error says that a document is not there.
func gone(err error) bool {
	f, ok := errors.AsType[*failure](err)
	return ok && f.status == http.StatusNotFound || syncline.CodeOf(err) == syncline.NotFound
}

// hidden reports whether a document is not there, or not for the caller.
func hidden(err error) bool {
	return gone(err) || syncline.CodeOf(err) == syncline.PermissionDenied
}

func (c *call) connectorHit(k *connector) *hit {
	return &hit{k.id, k.p.Version, copied(k.doc).(map[string]any), func() (map[string]any, error) {
		return c.connectorSource(k), c.recent(k)
	}}
}

// jobHits are the jobs that may match, oldest last.
func (c *call) jobHits(q query) iter.Seq2[*hit, error] {
	return func(yield func(*hit, error) bool) {
		if ids, limited := q.only("_id"); limited {
			c.namedJobs(ids, yield)
			return
		}
		f, none, err := c.narrowed(q)
		if err != nil {
			yield(nil, err)
			return
		}
		if !none {
			c.listedJobs(f, yield)
		}
	}
}

func (c *call) namedJobs(ids []string, yield func(*hit, error) bool) {
	slices.Sort(ids)
	for _, id := range slices.Compact(ids) {
		j, err := c.wholeJob(id)
		if hidden(err) {
			continue
		}
		if err != nil {
			yield(nil, err)
			return
		}
		if !yield(c.jobHit(j.Detail, j.p), nil) {
			return
		}
	}
}

func (c *call) listedJobs(f syncline.RunFilter, yield func(*hit, error) bool) {
	for f.Limit = 1000; ; {
		page, err := c.jobs(f)
		if err != nil {
			yield(nil, err)
			return
		}
		for _, j := range page {
			if !yield(c.jobHit(j.Detail, j.p), nil) {
				return
			}
		}
		if len(page) < f.Limit {
			return
		}
		last := page[len(page)-1].Run
		f.BeforeAt, f.BeforeID = last.CreatedAt, last.ID
	}
}

func (c *call) jobHit(d ledger.Detail, p *syncline.Pipeline) *hit {
	return &hit{d.Run.ID, d.Run.Version, drawJob(d, p), func() (map[string]any, error) { return c.jobSource(d, p), nil }}
}

// narrowed is what the ledger can select of a query by itself. none: nothing can match.
func (c *call) narrowed(q query) (f syncline.RunFilter, none bool, err error) {
	if words, limited := q.only("status"); limited {
		for _, w := range words {
			f.Aspects = append(f.Aspects, jobAspects(w)...)
		}
		none = len(f.Aspects) == 0
	}
	if words, limited := q.only("job_type"); limited {
		for _, w := range words {
			f.Modes = append(f.Modes, jobTypes[w]...)
		}
		none = none || len(f.Modes) == 0
	}
	if f.Pipelines, err = c.seen(); err != nil || f.Pipelines != nil || none {
		return f, none, err
	}
	if ids, limited := q.only("connector.id"); limited {
		f.Pipelines, err = c.pipelinesOf(ids)
	}
	return f, none, err
}

// pipelinesOf are those of connectors; nil when one of them is gone, whose jobs only their
// own documents tell.
func (c *call) pipelinesOf(connectors []string) ([]string, error) {
	ids := []string{}
	for _, name := range connectors {
		if !storable(name) {
			continue
		}
		p, err := c.api.o.Catalog.Named(c.ctx(), Name, name)
		if syncline.CodeOf(err) == syncline.NotFound {
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		ids = append(ids, p.ID)
	}
	return ids, nil
}
