package postgres

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"

	"github.com/synclinehq/syncline"
)

// collided reports whether the database undid a transaction because of another one, so
// that running it again is right: it could not be serialized, it was in a deadlock, or
// somebody took what it had just found free.
func collided(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return false
	}
	switch e.Code {
	case "40001", "40P01", "23505":
		return true
	case "0A000": // a migration changed a table under a prepared statement
		return strings.Contains(e.Message, "cached plan")
	}
	return false
}

// divided reports whether a statement changed no row though it was sure to, or met a
// row that only its longer form looks for.
func divided(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Code == "22012" || e.Code == "23505")
}

// passes reports whether a failure is of the connection or the server's moment: a
// transaction that has not been committed is undone, and may be run again.
func passes(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return lost(err)
	}
	return strings.HasPrefix(e.Code, "08") || strings.HasPrefix(e.Code, "57P") || e.Code == "53300" || e.Code == "25P03" || readOnly(err)
}

func readOnly(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && e.Code == "25006" && strings.Contains(e.Message, "recovery")
}

// lost reports whether err is of the network and not of what was asked.
func lost(err error) bool {
	if _, ok := errors.AsType[*pgconn.ConnectError](err); ok {
		return true
	}
	_, network := errors.AsType[net.Error](err)
	return network || pgconn.SafeToRetry(err) || strings.Contains(err.Error(), "conn closed") || strings.Contains(err.Error(), "unexpected EOF")
}

// explain gives the failures that a person or a retry can do something about their code.
func explain(err error) error {
	e, ok := errors.AsType[*pgconn.PgError](err)
	switch {
	case err == nil:
		return nil
	case strings.Contains(err.Error(), "closed pool"):
		return syncline.Errorf(syncline.Unavailable, "the ledger is closed")
	case !ok && lost(err):
		return syncline.Errorf(syncline.Unavailable, "the ledger's database is away: %w", bare(err)).
			Of(syncline.ClassNetwork).Because("ledger_away").Again()
	case !ok:
		return err
	}
	if known := explained(e); known != nil {
		known.Err = err
		return known
	}
	return fmt.Errorf("the ledger's database: %w", err)
}

// explained knows what the SQLSTATEs mean that a healthy program meets.
func explained(e *pgconn.PgError) *syncline.Error {
	said := func(code syncline.Code, what string) *syncline.Error {
		return syncline.Errorf(code, "%s: %s", what, e.Message)
	}
	switch code := e.Code; {
	case code == "53100":
		return said(syncline.ResourceExhausted, "no space for the ledger").
			Of(syncline.ClassQuota).Because("ledger_full").Again().Try("free space on the database server; work goes on by itself")
	case code == "28P01" || code == "28000":
		return said(syncline.Unauthenticated, "the ledger's database refuses user or password").
			Of(syncline.ClassAuth).Try("check user and password in the ledger's URL")
	case code == "42501":
		return said(syncline.PermissionDenied, "the ledger's database").
			Of(syncline.ClassAuth).Try("create the schema syncline and make the user of the ledger's URL its owner")
	case code == "3D000":
		return said(syncline.NotFound, "the ledger's database").
			Of(syncline.ClassConfig).Try("create it, or correct the ledger's URL")
	case code == "22021" || code == "22P05":
		return said(syncline.InvalidArgument, "the ledger cannot keep this text").Of(syncline.ClassData)
	case code == "55P03":
		return said(syncline.Unavailable, "something else holds what this needs").Because("ledger_locked").Again()
	case code == "57014":
		return said(syncline.DeadlineExceeded, "the ledger did not answer in time").Because("ledger_slow").Again()
	case collided(e):
		return said(syncline.Aborted, "others changed the same at the same time").Because("collision").Again()
	case passes(e) || strings.HasPrefix(code, "53"):
		return said(syncline.Unavailable, "the ledger's database is away").
			Of(syncline.ClassNetwork).Because("ledger_away").Again()
	}
	return nil
}

// failedAt says where a ledger could not be opened, and why, without a password.
func failedAt(cfg *pgx.ConnConfig, err error) error {
	place := fmt.Sprintf("%s:%d/%s", cfg.Host, cfg.Port, cfg.Database)
	if errors.Is(err, context.DeadlineExceeded) {
		err = syncline.Errorf(syncline.Unavailable, "no answer").Of(syncline.ClassNetwork).Because("ledger_away").Again()
	}
	e, ok := errors.AsType[*syncline.Error](explain(err))
	if !ok {
		return fmt.Errorf("open the ledger on %s: %w", place, bare(err))
	}
	at := *e
	at.Message = "open the ledger on " + place + ": " + e.Message
	return &at
}

// bare is what went wrong without what pgx says around it, which may be a DSN.
func bare(err error) error {
	if e, ok := errors.AsType[*pgconn.PgError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.OpError](err); ok {
		return e
	}
	if e, ok := errors.AsType[*net.DNSError](err); ok {
		return e
	}
	for errors.Unwrap(err) != nil {
		err = errors.Unwrap(err)
	}
	return err
}
