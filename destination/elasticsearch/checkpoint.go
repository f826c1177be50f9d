package elasticsearch

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"strconv"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
)

// checkpointIndex holds, on the cluster that is written to, whose a stream is and how far
// its parts have come. It is hidden, so that no search for * finds it.
const checkpointIndex = "syncline-checkpoints"

// fence is what is known of a stream. Every change of it is a compare-and-swap.
type fence struct {
	Stream string `json:"stream"`
	Index  string `json:"index"`
	Token  int64  `json:"token"`
	Turn   int64  `json:"turn"` // counts takeovers: one token may take over twice
	Load   string `json:"load"`
	Round  int64  `json:"round"`  // counts beginnings of loads: one load may begin anew
	Shape  string `json:"shape"`  // of the rows it writes
	Target string `json:"target"` // the uuid of the index it writes to
	Had    int64  `json:"had"`    // documents of the stream when it began
	// Gone is set once the sweep may have begun: what it takes away in all.
	Gone      *int64     `json:"gone,omitempty"`
	Published *published `json:"published,omitempty"` // the last load that was
	Mark      []byte     `json:"mark,omitempty"`
	Nonce     string     `json:"nonce"`
}

// published is the last load that was made visible whole.
type published struct {
	Load   string          `json:"load"`
	Target string          `json:"target"`
	Total  int64           `json:"total"`
	Swept  int64           `json:"swept"`
	Counts syncline.Counts `json:"counts"`
}

// part is how far one part of the stream's load has come.
type part struct {
	Stream   string        `json:"stream"`
	Part     string        `json:"part"`
	Token    int64         `json:"token"`
	Round    int64         `json:"round"` // the fence's: of another one it means nothing
	Position rows.Position `json:"position"`
	Nonce    string        `json:"nonce"`
}

// at is the state of a document that a change is held against; the zero at is of one that
// is not there.
type at struct {
	Seq  int64 `json:"_seq_no"`
	Term int64 `json:"_primary_term"`
}

// query are the parameters that hold a change against it.
func (v at) query() url.Values {
	return params("if_seq_no", strconv.FormatInt(v.Seq, 10), "if_primary_term", strconv.FormatInt(v.Term, 10))
}

// errStale says that somebody else has changed the document.
var errStale = errors.New("changed by somebody else")

func fenceID(stream string) string { return short(stream) }

func partID(stream, part string) string { return short(stream) + "-" + short(part) }

// ensure makes the index of checkpoints.
func (d *cluster) ensure(ctx context.Context) error {
	word, off := object{"type": "keyword"}, false
	doc := object{
		"settings": object{"index": object{"hidden": true, "number_of_shards": 1, "auto_expand_replicas": "0-1"}},
		"mappings": object{"dynamic": off, "properties": object{"stream": word, "part": word, "index": word}},
	}
	err := d.call(ctx, request{method: http.MethodHead, path: path(checkpointIndex)}, nil)
	if status(err) == http.StatusNotFound {
		err = d.call(ctx, request{method: http.MethodPut, path: path(checkpointIndex), body: body(doc), wait: true}, nil)
	}
	if is(err, "resource_already_exists_exception") {
		err = nil
	}
	return failed(ctx, err, "make the index %s, where positions are kept", checkpointIndex)
}

// get reads a document as it is now, not as searches see it.
func (d *cluster) get(ctx context.Context, id string, into any) (at, bool, error) {
	var found struct {
		at
		Found  bool            `json:"found"`
		Source json.RawMessage `json:"_source"`
	}
	err := d.call(ctx, request{method: http.MethodGet, path: path(checkpointIndex, "_doc", id)}, &found)
	if status(err) == http.StatusNotFound {
		return at{}, false, nil
	}
	if err == nil && into != nil {
		err = json.Unmarshal(found.Source, into)
	}
	return found.at, found.Found, failed(ctx, err, "read the checkpoint")
}

// swap writes a document that is as it was at v, or is not there. When the fate of an
// attempt is not known it is looked up: the nonce tells whose the document is.
func (d *cluster) swap(ctx context.Context, id string, v at, doc any, nonce string) (at, error) {
	r := request{method: http.MethodPut, path: path(checkpointIndex, "_create", id), body: body(doc)}
	if v != (at{}) {
		r.path = path(checkpointIndex, "_doc", id)
		r.query = v.query()
	}
	b := newBackoff()
	for {
		answer, err := d.once(ctx, r)
		switch {
		case err == nil:
			var now at
			return now, failed(ctx, json.Unmarshal(answer, &now), "write the checkpoint")
		case status(err) == http.StatusConflict:
			return d.mine(ctx, id, nonce)
		case status(err) == http.StatusNotFound: // the index is gone, and all that was known with it
			return v, errStale
		case ctx.Err() != nil || !passing(err) || !b.wait(ctx, err):
			return v, failed(ctx, err, "write the checkpoint")
		}
	}
}

// mine is where a document stands that was written with the nonce.
func (d *cluster) mine(ctx context.Context, id, nonce string) (at, error) {
	var there struct{ Nonce string }
	v, ok, err := d.get(ctx, id, &there)
	if err == nil && (!ok || there.Nonce != nonce) {
		err = errStale
	}
	return v, err
}

// change is swap for this stream's fence, which must still be this writer's.
func (w *writer) change(ctx context.Context, f fence) error {
	f.Nonce = rand.Text()
	v, err := w.db.swap(ctx, fenceID(f.Stream), w.fenceAt, f, f.Nonce)
	if errors.Is(err, errStale) {
		return syncline.ErrLeaseLost
	}
	if err == nil {
		w.fence, w.fenceAt = f, v
	}
	return err
}

// held asks whether the stream is still this writer's.
func (w *writer) held(ctx context.Context) error {
	var f fence
	_, ok, err := w.db.get(ctx, fenceID(w.target.Fence.Stream), &f)
	if err == nil && (!ok || f.Token != w.fence.Token || f.Turn != w.fence.Turn) {
		err = syncline.ErrLeaseLost
	}
	return err
}

// raise makes the stream this writer's own, whatever it holds.
func (w *writer) raise(ctx context.Context) error {
	for {
		var f fence
		v, _, err := w.db.get(ctx, fenceID(w.target.Fence.Stream), &f)
		if err != nil {
			return err
		}
		if f.Token > w.target.Fence.Token {
			return syncline.ErrLeaseLost
		}
		f.Stream, f.Index, f.Token, f.Turn = w.target.Fence.Stream, w.target.Table, w.target.Fence.Token, f.Turn+1
		w.fenceAt = v
		if err = w.change(ctx, f); !errors.Is(err, syncline.ErrLeaseLost) {
			return err
		}
	}
}

// parts are those of the stream, each with where it stands.
func (w *writer) parts(ctx context.Context) (map[string]placedPart, error) {
	if err := w.db.refresh(ctx, checkpointIndex); err != nil {
		return nil, failed(ctx, err, "read the checkpoints")
	}
	found := map[string]placedPart{}
	query := every(object{"term": object{"stream": w.target.Fence.Stream}}, object{"exists": object{"field": "part"}})
	search := object{"query": query, "seq_no_primary_term": true}
	err := w.db.scrollAll(ctx, checkpointIndex, search, func() { clear(found) }, func(hits []hit) error {
		for _, h := range hits {
			p := placedPart{at: h.at}
			if err := json.Unmarshal(h.Source, &p.part); err != nil {
				return err
			}
			found[p.Part] = p
		}
		return nil
	})
	return found, failed(ctx, err, "read the checkpoints")
}

type placedPart struct {
	part
	at
}

// save writes a part's document.
func (w *writer) save(ctx context.Context, p placedPart) (placedPart, error) {
	p.Nonce = rand.Text()
	v, err := w.db.swap(ctx, partID(p.Stream, p.Part), p.at, p.part, p.Nonce)
	p.at = v
	return p, err
}
