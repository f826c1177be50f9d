package postgres

import (
	"encoding/json"
	"strings"
	"testing"
)

func TestNames(t *testing.T) {
	for text, want := range map[string]name{
		"orders":              {"dflt", "orders"},
		"shop.orders":         {"shop", "orders"},
		"Shop.My Orders":      {"Shop", "My Orders"},
		`"a.b"."c.d"`:         {"a.b", "c.d"},
		`"a""b".c`:            {`a"b`, "c"},
		`"whole.name"`:        {"dflt", "whole.name"},
		"a.b.c":               {"a", "b.c"},
		`it"s`:                {"dflt", `it"s`},
		`"open`:               {"dflt", `"open`},
		".hidden":             {"dflt", ".hidden"},
		"select":              {"dflt", "select"},
		"日本.語":                {"日本", "語"},
		"shop." + longest(63): {"shop", longest(63)},
	} {
		got, err := parseName(text, "dflt")
		if err != nil || got != want {
			t.Errorf("%s: %+v, %v", text, got, err)
		}
		if again, err := parseName(got.text(), "x"); err != nil || again != want {
			t.Errorf("%s is written as %s and read as %+v: %v", text, got.text(), again, err)
		}
	}
	for _, text := range []string{"", longest(64), "shop." + longest(64), "nul\x00", `""`} {
		if n, err := parseName(text, "dflt"); err == nil {
			t.Errorf("%q is taken as %+v", text, n)
		}
	}
}

func longest(n int) string { return strings.Repeat("x", n) }

func TestLands(t *testing.T) {
	d := &database{}
	for entity, want := range map[string]string{
		"public.orders": "public.orders", "orders": "orders", "orders.csv": "orders", "orders.CSV.gz": "orders",
		"my.data.jsonl.zst": `"my.data"`, "public.orders.csv": "orders", ".csv": ".csv",
	} {
		if got := d.Lands(entity); got != want {
			t.Errorf("%s lands in %s, want %s", entity, got, want)
		}
	}
}

func TestShowTellsSchemasApart(t *testing.T) {
	for doc, want := range map[string]string{
		`{"user":"a","database":"d","password":"canary"}`:        "postgres://a@localhost/d",
		`{"user":"a","database":"d","schema":"public"}`:          "postgres://a@localhost/d",
		`{"user":"a","database":"d","schema":"s x","host":"/r"}`: "postgres://a@/d?host=%2Fr&schema=s+x",
	} {
		if got := Kind.Spec.Show(json.RawMessage(doc)); got != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
	}
}

func TestWidths(t *testing.T) {
	for pair, want := range map[[2]string]bool{ // from, to
		{"smallint", "integer"}: true, {"integer", "bigint"}: true, {"bigint", "integer"}: false,
		{"integer", "double precision"}: true, {"bigint", "double precision"}: false, {"real", "double precision"}: true, {"double precision", "real"}: false,
		{"integer", "numeric(10,0)"}: true, {"integer", "numeric(10,2)"}: false, {"bigint", "numeric"}: true, {"smallint", "numeric(7,2)"}: true,
		{"numeric(10,2)", "numeric(12,4)"}: true, {"numeric(10,2)", "numeric(12,5)"}: false, {"numeric(10,2)", "numeric"}: true, {"numeric", "numeric(50,2)"}: false, {"numeric(10,2)", "numeric(9,2)"}: false,
		{"character varying(5)", "character varying(6)"}: true, {"character varying(5)", "character varying(4)"}: false, {"character varying(5)", "character varying"}: true,
		{"character varying", "character varying(5)"}: false, {"character varying(5)", "text"}: true, {"text", "character varying"}: false, {"character(5)", "text"}: true,
		{"timestamp(3) without time zone", "timestamp without time zone"}: true, {"timestamp without time zone", "timestamp(3) without time zone"}: false,
		{"timestamp without time zone", "timestamp with time zone"}: false, {"date", "timestamp without time zone"}: false,
		{"integer[]", "bigint[]"}: true, {"integer", "bigint[]"}: false, {"json", "jsonb"}: false, {"integer", "text"}: false, {"boolean", "integer"}: false,
		{"public.mood", "public.mood"}: true, {"public.geometry(Point,4326)", "public.geometry"}: false,
	} {
		if got := widens(pair[0], pair[1]); got != want {
			t.Errorf("%s to %s: %t", pair[0], pair[1], got)
		}
	}
}
