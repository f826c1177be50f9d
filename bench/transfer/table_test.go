package transfer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/synclinehq/syncline/bench/measure"
)

// columns are those of the mixed table with the types of its source.
var columns = []struct{ name, native string }{
	{"id", "bigint"},
	{"qty", "integer"},
	{"amount", "numeric(12,2)"},
	{"score", "double precision"},
	{"active", "boolean"},
	{"created_at", "timestamp with time zone"},
	{"day", "date"},
	{"label", "text"},
	{"note", "character varying(60)"},
	{"payload", "jsonb"},
}

// mixed makes the mixed table with n rows in the source, once.
func (s *server) mixed(t *testing.T, name string, n int) {
	t.Helper()
	if s.made[name] {
		return
	}
	script, err := os.ReadFile(filepath.Join("..", "..", "..", "shared", "bench", "mixed-table.sql"))
	if err != nil {
		t.Skipf("the mixed table is not there: %v", err)
	}
	sql := strings.Replace(string(script), "generate_series(1, 1000000)", fmt.Sprintf("generate_series(1, %d)", n), 1)
	sql += fmt.Sprintf("; ALTER TABLE public.t RENAME TO %s; ALTER INDEX t_pkey RENAME TO %[1]s_pkey;", name)
	load := measure.Shell(s.psql(src))
	load.Stdin = strings.NewReader(sql)
	measure.Run(t, load)
	s.made[name] = true
}

// mixedUUID makes a copy of a mixed table whose key has no order.
func (s *server) mixedUUID(t *testing.T, name, of string) {
	t.Helper()
	if s.made[name] {
		return
	}
	s.exec(t, src, fmt.Sprintf("create table %s as select gen_random_uuid() as uid, * from %s", name, of))
	s.exec(t, src, fmt.Sprintf("alter table %s add primary key (uid)", name))
	for _, c := range columns {
		if c.name != "note" {
			s.exec(t, src, fmt.Sprintf("alter table %s alter %s set not null", name, c.name))
		}
	}
	s.exec(t, src, "vacuum (analyze, freeze) "+name)
	s.made[name] = true
}

// mirror makes the reference's empty table as Syncline made its own, key included.
func (s *server) mirror(t testing.TB, of string) {
	t.Helper()
	s.exec(t, dst, "drop table if exists ref")
	s.exec(t, dst, fmt.Sprintf("create table ref (like %s including all)", of))
}

// empty prepares the reference's table for its next turn.
func (s *server) empty(t testing.TB) {
	t.Helper()
	s.exec(t, dst, "truncate ref")
	s.settle(t)
}

// drop takes away what Syncline made, so that its next sync is a first one.
func (s *server) drop(t testing.TB, table string) {
	t.Helper()
	s.exec(t, dst, "drop table if exists "+table)
	s.settle(t)
}

// shape describes a table: columns, types and key.
func (s *server) shape(t testing.TB, db, table string) string {
	t.Helper()
	return value[string](t, s, db, `
		select string_agg(attname || ' ' || format_type(atttypid, atttypmod), ', ' order by attnum) || '; key ' ||
			coalesce((select pg_get_constraintdef(oid) from pg_constraint where conrelid = $1::regclass and contype = 'p'), 'none')
		from pg_attribute where attrelid = $1::regclass and attnum > 0 and not attisdropped`, table)
}

// fingerprint is the same for tables of equal content, whatever their columns' types.
func (s *server) fingerprint(t testing.TB, db, table string) string {
	t.Helper()
	var values []string
	for _, c := range columns {
		v := fmt.Sprintf("%q::%s", c.name, c.native)
		if c.native == "jsonb" {
			v += "::text" // 1.10 and 1.1 are equal as jsonb, and yet not the same
		}
		values = append(values, v)
	}
	return value[string](t, s, db, fmt.Sprintf("select count(*) || ' rows, ' || sum(hash_record_extended(row(%s), 0)) from %s", strings.Join(values, ", "), table))
}

// same fails unless a table holds what the source's does.
func (s *server) same(t testing.TB, table, of string) {
	t.Helper()
	if got, want := s.fingerprint(t, dst, table), s.fingerprint(t, src, of); got != want {
		t.Errorf("%s holds %s, its source %s", table, got, want)
	}
}
