package pgurl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synclinehq/syncline"
)

// State is the SQLSTATE of err, "" when it is not the server's.
func State(err error) string {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e.Code
	}
	return ""
}

// Lost reports whether err means that the connection is gone, so that the fate of the
// statement is unknown: it may have been done.
func Lost(err error) bool {
	if state := State(err); state != "" { // 08P01: the server did not understand us, and is still there
		return strings.HasPrefix(state, "08") && state != "08P01" || strings.HasPrefix(state, "57P")
	}
	_, network := errors.AsType[net.Error](err)
	return network || errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, net.ErrClosed) ||
		errors.Is(err, pgconn.ErrConnClosed) || strings.Contains(err.Error(), "conn closed")
}

// Error turns an error of a statement into one that a person may see; side is whose
// fault it is when the statement itself was refused, and what says what was being done.
// An error of ctx, and one that a person may see already, stay themselves.
func Error(ctx context.Context, side syncline.Class, err error, what string, args ...any) error {
	if err == nil {
		return nil
	}
	what = fmt.Sprintf(what, args...)
	if ctx.Err() != nil {
		return fmt.Errorf("%s: %w", what, context.Cause(ctx))
	}
	if e, ok := errors.AsType[*syncline.Error](err); ok {
		return e
	}
	if errors.Is(err, syncline.ErrLeaseLost) {
		return err
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return serverError(side, e, err, what)
	}
	if Lost(err) {
		return wrap(syncline.Unavailable, err, "%s: the connection was lost", what).Of(syncline.ClassNetwork).Again()
	}
	return fmt.Errorf("%s: %w", what, err)
}

// wrap keeps err for errors.Is and its text, which is not ours to show, out of the message.
func wrap(code syncline.Code, err error, format string, args ...any) *syncline.Error {
	e := syncline.Errorf(code, format, args...)
	e.Err = err
	return e
}

// meaning is what one SQLSTATE, or a class of them, says.
type meaning struct {
	code   syncline.Code
	class  syncline.Class // "": the side's
	reason string
	again  bool
	hint   string
}

var meanings = map[string]meaning{
	"08":    {code: syncline.Unavailable, class: syncline.ClassNetwork, again: true},
	"08P01": {code: syncline.Internal, class: syncline.ClassInternal},
	"22":    {code: syncline.InvalidArgument, class: syncline.ClassData},
	"23":    {code: syncline.FailedPrecondition, class: syncline.ClassData, reason: "constraint"},
	"25006": {code: syncline.Unavailable, again: true, hint: "the server accepts no writes: name its primary, or set target_session_attrs to read-write"},
	"28":    {code: syncline.Unauthenticated, class: syncline.ClassAuth, hint: "check user and password, and the server's pg_hba.conf"},
	"3D000": {code: syncline.NotFound, class: syncline.ClassConfig, hint: "check the database's name"},
	"3F000": {code: syncline.NotFound, class: syncline.ClassConfig, hint: "check the schema's name"},
	"40":    {code: syncline.Aborted, again: true},
	"42501": {code: syncline.PermissionDenied, class: syncline.ClassAuth, hint: "grant the privilege to the role"},
	"42P01": {code: syncline.NotFound},
	"42703": {code: syncline.NotFound},
	"53":    {code: syncline.ResourceExhausted, again: true},
	"53100": {code: syncline.ResourceExhausted, reason: "no_space", again: true, hint: "free space on the database server"},
	"53300": {code: syncline.ResourceExhausted, reason: "too_many_connections", again: true, hint: "raise max_connections or lower the number of parallel runs"},
	"54":    {code: syncline.OutOfRange, class: syncline.ClassData},
	"55P03": {code: syncline.Unavailable, reason: "locked", again: true, hint: "another session holds a lock on the table: see pg_stat_activity and pg_locks"},
	"57014": {code: syncline.DeadlineExceeded, again: true},
	"57P":   {code: syncline.Unavailable, class: syncline.ClassNetwork, again: true},
	"58":    {code: syncline.Unavailable, again: true},
}

func meaningOf(state string) meaning {
	for _, n := range []int{5, 3, 2} {
		if m, ok := meanings[state[:min(n, len(state))]]; ok {
			return m
		}
	}
	return meaning{code: syncline.Unknown}
}

func serverError(side syncline.Class, e *pgconn.PgError, err error, what string) *syncline.Error {
	m := meaningOf(e.Code)
	out := wrap(m.code, err, "%s: %s", what, e.Message).Of(side).Because(m.reason)
	if m.class != "" {
		out.Class = m.class
	}
	if out.Hint = m.hint; out.Hint == "" {
		out.Hint = e.Hint
	}
	out.Retryable = m.again
	return out
}

// connectError says why a server could not be reached.
func (s Settings) connectError(err error) error {
	if errors.Is(err, context.Canceled) {
		return fmt.Errorf("connect to %s: %w", s.Where(), context.Canceled)
	}
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		out := serverError(syncline.ClassConfig, e, err, "connect to "+s.Where())
		out.Message = s.scrub(out.Message)
		return out
	}
	if e, ok := errors.AsType[*syncline.Error](err); ok { // of the dialer, which refused
		out := *e
		out.Message = fmt.Sprintf("connect to %s: %s", s.Where(), e.Message)
		return &out
	}
	out := wrap(syncline.Unavailable, err, "connect to %s: %s", s.Where(), s.scrub(cause(err))).Of(syncline.ClassNetwork)
	return out.Again().Try("check that host and port are right and the server is running and reachable from here")
}

// cause is the innermost reason that is worth a line: the driver names user and database
// of every host it tried, over several lines.
func cause(err error) string {
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return "no such host: " + e.Name
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e.Err.Error()
	}
	if errors.Is(err, context.DeadlineExceeded) {
		return "no answer in time"
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}
