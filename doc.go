// Package syncline is the vocabulary of Syncline: pipelines, runs, tasks, parts,
// events, errors, and the contract of the store that keeps them. It imports
// nothing of ours and everything points at it. It decides nothing: a run changes
// only through package ledger.
package syncline
