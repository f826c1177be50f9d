package sqlite

import (
	"errors"

	"modernc.org/sqlite"
	lib "modernc.org/sqlite/lib"

	"github.com/synclinehq/syncline"
)

// explain gives the failures that a person can do something about their code. SQLite's
// own text names tables and causes, never what is in a row.
func explain(err error) error {
	e, ok := errors.AsType[*sqlite.Error](err)
	if !ok {
		return err
	}
	switch e.Code() & 0xff {
	case lib.SQLITE_FULL:
		return syncline.Errorf(syncline.ResourceExhausted, "no space for the ledger: %w", err).
			Of(syncline.ClassQuota).Because("ledger_full").Again().Try("free space on the disk that holds the ledger; work goes on by itself")
	case lib.SQLITE_BUSY, lib.SQLITE_LOCKED:
		return syncline.Errorf(syncline.Unavailable, "another process has locked the ledger: %w", err).
			Because("ledger_locked").Again().Try("end the program that has the file open, such as a sqlite3 shell")
	case lib.SQLITE_CORRUPT, lib.SQLITE_NOTADB:
		return syncline.Errorf(syncline.DataLoss, "the ledger's file is damaged, or no ledger: %w", err).
			Because("ledger_damaged").Try("restore it from a backup, or choose another data folder")
	case lib.SQLITE_READONLY, lib.SQLITE_PERM, lib.SQLITE_CANTOPEN:
		return syncline.Errorf(syncline.FailedPrecondition, "the ledger cannot be written: %w", err).
			Of(syncline.ClassConfig).Try("give this user the right to write the ledger and its folder")
	case lib.SQLITE_IOERR:
		return syncline.Errorf(syncline.Unavailable, "the disk that holds the ledger fails: %w", err).
			Because("ledger_io").Again()
	}
	return err
}
