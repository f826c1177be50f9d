package storetest

import (
	"github.com/synclinehq/syncline"
)

var pipelineChecks = []check{
	{"a pipeline keeps every field", pipelineFields},
	{"pipelines compare and swap", pipelineSwap},
	{"a pipeline's name is its own", pipelineNames},
	{"revisions never change", revisions},
	{"definitions of runs stand beside a pipeline's own", revisionsBeside},
	{"pipelines are listed in pages by name", pipelinePages},
	{"a deleted pipeline leaves only its runs", pipelineDelete},
	{"dialects have names of their own", dialectNames},
}

func pipeline(id string) *syncline.Pipeline {
	return &syncline.Pipeline{ID: id, Name: "name of " + id, Revision: 1, CreatedAt: day}
}

func (t *T) put(ps ...*syncline.Pipeline) {
	t.Helper()
	t.update(func(tx syncline.Tx) error {
		for _, p := range ps {
			if err := tx.PutPipeline(p); err != nil {
				return err
			}
		}
		return nil
	})
}

func (t *T) pipeline(id string) *syncline.Pipeline {
	t.Helper()
	return get(t, func(tx syncline.Tx) (*syncline.Pipeline, error) { return tx.Pipeline(id) })
}

func pipelineFields(t *T) {
	p := filled[syncline.Pipeline](t)
	t.put(p)
	equal(t.T, "version", p.Version, 1)
	equal(t.T, "by id", t.pipeline(p.ID), p)
	equal(t.T, "by name", get(t, func(tx syncline.Tx) (*syncline.Pipeline, error) { return tx.PipelineNamed(p.Name) }), p)
	equal(t.T, "revision", get(t, func(tx syncline.Tx) (*syncline.Definition, error) { return tx.Revision(p.ID, p.Revision) }), &p.Definition)
	equal(t.T, "list", get(t, func(tx syncline.Tx) ([]*syncline.Pipeline, error) { return tx.Pipelines(syncline.PipelineFilter{}) }), []*syncline.Pipeline{p})
}

func pipelineSwap(t *T) {
	p := pipeline("a")
	t.put(p)
	mine, theirs := *p, *p
	mine.Name = "mine"
	t.put(&mine)
	equal(t.T, "version", mine.Version, 2)
	theirs.Name = "theirs"
	refused(t.T, t.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(&theirs) }), syncline.Aborted, "theirs")
	equal(t.T, "name", t.pipeline("a").Name, "mine")
	gone := *pipeline("gone")
	gone.Version = 7
	refused(t.T, t.Update(t.Context(), func(tx syncline.Tx) error { return tx.PutPipeline(&gone) }), syncline.NotFound, "gone")
	t.view(func(tx syncline.Tx) error {
		_, err := tx.Pipeline("absent")
		refused(t.T, err, syncline.NotFound, "absent")
		_, err = tx.PipelineNamed("nameless")
		refused(t.T, err, syncline.NotFound, "nameless")
		_, err = tx.Revision("a", 99)
		refused(t.T, err, syncline.NotFound, "99")
		return nil
	})
}

func pipelineNames(t *T) {
	a, b := pipeline("a"), pipeline("b")
	t.put(a, b)
	t.update(func(tx syncline.Tx) error {
		again := pipeline("a")
		refused(t.T, tx.PutPipeline(again), syncline.AlreadyExists, `"a"`)
		other := pipeline("c")
		other.Name = a.Name
		refused(t.T, tx.PutPipeline(other), syncline.AlreadyExists, a.Name)
		renamed := *b
		renamed.Name = a.Name
		refused(t.T, tx.PutPipeline(&renamed), syncline.AlreadyExists, a.Name)
		return tx.PutPipeline(pipeline("d")) // the transaction goes on unharmed
	})
	equal(t.T, "b", t.pipeline("b").Name, b.Name)
	equal(t.T, "d", t.pipeline("d").ID, "d")
}

func revisions(t *T) {
	p := pipeline("a")
	p.Definition.Parallel = 1
	t.put(p)
	p.Definition.Parallel = 2 // without a revision of its own
	t.put(p)
	equal(t.T, "revision 1", t.revision("a", 1).Parallel, 1)
	equal(t.T, "the pipeline's own", t.pipeline("a").Definition.Parallel, 1)
	p.Revision, p.Definition.Parallel = 2, 3
	t.put(p)
	equal(t.T, "revision 1", t.revision("a", 1).Parallel, 1)
	equal(t.T, "revision 2", t.revision("a", 2).Parallel, 3)
	equal(t.T, "the pipeline's own", t.pipeline("a").Definition.Parallel, 3)
}

func revisionsBeside(t *T) {
	p := pipeline("a")
	p.Definition.Parallel = 1
	t.put(p, pipeline("b"))
	beside := func(pipeline string, parallel int) (n int64) {
		t.update(func(tx syncline.Tx) (err error) {
			_, err = tx.Pipeline(pipeline)
			must(t, err)
			n, err = tx.PutRevision(pipeline, &syncline.Definition{Parallel: parallel})
			return err
		})
		return n
	}
	first, second, other := beside("a", 5), beside("a", 6), beside("b", 7)
	if first >= 0 || second >= 0 || first == second {
		t.Fatalf("numbers %d, %d", first, second)
	}
	equal(t.T, "first", t.revision("a", first).Parallel, 5)
	equal(t.T, "second", t.revision("a", second).Parallel, 6)
	equal(t.T, "of another", t.revision("b", other).Parallel, 7)
	equal(t.T, "its own", t.pipeline("a").Definition.Parallel, 1)
	t.update(func(tx syncline.Tx) error {
		must(t, tx.DeleteRevision("a", first))
		must(t, tx.DeleteRevision("a", first)) // it is not there
		return tx.DeleteRevision("a", 1)       // the pipeline's own stay
	})
	if n := beside("a", 8); n == second {
		t.Fatalf("number %d was given twice", n)
	}
	equal(t.T, "second", t.revision("a", second).Parallel, 6)
	equal(t.T, "its own", t.revision("a", 1).Parallel, 1)
	t.update(func(tx syncline.Tx) error { return tx.DeletePipeline("a") })
	t.view(func(tx syncline.Tx) error {
		_, err := tx.Revision("a", second)
		refused(t.T, err, syncline.NotFound, "a")
		return nil
	})
	equal(t.T, "of another", t.revision("b", other).Parallel, 7)
}

func (t *T) revision(id string, n int64) *syncline.Definition {
	t.Helper()
	return get(t, func(tx syncline.Tx) (*syncline.Definition, error) { return tx.Revision(id, n) })
}

func pipelinePages(t *T) {
	for i := range 25 {
		t.put(pipeline(name("p", 100-i)))
	}
	t.put(pipeline("pZ"), pipeline("päö"))
	var seen []string
	for f := (syncline.PipelineFilter{Limit: 7}); ; {
		page := get(t, func(tx syncline.Tx) ([]*syncline.Pipeline, error) { return tx.Pipelines(f) })
		if len(page) == 0 {
			break
		}
		for _, p := range page {
			seen = append(seen, p.ID)
		}
		f.After = page[len(page)-1].Name
		if len(seen) == 7 {
			t.put(pipeline("p")) // before the page: shifts nothing
		}
	}
	want := []string{}
	for i := range 25 {
		want = append(want, name("p", 76+i))
	}
	equal(t.T, "all, in the order of bytes", seen, append(want, "pZ", "päö"))
}

func pipelineDelete(t *T) {
	p := pipeline("a")
	t.put(p, pipeline("b"))
	t.update(func(tx syncline.Tx) error {
		must(t, tx.InsertRun(run("r", func(r *syncline.Run) { r.PipelineID = "a" })))
		must(t, tx.PutName("elastic", "ea", "a"))
		must(t, tx.PutName("elastic", "eb", "b"))
		must(t, tx.PutSchedules("a", []syncline.ScheduleRow{{PipelineID: "a", Schedule: syncline.Schedule{ID: "s"}, Enabled: true, NextSlot: day}}))
		_, err := tx.InsertSlot(syncline.Slot{PipelineID: "a", ScheduleID: "s", At: day, RunID: "r"})
		must(t, err)
		return tx.DeletePipeline("a")
	})
	t.view(func(tx syncline.Tx) error {
		_, err := tx.Pipeline("a")
		refused(t.T, err, syncline.NotFound, "a")
		_, err = tx.Revision("a", 1)
		refused(t.T, err, syncline.NotFound, "a")
		_, err = tx.Name("elastic", "ea")
		refused(t.T, err, syncline.NotFound, "ea")
		rows, err := tx.Schedules("a")
		must(t, err)
		equal(t.T, "schedules", len(rows), 0)
		slots, err := tx.SlotsBetween("a", day, day, 10)
		must(t, err)
		equal(t.T, "slots", len(slots), 0)
		_, err = tx.Run("r")
		must(t, err)
		id, err := tx.Name("elastic", "eb")
		equal(t.T, "the other's name", id, "b")
		return err
	})
	refused(t.T, t.Update(t.Context(), func(tx syncline.Tx) error { return tx.DeletePipeline("a") }), syncline.NotFound, "a")
}

func must(t *T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func dialectNames(t *T) {
	t.update(func(tx syncline.Tx) error {
		must(t, tx.PutName("elastic", "n", "a"))
		must(t, tx.PutName("elastic", "n", "a"))
		refused(t.T, tx.PutName("elastic", "n", "b"), syncline.AlreadyExists, "n")
		must(t, tx.PutName("other", "n", "b"))
		id, err := tx.Name("elastic", "n")
		equal(t.T, "elastic", id, "a")
		must(t, err)
		must(t, tx.DeleteName("elastic", "n"))
		_, err = tx.Name("elastic", "n")
		refused(t.T, err, syncline.NotFound, "n")
		refused(t.T, tx.DeleteName("elastic", "n"), syncline.NotFound, "n")
		id, err = tx.Name("other", "n")
		equal(t.T, "other", id, "b")
		return err
	})
}
