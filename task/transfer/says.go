package transfer

import (
	"fmt"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

func (t *transfer) note(s syncline.Severity, format string, args ...any) {
	t.call.Note(s, format, args...)
}

// saysPlanned tells, before the first row, what is about to happen.
func (t *transfer) saysPlanned() {
	q := t.order.query
	says := []string{fmt.Sprintf("%s → %s: %s, %s", q.Entity.Name, t.table, t.reading(), t.order.disposition)}
	if len(q.Entity.Key) > 0 {
		says = append(says, "key "+strings.Join(q.Entity.Key, ", "))
	} else {
		says = append(says, "no key")
	}
	if n := len(t.memo.Plan.Parts); n > 1 {
		says = append(says, fmt.Sprintf("%d parts", n))
	}
	says = append(says, t.path)
	t.note(syncline.Info, "%s", strings.Join(says, "; "))
	if t.order.repeats {
		t.note(syncline.Warning, "the mark of %s stays where it is: what lies behind it in this window is appended again by the next incremental run", q.Entity.Name)
	}
	if t.memo.Plan.Resume == source.ResumeRestart {
		t.note(syncline.Info, "an interrupted read of %s starts from the beginning: %s", q.Entity.Name, t.memo.Plan.Why)
	}
}

// reading says which rows are read.
func (t *transfer) reading() string {
	q := t.order.query
	switch {
	case q.Window != nil:
		return fmt.Sprintf("%s from %s to %s", q.Cursor, q.Window.From.Format(day), q.Window.To.Format(day))
	case q.Mode == syncline.ModeFull:
		return "full"
	case q.Since == nil:
		return "incremental, the first time in full" + by(q.Cursor)
	case q.Overlap > 0:
		return fmt.Sprintf("incremental%s, reading %s again", by(q.Cursor), q.Overlap)
	}
	return "incremental" + by(q.Cursor)
}

const day = "2006-01-02 15:04:05Z07:00"

func by(cursor string) string {
	if cursor == "" {
		return ""
	}
	return " by " + cursor
}

// saysResumed tells what becomes of what was read before.
func (t *transfer) saysResumed(at rows.Standing) {
	var read int64
	left := 0
	for _, p := range t.memo.Plan.Parts {
		read += at.Parts[p.ID].Counts.Read
		if !at.Parts[p.ID].Done {
			left++
		}
	}
	of := ""
	if n := max(t.memo.Plan.Expected, t.call.Task.Stats.Expected); n > 0 {
		of = fmt.Sprintf(" of about %d", n)
	}
	switch {
	case read > 0 && t.memo.Corrects:
		t.note(syncline.Info, "goes on after %d%s rows; of those, what has changed since is read again", read, of)
		return
	case left == 0:
		t.note(syncline.Info, "all %d rows are read; goes on to publish them", read)
		return
	case read == 0: // nothing was durable, so nothing is odd
		return
	}
	t.note(syncline.Info, "goes on after %d%s rows; the rest is read as the source is now", read, of)
}

func (t *transfer) saysPublished(p destination.Published) {
	sum := p.Counts
	says := fmt.Sprintf("published in %s: %d read, %d inserted, %d updated, %d unchanged", p.Where, sum.Read, sum.Inserted, sum.Updated, sum.Unchanged)
	for _, more := range []struct {
		n    int64
		what string
	}{{sum.Superseded, "superseded"}, {sum.Deleted, "deleted"}, {p.Swept, "removed"}, {sum.Rejected, "rejected"}, {sum.Filtered, "filtered"}} {
		if more.n > 0 {
			says += fmt.Sprintf(", %d %s", more.n, more.what)
		}
	}
	if p.Total >= 0 {
		says += fmt.Sprintf("; %d rows there now", p.Total)
	}
	t.note(syncline.Info, "%s", says)
}
