package spec_test

import (
	"encoding/json"
	"errors"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/spec"
)

// settings is a plugin's own type, with one field of every type of setting.
type settings struct {
	Host     string            `json:"host"`
	Port     int               `json:"port"`
	User     string            `json:"user"`
	Password spec.Secret       `json:"password"`
	TLS      bool              `json:"tls"`
	SSLMode  string            `json:"sslmode"`
	Timeout  time.Duration     `json:"timeout"`
	Tables   []string          `json:"tables"`
	Options  map[string]string `json:"options"`
}

var kind = spec.Spec{
	Kind: "box",
	Fields: []spec.Field{
		{Name: "host", Type: spec.String, Required: true, Help: "Name or address of the server."},
		{Name: "port", Type: spec.Int, Default: 5432, Help: "Port."},
		{Name: "user", Type: spec.String, Help: "User."},
		{Name: "password", Type: spec.Password, Help: "Password."},
		{Name: "tls", Type: spec.Bool, Default: true, Help: "Encrypt."},
		{Name: "sslmode", Type: spec.String, Options: []string{"disable", "require"}, Help: "How."},
		{Name: "timeout", Type: spec.Duration, Default: 5 * time.Minute, Help: "How long to wait."},
		{Name: "tables", Type: spec.List, Default: []string{"a", "b"}, Help: "Which."},
		{Name: "options", Type: spec.Map, Help: "More."},
	},
}

func TestDecode(t *testing.T) {
	t.Parallel()
	var got settings
	err := kind.Decode(json.RawMessage(`{"host":"db","password":"hunter2","tls":false,"timeout":"90s",
		"tables":["x"],"options":{"k":"v"},"sslmode":null,"port":"99"}`), &got)
	if err != nil {
		t.Fatal(err)
	}
	want := settings{
		Host: "db", Port: 99, Password: got.Password, Timeout: 90 * time.Second,
		Tables: []string{"x"}, Options: map[string]string{"k": "v"},
	}
	if !reflect.DeepEqual(got, want) || got.Password.Reveal() != "hunter2" {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDecodeDefaults(t *testing.T) {
	t.Parallel()
	var got settings
	if err := kind.Decode(json.RawMessage(`{"host":"db"}`), &got); err != nil {
		t.Fatal(err)
	}
	want := settings{Host: "db", Port: 5432, TLS: true, Timeout: 5 * time.Minute, Tables: []string{"a", "b"}}
	if !reflect.DeepEqual(got, want) || !got.Password.Empty() {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

func TestDecodeRefuses(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, settings, field, message, hint string }{
		{"typo", `{"hots":"db"}`, "hots", `unknown setting "hots" of box`, `did you mean "host"?`},
		{"no near word", `{"frobnicate":1}`, "frobnicate", `unknown setting "frobnicate"`, "known are: host, port"},
		{"other case", `{"Host":"db"}`, "Host", "unknown setting", `"host"`},
		{"missing", `{}`, "host", `box needs the setting "host"`, "Name or address"},
		{"empty", `{"host":" "}`, "host", "needs", ""},
		{"null", `{"host":null}`, "host", "needs", ""},
		{"nothing", ``, "host", "needs", ""},
		{"text for int", `{"host":"db","port":"http"}`, "port", `setting "port" of box must be a whole number`, ""},
		{"fraction", `{"host":"db","port":1.5}`, "port", "whole number", ""},
		{"too big", `{"host":"db","port":99999999999999999999}`, "port", "whole number", ""},
		{"number for text", `{"host":1}`, "host", "must be text", ""},
		{"bool", `{"host":"db","tls":"yes"}`, "tls", "true or false", ""},
		{"duration", `{"host":"db","timeout":"5 minutes"}`, "timeout", "duration", ""},
		{"duration number", `{"host":"db","timeout":5}`, "timeout", "duration", ""},
		{"negative duration", `{"host":"db","timeout":"-1s"}`, "timeout", "duration", ""},
		{"option", `{"host":"db","sslmode":"on"}`, "sslmode", "one of disable, require", ""},
		{"list", `{"host":"db","tables":"a"}`, "tables", "list of texts", ""},
		{"map", `{"host":"db","options":{"a":1}}`, "options", "values are texts", ""},
		{"twice", `{"host":"db","host":"db2"}`, "host", "given twice", ""},
		{"array", `[]`, "", "must be an object", ""},
		{"cut", `{"host":"db"`, "", "not valid JSON", ""},
		{"tail", `{"host":"db"} {}`, "", "not valid JSON", ""},
		{"cut value", `{"host":"d`, "host", "not valid JSON", ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			var e *spec.Error
			err := kind.Decode(json.RawMessage(c.settings), new(settings))
			if !errors.As(err, &e) {
				t.Fatalf("got %v", err)
			}
			if e.Field != c.field || !strings.Contains(e.Message, c.message) || !strings.Contains(e.Hint, c.hint) {
				t.Errorf("got %q: %s (%s)", e.Field, e.Message, e.Hint)
			}
			if err := kind.Check(json.RawMessage(c.settings)); err == nil {
				t.Error("Check accepts what Decode refuses")
			}
		})
	}
}

func TestErrorsNeverHoldValues(t *testing.T) {
	t.Parallel()
	rapid.Check(t, func(t *rapid.T) {
		field := rapid.SampledFrom(kind.Table()).Draw(t, "field").Name
		value := rapid.SampledFrom([]string{`"canary"`, `["canary"]`, `{"canary":"canary"}`, `[{"canary":1}]`, `"canary`}).Draw(t, "value")
		err := kind.Decode(json.RawMessage(`{"`+field+`":`+value+`}`), new(settings))
		if err != nil && strings.Contains(err.Error(), "canary") {
			t.Fatal(err)
		}
	})
}

func TestDecodeNoticesATypeThatDoesNotFit(t *testing.T) {
	t.Parallel()
	err := kind.Decode(json.RawMessage(`{"host":"db"}`), new(struct {
		Host string `json:"host"`
	}))
	if err == nil || !strings.Contains(err.Error(), "does not fit the spec of box") {
		t.Errorf("got %v", err)
	}
}

func TestFromText(t *testing.T) {
	t.Parallel()
	got, err := spec.FromText("box", kind.Fields, url.Values{
		"port": {"1"}, "tls": {"false"}, "timeout": {"5m"}, "tables": {"a,b", "c"}, "host": {"h"},
	})
	want := map[string]any{"port": int64(1), "tls": false, "timeout": "5m", "tables": []string{"a", "b", "c"}, "host": "h"}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("got %v, %v", got, err)
	}
	for name, params := range map[string]url.Values{
		`unknown parameter "prot"`:            {"prot": {"1"}},
		`parameter "port" of box must be`:     {"port": {"x"}},
		`parameter "host" of box is given`:    {"host": {"a", "b"}},
		`parameter "options" of box cannot s`: {"options": {"a"}},
	} {
		if _, err := spec.FromText("box", kind.Fields, params); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestTable(t *testing.T) {
	t.Parallel()
	table := kind.Table()
	if len(table) != len(kind.Fields) || table[0].Name != "host" || !table[0].Required {
		t.Errorf("got %+v", table)
	}
	for i, want := range map[int]string{1: "5432", 2: "", 4: "true", 6: "5m", 7: "a,b"} {
		if table[i].Default != want {
			t.Errorf("default of %s: got %q, want %q", table[i].Name, table[i].Default, want)
		}
	}
}

func TestNearest(t *testing.T) {
	t.Parallel()
	known := []string{"host", "password", "schedule", "schedules"}
	for word, want := range map[string]string{
		"hots": "host", "Host": "host", "pasword": "password", "passwrod": "password",
		"shedule": "schedule", "xyzzy": "", "": "",
	} {
		if got := spec.Nearest(word, known); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", word, got, want)
		}
	}
}
