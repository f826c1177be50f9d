package elastic

import (
	"bytes"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/store/sqlite"
)

// suite is where the YAML tests of Elasticsearch and of its clients lie, with a program
// that plays them.
const suite = "../../../shared/conformance/elastic"

// upstreamUser is who the tests' users are here. The one that may read connectors and
// keep secrets has no role of its own: such a key would be two.
func upstreamUser(r *http.Request) (auth.Principal, bool) {
	name, password, _ := r.BasicAuth()
	switch {
	case name == "":
		return admin, true
	case password != name+"-password":
		return auth.Principal{}, false
	case name == "entsearch-user" && strings.Contains(r.URL.Path, "/_secret"):
		return admin, true
	case name == "entsearch-user":
		return callers["viewer"], true
	}
	return auth.Principal{Key: "u", Name: name, Role: "none"}, true
}

// door lets the tests' users in, as package server does.
func door(a *API) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		who, known := upstreamUser(r)
		if !known {
			a.Refuse(w, r, syncline.Errorf(syncline.Unauthenticated, "unable to authenticate user"))
			return
		}
		a.ServeHTTP(w, r.WithContext(auth.With(r.Context(), who)))
	})
}

func TestConformance(t *testing.T) {
	if _, err := os.Stat(suite); err != nil {
		t.Skip("the conformance tests do not lie beside the repository")
	}
	if err := exec.Command("python3", "-c", "import yaml").Run(); err != nil {
		t.Skip("python3 with yaml is not there to play them")
	}
	for _, media := range []string{"application/json", "application/vnd.elasticsearch+json; compatible-with=9"} {
		t.Run(media, func(t *testing.T) {
			t.Parallel()
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
			if err != nil {
				t.Fatal(err)
			}
			server := httptest.NewServer(door(deskOn(t, s).api))
			defer server.Close()
			passed, skipped := playSuite(t, server.URL, media)
			// What is skipped are three tests that contradict newer servers.
			if passed < 181 || skipped > 3 {
				t.Errorf("%d passed, %d skipped", passed, skipped)
			}
		})
	}
}

var verdict = regexp.MustCompile(`(\d+) passed, (\d+) failed, (\d+) skipped\s*$`)

func playSuite(t *testing.T, base, media string) (passed, skipped int) {
	t.Helper()
	c := exec.CommandContext(t.Context(), "python3", filepath.Join(suite, "run.py"), "--base", base,
		"--tests", filepath.Join(suite, "tests"), "--specs", filepath.Join(suite, "specs"),
		"--strict-headers", "--strict-errors", "--auth-tests", "--media", media, "--quiet")
	var out bytes.Buffer
	c.Stdout, c.Stderr = &out, &out
	err := c.Run()
	found := verdict.FindStringSubmatch(out.String())
	if err != nil || found == nil || found[2] != "0" {
		t.Fatalf("%v\n%s", err, out.String())
	}
	passed, _ = strconv.Atoi(found[1])
	skipped, _ = strconv.Atoi(found[3])
	t.Log(found[0])
	return passed, skipped
}
