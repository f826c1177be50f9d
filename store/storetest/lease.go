package storetest

import (
	"time"

	"github.com/synclinehq/syncline"
)

var leaseChecks = []check{
	{"a lease keeps every field", leaseFields},
	{"a beat extends only what is held", beats},
	{"leases are found by run, session and age", leaseLists},
}

func leaseFields(t *T) {
	l := filled[syncline.Lease](t)
	l.Ask = syncline.AskHold
	t.update(func(tx syncline.Tx) error { return tx.PutLease(*l) })
	equal(t.T, "stored", get(t, func(tx syncline.Tx) (*syncline.Lease, error) { return tx.Lease(l.Run, l.Part) }), l)
	bare := syncline.Lease{Run: l.Run, Part: l.Part, Token: 1 << 60}
	t.update(func(tx syncline.Tx) error { return tx.PutLease(bare) })
	equal(t.T, "replaced", get(t, func(tx syncline.Tx) ([]syncline.Lease, error) { return tx.Leases(l.Run) }), []syncline.Lease{bare})
	if none := get(t, func(tx syncline.Tx) (*syncline.Lease, error) { return tx.Lease(l.Run, "") }); none != nil {
		t.Fatalf("a lease that nobody has: %v", none)
	}
}

func beats(t *T) {
	const ttl = 15 * time.Second
	t.update(func(tx syncline.Tx) error {
		must(t, tx.PutLease(syncline.Lease{Run: "a", Token: 5, Worker: "w", Session: "s"}))
		must(t, tx.PutLease(syncline.Lease{Run: "a", Part: "1", Token: 6}))
		must(t, tx.PutLease(syncline.Lease{Run: "b", Token: 7}))
		return tx.SetAsk("a", syncline.AskCancel)
	})
	before := must1(t.Now(t.Context()))
	answers := must1(t.Beat(t.Context(), []syncline.Hold{
		{Run: "b", Token: 6}, {Run: "a", Part: "1", Token: 6}, {Run: "gone", Token: 1}, {Run: "a", Token: 5}, {Run: "a", Part: "2", Token: 6},
	}, ttl))
	equal(t.T, "answers", answers, []syncline.BeatAnswer{{Run: "a", Part: "1", Ask: syncline.AskCancel}, {Run: "a", Ask: syncline.AskCancel}})
	after := must1(t.Now(t.Context()))
	for _, l := range get(t, func(tx syncline.Tx) ([]syncline.Lease, error) { return tx.Leases("a") }) {
		if !extended(l, ttl, before, after) {
			t.Fatalf("lease %+v was not extended at a time between %s and %s", l, before, after)
		}
	}
	equal(t.T, "not held", get(t, func(tx syncline.Tx) (*syncline.Lease, error) { return tx.Lease("b", "") }), &syncline.Lease{Run: "b", Token: 7})
	t.update(func(tx syncline.Tx) error { return tx.DeleteLease("a", "1") })
	answers = must1(t.Beat(t.Context(), []syncline.Hold{{Run: "a", Part: "1", Token: 6}, {Run: "a", Token: 5}}, ttl))
	equal(t.T, "after the part has gone", answers, []syncline.BeatAnswer{{Run: "a", Ask: syncline.AskCancel}})
	equal(t.T, "nothing held", len(must1(t.Beat(t.Context(), nil, ttl))), 0)
}

// extended reports whether a lease was extended by ttl at some time from before to after:
// the store may read its clock once for each of the lease's two times.
func extended(l syncline.Lease, ttl time.Duration, before, after time.Time) bool {
	for _, at := range []time.Time{l.SeenAt, l.ExpiresAt.Add(-ttl)} {
		if at.Before(before) || at.After(after) {
			return false
		}
	}
	return true
}

func leaseLists(t *T) {
	put := func(run, part, session string, expires int) {
		t.update(func(tx syncline.Tx) error {
			return tx.PutLease(syncline.Lease{Run: run, Part: part, Session: session, ExpiresAt: at(expires)})
		})
	}
	put("a", "", "s1", 3)
	put("a", "1", "s2", 1)
	put("b", "", "s1", 2)
	put("c", "", "s3", 9)
	list := func(read func(tx syncline.Tx) ([]syncline.Lease, error)) (got []string) {
		t.update(func(tx syncline.Tx) error {
			got = nil
			all, err := read(tx)
			for _, l := range all {
				got = append(got, l.Run+l.Part)
			}
			return err
		})
		return got
	}
	equal(t.T, "of a run", list(func(tx syncline.Tx) ([]syncline.Lease, error) { return tx.Leases("a") }), []string{"a", "a1"})
	equal(t.T, "expired", list(func(tx syncline.Tx) ([]syncline.Lease, error) { return tx.ExpiredLeases(at(3), 10) }), []string{"a1", "b"})
	equal(t.T, "longest expired", list(func(tx syncline.Tx) ([]syncline.Lease, error) { return tx.ExpiredLeases(at(5), 1) }), []string{"a1"})
	equal(t.T, "of a session", list(func(tx syncline.Tx) ([]syncline.Lease, error) { return tx.SessionLeases("s1") }), []string{"a", "b"})
	equal(t.T, "sessions", get(t, func(tx syncline.Tx) ([]string, error) { return tx.Sessions() }), []string{"s1", "s2", "s3"})
	t.update(func(tx syncline.Tx) error { return tx.DeleteLeases("a") })
	equal(t.T, "sessions left", get(t, func(tx syncline.Tx) ([]string, error) { return tx.Sessions() }), []string{"s1", "s3"})
	t.update(func(tx syncline.Tx) error {
		must(t, tx.DeleteLease("a", ""))
		must(t, tx.DeleteLeases("absent"))
		return tx.SetAsk("absent", syncline.AskHold)
	})
}
