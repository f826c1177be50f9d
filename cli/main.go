// Package cli is the command line of Syncline. Names of commands, flags, JSON fields and
// exit codes are promises.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"golang.org/x/term"

	"github.com/synclinehq/syncline"
)

// Exit codes.
const (
	exitFailed  = 1
	exitUsage   = 2
	exitPartly  = 3 // succeeded with rejects or failed entities
	exitRefused = 4 // guard, lock, lane taken
)

// Interrupt is the cause of a context that a signal ended.
type Interrupt int

func (i Interrupt) Error() string { return fmt.Sprintf("signal %d", int(i)) }

// IO is where a command reads and writes.
type IO struct {
	In       io.Reader
	Out, Err io.Writer
}

// Main runs one command and answers with its exit code.
func Main(ctx context.Context, args []string, std IO) int {
	c := &command{IO: std, outTTY: terminal(std.Out), errTTY: terminal(std.Err)}
	root := c.root()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if closing := c.close(); err == nil {
		err = closing
	}
	return c.exit(ctx, err)
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// ended is an error whose story has been told: only the exit code is left to say.
type ended int

func (e ended) Error() string { return fmt.Sprintf("exit %d", int(e)) }

// ran marks an error of a command, as opposed to one of how it was written.
type ran struct{ error }

func (r ran) Unwrap() error { return r.error }

// exit says what is wrong, and answers with the exit code.
func (c *command) exit(ctx context.Context, err error) int {
	if err == nil {
		return 0
	}
	if code, ok := errors.AsType[ended](err); ok {
		return int(code)
	}
	if sig, ok := errors.AsType[Interrupt](context.Cause(ctx)); ok && errors.Is(err, context.Canceled) {
		return 128 + int(sig)
	}
	if _, ok := errors.AsType[ran](err); !ok {
		return c.misused(err)
	}
	c.complain(err)
	switch syncline.CodeOf(err) {
	case syncline.InvalidArgument:
		return exitUsage
	case syncline.FailedPrecondition:
		return exitRefused
	}
	return exitFailed
}

// misused answers to a command that cannot be read.
func (c *command) misused(err error) int {
	message, hint := err.Error(), "syncline --help"
	if e, ok := errors.AsType[*usage](err); ok {
		hint = e.hint
	}
	c.sayError(message, hint)
	return exitUsage
}

// usage is an error in how a command was written, with the way to learn it.
type usage struct {
	error
	hint string
}

func (c *command) complain(err error) {
	message, hint := err.Error(), ""
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		message, hint = e.Message, e.Hint
	}
	c.sayError(message, hint)
}

// sayError writes an error as every command does: what happened, then the next step.
func (c *command) sayError(message, hint string) {
	fmt.Fprintf(c.Err, "error: %s\n", plainLines(message))
	if hint != "" {
		fmt.Fprintf(c.Err, "  next: %s\n", strings.ReplaceAll(plainLines(hint), "\n", "\n        "))
	}
}
