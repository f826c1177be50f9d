package app

import (
	"context"
	"errors"
	"time"

	"github.com/synclinehq/syncline/engine"
)

// Work executes runs of anybody until ctx ends; then it hands back what it holds. A
// server's ledger is kept moving, and its API served, since Open.
func (a *App) Work(ctx context.Context) error { return a.worker("", nil).Run(ctx) }

// WorkOnce claims one run of anybody, tells claimed which, and executes it until ctx ends,
// also if it comes back for another try. It reports false at once when there is none.
func (a *App) WorkOnce(ctx context.Context, claimed func(run string)) (bool, error) {
	err := a.worker("", claimed).Run(ctx)
	if errors.Is(err, engine.ErrNothing) {
		return false, nil
	}
	return true, err
}

// WorkOn executes one run until ctx ends, also if it comes back for another try. While a
// server holds the ledger the run is left to it; when the server goes, this goes on.
func (a *App) WorkOn(ctx context.Context, run string) error {
	for {
		left, err := a.LeftToServer(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err == nil && !left {
			return a.worker(run, nil).Run(ctx)
		}
		if !pause(ctx, time.Second) {
			return nil
		}
	}
}

// LeftToServer reports whether a server in another process executes what is started.
func (a *App) LeftToServer(ctx context.Context) (bool, error) {
	about, err := a.client.About(ctx)
	return about.Server && about.PID != a.self.PID, err
}

func (a *App) worker(run string, once func(run string)) *engine.Worker {
	self := a.self
	self.Run = run
	return engine.NewWorker(engine.WorkerOptions{
		Door: a.door(), Opener: a.catalogOn(nil), Tasks: a.kinds.Task, Self: self, Log: a.log, Once: once,
		Beat: a.o.Lease / 3,
	})
}

// door is the ledger itself where it stays in this process, else the client, which
// follows it around.
func (a *App) door() engine.Door {
	if s := a.held(); s != nil && (a.o.Server || a.o.Ledger != "") {
		return s.ledger
	}
	return a.client
}
