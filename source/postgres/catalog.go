package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/spec"
)

// relation is something that can be read, as the catalog describes it.
type relation struct {
	oid       uint32
	name      name
	kind      byte // pg_class.relkind
	partition bool
	readable  bool
	rows      int64 // the planner's estimate, -1 unknown
	bytes     int64

	columns []column
	indexes []index
}

// column is one column of a relation.
type column struct {
	pgcopy.Column
	correlation *float64 // between the order on disk and that of the values; nil unknown
}

// index is a unique index over whole columns and all rows.
type index struct {
	columns []string
	notNull bool // all of its columns
}

// isTable: it has rows of its own on disk, or its partitions have.
func (r *relation) isTable() bool { return r.kind == 'r' || r.kind == 'p' }

// from is the relation for a FROM clause. A parent by inheritance is read without its
// children, which are entities themselves; a partitioned table with its partitions.
func (r *relation) from() string {
	if r.kind == 'r' {
		return "only " + r.name.sql()
	}
	return r.name.sql()
}

func (r *relation) column(name string) (column, bool) {
	i := slices.IndexFunc(r.columns, func(c column) bool { return c.Name == name })
	if i < 0 {
		return column{}, false
	}
	return r.columns[i], true
}

// key is the primary key, or else the columns of a unique index that hold no NULL.
func (r *relation) key() []string {
	for _, x := range r.indexes {
		if x.notNull {
			return x.columns
		}
	}
	return nil
}

// unique reports whether a unique index is over just this column.
func (r *relation) unique(column string) bool {
	return slices.ContainsFunc(r.indexes, func(x index) bool { return slices.Equal(x.columns, []string{column}) })
}

// Sums over the partitions of a partitioned table; pages are counted by the file system
// because the planner's count is as old as the last vacuum.
const relationsSQL = `
select c.oid, n.nspname, c.relname, c.relkind::text, c.relispartition,
  has_table_privilege(c.oid, 'select') and has_schema_privilege(n.oid, 'usage'),
  case when c.relkind = 'p' then p.rows when c.reltuples < 0 or c.reltuples = 0 and c.relpages = 0 then -1 else c.reltuples end::bigint,
  case when c.relkind = 'p' then p.bytes when c.relkind in ('r', 'm') then pg_table_size(c.oid) else -1 end::bigint
from pg_class c join pg_namespace n on n.oid = c.relnamespace
left join lateral (
  select case when bool_and(l.reltuples >= 0) then sum(l.reltuples) else -1 end as rows, sum(pg_table_size(l.oid)) as bytes
  from pg_partition_tree(c.oid) t join pg_class l on l.oid = t.relid where t.isleaf
) p on c.relkind = 'p'
where c.relkind in ('r', 'p', 'v', 'm', 'f') and c.relpersistence <> 't'
  and n.nspname not in ('pg_catalog', 'information_schema', 'pg_toast') and n.nspname !~ '^pg_(toast_)?temp_'
  and c.relname !~ '^_syncline'
order by n.nspname, c.relname`

func relations(ctx context.Context, c *pgx.Conn) ([]*relation, error) {
	found, err := c.Query(ctx, relationsSQL)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(row pgx.CollectableRow) (*relation, error) {
		r := &relation{}
		var kind string
		err := row.Scan(&r.oid, &r.name.schema, &r.name.table, &kind, &r.partition, &r.readable, &r.rows, &r.bytes)
		r.kind = kind[0]
		return r, err
	})
}

// A domain is followed to its base type. pg_stats shows a NaN or an infinity in a numeric
// column cheaply, if not surely: one that it does not show becomes a reject.
const columnsSQL = `
select a.attrelid, a.attname, format_type(b.typ, b.mod), greatest(a.attndims, 0), not a.attnotnull,
  s.correlation::float8,
  b.typ in (1700, 1231) and coalesce(s.most_common_vals::text, '') || coalesce(s.histogram_bounds::text, '') || coalesce(s.most_common_elems::text, '') ~ 'NaN|Inf'
from pg_attribute a
join lateral (
  with recursive base(typ, mod, kind, next, nextmod) as (
    select t.oid, a.atttypmod, t.typtype, t.typbasetype, t.typtypmod from pg_type t where t.oid = a.atttypid
    union all
    select t.oid, case when base.nextmod >= 0 then base.nextmod else base.mod end, t.typtype, t.typbasetype, t.typtypmod
    from base join pg_type t on t.oid = base.next where base.kind = 'd'
  ) select typ, mod from base where kind <> 'd'
) b on true
join pg_class c on c.oid = a.attrelid join pg_namespace n on n.oid = c.relnamespace
left join lateral (
  select * from pg_stats s where s.schemaname = n.nspname and s.tablename = c.relname and s.attname = a.attname
  order by s.inherited = (c.relkind = 'p') desc limit 1
) s on true
where a.attrelid = any($1) and a.attnum > 0 and not a.attisdropped
order by a.attrelid, a.attnum`

const indexesSQL = `
select i.indrelid, array_agg(a.attname::text order by k.place), bool_and(a.attnotnull)
from pg_index i cross join lateral unnest(i.indkey::int2[]) with ordinality as k(attnum, place)
join pg_class x on x.oid = i.indexrelid
join pg_attribute a on a.attrelid = i.indrelid and a.attnum = k.attnum
where i.indrelid = any($1) and i.indisunique and i.indisvalid and i.indimmediate
  and i.indpred is null and i.indexprs is null and k.place <= i.indnkeyatts
group by i.indrelid, i.indisprimary, i.indnkeyatts, x.relname
order by i.indrelid, i.indisprimary desc, i.indnkeyatts, x.relname`

// describe fills in columns and unique indexes. Names of types come qualified with their
// schema unless they are the server's own.
func describe(ctx context.Context, c *pgx.Conn, rs []*relation) error {
	if _, err := c.Exec(ctx, "set local search_path = pg_catalog"); err != nil {
		return err
	}
	byOID := make(map[uint32]*relation, len(rs))
	oids := make([]uint32, 0, len(rs))
	for _, r := range rs {
		byOID[r.oid], oids = r, append(oids, r.oid)
	}
	if err := describeColumns(ctx, c, oids, byOID); err != nil {
		return err
	}
	found, err := c.Query(ctx, indexesSQL, oids)
	if err != nil {
		return err
	}
	var oid uint32
	var x index
	_, err = pgx.ForEachRow(found, []any{&oid, &x.columns, &x.notNull}, func() error {
		byOID[oid].indexes = append(byOID[oid].indexes, index{columns: slices.Clone(x.columns), notNull: x.notNull})
		return nil
	})
	return err
}

func describeColumns(ctx context.Context, c *pgx.Conn, oids []uint32, byOID map[uint32]*relation) error {
	found, err := c.Query(ctx, columnsSQL, oids)
	if err != nil {
		return err
	}
	var oid uint32
	var col column
	_, err = pgx.ForEachRow(found, []any{&oid, &col.Name, &col.Type, &col.Dims, &col.Nullable, &col.correlation, &col.HoldsNaN}, func() error {
		next := col
		col.correlation = nil
		byOID[oid].columns = append(byOID[oid].columns, next)
		return nil
	})
	return err
}

// find lists the relations that patterns mean, described, in the order of their names.
func (s *Source) find(ctx context.Context, patterns []string) (found []*relation, err error) {
	err = s.ask(ctx, "list tables", func(ctx context.Context, c *pgx.Conn) error {
		all, err := relations(ctx, c)
		if err != nil {
			return err
		}
		if found, err = s.choose(all, patterns); err != nil {
			return err
		}
		return describe(ctx, c, found)
	})
	return found, err
}

func (s *Source) choose(all []*relation, patterns []string) ([]*relation, error) {
	if len(patterns) == 0 {
		patterns = []string{"*"}
	}
	chosen := map[*relation]bool{}
	for _, text := range patterns {
		p, err := parsePattern(text)
		if err != nil {
			return nil, syncline.Errorf(syncline.InvalidArgument, "entity %w", err).Of(syncline.ClassConfig).
				Try(`quote names with dots or stars in them: public."odd.name"`)
		}
		found := p.match(all, s.schemas)
		if len(found) == 0 && !p.everywhere {
			return nil, s.nothing(text, all)
		}
		for _, r := range found {
			chosen[r] = true
		}
	}
	var out []*relation
	for _, r := range all {
		if chosen[r] {
			out = append(out, r)
		}
	}
	slices.SortFunc(out, func(a, b *relation) int { return strings.Compare(a.name.String(), b.name.String()) })
	return out, s.permitted(out)
}

// nothing says that a pattern matches nothing, and what it may have meant.
func (s *Source) nothing(text string, all []*relation) error {
	var known []string
	for _, r := range all {
		known = append(known, r.name.String())
	}
	err := syncline.Errorf(syncline.NotFound, "no table or view %q in %s", text, s.settings.Where()).Of(syncline.ClassConfig)
	for _, wanted := range []string{text, "public." + text} {
		if near := spec.Nearest(wanted, known); near != "" {
			return err.Try("did you mean %s?", near)
		}
	}
	for _, k := range known {
		if strings.HasSuffix(k, "."+text) {
			return err.Try("did you mean %s? %s is not on the search path", k, strings.TrimSuffix(k, "."+text))
		}
	}
	if len(known) == 0 {
		return err.Try("the database has no tables or views of its own: check its name")
	}
	const shown = 8
	more := ""
	if len(known) > shown {
		more = fmt.Sprintf(" and %d more", len(known)-shown)
	}
	return err.Try("there is %s%s", strings.Join(known[:min(len(known), shown)], ", "), more)
}

// permitted refuses what the role may not read, rather than to leave it out unsaid.
func (s *Source) permitted(rs []*relation) error {
	var refused []string
	for _, r := range rs {
		if !r.readable {
			refused = append(refused, r.name.String())
		}
	}
	if len(refused) == 0 {
		return nil
	}
	first := rs[slices.IndexFunc(rs, func(r *relation) bool { return !r.readable })].name
	return syncline.Errorf(syncline.PermissionDenied, "role %s may not read %s", s.settings.User, strings.Join(refused, ", ")).
		Of(syncline.ClassAuth).
		Try("grant usage on schema %s to %s; grant select on %s to %s; or name only entities it may read", ident(first.schema), ident(s.settings.User), first.sql(), ident(s.settings.User))
}

// Entities lists what can be read.
func (s *Source) Entities(ctx context.Context, patterns []string) ([]source.Entity, error) {
	found, err := s.find(ctx, patterns)
	if err != nil {
		return nil, err
	}
	entities := make([]source.Entity, len(found))
	for i, r := range found {
		entities[i] = r.entity()
	}
	return entities, nil
}

// relation finds an entity's relation as it is now.
func (s *Source) relation(ctx context.Context, entity string) (*relation, error) {
	found, err := s.find(ctx, []string{entity})
	if err != nil {
		return nil, err
	}
	if len(found) != 1 {
		return nil, syncline.Errorf(syncline.InvalidArgument, "%q is not the name of one table", entity).Of(syncline.ClassConfig)
	}
	return found[0], nil
}
