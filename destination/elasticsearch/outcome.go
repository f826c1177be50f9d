package elasticsearch

import (
	"fmt"
	"net/http"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
)

// carryOut sends a bulk and accounts for its rows. Those that were refused are kept before
// anything moves past them.
func (l *lane) carryOut(b *bulk) (syncline.Counts, error) {
	var c syncline.Counts
	rejects, err := l.yield(b)
	if err != nil {
		return c, err
	}
	answers, err := l.w.send(l.life, b)
	if err != nil {
		return c, err
	}
	conflicts := 0
	for i, a := range answers {
		switch it := b.items[i]; {
		case a.done():
			tally(&c, a, it.doc == 0)
		case a.conflict():
			conflicts++
			rejects = append(rejects, b.reject(it, rows.CodeConstraint, "a newer version of the document is there, which Syncline has not written"))
		case a.refused():
			rejects = append(rejects, b.reject(it, code(a), fmt.Sprintf("%s: %s", a.Error.Type, a.Error.text())))
		default:
			return c, failed(l.life, a.fault(), "write to the index %s", l.w.target.Table)
		}
	}
	if conflicts > 0 {
		// Usually it is a newer holder's, and then none of this is ours to judge.
		if err := l.w.held(l.life); err != nil {
			return c, err
		}
	}
	c.Rejected += int64(len(rejects))
	if len(rejects) == 0 {
		return c, nil
	}
	return c, l.w.target.Keep(l.life, l.part.Part, rejects)
}

// tally counts one item by what the cluster says of it.
func tally(c *syncline.Counts, a answer, deletes bool) {
	switch {
	case a.Result == "noop": // an ingest pipeline has dropped it
		c.Filtered++
	case a.Status == http.StatusCreated:
		c.Inserted++
	case a.Status == http.StatusNotFound:
		c.Unchanged++
	case deletes:
		c.Deleted++
	default:
		c.Updated++
	}
}

func code(a answer) string {
	if a.Status == http.StatusRequestEntityTooLarge {
		return rows.CodeTooLarge
	}
	return rows.CodeConstraint
}

// reject is what is kept of an item that was refused.
func (b *bulk) reject(it item, code, why string) rows.Reject {
	r := rows.Reject{Row: it.row, Key: b.id(it), Code: code, Message: why}
	if it.doc > 0 {
		r.Sample = sample(b.body[it.doc:it.end])
	}
	return r
}
