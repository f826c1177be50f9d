package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/synclinehq/syncline"
)

// building is a statement on the stage, and what of the target it builds.
type building struct{ sql, what string }

// keys are the statements that build the stage's keys and indexes: first those beside which
// the stage can be read, among them, at the head, the one that finds rows that repeat the
// entity's key.
type keys struct{ first, last []building }

// keys have names of their own as long as the old table's are taken.
func (p *publishing) keys(o *old) (k keys) {
	key := p.shape.key
	switch {
	case len(key) == 0:
	case !p.byName:
		return keys{first: []building{p.uniqueIndex("u")}}
	case o == nil || !o.keyed(key) && !o.table.primary:
		k.first = append(k.first, p.uniqueIndex("p"))
		k.last = append(k.last, p.constraint(p.interim("p", 0), "primary key", "key"))
	case !o.keyed(key) || o.oddly(key):
		k.first = append(k.first, p.uniqueIndex("u"))
		k.last = append(k.last, building{sql: "drop index " + p.interim("u", 0).quoted()})
	}
	if o != nil {
		p.carry(o, &k)
		k.last = append(k.last, p.loosened(o)...)
	}
	return k
}

// interim names what belongs to the stage until it has its place.
func (p *publishing) interim(what string, i int) name {
	return name{p.stage.schema, fmt.Sprintf("%s_%s%d", p.stage.table, what, i)}
}

func (p *publishing) uniqueIndex(what string) building {
	return p.index("create unique index ", p.interim(what, 0), "btree ("+list("", p.shape.key)+")", "key")
}

func (p *publishing) index(verb string, n name, def, what string) building {
	return building{verb + quote(n.table) + " on " + p.stage.quoted() + " using " + def, what}
}

// constraint makes one of the index of its name.
func (p *publishing) constraint(n name, kind, what string) building {
	return building{fmt.Sprintf("alter table %s add constraint %s %s using index %[2]s", p.stage.quoted(), quote(n.table), kind), what}
}

// carry builds what the old table has, a constraint or index on the key first.
func (p *publishing) carry(o *old, k *keys) {
	var first, rest []building
	put := func(d definition, b building) {
		if d.keys(p.shape.key) {
			first = append(first, b)
		} else {
			rest = append(rest, b)
		}
	}
	for i, c := range o.constraints {
		n, what := p.interim("c", i), fmt.Sprintf("constraint %q", c.name)
		if kind, columns, ok := c.plain(); ok {
			put(c, p.index("create unique index ", n, "btree "+columns, what))
			k.last = append(k.last, p.constraint(n, kind, what))
			continue
		}
		k.last = append(k.last, building{"alter table " + p.stage.quoted() + " add constraint " + quote(n.table) + " " + c.def, what})
	}
	for i, x := range o.indexes {
		verb := "create index "
		if x.isUnique {
			verb = "create unique index "
		}
		put(x, p.index(verb, p.interim("x", i), x.def, fmt.Sprintf("index %q", x.name)))
	}
	k.first = append(append(k.first, first...), rest...)
}

// loosened lets NULL into columns where the old table does. What the source promises is no
// reason to tighten a table that somebody may write to.
func (p *publishing) loosened(o *old) []building {
	var all []building
	for _, l := range p.shape.columns {
		if l.required && l.place > 0 && l.nullable && !(slices.Contains(p.shape.key, l.name) && !o.keyed(p.shape.key)) {
			all = append(all, building{sql: "alter table " + p.stage.quoted() + " alter column " + quote(l.name) + " drop not null"})
		}
	}
	return all
}

func (o *old) keyed(key []string) bool {
	is := func(d definition) bool { return d.keys(key) }
	return slices.ContainsFunc(o.constraints, is) || slices.ContainsFunc(o.indexes, is)
}

// oddly reports whether it is a constraint that is built last which keeps the key unique.
func (o *old) oddly(key []string) bool {
	return !slices.ContainsFunc(o.indexes, func(d definition) bool { return d.keys(key) }) &&
		!slices.ContainsFunc(o.constraints, func(d definition) bool { _, _, plain := d.plain(); return plain && d.keys(key) })
}

// rename gives the stage the target's name, and its parts the names of the old table's.
// Readers wait for this only.
func (p *publishing) rename(ctx context.Context, o *old) error {
	var all []string
	if o != nil {
		all = append(all, "drop table "+p.name.quoted())
	}
	all = append(all, "alter table "+p.stage.quoted()+" rename to "+quote(p.name.table))
	if o != nil {
		all = append(all, p.dressed(o)...)
	}
	for _, s := range all {
		if _, err := p.tx.Exec(ctx, s); err != nil {
			return err
		}
	}
	if o != nil {
		p.shape.note(p.target, p.name)
	} else {
		p.target.Note(syncline.Info, "created table %s", p.name.text())
	}
	if err := p.namePrimary(ctx); err != nil || o == nil {
		return err
	}
	return p.grant(ctx, o)
}

// dressed are the statements that give the new table what belongs to the old one's name.
func (p *publishing) dressed(o *old) []string {
	var all []string
	table := p.name.quoted()
	for i, c := range o.constraints {
		all = append(all, "alter table "+table+" rename constraint "+quote(p.interim("c", i).table)+" to "+quote(c.name))
		if c.comment != "" {
			all = append(all, "comment on constraint "+quote(c.name)+" on "+table+" is "+literal(c.comment))
		}
	}
	for i, x := range o.indexes {
		all = append(all, "alter index "+p.interim("x", i).quoted()+" rename to "+quote(x.name))
		if x.comment != "" {
			all = append(all, "comment on index "+name{p.name.schema, x.name}.quoted()+" is "+literal(x.comment))
		}
	}
	return append(all, o.settings...)
}

// namePrimary gives a key that was built for a new table the name people expect, if it is
// free.
func (p *publishing) namePrimary(ctx context.Context) error {
	want := p.name.table
	for len(want)+len("_pkey") > maxName {
		_, size := utf8.DecodeLastRuneInString(want)
		want = want[:len(want)-size]
	}
	want += "_pkey"
	interim := p.interim("p", 0)
	var rename bool
	err := p.tx.QueryRow(ctx, "select to_regclass($1) is not null and to_regclass($2) is null", interim.quoted(), name{p.name.schema, want}.quoted()).Scan(&rename)
	if err == nil && rename {
		_, err = p.tx.Exec(ctx, "alter table "+p.name.quoted()+" rename constraint "+quote(interim.table)+" to "+quote(want))
	}
	return err
}

// grant makes the new table's access list the old one's.
func (p *publishing) grant(ctx context.Context, o *old) error {
	have, err := describe(ctx, p.tx, p.name)
	if err != nil {
		return err
	}
	all, err := statements(ctx, p.tx, revokesSQL, have.oid)
	if err != nil {
		return err
	}
	for _, s := range append(all, o.grants...) {
		if _, err := p.tx.Exec(ctx, s); err != nil {
			return err
		}
	}
	return nil
}

func literal(s string) string { return "'" + strings.ReplaceAll(s, "'", "''") + "'" }
