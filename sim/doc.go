// Package sim plays the whole ledger with its workers in virtual time: real ledgers,
// workers and keepers on a real SQLite file, and a seeded hand that pauses, kills, cuts
// off and slows them down. What they store is checked in the order it was committed.
package sim
