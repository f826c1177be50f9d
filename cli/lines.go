package cli

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

// lineEvery is how often a line is written at most when nothing new happens.
const lineEvery = 2 * time.Second

// lines is the view for logs and pipes.
type lines struct {
	w      io.Writer
	gauges map[string]*gauge
	last   map[string]time.Time
	news   news
	begun  bool
}

func newLines(w io.Writer) *lines {
	return &lines{w: w, gauges: map[string]*gauge{}, last: map[string]time.Time{}}
}

func (l *lines) show(r client.Run) {
	for _, line := range l.news.of(r) {
		fmt.Fprintln(l.w, line)
	}
	now := time.Now()
	for _, t := range r.Tasks {
		if l.news.over(r, t) || !l.begun {
			l.task(t, now)
		}
	}
	l.begun = true
}

func (l *lines) task(t client.Task, now time.Time) {
	g := l.gauges[t.Name]
	if g == nil {
		if t.State == syncline.TaskPending {
			return
		}
		g = &gauge{}
		l.gauges[t.Name] = g
		if !l.begun && t.State.Final() {
			g.update(t, now) // it had ended before anybody looked
		}
	}
	before := g.task.Counts.Read
	news := g.update(t, now)
	switch {
	case t.State != syncline.TaskRunning && news && t.State != syncline.TaskPending:
		fmt.Fprintln(l.w, outcome(t))
	case t.State == syncline.TaskRunning && t.Phase != "" && (news || before != t.Counts.Read && now.Sub(l.last[t.Name]) >= lineEvery):
		fmt.Fprintf(l.w, "%s: %s\n", plain(t.Name), strings.Join(distinct(g.facts(now)), ", "))
		l.last[t.Name] = now
	}
}

func (l *lines) done() {}
