package engine

import (
	"cmp"
	"context"
	"log/slog"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/ledger"
)

// KeeperOptions configures a Keeper. Ledger, Pipelines and Next are required.
type KeeperOptions struct {
	Ledger *ledger.Ledger
	// Pipelines lists pipelines by name, for retention.
	Pipelines func(ctx context.Context, after string) ([]*syncline.Pipeline, error)
	Next      ledger.Next
	Log       *slog.Logger
	Tick      time.Duration // at most between looks for due slots; default 1 s
	Scan      time.Duration // between looks for dead workers; default 1 s
	Prune     time.Duration // between looks for old history; default 1 min
	// Unscheduled leaves schedules alone: a process that only executes one command.
	Unscheduled bool
}

// Keeper keeps the ledger moving. Any number of servers may have one: there is no leader.
type Keeper struct{ o KeeperOptions }

// NewKeeper makes a keeper; Run sets it to work.
func NewKeeper(o KeeperOptions) *Keeper {
	o.Tick = cmp.Or(o.Tick, time.Second)
	o.Scan = cmp.Or(o.Scan, time.Second)
	o.Prune = cmp.Or(o.Prune, time.Minute)
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	return &Keeper{o: o}
}

// Run works until ctx ends and returns when all it started has ended.
func (k *Keeper) Run(ctx context.Context) error {
	var loops sync.WaitGroup
	if !k.o.Unscheduled {
		loops.Go(func() { k.tick(ctx) })
		loops.Go(func() { k.every(ctx, k.o.Prune, "prune history", k.prune) })
	}
	loops.Go(func() { k.every(ctx, k.o.Scan, "look for dead workers", k.scan) })
	loops.Wait()
	return nil
}

// every calls fn at a jittered interval, so that many servers do not call together.
func (k *Keeper) every(ctx context.Context, d time.Duration, what string, fn func(context.Context) error) {
	for {
		if err := fn(ctx); err != nil && ctx.Err() == nil {
			k.o.Log.Warn(what, "err", err)
		}
		if !pause(ctx, d*3/4+rand.N(d/2)) {
			return
		}
	}
}

// tick wakes for the nearest slot, or for the poll that stands behind it.
func (k *Keeper) tick(ctx context.Context) {
	for {
		n, err := k.o.Ledger.Tick(ctx, k.o.Next)
		if err != nil && ctx.Err() == nil {
			k.o.Log.Warn("start scheduled runs", "err", err)
		}
		if n > 0 && err == nil {
			continue // there may be more than one transaction takes
		}
		if !pause(ctx, k.untilNext(ctx)) {
			return
		}
	}
}

func (k *Keeper) untilNext(ctx context.Context) time.Duration {
	at, err := k.o.Ledger.NearestSlot(ctx)
	if err != nil || at.IsZero() {
		return k.o.Tick
	}
	return max(time.Millisecond, min(k.o.Tick, time.Until(at)))
}

func (k *Keeper) scan(ctx context.Context) error {
	_, err := k.o.Ledger.Scan(ctx)
	return err
}

func (k *Keeper) prune(ctx context.Context) error {
	after := ""
	for {
		ps, err := k.o.Pipelines(ctx, after)
		if err != nil || len(ps) == 0 {
			return err
		}
		for _, p := range ps {
			if _, err := k.o.Ledger.Prune(ctx, p); err != nil {
				return err
			}
		}
		after = ps[len(ps)-1].Name
	}
}
