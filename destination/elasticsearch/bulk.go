package elasticsearch

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"regexp"
	"strconv"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/jsontext"
)

const (
	// fullBody is when a request is sent, and maxBody what it may be, unless a row alone is
	// larger. Smaller ones cost the cluster more for each, larger ones cost memory here: a
	// lane holds two of them for each request that may be in flight.
	fullBody = 2 << 20
	maxBody  = 5 << 20
)

// bulk is the body of a request with what must be known of its items.
// https://www.elastic.co/docs/api/doc/elasticsearch/operation/operation-bulk
type bulk struct {
	body  []byte
	items []item
	tail  []byte // of every action: version and type of version
}

// item is one action and, unless it deletes, the document behind it.
type item struct {
	start, doc, end int
	row             int64 // its ordinal in the part
}

const (
	indexAction  = `{"index":{"_id":`
	deleteAction = `{"delete":{"_id":`
)

func newBulk(w *writer) *bulk {
	// Equal versions may be written again: what is repeated after a crash is no conflict.
	tail := strconv.AppendInt([]byte(`,"version":`), w.target.Fence.Token, 10)
	return &bulk{tail: append(tail, `,"version_type":"external_gte"}}`+"\n"...)}
}

// index begins an action whose document the caller appends to body, and ends.
func (b *bulk) index(id []byte, row int64) {
	b.begin(indexAction, id, row)
	b.items[len(b.items)-1].doc = len(b.body)
}

func (b *bulk) delete(id []byte, row int64) {
	b.begin(deleteAction, id, row)
	b.end()
}

func (b *bulk) begin(action string, id []byte, row int64) {
	b.items = append(b.items, item{start: len(b.body), row: row})
	b.body = jsontext.AppendQuoted(append(b.body, action...), id)
	b.body = append(b.body, b.tail...)
}

func (b *bulk) end() { b.items[len(b.items)-1].end = len(b.body) }

// quotedID is an item's id as it stands in the body.
func (b *bulk) quotedID(it item) string {
	s := string(b.body[it.start:min(it.end, it.start+len(deleteAction)+6*maxID+2)])
	at := strings.Index(s, `"_id":`) + len(`"_id":`)
	end, err := jsontext.String(s, at)
	if err != nil {
		return `""` // it was written by us, so it is a string
	}
	return s[at:end]
}

// id is an item's id.
func (b *bulk) id(it item) string {
	id, err := jsontext.AppendUnquoted(nil, b.quotedID(it))
	if err != nil {
		return ""
	}
	return string(id)
}

// carry moves the last item to another bulk.
func (b *bulk) carry(to *bulk) {
	last := b.items[len(b.items)-1]
	to.body = append(to.body, b.body[last.start:]...)
	by := len(to.body) - len(b.body)
	last.start, last.end = last.start+by, last.end+by
	if last.doc > 0 {
		last.doc += by
	}
	to.items = append(to.items, last)
	b.items, b.body = b.items[:len(b.items)-1], b.body[:last.start-by]
}

// drop takes items out.
func (b *bulk) drop(which func(i int) bool) {
	kept, at := b.items[:0], 0
	for i, it := range b.items {
		if which(i) {
			continue
		}
		by := at - it.start
		at += copy(b.body[at:], b.body[it.start:it.end])
		it.start, it.end = it.start+by, it.end+by
		if it.doc > 0 {
			it.doc += by
		}
		kept = append(kept, it)
	}
	b.items, b.body = kept, b.body[:at]
}

// reset empties the bulk for the next rows; what one huge row has grown is let go of.
func (b *bulk) reset() {
	b.items, b.body = b.items[:0], b.body[:0]
	if cap(b.body) > 2*maxBody {
		b.body = nil
	}
}

// answer is what became of an item.
type answer struct {
	Status int    `json:"status"`
	Result string `json:"result"`
	Error  *cause `json:"error"`
}

// conflict: a document of a newer version is there.
func (a answer) conflict() bool { return a.Status == http.StatusConflict }

// done reports whether the item was carried out; to delete what is not there is that, too.
func (a answer) done() bool {
	return a.Status/100 == 2 || a.Status == http.StatusNotFound && a.Error == nil
}

// refused reports whether it is the document that cannot be taken.
func (a answer) refused() bool {
	return a.Status == http.StatusBadRequest || a.Status == http.StatusRequestEntityTooLarge
}

// fault is why an item failed that is itself not to blame; nil when it did not.
func (a answer) fault() error {
	if a.done() {
		return nil
	}
	r := &refusal{status: a.Status}
	if a.Error != nil {
		r.kind, r.reason = a.Error.Type, a.Error.text()
	}
	return r
}

// send has the items carried out in their order, and repeats those that the cluster was too
// busy for. With the first of them all after it are sent again, so that of two items with
// one id the later one still has the last word.
func (w *writer) send(ctx context.Context, b *bulk) ([]answer, error) {
	all := make([]answer, len(b.items))
	wait, span := newBackoff(), len(all)
	for lo := 0; lo < len(all); {
		hi := min(lo+span, len(all))
		got, err := w.post(ctx, b.body[b.items[lo].start:b.items[hi-1].end], hi-lo)
		switch {
		case beyond(err) && hi-lo > 1:
			span = (hi - lo) / 2
			continue
		case beyond(err):
			got = []answer{tooLarge}
		case err != nil && (ctx.Err() != nil || !passing(err) || !wait.wait(ctx, err)):
			return nil, failed(ctx, err, "write to the index %s", w.target.Table)
		case err != nil:
			w.doubt(err)
			continue
		}
		next := lo + merge(all[lo:hi], got)
		if next < hi {
			switch err := all[next].fault(); {
			case beyond(err) && hi-next > 1:
				span = (hi - next) / 2
			case beyond(err):
				all[next] = tooLarge
				next++
			case !wait.wait(ctx, err):
				return nil, failed(ctx, err, "write to the index %s", w.target.Table)
			}
		}
		if next > lo {
			wait = newBackoff()
		}
		lo = next
	}
	return all, nil
}

// doubt tells people, once, that a request to which no answer came is made again.
func (w *writer) doubt(err error) {
	if _, answered := errors.AsType[*refusal](err); answered {
		return
	}
	w.doubtful.Do(func() {
		w.target.Note(syncline.Info, "the index %s did not answer, so rows are sent again: those it had written already count as updated (%v)", w.target.Table, bare(err))
	})
}

// tooLarge is what becomes of a row that cannot be sent in pieces.
var tooLarge = answer{Status: http.StatusRequestEntityTooLarge, Error: &cause{Type: "too_large", Reason: "it is larger than the cluster takes in one request"}}

// weighed is how a cluster says what an operation weighs and what all together may weigh.
var weighed = regexp.MustCompile(`_operation_bytes=(\d+), max_\w*bytes=(\d+)`)

// beyond reports whether a request is larger than will ever be taken: more than a proxy
// lets through, or than the cluster has memory for, which it says as if it were busy.
func beyond(err error) bool {
	r, ok := errors.AsType[*refusal](err)
	if !ok {
		return false
	}
	m := weighed.FindStringSubmatch(r.reason)
	if m == nil || r.status != http.StatusTooManyRequests {
		return r.status == http.StatusRequestEntityTooLarge
	}
	operation, _ := strconv.ParseInt(m[1], 10, 64) // digits, and what overflows is the largest
	most, _ := strconv.ParseInt(m[2], 10, 64)
	return operation > most
}

// merge notes answers, and says how many there are before the first that asks to come
// again. What was carried out before stays so: the second time the document was there.
func merge(all, got []answer) int {
	first := len(got)
	for i, a := range got {
		if busy(a.Status) {
			first = min(first, i)
		}
		if !(all[i].Status != 0 && all[i].done() && a.done()) {
			all[i] = a
		}
	}
	return first
}

// post makes one request when there is room for it.
func (w *writer) post(ctx context.Context, body []byte, items int) ([]answer, error) {
	select {
	case w.slots <- struct{}{}:
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	defer func() { <-w.slots }()
	raw, err := w.db.once(ctx, request{method: http.MethodPost, path: path(w.target.Table, "_bulk"), query: w.bulkQuery(), body: body, lines: true})
	if err != nil {
		return nil, err
	}
	var found struct {
		Items []struct{ Index, Delete answer }
	}
	found.Items = make([]struct{ Index, Delete answer }, 0, items)
	if err := json.Unmarshal(raw, &found); err != nil || len(found.Items) != items {
		return nil, &refusal{status: http.StatusBadGateway, kind: "answer", reason: "it is not one of _bulk"}
	}
	answers := make([]answer, items)
	for i, it := range found.Items {
		if answers[i] = it.Index; it.Index.Status == 0 {
			answers[i] = it.Delete
		}
	}
	return answers, nil
}

// bulkQuery asks for no more of the answer than is looked at.
func (w *writer) bulkQuery() url.Values {
	wanted := "items.*.status,items.*.error.type,items.*.error.reason,items.*.error.caused_by.type,items.*.error.caused_by.reason"
	if w.db.Pipeline == "" {
		return params("filter_path", wanted)
	}
	return params("filter_path", wanted+",items.*.result", "pipeline", w.db.Pipeline)
}
