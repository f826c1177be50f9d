package postgres_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/source"
	"github.com/synclinehq/syncline/source/postgres"
	"github.com/synclinehq/syncline/testserver"
)

const canary = "canary-pa55word"

// TestOpenErrors: each says what is wrong and what to do, and none shows the password.
func TestOpenErrors(t *testing.T) {
	good := testserver.Database(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed := l.Addr().String()
	_ = l.Close()
	for _, c := range []struct {
		address string
		code    syncline.Code
		class   syncline.Class
		words   string
	}{
		{"postgres://app:" + canary + "@" + closed + "/app", syncline.Unavailable, syncline.ClassNetwork, "127.0.0.1"},
		{"postgres://app:" + canary + "@no.such.host.invalid/app", syncline.Unavailable, syncline.ClassNetwork, "no.such.host.invalid"},
		{strings.Replace(good[:strings.LastIndex(good, "/")], "postgres@", "postgres:"+canary+"@", 1) + "/nope", syncline.NotFound, syncline.ClassConfig, "nope"},
	} {
		src, err := postgres.Kind.Open(context.Background(), env, settingsOf(t, c.address))
		if err == nil {
			_ = src.Close()
			t.Fatalf("%s opened", c.words)
		}
		isError(t, err, c.code, c.words)
		if e := err.(*syncline.Error); e.Class != c.class || e.Hint == "" {
			t.Errorf("%+v", e)
		}
		if strings.Contains(fmt.Sprintf("%v %+v", err, err), canary) {
			t.Errorf("the password shows: %v", err)
		}
	}
	if _, err := postgres.Kind.Open(context.Background(), env, json.RawMessage(`{"hots": "x"}`)); err == nil || !strings.Contains(err.Error(), "hots") {
		t.Errorf("an unknown setting: %v", err)
	}
}

// TestPrivileges: what may not be read is named, and check says the same.
func TestPrivileges(t *testing.T) {
	p := setup(t, `create table open (id int primary key); create table shut (id int); create schema hidden; create table hidden.away (id int)`)
	role := "r" + strings.TrimPrefix(p.address[strings.LastIndex(p.address, "/")+1:], "t")
	role, _, _ = strings.Cut(role, "?")
	exec(t, p.db, "create role "+role+" login; grant select on open to "+role+"; grant select on hidden.away to "+role)
	t.Cleanup(func() { exec(t, p.db, "drop owned by "+role+"; drop role "+role) })
	p.address = strings.Replace(p.address, "postgres@", role+"@", 1)
	p.src = p.open()
	if got := p.query("open").Entity.Name; got != "public.open" {
		t.Error(got)
	}
	_, err := p.src.Entities(p.ctx, []string{"public.*"})
	isError(t, err, syncline.PermissionDenied, "public.shut", "grant", role)
	_, err = p.src.Entities(p.ctx, []string{"hidden.away"})
	isError(t, err, syncline.PermissionDenied, "hidden.away", "usage")
	findings, err := p.src.(source.Checker).Check(p.ctx)
	if err != nil || len(findings) < 3 {
		t.Fatal(findings, err)
	}
	last := findings[len(findings)-1]
	if findings[0].Level != source.OK || last.Level != source.Warn || !strings.Contains(last.Text, "hidden.away, public.shut") || last.Remedy == "" {
		t.Errorf("%+v", findings)
	}
}

// TestNotFound: a name that is not there is answered with what may have been meant.
func TestNotFound(t *testing.T) {
	p := setup(t, `create table orders (id int); create schema sales; create table sales.invoices (id int)`)
	for pattern, hint := range map[string]string{
		"ordres":       "did you mean public.orders?",
		"Orders":       "did you mean public.orders?",
		"invoices":     "did you mean sales.invoices?",
		"nothing.*":    "there is public.orders, sales.invoices",
		"public.zzzzz": "there is",
	} {
		_, err := p.src.Entities(p.ctx, []string{"orders", pattern})
		isError(t, err, syncline.NotFound, pattern, hint)
	}
	_, err := p.src.Entities(p.ctx, []string{"a.b.c"})
	isError(t, err, syncline.InvalidArgument, "a.b.c")
}

// TestCount: small tables are counted, what would take long is not.
func TestCount(t *testing.T) {
	p := setup(t, "create table t (id int primary key); insert into t select generate_series(1, 1234); create view v as select * from t")
	c := p.src.(source.Counter)
	if n, err := c.Count(p.ctx, p.query("t")); err != nil || n != 1234 {
		t.Error(n, err)
	}
	if _, err := c.Count(p.ctx, p.query("v")); syncline.CodeOf(err) != syncline.Unimplemented {
		t.Error(err)
	}
}
