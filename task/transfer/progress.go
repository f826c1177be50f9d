package transfer

import (
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/task"
)

// maxParts is how many parts a report lists; of more, only those that are begun and not
// done, or a folder of ten thousand files would be described ten thousand times.
const maxParts = 100

// progress says how far the transfer has come. Lanes share it.
type progress struct {
	call *task.Call

	mu    sync.Mutex
	stats syncline.Stats
	parts []*syncline.Part          // all, in the order of the plan
	byID  map[string]*syncline.Part // all
	begun map[string]*syncline.Part // begun and not done
	done  syncline.Counts           // of the parts that are done
	waits waits
}

// waits is who waited for whom, summed over the lanes.
type waits struct{ reader, writer, total time.Duration }

// boundBy names the end that the other one waits for: it is what makes the transfer no
// faster. When neither waits for a fifth of the time, both are kept busy by our own work.
func (w waits) boundBy() string {
	const share = 5
	switch {
	case w.total == 0:
		return ""
	case w.reader > w.writer && w.reader > w.total/share:
		return "destination"
	case w.writer > w.total/share:
		return "source"
	}
	return "cpu"
}

func newProgress(c *task.Call) *progress {
	p := &progress{call: c, stats: c.Task.Stats}
	p.stats.Parts = slices.Clone(c.Task.Stats.Parts)
	p.stats.Attempted, p.stats.BoundBy = 0, ""
	return p
}

// begin takes over what is durable already.
func (p *progress) begin(parts []source.Part, durable map[string]rows.Position) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.parts, p.done = nil, syncline.Counts{}
	p.byID, p.begun = map[string]*syncline.Part{}, map[string]*syncline.Part{}
	for _, part := range parts {
		s := &syncline.Part{ID: part.ID, State: syncline.TaskPending}
		p.parts, p.byID[part.ID] = append(p.parts, s), s
		if at, ok := durable[part.ID]; ok {
			p.settle(s, at)
		}
	}
	p.report()
}

func (p *progress) started(part string) {
	p.change(func() {
		s := p.byID[part]
		s.State = syncline.TaskRunning
		p.begun[part] = s
	})
}

// moved takes over a part's durable position.
func (p *progress) moved(part string, to rows.Position) {
	p.change(func() { p.settle(p.byID[part], to) })
}

// by says which worker has a part.
func (p *progress) by(part, worker string) {
	p.change(func() { p.byID[part].Worker = worker })
}

// helped takes over what another worker has reported of a part.
func (p *progress) helped(o syncline.OfferedPart) {
	p.change(func() {
		s := p.byID[o.Part]
		if s == nil || s.Done {
			return
		}
		s.Worker, s.State = o.Worker, syncline.TaskRunning
		p.stats.Attempted += max(0, o.Counts.Read-s.Counts.Read)
		p.settle(s, rows.Position{Counts: o.Counts, Done: o.State == syncline.PartDone})
	})
}

// settle sets absolute counts, so that nothing is added twice.
func (p *progress) settle(s *syncline.Part, to rows.Position) {
	was := s.Done
	s.Counts, s.Done = to.Counts, to.Done
	if !to.Done {
		p.begun[s.ID] = s
		return
	}
	if was {
		return
	}
	s.State = syncline.TaskSucceeded
	delete(p.begun, s.ID)
	p.done = p.done.Add(to.Counts)
}

// sum is what all parts have made durable.
func (p *progress) sum() syncline.Counts {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.total()
}

func (p *progress) total() syncline.Counts {
	sum := p.done
	for _, s := range p.begun {
		sum = sum.Add(s.Counts)
	}
	return sum
}

func (p *progress) read(n int64)       { p.change(func() { p.stats.Attempted += n }) }
func (p *progress) phase(phase string) { p.change(func() { p.stats.Phase = phase }) }
func (p *progress) path(path string)   { p.change(func() { p.stats.Path = path }) }

func (p *progress) expect(n int64, from string) {
	p.change(func() { p.stats.Expected, p.stats.TotalFrom = n, from })
}

// waited is told of every wait when it is over, and of all time a lane has spent.
func (p *progress) waited(w waits) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.waits.reader += w.reader
	p.waits.writer += w.writer
	p.waits.total += w.total
	p.stats.BoundBy = p.waits.boundBy()
}

// finish sets what the published load amounts to.
func (p *progress) finish(published syncline.Counts) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for i := range p.stats.Parts { // as the last attempt reported them, if this one moved none
		p.stats.Parts[i].State, p.stats.Parts[i].Done = syncline.TaskSucceeded, true
	}
	p.stats.Counts, p.stats.Phase = published, "done"
	p.send()
}

func (p *progress) change(fn func()) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fn()
	p.report()
}

// report is called under the lock, so that a newer report never comes before an older one.
func (p *progress) report() {
	if p.byID != nil { // else this attempt knows nothing that the last one did not report
		p.stats.Counts = p.total()
	}
	p.send()
}

func (p *progress) send() {
	s := p.stats
	if p.byID != nil {
		s.Parts = nil
	}
	for _, part := range p.listed() {
		s.Parts = append(s.Parts, *part)
	}
	p.call.Report(s)
}

func (p *progress) listed() []*syncline.Part {
	if len(p.parts) <= maxParts {
		return p.parts
	}
	return slices.SortedFunc(maps.Values(p.begun), func(a, b *syncline.Part) int { return strings.Compare(a.ID, b.ID) })
}
