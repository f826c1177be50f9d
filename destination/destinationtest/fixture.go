// Package destinationtest is the suite that every destination passes: it writes as transfer
// would, crashes and takes over at every step, and compares what is there by asking the
// place itself, never by the destination's own counts.
package destinationtest

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/destination"
)

// Fixture is one kind of destination on the bench.
type Fixture struct {
	// New makes a fresh, empty place that ends with the test.
	New func(t testing.TB) Place
	// Cannot names cases of Run that this kind cannot pass, each with the reason, which
	// is a property of the kind: "files have no keys". A name that is no case fails.
	Cannot map[string]string
	// Converges: a store that has no transactions and finds rows by their key. Its readers
	// see rows as they come, and what a load that comes to nothing has written stays. Of
	// rows it cannot tell whether they were new, changed, the same, or repeated.
	Converges bool
	// Refuses names rows of the Zoo that must be rejected because the kind cannot hold
	// them exactly, each with the code of the reject. All others must be kept.
	Refuses map[string]string
}

// Place is one place to write to, seen from outside.
type Place interface {
	// Open opens the place as one more process would. The test closes what it gets.
	Open(t testing.TB) destination.Destination
	// Rows reads what a reader sees in a table now, in any order, by means of its own.
	// Values are in the text forms of package format/text, or Null; Texts draws them
	// from a record. ok is false when there is no such table.
	Rows(t testing.TB, table string, fields []arrow.Field) (found []Row, ok bool)
	// Leftovers names what Syncline left beside the targets: stages, temporary files and
	// tables. The checkpoint table or marker is not one.
	Leftovers(t testing.TB) []string
	// Drop removes a target by hand.
	Drop(t testing.TB, table string)
	// Empty removes a target's rows by hand.
	Empty(t testing.TB, table string)
	// LoseStagedRow deletes one row by hand from the only stage there is.
	LoseStagedRow(t testing.TB)
}

// Row is one row: the values in the order of the fields.
type Row []string

// Null stands in a Row for NULL.
const Null = "\x00NULL"

// cases are the suite, in the order in which it is best read.
var cases = []struct {
	name string
	run  func(*bench)
}{
	{"Types", types},
	{"NoRows", noRows},
	{"OneRow", oneRow},
	{"ManyRows", manyRows},
	{"Identifiers", identifiers},
	{"BigRows", bigRows},
	{"Parts", parts},

	{"ReplaceShowsNothingBeforePublish", replaceShowsNothing},
	{"ReplaceTwice", replaceTwice},
	{"PublishTwice", publishTwice},
	{"OnlyCheckpointsAreDurable", onlyCheckpoints},
	{"CrashAtEveryStep", crashes},
	{"Restart", restart},
	{"OtherLoadIsDropped", otherLoad},
	{"Discard", discard},
	{"Cancel", cancel},

	{"TakeoverRefusesOlderWrite", takeoverWrite},
	{"TakeoverRefusesOlderFinish", takeoverFinish},
	{"TakeoverRefusesOlderPublish", takeoverPublish},
	{"TakeoverRefusesOlderPart", takeoverPart},
	{"TakeoverByLowerToken", takeoverLower},
	{"HelperOfOnePart", helper},
	{"StoppedHolder", stoppedHolder},
	{"HelpersJoin", helpersJoin},
	{"HelpersAreFenced", helpersFenced},

	{"RejectsAreKeptBeforeTheCommit", rejectsKept},
	{"RejectsOfTheSource", sourceRejects},
	{"NullInKey", nullInKey},

	{"MassDelete", massDelete},
	{"EmptySource", emptySource},
	{"Unbalanced", unbalanced},
	{"UnbalancedSum", unbalancedSum},
	{"Duplicates", duplicates},

	{"RepeatsAcrossParts", repeatsAcross},
	{"Census", censusTaken},
	{"CensusUnfinished", censusUnfinished},
	{"CensusOfNothing", censusOfNothing},

	{"NewColumn", newColumn},
	{"NewColumnIgnored", ignoredColumn},
	{"NewColumnFrozen", frozenColumn},
	{"MissingColumn", missingColumn},
	{"Widen", widen},
	{"Incompatible", incompatible},

	{"Append", appends},
	{"AppendCrash", appendCrash},
	{"Upsert", upserts},
	{"UpsertCrash", upsertCrash},
	{"UpsertNewColumn", upsertNewColumn},
	{"UpsertDeletes", upsertDeletes},
	{"UpsertHardDeletes", hardDeletes},
	{"UpsertHardDeletesGuarded", hardDeletesGuarded},

	{"Mark", mark},
	{"MarkVoidWhenDropped", markDropped},
	{"MarkVoidWhenEmptied", markEmptied},
	{"Window", window},
}

// Run holds a kind of destination to the contract.
func Run(t *testing.T, f Fixture) {
	known := map[string]bool{}
	for _, c := range cases {
		known[c.name] = true
		t.Run(c.name, func(t *testing.T) {
			if why, ok := f.Cannot[c.name]; ok {
				t.Skip(why)
			}
			c.run(newBench(t, f))
		})
	}
	for name := range f.Cannot {
		if !known[name] {
			t.Errorf("Cannot names %q, which is no case", name)
		}
	}
}
