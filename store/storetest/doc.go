package storetest

import (
	"github.com/synclinehq/syncline"
)

var docChecks = []check{
	{"documents compare and swap", docSwap},
	{"documents are listed in pages by id", docPages},
}

func docSwap(t *T) {
	d := filled[syncline.Doc](t)
	d.ID, d.Revision = "one of them", 0
	read := func() *syncline.Doc {
		return get(t, func(tx syncline.Tx) (*syncline.Doc, error) { return tx.Doc(d.Dialect, d.Kind, d.ID) })
	}
	t.update(func(tx syncline.Tx) error { return tx.PutDoc(d) })
	equal(t.T, "revision", d.Revision, 1)
	equal(t.T, "stored", read(), d)
	stale := *d
	d.Body = []byte(`[1,"\u0000"]`)
	t.update(func(tx syncline.Tx) error { return tx.PutDoc(d) })
	t.update(func(tx syncline.Tx) error {
		refused(t.T, tx.PutDoc(&stale), syncline.Aborted, d.ID)
		fresh := stale
		fresh.Revision = 0
		refused(t.T, tx.PutDoc(&fresh), syncline.AlreadyExists, d.ID)
		absent := syncline.Doc{Dialect: "x", Kind: "y", ID: "absent", Revision: 3, Body: []byte("{}")}
		refused(t.T, tx.PutDoc(&absent), syncline.NotFound, "absent")
		broken := syncline.Doc{Dialect: "x", Kind: "y", ID: "broken", Body: []byte("{")}
		refused(t.T, tx.PutDoc(&broken), syncline.InvalidArgument, "broken")
		_, err := tx.Doc("x", "y", "absent")
		refused(t.T, err, syncline.NotFound, "absent")
		return nil
	})
	equal(t.T, "swapped", read(), d)
	t.update(func(tx syncline.Tx) error {
		must(t, tx.DeleteDoc(d.Dialect, d.Kind, d.ID))
		refused(t.T, tx.DeleteDoc(d.Dialect, d.Kind, d.ID), syncline.NotFound, d.ID)
		return nil
	})
}

func docPages(t *T) {
	t.update(func(tx syncline.Tx) error {
		for i := range 9 {
			must(t, tx.PutDoc(&syncline.Doc{Dialect: "a", Kind: "k", ID: name("d", 8-i), Body: []byte("null")}))
		}
		must(t, tx.PutDoc(&syncline.Doc{Dialect: "a", Kind: "l", ID: "x", Body: []byte("1")}))
		return tx.PutDoc(&syncline.Doc{Dialect: "b", Kind: "k", ID: "x", Body: []byte("1")})
	})
	var seen []string
	for after := ""; ; {
		page := get(t, func(tx syncline.Tx) ([]syncline.Doc, error) { return tx.Docs("a", "k", after, 4) })
		if len(page) == 0 {
			break
		}
		for _, d := range page {
			seen = append(seen, d.ID)
		}
		after = page[len(page)-1].ID
	}
	want := []string{}
	for i := range 9 {
		want = append(want, name("d", i))
	}
	equal(t.T, "all", seen, want)
}
