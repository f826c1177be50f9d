// Package fault breaks Syncline on purpose: real processes are killed, stopped and cut
// off at random moments, and what they leave is compared with the source by query. It
// holds tests only. Every test prints its seed and asserts that its faults happened.
package fault
