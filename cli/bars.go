package cli

import (
	"fmt"
	"io"
	"strings"
	"sync"
	"time"

	"github.com/jedib0t/go-pretty/v6/text"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

const (
	barWidth   = 20
	nameWidth  = 32 // longer names are cut in the middle of the screen, not in the summary
	redrawEach = 120 * time.Millisecond
)

// bars is the view for terminals: one moving line for each entity that is being copied.
// What has ended becomes a line that stays.
type bars struct {
	progress *mpb.Progress
	news     news
	begun    bool

	mu     sync.Mutex // the screen is drawn on another goroutine
	live   map[string]*bar
	ended  map[string]bool
	widest int
}

type bar struct {
	gauge
	on *mpb.Bar
}

func newBars(w io.Writer) *bars {
	p := mpb.New(mpb.WithOutput(w), mpb.WithRefreshRate(redrawEach))
	return &bars{progress: p, live: map[string]*bar{}, ended: map[string]bool{}}
}

func (b *bars) show(r client.Run) {
	for _, line := range b.news.of(r) {
		b.stay(line)
	}
	now := time.Now()
	for _, t := range r.Tasks {
		if !b.begun && t.State.Final() {
			b.ended[t.Name] = true // before anybody looked
		}
		switch {
		case t.State == syncline.TaskRunning || !b.news.over(r, t) && !b.ended[t.Name]:
			b.move(t, now)
		case t.State == syncline.TaskPending:
			b.drop(t.Name)
		default:
			b.end(t)
		}
	}
	b.begun = true
}

// move updates the bar of an entity, which it makes when there is none.
func (b *bars) move(t client.Task, now time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	delete(b.ended, t.Name)
	one := b.live[t.Name]
	if one == nil {
		one = &bar{}
		b.live[t.Name] = one
		b.widest = max(b.widest, text.StringWidthWithoutEscSequences(plain(t.Name)))
		one.on = b.progress.MustAdd(0, nil, mpb.BarRemoveOnComplete(), mpb.PrependDecorators(decor.Any(func(s decor.Statistics) string {
			b.mu.Lock()
			defer b.mu.Unlock()
			return one.line(time.Now(), min(b.widest, nameWidth), s.AvailableWidth)
		})))
	}
	one.update(t, now)
}

// end replaces a bar by a line that stays.
func (b *bars) end(t client.Task) {
	b.drop(t.Name)
	if b.ended[t.Name] {
		return
	}
	b.ended[t.Name] = true
	b.stay(outcome(t))
}

func (b *bars) drop(name string) {
	b.mu.Lock()
	one := b.live[name]
	delete(b.live, name)
	b.mu.Unlock()
	if one != nil {
		one.on.Abort(true)
	}
}

func (b *bars) stay(line string) { _, _ = fmt.Fprintln(b.progress, line) }

func (b *bars) done() {
	b.mu.Lock()
	var left []*bar
	for _, one := range b.live {
		left = append(left, one)
	}
	b.mu.Unlock()
	for _, one := range left {
		one.on.Abort(true)
	}
	b.progress.Wait()
}

// columns are how wide the facts of a bar are, so that those of all bars stand below each
// other.
var columns = []int{28, 16, 14, 10, 9, 9, 0}

// line draws an entity in at most room columns: name, bar, and as many facts as fit.
func (b *bar) line(now time.Time, widest, room int) string {
	name := text.Pad(text.Snip(plain(b.task.Name), widest, "…"), widest, ' ')
	line, cells := name+"  "+b.track(), ""
	for i, fact := range b.facts(now) {
		cells += "  " + text.Pad(fact, columns[i], ' ')
		if longer := line + strings.TrimRight(cells, " "); fact != "" && text.StringWidthWithoutEscSequences(longer) <= room {
			line, cells = longer, cells[len(strings.TrimRight(cells, " ")):]
		}
	}
	return line
}

// track is the bar itself; where nobody knows the end there is none to show.
func (b *bar) track() string {
	share := b.share()
	if share < 0 {
		return strings.Repeat("·", barWidth) + "     "
	}
	full := share * barWidth / 100
	return strings.Repeat("━", full) + strings.Repeat("╌", barWidth-full) + fmt.Sprintf(" %3d%%", share)
}
