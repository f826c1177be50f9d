package postgres

import (
	"strings"
	"sync"

	"github.com/synclinehq/syncline/store/sqlstore"
)

const schema = "syncline."

var flavor = &sqlstore.Flavor{
	Read:  words("", "", ""),
	Write: words(" for update", " for update of ", " for update skip locked"),
	Types: sqlstore.Words(schema, "{text}", `text collate "C"`, "{doc}", "text", "{keyed}", "", "{json}", "::json", "{index}", schema,
		"{narrow}", "with (fillfactor = 50, autovacuum_vacuum_scale_factor = 0, autovacuum_vacuum_threshold = 5000)"),
	List: func(all []string) any { return all },
	// A lock that is kept in memory and ends with its transaction. Two lanes with one
	// hash only wait for each other.
	Lane:   `select pg_advisory_xact_lock(hashtextextended($1, 5297))`,
	LaneOf: `select pg_advisory_xact_lock(hashtextextended(lane, 5297)) from {runs} where id = $1`,
	LanesOf: `with asked as materialized (select id, lane from {runs} where id = any($1::text[]))
		select id from asked where pg_try_advisory_xact_lock(hashtextextended(lane, 5297))`,
	Clock: `select (extract(epoch from clock_timestamp()) * 1000000)::bigint`,
}

func words(lock, of, skip string) *strings.Replacer {
	ofTable := func(t string) string {
		if of == "" {
			return ""
		}
		return of + t
	}
	return sqlstore.Words(schema, "{any}", "= any(", "{end}", ")",
		"{lock}", lock, "{lock t}", ofTable("t"), "{lock p}", ofTable("p"), "{skip}", skip)
}

// dictionary remembers what statements mean: there are few, and they are said often.
type dictionary struct {
	words *strings.Replacer
	known sync.Map
}

func (d *dictionary) text(stmt string) string {
	if t, ok := d.known.Load(stmt); ok {
		return t.(string)
	}
	t := d.words.Replace(stmt)
	d.known.Store(stmt, t)
	return t
}

var reading, writing = &dictionary{words: flavor.Read}, &dictionary{words: flavor.Write}
