package sim

import (
	"context"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/task"
)

// rowsPerTask is how many rows a task has to write.
const rowsPerTask = 6

// destination is a place that rows are written to, row after row, and that only takes
// them from the newest token it has seen.
type destination struct {
	w      *world
	mu     sync.Mutex
	loads  map[string]*load
	grants map[syncline.Hold]*process // who does tasks under which token
}

type load struct {
	token int64
	rows  int
}

// takeOver makes every earlier token harmless and says how far the load has come.
func (d *destination) takeOver(c *task.Call) (int, error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.loads[c.Run.ID+"/"+c.Task.Name]
	if l == nil {
		l = &load{}
		d.loads[c.Run.ID+"/"+c.Task.Name] = l
	}
	if c.Token < l.token {
		return 0, d.stale()
	}
	l.token = c.Token
	return l.rows, nil
}

func (d *destination) stale() error {
	d.w.note("stale write refused")
	return syncline.ErrLeaseLost
}

func (d *destination) write(c *task.Call, row int) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	l := d.loads[c.Run.ID+"/"+c.Task.Name]
	if c.Token != l.token {
		return d.stale()
	}
	if row != l.rows {
		d.w.t.Errorf("run %s, token %d writes row %d after %d", c.Run.ID, c.Token, row, l.rows)
	}
	l.rows++
	return nil
}

// handed checks that nobody else works under this token.
func (d *destination) handed(p *process, c *task.Call) {
	d.mu.Lock()
	defer d.mu.Unlock()
	h := syncline.Hold{Run: c.Run.ID, Token: c.Token}
	if other := d.grants[h]; other != nil && other != p {
		d.w.t.Errorf("run %s was handed to %s and %s under token %d", h.Run, other.name, p.name, h.Token)
	}
	d.grants[h] = p
}

// kind is what a process does for a task.
func (d *destination) kind(p *process, l *ledger.Ledger) task.Kind {
	plan := func(context.Context, syncline.Definition, syncline.Mode) ([]syncline.Task, error) {
		return []syncline.Task{{Name: "a", Kind: "transfer"}, {Name: "b", Kind: "transfer"}}, nil
	}
	return task.Kind{Name: "transfer", Plan: plan, Do: func(ctx context.Context, c *task.Call) error {
		d.handed(p, c)
		if err := p.stopped(); err != nil {
			return err
		}
		row, err := d.takeOver(c)
		for ; err == nil && row < rowsPerTask; row++ {
			if err = d.row(ctx, p, c, row); err == nil && row%2 == 1 {
				report(ctx, l, c, row+1)
			}
		}
		return err
	}}
}

func (d *destination) row(ctx context.Context, p *process, c *task.Call, row int) error {
	if err := c.Held(); err != nil {
		return err
	}
	var luck int
	var work time.Duration
	p.set(func() { luck, work = p.rand.IntN(200), time.Duration(100+p.rand.IntN(3000))*time.Millisecond })
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(work):
	}
	if err := p.stopped(); err != nil {
		return err
	}
	switch {
	case luck < 4:
		return syncline.Errorf(syncline.Unavailable, "the source is away").Again()
	case luck == 4:
		return &task.Suspend{Wait: syncline.WaitMassDelete, Err: syncline.Errorf(syncline.FailedPrecondition, "all rows would go")}
	}
	if err := d.write(c, row); err != nil {
		return err
	}
	c.Report(stats(row + 1))
	return nil
}

// report says by itself how far a task has come; what it answers is the worker's to hear.
func report(ctx context.Context, l *ledger.Ledger, c *task.Call, rows int) {
	_, _ = l.Report(ctx, []syncline.TaskReport{{Run: c.Run.ID, Token: c.Token, Task: c.Task.Name, Stats: stats(rows)}})
}

func stats(rows int) syncline.Stats {
	n := int64(rows)
	return syncline.Stats{Counts: syncline.Counts{Read: n, Inserted: n}, Expected: rowsPerTask, Attempted: n}
}
