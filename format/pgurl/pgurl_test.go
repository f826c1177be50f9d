package pgurl_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/pgurl"
	"github.com/synclinehq/syncline/spec"
	"github.com/synclinehq/syncline/testserver"
)

const canary = "canary-Vj'\\7 x"

func TestMain(m *testing.M) { testserver.Main(m) }

var dial = (&net.Dialer{}).DialContext

func settings(t *testing.T, raw string) pgurl.Settings {
	t.Helper()
	u, err := url.Parse(raw)
	if err != nil {
		t.Fatal(err)
	}
	doc, err := pgurl.FromURL("postgres", pgurl.Fields, u)
	if err != nil {
		t.Fatal(err)
	}
	var s pgurl.Settings
	if err := (spec.Spec{Kind: "postgres", Fields: pgurl.Fields}).Decode(doc, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASocketIsLocal(t *testing.T) {
	for host, want := range map[string]bool{
		"/run/postgresql": true, "db,/run/postgresql": true, "db:5433,/run:5432": true, "db": false, "localhost": false, "": false, "db,10.0.0.1:5433": false,
	} {
		raw, err := json.Marshal(map[string]any{"host": host, "port": "5432", "user": "u", "password": 7})
		if err != nil {
			t.Fatal(err)
		}
		if pgurl.Local(raw) != want {
			t.Errorf("%q is local: %v", host, !want)
		}
	}
	if pgurl.Local([]byte(`{"user":"u"}`)) {
		t.Error("the default host is local")
	}
}

func TestURL(t *testing.T) {
	s := settings(t, "postgres://app:p%40ss@[::1]:6432/My%20Db?sslmode=require")
	if s.Host != "::1" || s.Port != 6432 || s.User != "app" || s.Password.Reveal() != "p@ss" || s.Database != "My Db" || s.SSLMode != "require" {
		t.Errorf("%+v", s)
	}
	if s := settings(t, "postgres://app@/shop?host=/run/postgresql"); s.Host != "/run/postgresql" || s.Port != 5432 || s.Database != "shop" {
		t.Errorf("socket: %+v", s)
	}
	if s := settings(t, "postgres://app@127.0.0.1:5001,127.0.0.1:5002/shop"); s.Host != "127.0.0.1:5001,127.0.0.1:5002" || s.Where() != `database "shop" at 127.0.0.1:5001,127.0.0.1:5002` {
		t.Errorf("several: %+v", s)
	}
	for raw, field := range map[string]string{
		"postgres://a@h:99999/db":         "port",
		"postgres://a@h/db?sslmod=x":      "sslmod",
		"postgres://a@h/db?sslmode=maybe": "sslmode",
	} {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		_, err = pgurl.FromURL("postgres", pgurl.Fields, u)
		e, ok := errors.AsType[*spec.Error](err)
		if !ok || e.Field != field {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

func TestShow(t *testing.T) {
	for doc, want := range map[string]string{
		`{"user":"a","password":"canary","database":"d"}`:            "postgres://a@localhost/d",
		`{"user":"a","host":"localhost","port":5432,"database":"d"}`: "postgres://a@localhost/d",
		`{"user":"a","host":"h","port":"6432","database":"d d"}`:     "postgres://a@h:6432/d%20d",
		`{"user":"a","host":"::1","database":"d"}`:                   "postgres://a@[::1]/d",
		`{"user":"a","host":"/run","database":"d"}`:                  "postgres://a@/d?host=%2Frun",
		`{"user":"a","host":"h:1,k:2","database":"d"}`:               "postgres://a@h:1,k:2/d",
	} {
		if got := pgurl.Show(json.RawMessage(doc)); got != want {
			t.Errorf("%s: %s, want %s", doc, got, want)
		}
	}
}

func TestErrorsNameTheThingAndNoSecret(t *testing.T) {
	hba := filepath.Join(t.TempDir(), "hba")
	if err := os.WriteFile(hba, []byte("host all postgres all trust\nhost all all all scram-sha-256\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(hba); dir != os.TempDir() && len(dir) > 4; dir = filepath.Dir(dir) {
		_ = os.Chmod(dir, 0o755) // the server is another account
	}
	pg := testserver.NewPostgres(t, "hba_file="+hba)
	pg.Exec(t, "postgres", "create role app login password 'right'")
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = closed.Close()
	at := func(user, host string, port int, database string) pgurl.Settings {
		return pgurl.Settings{Host: host, Port: port, User: user, Password: spec.NewSecret(canary), Database: database, SSLMode: "prefer", TargetSessionAttrs: "any"}
	}
	for name, c := range map[string]struct {
		s    pgurl.Settings
		code syncline.Code
		says string
	}{
		"wrong password": {at("app", "127.0.0.1", pg.Port, "postgres"), syncline.Unauthenticated, `"app"`},
		"no database":    {at("postgres", "127.0.0.1", pg.Port, "shop"), syncline.NotFound, `"shop"`},
		"no server":      {at("app", "127.0.0.1", closed.Addr().(*net.TCPAddr).Port, "shop"), syncline.Unavailable, "connection refused"},
		"no host":        {at("app", "nowhere.invalid", 5432, "shop"), syncline.Unavailable, "nowhere.invalid"},
	} {
		_, err := pgurl.Connect(t.Context(), dial, c.s, nil)
		e, ok := errors.AsType[*syncline.Error](err)
		if !ok || e.Code != c.code || !strings.Contains(e.Message, c.says) || e.Hint == "" {
			t.Errorf("%s: %#v", name, err)
			continue
		}
		if all := fmt.Sprintf("%v %s %+v %#v", err, e.Hint, c.s, e.Message); strings.Contains(all, "canary") {
			t.Errorf("%s: the password shows: %s", name, all)
		}
	}
	s := at("app", "127.0.0.1", pg.Port, "postgres")
	s.Password = spec.NewSecret("right")
	s.Host, s.Port = fmt.Sprintf("%s,127.0.0.1:%d", closed.Addr(), pg.Port), 5432 // the first is away
	conn, err := pgurl.Connect(t.Context(), dial, s, nil)
	if err != nil {
		t.Fatal(err)
	}
	_ = conn.Close(t.Context())
}

func TestPasswordOfTheProcessIsNotSent(t *testing.T) {
	t.Setenv("PGPASSWORD", "canary")
	t.Setenv("PGHOST", "nowhere.invalid")
	t.Setenv("PGOPTIONS", "-c work_mem=64kB")
	conn, err := pgurl.Connect(t.Context(), dial, settings(t, testserver.Database(t)), map[string]string{"lock_timeout": "3s"})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(t.Context()) }()
	var mem, lock, zone string
	err = conn.QueryRow(t.Context(), "select current_setting('work_mem'), current_setting('lock_timeout'), current_setting('timezone')").Scan(&mem, &lock, &zone)
	if err != nil || mem == "64kB" || lock != "3s" || zone != "UTC" {
		t.Errorf("work_mem %s, lock_timeout %s, timezone %s: %v", mem, lock, zone, err)
	}
	if p := conn.Config().Password; p != "" {
		t.Errorf("password %q taken from the environment", p)
	}
}

func TestStatementErrors(t *testing.T) {
	conn, err := pgurl.Connect(t.Context(), dial, settings(t, testserver.Database(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	for statement, want := range map[string]syncline.Code{
		"select 1/0":                     syncline.InvalidArgument,
		"select from nosuch":             syncline.NotFound,
		"set statement_timeout='x'":      syncline.InvalidArgument,
		"select pg_terminate_backend(0)": "",
	} {
		_, err := conn.Exec(t.Context(), statement)
		if got := syncline.CodeOf(pgurl.Error(t.Context(), syncline.ClassSource, err, "try")); got != want {
			t.Errorf("%s: %s, want %s", statement, got, want)
		}
	}
	_, err = conn.Exec(t.Context(), "do $$ begin raise exception 'No space left on device' using errcode = '53100'; end $$")
	full, ok := errors.AsType[*syncline.Error](pgurl.Error(t.Context(), syncline.ClassDestination, err, "write"))
	if !ok || full.Code != syncline.ResourceExhausted || full.Reason != "no_space" || !full.Retryable || full.Hint == "" {
		t.Errorf("disk full: %#v", full)
	}
	_, err = conn.Exec(t.Context(), "select pg_terminate_backend(pg_backend_pid())")
	e, ok := errors.AsType[*syncline.Error](pgurl.Error(t.Context(), syncline.ClassSource, err, "try"))
	if !ok || !e.Retryable || e.Class != syncline.ClassNetwork || !pgurl.Lost(err) {
		t.Errorf("terminated: %v", err)
	}
	_, err = conn.Exec(t.Context(), "select 1")
	if err == nil || !pgurl.Lost(err) {
		t.Errorf("closed: %v", err)
	}
}

func TestCancelReturnsAtOnce(t *testing.T) {
	conn, err := pgurl.Connect(t.Context(), dial, settings(t, testserver.Database(t)), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close(context.Background()) }()
	ctx, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	began := time.Now()
	_, err = conn.Exec(ctx, "select pg_sleep(30)")
	err = pgurl.Error(ctx, syncline.ClassSource, err, "sleep")
	if !errors.Is(err, context.DeadlineExceeded) || time.Since(began) > time.Second {
		t.Errorf("after %s: %v", time.Since(began), err)
	}
}
