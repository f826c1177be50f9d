package cli

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

// Interruptible is the context of a process. The first SIGINT or SIGTERM ends it: runs are
// handed back. The second one ends the process.
func Interruptible() context.Context {
	ctx, cancel := context.WithCancelCause(context.Background())
	signals := make(chan os.Signal, 2)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM)
	go func() {
		cancel(Interrupt((<-signals).(syscall.Signal)))
		os.Exit(128 + int((<-signals).(syscall.Signal)))
	}()
	return ctx
}
