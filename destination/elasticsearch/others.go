package elasticsearch

import (
	"net/http"

	"github.com/synclinehq/syncline/rows"
)

// yield takes out of a bulk what would overwrite or delete documents of others, where there
// are any. It costs a request more for each, so it is asked only in an index that held
// documents of others when the load was taken over.
func (l *lane) yield(b *bulk) ([]rows.Reject, error) {
	if !l.w.wary {
		return nil, nil
	}
	ids := []byte(`{"ids":[`)
	for i, it := range b.items {
		if i > 0 {
			ids = append(ids, ',')
		}
		ids = append(ids, b.quotedID(it)...)
	}
	var found struct {
		Docs []struct {
			Found  bool                               `json:"found"`
			Source map[string]struct{ Stream string } `json:"_source"`
		} `json:"docs"`
	}
	r := request{
		method: http.MethodPost, path: path(l.w.target.Table, "_mget"), body: append(ids, "]}"...),
		query: params("_source_includes", marker+".stream", "filter_path", "docs.found,docs._source"),
	}
	if err := l.w.db.call(l.life, r, &found); err != nil {
		return nil, failed(l.life, err, "see whose documents there are in %s", l.w.target.Table)
	}
	var rejects []rows.Reject
	others := func(i int) bool {
		return i < len(found.Docs) && found.Docs[i].Found && found.Docs[i].Source[marker].Stream != l.w.target.Fence.Stream
	}
	for i, it := range b.items {
		if others(i) {
			rejects = append(rejects, b.reject(it, rows.CodeConstraint, "a document with this id is there, which this pipeline has not written"))
		}
	}
	b.drop(others)
	return rejects, nil
}
