package storetest

import (
	"github.com/synclinehq/syncline"
)

var journalChecks = []check{
	{"events are followed from where one was", events},
	{"messages are followed from where one was", messages},
	{"a reject is kept once", rejects},
}

func events(t *T) {
	e := *filled[syncline.Event](t)
	e.RunID, e.Seq = "r", 2
	first := syncline.Event{RunID: "r", Seq: 1, Text: "first"}
	t.update(func(tx syncline.Tx) error {
		must(t, tx.AppendEvents())
		return tx.AppendEvents(first, e, syncline.Event{RunID: "other", Seq: 1})
	})
	since := func(after int64, limit int) []syncline.Event {
		return get(t, func(tx syncline.Tx) ([]syncline.Event, error) { return tx.Events("r", after, limit) })
	}
	equal(t.T, "all", since(0, 10), []syncline.Event{first, e})
	equal(t.T, "after the first", since(1, 10), []syncline.Event{e})
	equal(t.T, "limited", since(0, 1), []syncline.Event{first})
	equal(t.T, "none", len(since(2, 10)), 0)
	got := t.answers(
		func(tx syncline.Tx) error { return tx.AppendEvents(syncline.Event{RunID: "r", Seq: 2}) },
		func(tx syncline.Tx) error { return tx.AppendEvents(syncline.Event{RunID: "r", Seq: 3}) },
	)
	refused(t.T, got[0], syncline.AlreadyExists, "2")
	must(t, got[1])
	equal(t.T, "unharmed", len(since(0, 10)), 3)
}

func messages(t *T) {
	m := *filled[syncline.Message](t)
	m.RunID, m.Seq, m.Text = "r", 2, "a NUL \x00, a tab\t, a line\n and 🦆"
	t.update(func(tx syncline.Tx) error {
		return tx.AppendMessages(syncline.Message{RunID: "r", Seq: 1}, m, syncline.Message{RunID: "other", Seq: 1})
	})
	since := func(after int64, limit int) []syncline.Message {
		return get(t, func(tx syncline.Tx) ([]syncline.Message, error) { return tx.Messages("r", after, limit) })
	}
	equal(t.T, "after the first", since(1, 10), []syncline.Message{m})
	equal(t.T, "limited", len(since(0, 1)), 1)
	got := t.answers(func(tx syncline.Tx) error { return tx.AppendMessages(syncline.Message{RunID: "r", Seq: 1}) })
	refused(t.T, got[0], syncline.AlreadyExists, "1")
}

func rejects(t *T) {
	full := *filled[syncline.Reject](t)
	full.RunID, full.Task, full.Part, full.Row = "r", "b", "1", 1<<40
	full.Sample = []byte{0, 0xff, 'x'}
	mk := func(task, part string, row int64) syncline.Reject {
		return syncline.Reject{RunID: "r", Task: task, Part: part, Row: row}
	}
	put := func(rs ...syncline.Reject) (n int) {
		t.update(func(tx syncline.Tx) (err error) {
			n, err = tx.PutRejects(rs...)
			return err
		})
		return n
	}
	equal(t.T, "none", put(), 0)
	equal(t.T, "new", put(full, mk("b", "0", 10), mk("b", "0", 9), mk("a", "0", 0), syncline.Reject{RunID: "other"}), 5)
	changed := full
	changed.Message = "changed"
	equal(t.T, "one of them is new", put(changed, mk("a", "0", 0), mk("a", "0", 1)), 1)
	list := func(task string, offset, limit int) []syncline.Reject {
		return get(t, func(tx syncline.Tx) ([]syncline.Reject, error) { return tx.Rejects("r", task, offset, limit) })
	}
	order := []syncline.Reject{mk("a", "0", 0), mk("a", "0", 1), mk("b", "0", 9), mk("b", "0", 10), full}
	equal(t.T, "all", list("", 0, 10), order)
	equal(t.T, "of a task", list("b", 0, 10), order[2:])
	equal(t.T, "from an offset", list("", 1, 2), order[1:3])
	for task, want := range map[string]int64{"": 5, "a": 2, "b": 3, "c": 0} {
		equal(t.T, "count", get(t, func(tx syncline.Tx) (int64, error) { return tx.CountRejects("r", task) }), want)
	}
}
