package postgres

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
)

// old is what stands beside the rows of a table that is to be replaced by name.
type old struct {
	table *table
	// special is what a new table under the old name would not have, or would break. While
	// there is any, the old table must stay. Only what is understood is carried over.
	special     []string
	constraints []definition
	indexes     []definition // those that are not of a constraint
	settings    []string     // statements for the new table
	grants      []string
}

// definition is one constraint or index.
type definition struct {
	name, def, comment string
	isUnique           bool     // an index that is, whatever of
	unique             []string // the columns that it makes unique on their own, nil if it does not
}

// study reads all of it, under a search path that spells every name in full.
func study(ctx context.Context, tx pgx.Tx, t *table, s *shape) (*old, error) {
	o := &old{table: t}
	for _, c := range s.extras {
		o.special = append(o.special, fmt.Sprintf("column %q, which the source does not have", c))
	}
	for _, step := range []func(context.Context, pgx.Tx) error{
		o.readDependents, o.readOddities, o.readConstraints, o.readIndexes, o.readSettings, o.readGrants,
	} {
		if err := step(ctx, tx); err != nil {
			return nil, err
		}
	}
	return o, nil
}

// dependentsSQL lists everything that the server would drop with the table, or refuse to drop it
// for, save what is carried over.
const dependentsSQL = `
with t as (select oid, reltype, reltoastrelid from pg_class where oid = $1),
refs as (select 'pg_class'::regclass::oid as class, oid as obj from t
	union all select 'pg_type'::regclass, reltype from t
	union all select 'pg_type'::regclass, typarray from pg_type where oid = (select reltype from t)),
own as (select class, obj from refs
	union all select 'pg_class'::regclass, reltoastrelid from t
	union all select 'pg_class'::regclass, indexrelid from pg_index where indrelid = $1
	union all select 'pg_attrdef'::regclass, oid from pg_attrdef where adrelid = $1
	union all select 'pg_constraint'::regclass, oid from pg_constraint where conrelid = $1 and contype in ('p', 'u', 'c', 'x', 'n'))
select distinct pg_describe_object(d.classid, d.objid, d.objsubid) from refs join pg_depend d on d.refclassid = refs.class and d.refobjid = refs.obj
where not exists (select from own where own.class = d.classid and own.obj = d.objid)
union all select 'extension' from pg_depend where classid = 'pg_class'::regclass and objid = $1 and deptype = 'e'
order by 1`

func (o *old) readDependents(ctx context.Context, tx pgx.Tx) error {
	return o.add(ctx, tx, dependentsSQL)
}

// odditiesSQL lists properties of the table that a plain one does not have.
const odditiesSQL = `
select why from pg_class t, lateral (values
	(t.relkind <> 'r', 'partitions'),
	(t.relispartition, 'a partitioned table'),
	(exists (select from pg_inherits where inhrelid = t.oid), 'inheritance'),
	(t.reloftype <> 0, 'a composite type'),
	(t.relpersistence <> 'p', 'that it is unlogged'),
	(t.relrowsecurity or t.relforcerowsecurity, 'row security'),
	(t.relreplident <> 'd', 'its replica identity'),
	(t.reltablespace <> 0, 'its tablespace'),
	(t.relam <> (select oid from pg_am where amname = 'heap'), 'its access method'),
	(exists (select from pg_publication where puballtables), 'a publication of all tables'),
	(exists (select from pg_seclabel where objoid = t.oid and classoid = 'pg_class'::regclass), 'security labels'),
	(exists (select from pg_index where indrelid = t.oid and (indisclustered or indisreplident or not indisvalid)), 'a clustered or invalid index'),
	(exists (select from pg_class i join pg_index x on x.indexrelid = i.oid where x.indrelid = t.oid and i.reltablespace <> 0), 'an index in a tablespace'),
	(not pg_has_role(t.relowner, 'USAGE'), 'its owner, who is another role'),
	(not has_schema_privilege(t.relowner, t.relnamespace, 'CREATE'), 'that its owner may create nothing in the schema'),
	(exists (select from pg_class where oid = t.reltoastrelid and reloptions is not null), 'storage parameters of its large values'),
	(exists (select from pg_attribute a join pg_type y on y.oid = a.atttypid where a.attrelid = t.oid and a.attnum > 0 and not a.attisdropped
		and (a.attgenerated <> '' or a.attidentity <> '' or a.attoptions is not null
			or a.attcompression <> '' or a.attstorage <> y.typstorage or a.attcollation <> y.typcollation or y.typtype = 'd' or a.attstattarget >= 0)),
		'columns with properties of their own')
) v(has, why) where t.oid = $1 and v.has`

func (o *old) readOddities(ctx context.Context, tx pgx.Tx) error {
	return o.add(ctx, tx, odditiesSQL)
}

func (o *old) add(ctx context.Context, tx pgx.Tx, sql string) error {
	found, err := tx.Query(ctx, sql, o.table.oid)
	if err != nil {
		return err
	}
	why, err := pgx.CollectRows(found, pgx.RowTo[string])
	o.special = append(o.special, why...)
	return err
}

func (o *old) readConstraints(ctx context.Context, tx pgx.Tx) (err error) {
	o.constraints, err = definitions(ctx, tx, `select conname::text, pg_get_constraintdef(oid), coalesce(obj_description(oid, 'pg_constraint'), ''),
			contype in ('p', 'u'), case when contype in ('p', 'u') then array(select attname::text from pg_attribute where attrelid = conrelid and attnum = any (conkey)) end
		from pg_constraint where conrelid = $1 and contype in ('p', 'u', 'c', 'x') order by contype <> 'p', conname`, o.table.oid)
	return err
}

// indexesSQL spells each one from where its own name and the table's have been told.
const indexesSQL = `
select c.relname::text, case when starts_with(d.def, d.head) then substr(d.def, length(d.head) + 1) else '' end,
	coalesce(obj_description(c.oid, 'pg_class'), ''), i.indisunique,
	case when i.indisunique and i.indpred is null and i.indexprs is null
		then array(select attname::text from pg_attribute where attrelid = i.indrelid and attnum = any (i.indkey[0:i.indnkeyatts-1])) end
from pg_index i join pg_class c on c.oid = i.indexrelid, lateral (select pg_get_indexdef(i.indexrelid) as def,
	format('CREATE %sINDEX %I ON %s USING ', case when i.indisunique then 'UNIQUE ' end, c.relname, i.indrelid::regclass) as head) d
where i.indrelid = $1 and not exists (select from pg_constraint where conindid = i.indexrelid and conrelid = $1) order by c.relname`

func (o *old) readIndexes(ctx context.Context, tx pgx.Tx) (err error) {
	o.indexes, err = definitions(ctx, tx, indexesSQL, o.table.oid)
	for _, x := range o.indexes {
		if x.def == "" {
			o.special = append(o.special, "index "+x.name)
		}
	}
	return err
}

// keys reports whether these are the columns it makes unique.
func (d definition) keys(key []string) bool {
	return d.unique != nil && slices.Equal(slices.Sorted(slices.Values(d.unique)), slices.Sorted(slices.Values(key)))
}

// plain takes a constraint apart that is no more than a unique index on columns.
func (d definition) plain() (kind, columns string, ok bool) {
	kind, columns, ok = strings.Cut(d.def, " (")
	ok = ok && (kind == "PRIMARY KEY" || kind == "UNIQUE") && strings.HasSuffix(columns, ")") && !strings.Contains(columns, "(")
	return kind, "(" + columns, ok
}

func definitions(ctx context.Context, tx pgx.Tx, sql string, oid uint32) ([]definition, error) {
	found, err := tx.Query(ctx, sql, oid)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, func(r pgx.CollectableRow) (d definition, err error) {
		err = r.Scan(&d.name, &d.def, &d.comment, &d.isUnique, &d.unique)
		return d, err
	})
}

// settingsSQL draws the statements that give the new table, once it has the name, what the old
// one had: defaults, comments, storage parameters, owner.
const settingsSQL = `
select s from (
	select 1, format('alter table %s alter column %I set default %s', d.adrelid::regclass, a.attname, pg_get_expr(d.adbin, d.adrelid))
		from pg_attrdef d join pg_attribute a on a.attrelid = d.adrelid and a.attnum = d.adnum where d.adrelid = $1
	union all select 2, format('comment on table %s is %L', objoid::regclass, description)
		from pg_description where objoid = $1 and classoid = 'pg_class'::regclass and objsubid = 0
	union all select 2, format('comment on column %s.%I is %L', objoid::regclass, a.attname, description)
		from pg_description join pg_attribute a on a.attrelid = objoid and a.attnum = objsubid where objoid = $1 and classoid = 'pg_class'::regclass and objsubid > 0
	union all select 3, format('alter table %s set (%s)', oid::regclass, array_to_string(reloptions, ', ')) from pg_class where oid = $1 and reloptions is not null
	union all select 4, format('alter table %s owner to %I', oid::regclass, pg_get_userbyid(relowner)) from pg_class where oid = $1 and pg_get_userbyid(relowner) <> current_user
) v(n, s) order by n`

// grantsSQL draws the statements that give the table to whom the old one was given.
const grantsSQL = `
with held as (
	select c.oid, '' as columns, x.* from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x where c.oid = $1
	union all select a.attrelid, format(' (%I)', a.attname), x.* from pg_attribute a, aclexplode(a.attacl) x where a.attrelid = $1 and not a.attisdropped)
select distinct format('grant %s%s on table %s to %s%s', privilege_type, columns, oid::regclass,
	case when grantee = 0 then 'public' else quote_ident(pg_get_userbyid(grantee)) end, case when is_grantable then ' with grant option' end) from held`

// revokesSQL draws those that empty the access list of a table, which default privileges may have filled.
const revokesSQL = `
select distinct format('revoke all on table %s from %s', c.oid::regclass, case when x.grantee = 0 then 'public' else quote_ident(pg_get_userbyid(x.grantee)) end)
from pg_class c, aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) x where c.oid = $1`

func (o *old) readSettings(ctx context.Context, tx pgx.Tx) (err error) {
	o.settings, err = statements(ctx, tx, settingsSQL, o.table.oid)
	return err
}

func (o *old) readGrants(ctx context.Context, tx pgx.Tx) (err error) {
	o.grants, err = statements(ctx, tx, grantsSQL, o.table.oid)
	return err
}

func statements(ctx context.Context, tx pgx.Tx, sql string, oid uint32) ([]string, error) {
	found, err := tx.Query(ctx, sql, oid)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(found, pgx.RowTo[string])
}
