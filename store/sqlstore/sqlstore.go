// Package sqlstore is what the ledger's two databases share: the tables, the statements
// and how rows become Go values. It opens nothing and decides nothing; a store hands it
// a Session, an open transaction, and gets a syncline.Tx.
//
// A table has columns only for what is filtered, locked, sorted or kept unique; the rest
// of a row is one JSON document. Times in columns are microseconds since 1970, UTC.
package sqlstore

import "strings"

// Session is one open transaction on one connection. Statements are in the words that
// Flavor translates; a session may keep what it has translated or prepared by them. Its
// errors are already explained, and it refuses every call once its transaction is over.
type Session interface {
	// Exec runs a statement and answers how many rows it changed.
	Exec(stmt string, args ...any) (int64, error)
	// Each runs a statement once for every row of args, in one round trip where the
	// database is elsewhere, and answers how many rows all of them changed.
	Each(stmt string, args [][]any) (int64, error)
	// Later runs a statement whose answer nobody needs, at the latest with the commit.
	// Where the database is elsewhere it travels with the next one, whose call, or the
	// commit, fails if it does.
	Later(stmt string, args ...any) error
	// Sure is Exec of a statement that changes one row unless something is out of the
	// ordinary. Where the database is elsewhere it travels like Later and answers 1 in
	// hope; when it then changes none, all is undone and the whole transaction is made
	// again, with answers that were waited for.
	Sure(stmt string, args ...any) (int64, error)
	// Query calls row for every row of the answer.
	Query(row func(Scan) error, stmt string, args ...any) error
	// Ask asks several questions, in one round trip where the database is elsewhere.
	Ask(qs ...Question) error
}

// Question is a statement whose every row is read by Row.
type Question struct {
	Row  func(Scan) error
	Stmt string
	Args []any
}

// Scan copies the columns of the current row.
type Scan func(dest ...any) error

// Flavor is how one database says what the statements and migrations mean:
//
//	{runs}           a table
//	$1               an argument
//	{any} $1 {end}   is one of the strings of the argument, made by List
//	{lock}           lock the rows that were found, until the transaction ends
//	{lock t}         the same, of the table called t
//	{skip}           the same, passing over those that others have locked
type Flavor struct {
	Read, Write *strings.Replacer // statements, in a View and in an Update
	Types       *strings.Replacer // migrations
	// List makes an argument of {any}.
	List func([]string) any
	// Lane locks the lane $1 until the transaction ends, LaneOf that of the run $1, and
	// LanesOf those of the runs $1 that nobody else has locked, and answers with the runs;
	// "" where a writer is alone.
	Lane, LaneOf, LanesOf string
	// Clock asks the database for its clock, in microseconds; "" where the process has it.
	Clock string
}

var tables = []string{
	"ledger", "migrations", "pipelines", "pipeline_revisions", "names", "runs", "tasks", "task_stats", "leases", "offers", "parts",
	"schedules", "slots", "events", "messages", "rejects", "docs",
}

// Words makes a replacer of the tables, each with a prefix, and of pairs of other words.
func Words(prefix string, pairs ...string) *strings.Replacer {
	for _, t := range tables {
		pairs = append(pairs, "{"+t+"}", prefix+t)
	}
	return strings.NewReplacer(pairs...)
}
