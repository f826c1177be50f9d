package transfer

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// memo is what one attempt leaves for the next: durable before the first row is written,
// so that whatever is staged can be explained by it.
type memo struct {
	Load   string      `json:"load"`
	Shape  string      `json:"shape"` // what the plan was made for
	Format rows.Format `json:"format"`
	// Corrects: the plan counts on a destination that corrects what it has taken.
	Corrects bool        `json:"corrects,omitempty"`
	Since    []byte      `json:"since,omitempty"`
	Plan     source.Plan `json:"plan"`
}

// recall reads what an earlier attempt left; nothing, when it belongs to another load.
func recall(stored json.RawMessage, load string) memo {
	var m memo
	if json.Unmarshal(stored, &m) != nil || m.Load != load {
		return memo{}
	}
	return m
}

func (t *transfer) remember(ctx context.Context) error {
	stored, err := json.Marshal(t.memo)
	if err != nil {
		return fmt.Errorf("write down the plan: %w", err)
	}
	return t.call.Memo(ctx, stored)
}

// goesOn reports whether the positions of s can be gone on with under m's plan, or else why
// not. A load whose parts are all done needs no reading, so even a source that cannot
// resume may go on to publish it.
func (m memo) goesOn(s rows.Standing, shape string, now source.Query) (bool, string) {
	switch {
	case m.Load == "":
		return false, "its plan was lost"
	case m.Shape != shape:
		return false, "the source's columns or the pipeline's settings have changed since"
	case m.Format != now.Format:
		return false, fmt.Sprintf("it was read as %s, and now %s is what both ends know", m.Format, now.Format)
	case m.Corrects && !now.Corrects:
		return false, "the destination can no longer correct what it has taken"
	case m.Plan.Resume != source.ResumeByPart && !done(m.Plan, s):
		return false, "the source cannot be resumed: " + m.Plan.Why
	}
	return true, ""
}

func done(p source.Plan, s rows.Standing) bool {
	for _, part := range p.Parts {
		if !s.Parts[part.ID].Done {
			return false
		}
	}
	return len(p.Parts) > 0
}

// shape names everything that positions and staged rows depend on.
func shape(q source.Query, d syncline.Disposition) string {
	h := sha256.New()
	for _, f := range q.Entity.Schema.Fields() {
		fmt.Fprintf(h, "%q %s %t %q\n", f.Name, f.Type, f.Nullable, rows.Native(f))
	}
	window, _ := json.Marshal(q.Window) // two times and nothing else
	fmt.Fprintf(h, "%q %s %s %q %s", q.Entity.Key, q.Mode, d, q.Cursor, window)
	return hex.EncodeToString(h.Sum(nil)[:16])
}
