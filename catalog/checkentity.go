package catalog

import (
	"fmt"
	"slices"
	"strings"

	"github.com/synclinehq/syncline"
)

func (k *checker) entities() {
	names, tables := map[string]bool{}, map[string]string{}
	for i, e := range k.d.Entities {
		field := fmt.Sprintf("entities[%d]", i)
		if names[e.Name] {
			k.bad(field+".name", "leave one of them out", "entity %q is there twice", e.Name)
		}
		names[e.Name] = true
		if other, taken := tables[e.Table]; taken && e.Table != "" {
			k.bad(field+".table", "", "entities %q and %q would both land in %q", other, e.Name, e.Table)
		}
		tables[e.Table] = e.Name
		k.entity(field, e)
	}
}

// entity checks one entity for itself. What depends on the source, such as whether it has
// the cursor column or a primary key, is found when a run begins.
func (k *checker) entity(field string, e syncline.EntitySpec) {
	word(k, field+".mode", e.Mode, "", syncline.ModeFull, syncline.ModeIncremental)
	word(k, field+".write", e.Write, "", syncline.Append, syncline.Upsert, syncline.Replace)
	word(k, field+".columns", e.Columns, "", syncline.ColumnsAdd, syncline.ColumnsIgnore, syncline.ColumnsFreeze)
	word(k, field+".deletes", e.Deletes, "", syncline.DeletesIgnore, syncline.DeletesHard)
	word(k, field+".split", e.Split, "", "key")
	if e.Table != "" && (e.Name == "" || strings.ContainsAny(e.Name, "*?[")) {
		k.bad(field+".table", "name the entity in full",
			"table %q is given to the pattern %q, which may match several entities", e.Table, e.Name)
	}
	k.key(field, e)
	k.reading(field, e)
	k.deletes(field, e)
}

func (k *checker) key(field string, e syncline.EntitySpec) {
	for i, column := range e.Key {
		if column == "" || slices.Contains(e.Key[:i], column) {
			k.bad(field+".key", "",
				"the key of entity %q names the column %q twice, or one without a name", e.Name, column)
		}
	}
}

func (k *checker) reading(field string, e syncline.EntitySpec) {
	incremental := e.Mode == syncline.ModeIncremental
	if incremental && e.Cursor == "" && !k.cursorless() {
		k.bad(field+".cursor", "name the column that moves with every change: cursor: updated_at",
			"entity %q is to be read incrementally, by no cursor", e.Name)
	}
	if incremental && e.Write == syncline.Replace {
		k.bad(field+".write", "use write: upsert or append, or mode: full",
			"entity %q: an incremental read brings only what is new; replace would remove the rest", e.Name)
	}
	switch {
	case e.Overlap == nil:
	case *e.Overlap < 0:
		k.bad(field+".overlap", "", "the overlap of entity %q is negative", e.Name)
	case *e.Overlap > 0 && e.Write == syncline.Append:
		k.bad(field+".overlap", "use write: upsert with a key, or no overlap",
			"entity %q: append would keep the rows that an overlap reads again twice", e.Name)
	}
}

func (k *checker) deletes(field string, e syncline.EntitySpec) {
	// An incremental entity may be read in full by a schedule of its own.
	if e.Deletes != syncline.DeletesHard || e.Write == syncline.Upsert || e.Write == "" && e.Mode == syncline.ModeIncremental {
		return
	}
	write := "replace removes what is gone by itself"
	if e.Write == syncline.Append {
		write = "append removes nothing"
	}
	k.bad(field+".deletes", "use write: upsert, or leave deletes out",
		"entity %q: deletes: hard goes with write: upsert; %s", e.Name, write)
}
