package pgcopy_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/format/pgcopy"
	"github.com/synclinehq/syncline/testserver"
)

func TestMain(m *testing.M) { testserver.Main(m) }

// zoo has a column of every type of the map, and values of each that are hard.
var zoo = []struct {
	column, typ string
	values      []string // SQL expressions
}{
	{"i2", "smallint", []string{"-32768", "32767", "0"}},
	{"i4", "integer", []string{"-2147483648", "2147483647"}},
	{"i8", "bigint", []string{"-9223372036854775808", "9223372036854775807"}},
	{"f4", "real", []string{"'NaN'", "'Infinity'", "'-Infinity'", "3.4028235e38", "1e-45", "'-0'", "0.1"}},
	{"f8", "double precision", []string{"'NaN'", "'Infinity'", "'-Infinity'", "1.7976931348623157e308", "5e-324", "'-0'", "0.1"}},
	{"b", "boolean", []string{"true", "false"}},
	{"n12", "numeric(12,2)", []string{"0", "-0.01", "9999999999.99", "-9999999999.99", "10000", "0.1"}},
	{"n18", "numeric(18,0)", []string{"999999999999999999", "-999999999999999999", "10000000000000000"}},
	{"n38", "numeric(38,10)", []string{"9999999999999999999999999999.9999999999", "-0.0000000001", "12345678901234567890"}},
	{"n76", "numeric(76,38)", []string{"repeat('9',38)||'.'||repeat('9',38)", "'-0.'||repeat('0',37)||'1'", "repeat('9',38)"}},
	{"n77", "numeric(77,0)", []string{"repeat('9',77)", "'NaN'"}},
	{"nu", "numeric", []string{"repeat('7',1000)||'.5'", "'NaN'", "'Infinity'", "'-Infinity'", "0", "'0.000'", "'1e-1000'", "'-123000000000000000000000000.00100'"}},
	{"nneg", "numeric(3,-2)", []string{"12300"}},
	{"t", "text", []string{"''", "'a'||chr(9)||chr(10)||chr(13)||'\\N\\.'", "'🚀 東京'", "repeat('x',100000)"}},
	{"v", "character varying(10)", []string{"''", "'日本語日本語日本語日'", "'trailing  '"}},
	{"c", "character(5)", []string{"'ab'", "''", "'äöüß€'"}},
	{"nm", "name", []string{"repeat('n',63)"}},
	{"x", "xml", []string{"'<?xml version=\"1.0\" encoding=\"ISO-8859-1\"?><a>ä</a>'::text::xml", "'<a/>'::xml"}},
	{"e", "mood", []string{"'happy'", "'très ''triste'''"}},
	{"ba", "bytea", []string{`''`, `'\x00ff00'`, `decode(repeat('ab',100000),'hex')`}},
	{"d", "date", []string{"'infinity'", "'-infinity'", "'4714-11-24 BC'", "'5874897-12-31'", "'0001-01-01 BC'", "'1970-01-01'", "'2000-02-29'"}},
	{"tm", "time without time zone", []string{"'24:00'", "'00:00'", "'23:59:59.999999'"}},
	{"tm0", "time(0) without time zone", []string{"'12:00:01'"}},
	{"ts", "timestamp without time zone", []string{"'infinity'", "'-infinity'", "'4714-11-24 00:00:00 BC'", "'294246-12-31 23:59:59.999999'", "'1969-12-31 23:59:59.999999'"}},
	{"ts3", "timestamp(3) without time zone", []string{"'2024-01-01 00:00:00.123'"}},
	{"tz", "timestamp with time zone", []string{"'infinity'", "'-infinity'", "'4714-11-24 00:00:00+00 BC'", "'294246-12-31 23:59:59.999999+00'", "'2024-06-01 12:00+02'"}},
	{"u", "uuid", []string{"'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'"}},
	{"j", "json", []string{`'{"a": 1, "a":2 , "z":"\u0000"}'`, "'null'", "'\"x\"'"}},
	{"jb", "jsonb", []string{`'{"a": [1,2.50,1e400]}'`, "'null'", `'"🚀"'`}},
	{"iv", "interval", []string{"'178000000 years'", "'-1 mon 2 days -03:04:05.000006'", "'0'", "'2562047:00:00'", "'-2562047:47:16.854775'"}},
	{"ivd", "interval day to second(3)", []string{"'3 days 04:05:06.789'"}},
	{"tztz", "time with time zone", []string{"'24:00-15:59'"}},
	{"ip", "inet", []string{"'::1/64'", "'10.0.0.1'"}},
	{"mon", "money", []string{"'-92233720368547758.08'"}},
	{"bt", "bit varying(9)", []string{"B'101'", "B''"}},
	{"rg", "tstzrange", []string{"'empty'", "'[2024-01-01 00:00+00,)'"}},
	{"pt", "point", []string{"'(0.1,-1e300)'"}},
	{"cp", "pair", []string{`'(1,"a ""quoted"", one")'`}},
	{"ch", `"char"`, []string{"'x'"}},
	{"o", "oid", []string{"4294967295"}},
	{"ai", "integer[]", []string{"'{}'", "'{1,NULL,-3}'", "array(select generate_series(1,1000))"}},
	{"at", "text[]", []string{`'{"",NULL,"NULL","a\"b","c\\d"}'`, "array[chr(10),'{},']"}},
	{"an", "numeric(10,2)[]", []string{"'{1.50,NULL}'"}},
	{"anu", "numeric[]", []string{"'{NaN,1.500,Infinity,NULL}'"}},
	{"av", "character varying(3)[]", []string{"'{abc,NULL}'"}},
	{"ab", "boolean[]", []string{"'{t,f,NULL}'"}},
	{"abt", "bytea[]", []string{`array['\x00'::bytea,null]`}},
	{"atz", "timestamp with time zone[]", []string{"'{infinity,2024-01-01 00:00+00}'"}},
	{"au", "uuid[]", []string{"array['00000000-0000-0000-0000-000000000001'::uuid]"}},
	{"aj", "jsonb[]", []string{`array['{"a":1}'::jsonb, null]`}},
	{"aiv", "interval[]", []string{"'{1 day,NULL}'"}},
	{"adt", "date[]", []string{"'{infinity,0001-01-01 BC}'"}},
	{"ae", "mood[]", []string{"'{happy,NULL}'"}},
	{"ai2", "integer[][]", []string{"'{{1,2},{3,4}}'", "'[0:1]={7,8}'"}},
}

const zooTypes = `create type mood as enum ('happy', 'très ''triste'''); create type pair as (a integer, b text);`

// makeZoo makes tables a, filled, and b, empty, and returns their columns.
func makeZoo(t testing.TB, db *pgx.Conn) []pgcopy.Column {
	t.Helper()
	var defs []string
	var columns []pgcopy.Column
	for _, z := range zoo {
		defs = append(defs, z.column+" "+z.typ)
		c := pgcopy.Column{Name: z.column, Type: strings.TrimSuffix(z.typ, "[]"), Nullable: true}
		c.Type = z.typ
		if strings.HasSuffix(z.typ, "[][]") {
			c.Type, c.Dims = strings.TrimSuffix(z.typ, "[]"), 2
		}
		if z.typ == "mood" || z.typ == "mood[]" || z.typ == "pair" {
			c.Type = "public." + z.typ
		}
		columns = append(columns, c)
	}
	exec(t, db, zooTypes)
	for _, table := range []string{"a", "b"} {
		exec(t, db, fmt.Sprintf("create table %s (%s)", table, strings.Join(defs, ", ")))
	}
	exec(t, db, "insert into a default values")
	for _, z := range zoo {
		for _, v := range z.values {
			exec(t, db, fmt.Sprintf("insert into a (%s) values ((%s)::%s)", z.column, v, z.typ))
		}
	}
	return columns
}

func connect(t testing.TB) *pgx.Conn {
	t.Helper()
	ctx := context.Background()
	db, err := pgx.Connect(ctx, testserver.Database(t))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close(ctx) })
	exec(t, db, "set datestyle = iso; set intervalstyle = postgres; set timezone = 'UTC'; set lc_monetary = 'C'; set bytea_output = hex")
	return db
}

func exec(t testing.TB, db *pgx.Conn, sql string) {
	t.Helper()
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	if _, err := db.PgConn().Exec(ctx, sql).ReadAll(); err != nil {
		t.Fatalf("%.300s: %v", sql, err)
	}
}

func schemaOf(columns []pgcopy.Column) *arrow.Schema {
	fields := make([]arrow.Field, len(columns))
	for i, c := range columns {
		fields[i] = pgcopy.Field(c)
	}
	return arrow.NewSchema(fields, nil)
}

// copyOut reads a table's binary COPY stream.
func copyOut(t testing.TB, db *pgx.Conn, schema *arrow.Schema, table string) []byte {
	t.Helper()
	var exprs []string
	for _, f := range schema.Fields() {
		exprs = append(exprs, pgcopy.SelectExpr(f, pgx.Identifier{f.Name}.Sanitize()))
	}
	var b bytes.Buffer
	sql := fmt.Sprintf("copy (select %s from %s) to stdout (format binary)", strings.Join(exprs, ", "), table)
	if _, err := db.PgConn().CopyTo(context.Background(), &b, sql); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// decode reads a stream that is fed in pieces of so many bytes.
func decode(schema *arrow.Schema, stream []byte, piece int) (arrow.RecordBatch, []error, error) {
	d, err := pgcopy.NewDecoder(schema)
	if err != nil {
		return nil, nil, err
	}
	f := pgcopy.NewFramer(schema.NumFields(), 0)
	var rejects []error
	for len(stream) > 0 || piece == 0 {
		n := min(piece, len(stream))
		f.Feed(stream[:n])
		stream = stream[n:]
		for {
			tuple, err := f.Next()
			if tuple == nil && err == nil {
				break
			}
			if err == io.EOF {
				rec, _ := d.Take()
				return rec, rejects, nil
			}
			if err == nil {
				err = d.Append(tuple)
			}
			switch err.(type) {
			case nil:
			case *pgcopy.ValueError, *pgcopy.TooLarge:
				rejects = append(rejects, err)
			default:
				return nil, nil, err
			}
		}
	}
	return nil, nil, io.ErrUnexpectedEOF
}

func same(t *testing.T, db *pgx.Conn) {
	t.Helper()
	var n, diff int
	sql := `select (select count(*) from b), (select count(*) from
		(select r::text from a r except all select r::text from b r) x) + (select count(*) from (select r::text from b r except all select r::text from a r) y)`
	if err := db.QueryRow(context.Background(), sql).Scan(&n, &diff); err != nil {
		t.Fatal(err)
	}
	if n == 0 || diff != 0 {
		t.Errorf("%d rows, %d differ", n, diff)
	}
	for _, z := range zoo {
		var diff int
		sql := fmt.Sprintf("select count(*) from (select %[1]s::text from a except all select %[1]s::text from b) x", z.column)
		if err := db.QueryRow(context.Background(), sql).Scan(&diff); err != nil || diff != 0 {
			t.Errorf("%s %s: %d values differ %v", z.column, z.typ, diff, err)
		}
	}
}

// TestZooRoundTrip: every value of every type comes back equal, by binary COPY where all
// columns have it, and by text COPY.
func TestZooRoundTrip(t *testing.T) {
	db := connect(t)
	columns := makeZoo(t, db)
	schema := schemaOf(columns)
	stream := copyOut(t, db, schema, "a")
	for _, piece := range []int{len(stream), 1, 7, 4096} {
		rec, rejects, err := decode(schema, stream, piece)
		if err != nil || len(rejects) > 0 {
			t.Fatalf("pieces of %d: %v %v", piece, err, rejects)
		}
		exec(t, db, "truncate b")
		copyIn(t, db, rec, columns)
		same(t, db)
	}
}

// copyIn writes a batch into b: the columns with a binary form by binary COPY, then the
// whole rows by text.
func copyIn(t *testing.T, db *pgx.Conn, rec arrow.RecordBatch, columns []pgcopy.Column) {
	t.Helper()
	targets := make([]string, len(columns))
	for i, c := range columns {
		targets[i] = c.Type
	}
	e, err := pgcopy.NewEncoder(rec.Schema(), targets)
	if err != nil {
		t.Fatal(err)
	}
	e.Bind(rec)
	var lines []byte
	for i := range int(rec.NumRows()) {
		if lines, err = e.AppendText(lines, i); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.PgConn().CopyFrom(context.Background(), bytes.NewReader(lines), "copy b from stdin"); err != nil {
		t.Fatal(err)
	}
}

// TestZooBinary does the same by binary COPY for the columns that have it.
func TestZooBinary(t *testing.T) {
	db := connect(t)
	columns := makeZoo(t, db)
	byText := map[string]bool{"x": true, "e": true, "tztz": true, "ip": true, "mon": true, "bt": true, "rg": true, "pt": true, "cp": true, "ch": true, "o": true, "ae": true, "ai2": true}
	var some []pgcopy.Column
	for _, c := range columns {
		target := c.Type
		if c.Name == "e" {
			target = "enum"
		}
		if got := pgcopy.Encodable(pgcopy.Field(c), target); got == (byText[c.Name] && c.Name != "e") {
			t.Errorf("%s %s: encodable %v", c.Name, c.Type, got)
		}
		if !byText[c.Name] || c.Name == "e" {
			some = append(some, c)
		} else {
			exec(t, db, fmt.Sprintf("alter table a drop %[1]s; alter table b drop %[1]s", c.Name))
		}
	}
	schema := schemaOf(some)
	rec, rejects, err := decode(schema, copyOut(t, db, schema, "a"), 1<<20)
	if err != nil || len(rejects) > 0 {
		t.Fatal(err, rejects)
	}
	stream := encode(t, rec, some)
	if _, err := db.PgConn().CopyFrom(context.Background(), bytes.NewReader(stream), "copy b from stdin (format binary)"); err != nil {
		t.Fatal(err)
	}
	var diff int
	if err := db.QueryRow(context.Background(), "select count(*) from (select r::text from a r except all select r::text from b r) x").Scan(&diff); err != nil || diff != 0 {
		t.Errorf("%d rows differ, %v", diff, err)
	}
}

func encode(t testing.TB, rec arrow.RecordBatch, columns []pgcopy.Column) []byte {
	t.Helper()
	targets := make([]string, len(columns))
	for i, c := range columns {
		targets[i] = c.Type
		if c.Type == "public.mood" {
			targets[i] = "enum"
		}
	}
	e, err := pgcopy.NewEncoder(rec.Schema(), targets)
	if err != nil || !e.Binary() {
		t.Fatal(err, e.Binary())
	}
	e.Bind(rec)
	stream := bytes.Clone(pgcopy.Header)
	for i := range int(rec.NumRows()) {
		if stream, err = e.AppendTuple(stream, i); err != nil {
			t.Fatal(err)
		}
	}
	return append(stream, pgcopy.Trailer...)
}
