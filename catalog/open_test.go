package catalog_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/source"
)

func TestOpen(t *testing.T) {
	t.Parallel()
	f := setup(t)
	file := filepath.Join(t.TempDir(), "pw")
	if err := os.WriteFile(file, []byte("canary-file\r\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	f.env["PW"], f.env["HOST"] = "canary-env", "db.example"
	d := example()
	d.Source = endpoint("base", `{"host":"${env:HOST}","password":"a-${env:PW}-$${env:PW}","database":"d"}`)
	d.Destination = endpoint("base", `{"host":"h","user":"u","password":"${file:`+file+`}"}`)
	p, _ := f.put(t, "p", d)
	if got := field(p.Definition.Source.Settings, "password"); got != "a-${env:PW}-$${env:PW}" {
		t.Errorf("the reference is stored as %q", got)
	}
	opened, err := f.Open(t.Context(), p.Definition)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ got, want string }{
		{field(opened.Source.Settings, "host"), "db.example"},
		{field(opened.Source.Settings, "password"), "a-canary-env-${env:PW}"},
		{field(opened.Destination.Settings, "password"), "canary-file"},
	} {
		if c.got != c.want {
			t.Errorf("got %q, want %q", c.got, c.want)
		}
		if got := f.scrubber.Scrub("x " + c.want); strings.Contains(got, "canary") {
			t.Errorf("the scrubber does not know it: %q", got)
		}
	}
	p, _ = f.put(t, "q", example())
	if opened, err = f.Open(t.Context(), p.Definition); err != nil || field(opened.Source.Settings, "password") != "canary-one" {
		t.Errorf("got %s, %v", opened.Source.Settings, err)
	}
}

func TestOpenRefuses(t *testing.T) {
	t.Parallel()
	f := setup(t)
	d := example()
	d.Source = endpoint("base", `{"host":"h","user":"u","password":"${env:NOT_THERE}"}`)
	p, _ := f.put(t, "p", d)
	_, err := f.Open(t.Context(), p.Definition)
	says(t, err, syncline.FailedPrecondition, "source", "environment variable NOT_THERE", "source base://u@h/", `"password"`)

	d.Source = endpoint("base", `{"host":"h","password":"${file:/nowhere/pw}"}`)
	p, _ = f.put(t, "p", d)
	_, err = f.Open(t.Context(), p.Definition)
	says(t, err, syncline.FailedPrecondition, "source", "/nowhere/pw", "no such file")

	big := filepath.Join(t.TempDir(), "big")
	if err := os.WriteFile(big, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	d.Source = endpoint("base", `{"host":"h","password":"${file:`+big+`}"}`)
	p, _ = f.put(t, "p", d)
	_, err = f.Open(t.Context(), p.Definition)
	says(t, err, syncline.FailedPrecondition, "source", "larger than")

	p, _ = f.put(t, "q", example())
	_, err = f.on("here", newBox(t)).Open(t.Context(), p.Definition)
	says(t, err, syncline.FailedPrecondition, "source.password", "the stored password cannot be opened", "master key")
	if !errors.Is(err, secret.ErrWrongKey) {
		t.Errorf("got %v", err)
	}
}

// TestSealedSecretsStayWithTheirSettings: who can write to the ledger must not be able to
// send a password to a host of their own.
func TestSealedSecretsStayWithTheirSettings(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p, _ := f.put(t, "p", example())
	d := p.Definition
	setSource(&d, `"host":"a"`, `"host":"evil"`)
	_, err := f.Open(t.Context(), d)
	says(t, err, syncline.FailedPrecondition, "source.password", "sealed for another place")
	_, _, err = f.Put(t.Context(), "p", d, catalog.PutOptions{})
	says(t, err, syncline.FailedPrecondition, "source.password", "sealed for another place", "set the secret again")

	d = p.Definition
	d.Source.Settings, d.Destination.Settings = d.Destination.Settings, d.Source.Settings
	if _, err := f.Open(t.Context(), d); err != nil {
		t.Errorf("an endpoint as a whole cannot change sides: %v", err)
	}
}

func TestALostMasterKeyLetsSecretsBeSetAgain(t *testing.T) {
	t.Parallel()
	f := setup(t)
	f.put(t, "p", example())
	other := f.on("here", newBox(t))
	p, ch, err := other.Put(t.Context(), "p", example(), catalog.PutOptions{})
	if err != nil || ch.What != catalog.Changed {
		t.Fatalf("got %+v, %v", ch, err)
	}
	if opened, err := other.Open(t.Context(), p.Definition); err != nil || field(opened.Source.Settings, "password") != "canary-one" {
		t.Errorf("got %s, %v", opened.Source.Settings, err)
	}
}

func TestEndpoint(t *testing.T) {
	t.Parallel()
	c := storeless(t)
	for raw, want := range map[string]string{
		"base://u:p@h:5/d":                      `{"database":"d","host":"h","password":"p","port":5,"user":"u"}`,
		"base://u:p%40%2F@h/d?timeout=5s":       `{"database":"d","host":"h","password":"p@/","timeout":"5s","user":"u"}`,
		"base://u:${env:PW}@h/d":                `{"database":"d","host":"h","password":"${env:PW}","user":"u"}`,
		"base://u:${file:/run/a b#c}@h/d":       `{"database":"d","host":"h","password":"${file:/run/a b#c}","user":"u"}`,
		"base://${env:U}:x${env:P}y@${env:H}/d": `{"database":"d","host":"${env:H}","password":"x${env:P}y","user":"${env:U}"}`,
		"base://u:$${env:PW}reference0z@h/d":    `{"database":"d","host":"h","password":"$${env:PW}reference0z","user":"u"}`,
		"in/*.csv":                              `{"path":"/cwd/in/*.csv"}`,
		"file://in":                             `{"path":"/cwd/in"}`,
		"${env:DIR}/in":                         `{"path":"${env:DIR}/in"}`,
		"file://${env:DIR}/in":                  `{"path":"${env:DIR}/in"}`,
		"file:///a/${env:DIR}/in":               `{"path":"/a/${env:DIR}/in"}`,
	} {
		e, err := c.Endpoint(registry.Source, raw, "/cwd")
		if err != nil || string(e.Settings) != want {
			t.Errorf("%s:\n got %s, %v\nwant %s", raw, e.Settings, err, want)
		}
	}
	for raw, want := range map[string]string{
		"base://u:can/canary@h/d":     "cannot be read",
		"base://u:canary@h:port/d":    "cannot be read",
		"bass://u:canary@h/d":         "no source speaks bass://",
		"${env:URL}":                  "a reference as a whole",
		"":                            "the source is empty",
		"base://u:canary@h/d?typo=ca": `unknown parameter "typo"`,
	} {
		_, err := c.Endpoint(registry.Source, raw, "/cwd")
		e, ok := errors.AsType[*syncline.Error](err)
		if !ok || !strings.Contains(e.Message, want) || e.Hint == "" || !strings.HasPrefix(e.Field, "source") || strings.Contains(e.Message+e.Hint, "canary") {
			t.Errorf("%s: %+v", raw, err)
		}
	}
}

// TestReferencesSurviveURLs: whatever stands between the braces comes out as it went in.
func TestReferencesSurviveURLs(t *testing.T) {
	t.Parallel()
	c := storeless(t)
	rapid.Check(t, func(t *rapid.T) {
		inside := rapid.StringMatching(`[^}]{1,20}`).Draw(t, "inside")
		around := rapid.StringMatching(`[a-zA-Z0-9]{0,12}`).Draw(t, "around")
		password := around + "${file:" + inside + "}" + around
		e, err := c.Endpoint(registry.Destination, "base://u:"+password+"@h/d", "/")
		if err != nil {
			t.Fatal(err)
		}
		if got := field(e.Settings, "password"); got != strings.ToValidUTF8(password, "�") {
			t.Fatalf("%q became %q", password, got)
		}
	})
}

func TestCheckURL(t *testing.T) {
	t.Parallel()
	f := setup(t)
	got, err := f.CheckURL(t.Context(), "base://u:canary@h/d", "/")
	if err != nil || len(got) != 2 || got[0].Side != registry.Source || got[1].Side != registry.Destination ||
		got[0].Shown != "base://u@h/d" || got[0].Findings[0].Level != source.OK {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = f.CheckURL(t.Context(), "base://u:wrong@h/d", "/")
	want := source.Finding{Level: source.Fail, What: "connection", Text: "the server refuses the user", Remedy: "check the password"}
	if err != nil || got[0].Findings[0] != want {
		t.Errorf("got %+v, %v", got, err)
	}
	got, err = f.CheckURL(t.Context(), "base://u:${env:NOPE}@h/d", "/")
	if err != nil || !strings.Contains(got[0].Findings[0].Text, "NOPE") {
		t.Errorf("got %+v, %v", got, err)
	}
	_, err = f.CheckURL(t.Context(), "bass://u:canary@h/d", "/")
	if syncline.CodeOf(err) != syncline.InvalidArgument || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

func TestEntities(t *testing.T) {
	t.Parallel()
	f := setup(t)
	p, _ := f.put(t, "p", example())
	got, err := f.Entities(t.Context(), p.Definition)
	if err != nil || len(got) != 1 || got[0].Name != "public.*" {
		t.Errorf("got %+v, %v", got, err)
	}
}
