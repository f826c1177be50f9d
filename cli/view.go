package cli

import (
	"fmt"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

// view shows how a run comes along.
type view interface {
	// show is told of a run whenever it has changed.
	show(r client.Run)
	// done takes away what moves; what stays on the screen is true.
	done()
}

// view picks one: bars on a terminal, lines elsewhere, nothing beside JSON.
func (c *command) view() view {
	switch {
	case c.json:
		return silent{}
	case c.errTTY:
		return newBars(c.Err)
	}
	return newLines(c.Err)
}

type silent struct{}

func (silent) show(client.Run) {}
func (silent) done()           {}

// meter measures what became durable lately: rows of the last few seconds, since the
// beginning says little of a run that went on where another one stopped.
type meter struct {
	at   []time.Time
	rows []int64
}

const meterSpan = 5 * time.Second

func (m *meter) add(now time.Time, rows int64) {
	if n := len(m.rows); n > 0 && m.rows[n-1] == rows {
		return
	}
	m.at, m.rows = append(m.at, now), append(m.rows, rows)
	for len(m.at) > 2 && now.Sub(m.at[1]) > meterSpan {
		m.at, m.rows = m.at[1:], m.rows[1:]
	}
}

// rate is rows in a second; 0 when there is nothing to measure.
func (m *meter) rate(now time.Time) float64 {
	n := len(m.rows)
	if n < 2 {
		return 0
	}
	span := max(now.Sub(m.at[0]), 200*time.Millisecond)
	return float64(m.rows[n-1]-m.rows[0]) / span.Seconds()
}

// phaseRead is the phase whose progress the counts show.
const phaseRead = "read"

// gauge is one entity on its way.
type gauge struct {
	task  client.Task
	meter meter
	phase time.Time // since when it is in its phase
}

func (g *gauge) update(t client.Task, now time.Time) (news bool) {
	news = g.task.State != t.State || g.task.Phase != t.Phase
	if news || g.phase.IsZero() {
		g.phase = now
	}
	g.task = t
	g.meter.add(now, t.Counts.Read)
	return news
}

// share is how much of the entity is durable, in percent; -1 when nobody knows.
func (g *gauge) share() int {
	if g.task.Expected <= 0 {
		return -1
	}
	return int(min(100, g.task.Counts.Read*100/g.task.Expected))
}

func (g *gauge) eta(now time.Time) string {
	rate, left := g.meter.rate(now), g.task.Expected-g.task.Counts.Read
	if rate <= 0 || left <= 0 || g.task.Expected <= 0 || g.task.Phase != phaseRead {
		return ""
	}
	return "ETA " + took(time.Duration(float64(left)/rate*float64(time.Second)))
}

// doing is the phase; one that takes time says how much.
func (g *gauge) doing(now time.Time) string {
	phase := g.task.Phase
	if phase == "" {
		phase = "begin"
	}
	if phase == phaseRead || phase == "begin" || phase == "done" {
		return phase
	}
	return phase + " " + took(now.Sub(g.phase))
}

// facts are the words of a line, the most important first; "" where there is nothing to say.
func (g *gauge) facts(now time.Time) []string {
	c, rate := g.task.Counts, ""
	rows := plural(c.Read, "row")
	if g.share() >= 0 {
		rows = fmt.Sprintf("%s of %s rows", count(c.Read), count(g.task.Expected))
	}
	if r := g.meter.rate(now); r > 0 && g.task.Phase == phaseRead {
		rate = short(r) + " rows/s"
	}
	facts := []string{rows, g.doing(now), rate, g.eta(now), "", "", ""}
	if c.Bytes > 0 {
		facts[4] = size(c.Bytes)
	}
	if c.Rejected > 0 {
		facts[5] = plural(c.Rejected, "reject")
	}
	if g.task.BoundBy != "" {
		facts[6] = "bound by " + g.task.BoundBy
	}
	return facts
}

// outcome is the line of an entity that has ended or waits.
func outcome(t client.Task) string {
	name, c := plain(t.Name), t.Counts
	switch t.State {
	case syncline.TaskSucceeded:
		line := fmt.Sprintf("✓ %s: %s in %s", name, plural(c.Read, "row"), took(t.EndedAt.Sub(t.StartedAt)))
		if c.Rejected > 0 {
			line += ", " + plural(c.Rejected, "reject")
		}
		if t.Where != "" {
			line += " → " + plain(t.Where)
		}
		return line
	case syncline.TaskRetryWait:
		return fmt.Sprintf("… %s: tried again soon: %s", name, reason(t.Error))
	case syncline.TaskFailed:
		return fmt.Sprintf("✗ %s: %s", name, reason(t.Error))
	case syncline.TaskSuspended:
		return fmt.Sprintf("‖ %s: waits", name)
	}
	return fmt.Sprintf("- %s: %s", name, t.State)
}

func reason(e *syncline.Error) string {
	if e == nil {
		return "failed"
	}
	return plain(e.Message)
}

// chatty is up to how many entities a run's log is repeated while it runs; of more, only
// warnings.
const chatty = 12

// news follows what happens to the run as a whole, and says it once.
type news struct {
	begun    bool
	attempts int
	state    syncline.State
	message  int64
	landed   map[string]bool // entities of which the log has said so
}

func (n *news) of(r client.Run) (lines []string) {
	if !n.begun {
		n.landed = map[string]bool{}
		n.begun, n.attempts = true, max(0, len(r.Attempts)-1) // what was before is in runs show
		if done := finals(r); done > 0 && !r.State.Final() {
			lines = append(lines, fmt.Sprintf("%s of %d done already", plural(int64(done), "entity"), len(r.Tasks)))
		}
	}
	for ; n.attempts < len(r.Attempts); n.attempts++ {
		if a := r.Attempts[n.attempts]; a.N > 1 {
			lines = append(lines, fmt.Sprintf("attempt %d by %s goes on at what is durable", a.N, a.Worker))
		}
	}
	if n.state != r.State {
		n.state = r.State
		if line := standing(r); line != "" {
			lines = append(lines, line)
		}
	}
	return append(lines, n.messages(r)...)
}

func finals(r client.Run) (n int) {
	for _, t := range r.Tasks {
		if t.State.Final() {
			n++
		}
	}
	return n
}

// messages repeats what the log of this attempt says, save where an entity landed: the
// line of its end says that better.
func (n *news) messages(r client.Run) (lines []string) {
	landed := map[string]string{}
	for _, t := range r.Tasks {
		if t.State == syncline.TaskSucceeded { // before, it is where the entity is meant to land
			landed[t.Name] = t.Where
		}
	}
	for _, m := range r.Messages {
		if m.Seq <= n.message {
			continue
		}
		n.message = m.Seq
		where := landed[m.Task]
		landing := where != "" && strings.Contains(m.Text, where)
		if landing {
			n.landed[m.Task] = true
		}
		loud := m.Severity == syncline.Warning || m.Severity == syncline.Failure && !r.State.Final() // the end tells the last one
		quiet := len(r.Tasks) > chatty || landing
		if m.Attempt == len(r.Attempts) && (loud || m.Severity == syncline.Info && !quiet) {
			lines = append(lines, told(m))
		}
	}
	return lines
}

// over reports whether an entity's end may be told: the log, which comes a little later
// than the counts, has said what went before.
func (n *news) over(r client.Run, t client.Task) bool {
	return t.State != syncline.TaskSucceeded || n.landed[t.Name] || r.State.Final()
}

// told is a message without what is said anyway.
func told(m syncline.Message) string {
	text := plain(m.Text)
	if task := plain(m.Task); task != "" && !strings.HasPrefix(text, task) {
		text = task + ": " + text
	}
	if m.Severity != syncline.Info {
		text = string(m.Severity) + ": " + text
	}
	return text
}

// standing says why a run that has begun does not move.
func standing(r client.Run) string {
	switch {
	case r.State == syncline.StatePending && len(r.Attempts) > 0 && r.Error != nil:
		return fmt.Sprintf("attempt %d ended: %s; the next one begins within %s", len(r.Attempts), reason(r.Error), took(max(0, time.Until(r.NotBefore))))
	case r.State == syncline.StatePending && r.Waiting:
		return "waits behind another run of its pipeline"
	case r.State == syncline.StateSuspended && r.Wait == syncline.WaitShutdown:
		return "its worker stopped; it goes on when another one claims it"
	case r.State == syncline.StateSuspended && r.Wait == syncline.WaitExternal:
		return "its outside worker laid it down; it goes on when one claims it again"
	case r.State == syncline.StatePending && r.Owner == syncline.OwnerExternal:
		return "waits for an outside worker to claim it"
	}
	return ""
}
