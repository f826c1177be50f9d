package postgres

import (
	"strconv"

	"github.com/synclinehq/syncline/store/sqlstore"
)

// pile are rows of which one statement can say what was said of each.
type pile struct {
	bulk sqlstore.Bulk
	qs   []queued
}

// merged makes one statement of those that say the same of different runs: planning,
// locking and preparing thirteen indexes costs more than a row does. What is said of one
// run in one table keeps its order.
func merged(qs []queued) (out []queued) {
	var piles []*pile
	by, seen := map[string]*pile{}, map[[2]string]bool{}
	close := func() {
		for _, p := range piles {
			out = append(out, p.queued())
		}
		piles = nil
		clear(by)
		clear(seen)
	}
	for _, q := range qs {
		bulk, ok := sqlstore.Bulks[q.stmt]
		if !ok {
			close()
			out = append(out, q)
			continue
		}
		row := [2]string{bulk.Table, q.args[bulk.Key].(string)}
		if seen[row] {
			close()
		}
		seen[row] = true
		if by[q.stmt] == nil {
			by[q.stmt] = &pile{bulk: bulk}
			piles = append(piles, by[q.stmt])
		}
		by[q.stmt].qs = append(by[q.stmt].qs, q)
	}
	close()
	return out
}

// queued turns rows into lists.
func (p *pile) queued() queued {
	if len(p.qs) == 1 {
		return p.qs[0]
	}
	lists := make([]any, len(p.qs[0].args))
	for i := range lists {
		list := make([]any, len(p.qs))
		for j, q := range p.qs {
			list[j] = q.args[i]
		}
		lists[i] = list
	}
	q := queued{stmt: p.bulk.Text, args: lists, sure: p.qs[0].sure}
	if q.sure {
		q.many = len(lists) + 1
		q.args = append(q.args, len(p.qs))
	}
	return q
}

// text of a statement that must change its rows has the server fail when it changes
// fewer, so that a commit sent along with it does nothing.
func (q queued) text(words *dictionary) string {
	switch {
	case !q.sure:
		return words.text(q.stmt)
	case q.many > 0:
		return "with done as (" + words.text(q.stmt) + " returning 1) select 1 / (count(*) = $" + strconv.Itoa(q.many) + "::bigint)::integer from done"
	}
	return "with done as (" + words.text(q.stmt) + " returning 1) select 1 / count(*) from done"
}
