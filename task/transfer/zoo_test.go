package transfer_test

import (
	"fmt"
	"path/filepath"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"golang.org/x/sync/errgroup"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/task/tasktest"
)

// cage is a column of PostgreSQL with the values that are hard to keep, as literals.
type cage struct {
	name, typ string
	values    []string
}

var zoo = []cage{
	{"c_smallint", "smallint", []string{"-32768", "32767", "0"}},
	{"c_integer", "integer", []string{"-2147483648", "2147483647"}},
	{"c_bigint", "bigint", []string{"-9223372036854775808", "9223372036854775807"}},
	{"c_real", "real", []string{"NaN", "Infinity", "-Infinity", "1e-45", "3.4028235e+38", "-0"}},
	{"c_double", "double precision", []string{"NaN", "Infinity", "-Infinity", "5e-324", "1.7976931348623157e+308", "0.1"}},
	{"c_boolean", "boolean", []string{"true", "false"}},
	{"c_decimal", "numeric(38,10)", []string{"0.0000000001", "-9999999999999999999999999999.9999999999", "NaN"}},
	{"c_wide", "numeric(76,38)", []string{strings.Repeat("9", 38) + "." + strings.Repeat("9", 38), "-0.00000000000000000000000000000000000001"}},
	{"c_numeric", "numeric", []string{strings.Repeat("123456789.", 1) + strings.Repeat("0123456789", 50), strings.Repeat("9", 1000), "NaN", "1.10"}},
	{"c_text", "text", []string{"", " ", "NULL", `\N`, "a\tb\nc\r\nd\\e", `he said "no", it's`, "日本語 👩‍👩‍👧 é", "\ufeffbom", strings.Repeat("long ", 2000), "null", "true", "0123"}},
	{"c_varchar", "varchar(20)", []string{"", "twenty characters..."}},
	{"c_bytea", "bytea", []string{`\x`, `\x00ff5c0a`}},
	{"c_date", "date", []string{"1970-01-01", "0001-01-01", "9999-12-31", "0044-03-15 BC", "12024-01-01", "infinity", "-infinity"}},
	{"c_time", "time", []string{"00:00:00", "23:59:59.999999", "24:00:00"}},
	{"c_timestamp", "timestamp", []string{"2024-02-29 12:34:56.789012", "0001-01-01 00:00:00", "9999-12-31 23:59:59.999999", "0044-03-15 01:02:03 BC", "12024-01-01 00:00:00", "infinity", "-infinity"}},
	{"c_timestamptz", "timestamptz", []string{"2024-02-29 12:34:56.789012+00", "0044-03-15 01:02:03+00 BC", "12024-01-01 00:00:00+00", "infinity", "-infinity"}},
	{"c_timetz", "timetz", []string{"23:59:59.999999+05:30"}},
	{"c_uuid", "uuid", []string{"a0eebc99-9c0b-4ef8-bb6d-6bb9bd380a11", "ffffffff-ffff-ffff-ffff-ffffffffffff"}},
	{"c_json", "json", []string{"null", `{"a":  [1, "b", null, {"c": "é"}]}`, `"text"`, "1.10"}},
	{"c_jsonb", "jsonb", []string{"null", `{"a": [1.10, "b", null]}`}},
	{"c_interval", "interval", []string{"0", "1 year 2 mons 3 days -04:05:06.789", "-178 years"}},
	{"c_ints", "integer[]", []string{"{}", "{1,NULL,-2147483648}"}},
	{"c_texts", "text[]", []string{"{}", `{"",NULL,"NULL","a\"b\\c","{},"}`}},
	{"c_square", "integer[]", []string{"{{1,2},{3,4}}", "[0:1]={5,6}"}},
	{"c_inet", "inet", []string{"192.168.0.1/24", "::1"}},
	{"c_range", "int4range", []string{"[1,10)", "empty"}},
	{"c_xml", "xml", []string{"<a>b</a>"}},
	{"c_bit", "bit varying(10)", []string{"10110", ""}},
}

// TestZoo takes every value from PostgreSQL to each place and back to PostgreSQL: it comes
// back equal, or its row was rejected by name on the way.
func TestZoo(t *testing.T) {
	src := openPostgres(t)
	fillZoo(t, src.url)
	want := readZoo(t, src.url)
	dir := t.TempDir()
	vias := map[string]struct{ to, from string }{
		"postgres":    {to: openPostgres(t).url},
		"sqlite":      {to: "sqlite://" + filepath.Join(dir, "zoo.db")},
		"csv":         {to: "file://" + dir + "/csv/", from: "file://" + dir + "/csv/*.csv"},
		"json lines":  {to: "file://" + dir + "/jsonl/?format=jsonl", from: "file://" + dir + "/jsonl/*.jsonl"},
		"tsv in zstd": {to: "file://" + dir + "/tsv/?format=tsv&compress=zstd", from: "file://" + dir + "/tsv/*.tsv.zst"},
	}
	if testing.Short() {
		delete(vias, "tsv in zstd") // what it adds, the suites of the two ends have
		delete(vias, "json lines")
		delete(vias, "postgres")
	}
	for name, via := range vias {
		t.Run(name, func(t *testing.T) {
			back := openPostgres(t)
			if via.from == "" {
				via.from = via.to
			}
			rejected := map[string]string{}
			moveAll(t, src.url, via.to, rejected)
			moveAll(t, via.from, back.url, rejected)
			got := readZoo(t, back.url)
			kept := 0
			for key, value := range want {
				why, gone := rejected[key]
				there, ok := got[key]
				switch {
				case ok && there == value && !gone:
					kept++
				case ok && there != value:
					t.Errorf("%s: %.80q came back as %.80q", key, value, there)
				case !ok && !gone:
					t.Errorf("%s: %.80q is lost and no reject says so", key, value)
				case ok && gone:
					t.Errorf("%s is there and rejected (%s)", key, why)
				}
			}
			t.Logf("%d of %d values came back; rejected: %v", kept, len(want), rejected)
			if kept < len(want)*9/10 {
				t.Errorf("only %d of %d values came back", kept, len(want))
			}
		})
	}
}

func fillZoo(t *testing.T, url string) {
	c := connect(t, url)
	for _, z := range zoo {
		if _, err := c.Exec(t.Context(), fmt.Sprintf("create table %s (id integer primary key, v %s)", z.name, z.typ)); err != nil {
			t.Fatal(err)
		}
		for i, v := range append(z.values, "") {
			value := any(v)
			if i == len(z.values) {
				value = nil
			}
			if _, err := c.Exec(t.Context(), fmt.Sprintf("insert into %s values ($1, $2::text::%s)", z.name, z.typ), i, value); err != nil {
				t.Fatalf("%s %q: %v", z.name, v, err)
			}
		}
	}
}

// readZoo is every value as PostgreSQL writes it, by table and id.
func readZoo(t *testing.T, url string) map[string]string {
	c := connect(t, url)
	if _, err := c.Exec(t.Context(), "set datestyle to iso; set intervalstyle to postgres; set bytea_output to hex"); err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, z := range zoo {
		found, err := c.Query(t.Context(), fmt.Sprintf("select id::text, coalesce(v::text, '<NULL>') from %s", z.name))
		if err != nil {
			t.Errorf("%s: %v", z.name, err)
			continue
		}
		var id, v string
		if _, err := pgx.ForEachRow(found, []any{&id, &v}, func() error { all[z.name+" "+id] = v; return nil }); err != nil {
			t.Errorf("%s: %v", z.name, err)
		}
	}
	return all
}

// moveAll moves every entity and notes the rejects as "table id".
func moveAll(t *testing.T, from, to string, rejected map[string]string) {
	t.Helper()
	d := ends(t, from, to)
	kind := realKind(t)
	tasks, err := kind.Plan(t.Context(), d, "")
	if err != nil {
		t.Fatal(err)
	}
	if len(tasks) != len(zoo) {
		t.Fatalf("%d entities are planned, there are %d", len(tasks), len(zoo))
	}
	var side errgroup.Group
	side.SetLimit(4)
	recs := map[string]*tasktest.Recorder{}
	for _, one := range tasks {
		rec := tasktest.NewRecorder(t, syncline.Run{ID: "run-1", Load: "run-1", PipelineID: "pipeline-1"}, d, one)
		recs[table(one.Name)] = rec
		side.Go(func() error {
			if err := rec.Do(t.Context(), kind); err != nil {
				t.Errorf("%s: %v", one.Name, err)
			}
			return nil
		})
	}
	_ = side.Wait() // each has said what went wrong
	for name, rec := range recs {
		for _, bad := range rec.Rejects() {
			rejected[name+" "+fmt.Sprint(bad.Row)] = bad.Code + ": " + bad.Message
		}
	}
}

// table is the table that an entity's name means: public.c_text, c_text.csv.gz.
func table(entity string) string {
	entity = strings.TrimPrefix(entity, "public.")
	name, _, _ := strings.Cut(entity, ".")
	return name
}
