package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/jedib0t/go-pretty/v6/table"
	"github.com/jedib0t/go-pretty/v6/text"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

// summaryRows is how many entities a summary names one by one.
const summaryRows = 20

// newTable is a table as all commands draw them: columns and nothing else.
func newTable(w io.Writer, header ...any) table.Writer {
	t := table.NewWriter()
	t.SetOutputMirror(w)
	t.AppendHeader(table.Row(header))
	style := table.StyleLight
	style.Options = table.OptionsNoBordersAndSeparators
	style.Box.PaddingLeft, style.Box.PaddingRight = "", "  "
	style.Format.Header, style.Format.Footer = text.FormatUpper, text.FormatDefault
	t.SetStyle(style)
	t.SuppressTrailingSpaces()
	return t
}

// right aligns the numbered columns as numbers are.
func right(t table.Writer, columns ...int) {
	var configs []table.ColumnConfig
	for _, n := range columns {
		configs = append(configs, table.ColumnConfig{Number: n, Align: text.AlignRight, AlignHeader: text.AlignRight, AlignFooter: text.AlignRight})
	}
	t.SetColumnConfigs(configs)
}

// summary tells a person how a run ended, and what to type next.
func (c *command) summary(r client.Run) {
	switch r.State {
	case syncline.StateSucceeded:
		c.entities(r)
		c.say("%s", success(r))
	case syncline.StateSuspended:
		c.waits(r)
		return
	default:
		c.failure(r)
		return
	}
	if r.Error != nil {
		c.sayError(r.Error.Message, r.Error.Hint)
	}
	if r.Totals.Rejected > 0 {
		c.say("  next: syncline runs rejects %s", tail(r.ID))
		return
	}
	c.say("  next: syncline runs show %s", tail(r.ID))
}

func success(r client.Run) string {
	t := r.Totals
	line := fmt.Sprintf("run %s succeeded in %s: %s read, %s written", tail(r.ID), took(r.EndedAt.Sub(r.StartedAt)), plural(t.Read, "row"), count(written(t)))
	for _, part := range []struct {
		n    int64
		word string
	}{{t.Unchanged, "unchanged"}, {t.Superseded, "superseded"}, {deleted(t), "deleted"}, {t.Filtered, "filtered"}, {t.Rejected, "rejected"}} {
		if part.n > 0 {
			line += fmt.Sprintf(", %s %s", count(part.n), part.word)
		}
	}
	if _, shared := placed(r.Tasks); shared != "" {
		line += "; all in " + plain(shared)
	}
	if n := r.Facts.FailedTasks; n > 0 {
		line += fmt.Sprintf("; %d of %d entities failed", n, len(r.Tasks))
	}
	return line
}

// entities draws what became of each entity.
func (c *command) entities(r client.Run) {
	t := newTable(c.Out, "entity", "read", "inserted", "updated", "unchanged", "deleted", "rejected", "took", "rows/s", "landed in")
	right(t, 2, 3, 4, 5, 6, 7, 8, 9)
	tasks, _ := placed(r.Tasks)
	if len(tasks) > summaryRows {
		slices.SortStableFunc(tasks, func(a, b client.Task) int { return cmp.Compare(b.Counts.Read, a.Counts.Read) })
	}
	for i, task := range tasks {
		if i == summaryRows {
			t.AppendRow(table.Row{fmt.Sprintf("… and %d more", len(tasks)-summaryRows)})
			break
		}
		t.AppendRow(entityRow(task))
	}
	if len(tasks) > 1 {
		total := counted("total", r.Totals, r.EndedAt.Sub(r.StartedAt))
		t.AppendFooter(append(total, ""))
	}
	t.Render()
}

// placed leaves out of where entities landed what all have in common: a database's path
// is said once.
func placed(tasks []client.Task) (short []client.Task, shared string) {
	short = slices.Clone(tasks)
	for i, t := range tasks {
		_, in, ok := strings.Cut(t.Where, " in ")
		if !ok || i > 0 && in != shared {
			return tasks, ""
		}
		shared = in
	}
	for i := range short {
		short[i].Where = strings.TrimSuffix(short[i].Where, " in "+shared)
	}
	return short, shared
}

func entityRow(t client.Task) table.Row {
	landed := plain(t.Where)
	if t.State != syncline.TaskSucceeded {
		landed = string(t.State) + ": " + reason(t.Error)
	}
	return append(counted(plain(t.Name), t.Counts, t.EndedAt.Sub(t.StartedAt)), landed)
}

func counted(name string, n syncline.Counts, d time.Duration) table.Row {
	rate := ""
	if d > 0 && n.Read > 0 {
		rate = short(float64(n.Read) / d.Seconds())
	}
	return table.Row{name, count(n.Read), count(n.Inserted), count(n.Updated), count(n.Unchanged), count(deleted(n)), count(n.Rejected), took(d), rate}
}

// failure tells how a run that did not succeed ended. It shows no totals: they would look
// like those of a success.
func (c *command) failure(r client.Run) {
	for _, t := range r.Tasks {
		if t.State != syncline.TaskSucceeded && t.Error != nil && (r.Error == nil || t.Error.Message != r.Error.Message) {
			fmt.Fprintf(c.Err, "%s: %s\n", plain(t.Name), reason(t.Error))
		}
	}
	switch r.State {
	case syncline.StateCanceled:
		c.sayError(fmt.Sprintf("run %s was canceled", tail(r.ID)), "what was published stays; start again: syncline run "+quote(r.Pipeline))
	case syncline.StateSkipped:
		c.sayError(fmt.Sprintf("run %s was skipped: %s", tail(r.ID), r.Why), "syncline why "+quote(r.Pipeline))
	default:
		message, hint := "no reason was given", ""
		if r.Error != nil {
			message, hint = r.Error.Message, r.Error.Hint
		}
		if hint != "" {
			hint += "\n"
		}
		c.sayError(fmt.Sprintf("run %s failed: %s", tail(r.ID), message),
			hint+fmt.Sprintf("then the same command, or syncline runs resume %s, goes on at what is durable", tail(r.ID)))
	}
}

// waits tells what a run waits for.
func (c *command) waits(r client.Run) {
	message, hint := "a person put it on hold", "syncline runs resume "+tail(r.ID)
	if r.Error != nil {
		message = r.Error.Message
		if r.Error.Hint != "" {
			hint = r.Error.Hint
		}
	}
	c.sayError(fmt.Sprintf("run %s waits (%s): %s", tail(r.ID), r.Wait, message), hint)
}

// verdict is the exit code of a run.
func verdict(r client.Run) error {
	switch {
	case r.State == syncline.StateSucceeded && (r.Totals.Rejected > 0 || r.Facts.Rejects > 0 || r.Facts.FailedTasks > 0):
		return ended(exitPartly)
	case r.State == syncline.StateSucceeded:
		return nil
	case r.State == syncline.StateSuspended:
		return ended(exitRefused)
	}
	return ended(exitFailed)
}
