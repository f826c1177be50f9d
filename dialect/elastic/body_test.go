package elastic

import (
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/ledger"
	"github.com/synclinehq/syncline/registry"
	"github.com/synclinehq/syncline/secret"
	"github.com/synclinehq/syncline/store/sqlite"
)

// FuzzBody sends anything to every endpoint that takes a body: it is answered with
// something that is no error of the server, in an envelope, and what is stored can be read
// back.
func FuzzBody(f *testing.F) {
	var puts []string
	for _, rt := range connectorRoutes {
		if rt.method == http.MethodPut {
			puts = append(puts, strings.ReplaceAll(rt.path, "{connector_id}", "a"))
		}
	}
	for _, seed := range []string{
		`{"name":"x","index_name":"i"}`, `{"values":{"a":1.50}}`, `{"configuration":{"a":{"label":"A","sensitive":true,"value":{"b":[1,null]}}}}`,
		`{"filtering":[]}`, `{"rules":[{"field":"f","id":"DEFAULT","order":1,"policy":"include","rule":"<","value":"v"}]}`,
		`{"scheduling":{"full":{"enabled":true,"interval":"0 0 0 * * ?"}}}`, `{"last_synced":"2023-05-25T12:30:00.000Z","sync_cursor":{"a":{}}}`,
		`{"features":{"sync_rules":{"basic":{"enabled":true}}}}`, `[`, `{"a":`, "\x00", `{"error":"\u0000"}`, `{"index_name":"\u0000"}`, `nul`, `1e999`, `{"order":1e999}`,
	} {
		for i := range puts {
			f.Add(uint8(i), []byte(seed))
		}
	}
	a := apiFor(f)
	send(f, a, http.MethodPut, "/_connector/a", "")
	send(f, a, http.MethodPut, "/_connector/a/_configuration", `{"configuration":{"a":{"label":"A","sensitive":true,"value":"x"}}}`)
	f.Fuzz(func(t *testing.T, which uint8, body []byte) {
		path := puts[int(which)%len(puts)]
		status, doc := send(t, a, http.MethodPut, path, string(body))
		if status >= 500 || status >= 400 && doc["error"] == nil {
			t.Errorf("PUT %s %q: %d %v", path, body, status, doc)
		}
		if status, doc := send(t, a, http.MethodGet, "/_connector/a", ""); status != http.StatusOK || doc["id"] != "a" {
			t.Errorf("after PUT %s %q it reads %d %v", path, body, status, doc)
		}
	})
}

// apiFor is the API on a ledger of its own.
func apiFor(t testing.TB) *API {
	t.Helper()
	s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	box, err := secret.Load(filepath.Join(t.TempDir(), "key"), "")
	if err != nil {
		t.Fatal(err)
	}
	return New(Options{
		Ledger:  ledger.New(s, ledger.Options{Projections: []ledger.Projection{Projection}}),
		Catalog: catalog.New(catalog.Options{Store: s, Registry: registry.New(nil, nil, nil), Box: box, Host: "here"}),
		Log:     slog.New(slog.DiscardHandler),
	})
}

func send(t testing.TB, a *API, method, path, body string) (int, map[string]any) {
	t.Helper()
	w := httptest.NewRecorder()
	r := httptest.NewRequestWithContext(auth.With(t.Context(), admin), method, path, strings.NewReader(body))
	a.ServeHTTP(w, r)
	var doc map[string]any
	if err := json.Unmarshal(w.Body.Bytes(), &doc); err != nil {
		t.Errorf("%s %s %q: %d %q", method, path, body, w.Code, w.Body)
	}
	return w.Code, doc
}

func TestBodyLimit(t *testing.T) {
	t.Parallel()
	a := apiFor(t)
	status, doc := send(t, a, http.MethodPut, "/_connector/a", `{"name":"`+strings.Repeat("x", maxBody)+`"}`)
	if status != http.StatusRequestEntityTooLarge {
		t.Errorf("%d %v", status, doc)
	}
	if status, _ = send(t, a, http.MethodGet, "/_connector/a", ""); status != http.StatusNotFound {
		t.Errorf("it was made all the same: %d", status)
	}
}

// Where an error stood is said by line and column.
func TestPlacesOfErrors(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"a":1}`:               "[1:5] [p] unknown field [a]",
		"{\n \"known\": {}}":    "[2:12] [p] known doesn't support values of type: START_OBJECT",
		`{"known":"x"} trailer`: "[1:15] unexpected content after the first value",
		`{"known":`:             "malformed JSON",
	} {
		c := &call{r: httptest.NewRequest(http.MethodPut, "/", strings.NewReader(body)), w: httptest.NewRecorder()}
		_, err := parser{"p", []field{{name: "known"}}}.given(c, true)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %s", body, err, want)
		}
	}
}

// jsonTree draws what a document may hold.
func jsonTree(depth int) *rapid.Generator[any] {
	leaf := rapid.OneOf(
		rapid.Just[any](nil), rapid.Map(rapid.Bool(), func(b bool) any { return b }),
		rapid.Map(rapid.StringMatching(`[a-c•]{0,3}`), func(s string) any { return s }),
		rapid.Map(rapid.SampledFrom([]string{"0", "1.50", "12345678901234567890", "-1e3"}), func(s string) any { return json.Number(s) }),
	)
	if depth == 0 {
		return leaf
	}
	return rapid.OneOf(leaf,
		rapid.Map(rapid.SliceOfN(jsonTree(depth-1), 0, 3), func(s []any) any { return s }),
		rapid.Map(jsonObject(depth-1), func(m map[string]any) any { return m }))
}

func jsonObject(depth int) *rapid.Generator[map[string]any] {
	return rapid.MapOfN(rapid.SampledFrom([]string{"a", "b", "c", "d"}), jsonTree(depth), 0, 4)
}

// What was merged is there, twice is once, what was not said stays, and neither side of
// it shares anything with the other afterwards.
func TestMerge(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		dst, src := jsonObject(3).Draw(t, "dst"), jsonObject(3).Draw(t, "src")
		before, given := copied(dst).(map[string]any), copied(src).(map[string]any)
		merge(dst, src)
		merged(t, before, given, dst)
		once, _ := encoded(dst)
		merge(dst, src)
		if twice, _ := encoded(dst); twice != once {
			t.Errorf("merging again changed %s to %s", once, twice)
		}
		merge(dst, jsonObject(3).Draw(t, "more"))
		if a, _ := encoded(src); a != must(encoded(given)) {
			t.Errorf("a later merge changed what was merged before: %s", a)
		}
	})
}

func must(text string, _ error) string { return text }

func merged(t *rapid.T, before, given, got map[string]any) {
	for name, v := range got {
		said, isSaid := given[name]
		was := before[name]
		from, both := said.(map[string]any)
		into, isObject := was.(map[string]any)
		switch {
		case both && isObject:
			merged(t, into, from, v.(map[string]any))
		case isSaid && must(encoded(v)) != must(encoded(said)), !isSaid && must(encoded(v)) != must(encoded(was)):
			t.Errorf("%s is %v, was %v, said %v", name, v, was, said)
		}
	}
	for _, names := range []map[string]any{before, given} {
		for name := range names {
			if _, ok := got[name]; !ok {
				t.Errorf("%s is gone", name)
			}
		}
	}
}

func TestInstants(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"2023-05-25T12:30:00.000Z":         "2023-05-25T12:30:00.000Z",
		"2023-12-04T08:45:50.567149Z":      "2023-12-04T08:45:50.567149Z",
		"2026-11-24T22:58:00+00:00":        "2026-11-24T22:58:00.000Z",
		"2026-11-24t22:58:00.5+0130":       "2026-11-24T21:28:00.500Z",
		"2026-11-24T22:58Z":                "2026-11-24T22:58:00.000Z",
		"2026-11-24T22:58:00.1234567890Z":  "2026-11-24T22:58:00.123456789Z",
		"2026-11-24T22:58:00.123456700Z":   "2026-11-24T22:58:00.1234567Z",
		"":                                 "",
		"2026-11-24":                       "",
		"2026-11-24T22:58:00":              "",
		"2026-02-30T00:00:00Z":             "",
		"1700000000000":                    "",
		"9999-12-31T23:59:59-01:00":        "",
		"2026-11-24T22:58:00.123456+00:00": "2026-11-24T22:58:00.123456Z",
	} {
		at, isInstant := instant(text)
		if isInstant != (want != "") || isInstant && instantText(at) != want {
			t.Errorf("%q: %v %s, want %q", text, isInstant, instantText(at), want)
		}
	}
}

// A text printed is a text read, at whatever instant.
func TestInstantsComeBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		digits := rapid.IntRange(0, 9).Draw(t, "digits")
		text := "2026-11-24T22:58:07." + rapid.StringMatching(`[0-9]{9}`).Draw(t, "fraction")[:digits] + "Z"
		text = strings.Replace(text, ".Z", "Z", 1)
		at, isInstant := instant(text)
		again, isAgain := instant(instantText(at))
		if !isInstant || !isAgain || !again.Equal(at) {
			t.Errorf("%s: %v, %v", text, at, again)
		}
	})
}

func TestWildcards(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, text string
		want          bool
	}{
		{"*", "", true},
		{"*a*", "xay", true},
		{"*a*", "xAy", false},
		{"a?c", "abc", true},
		{"a?c", "ac", false},
		{`a\*c`, "a*c", true},
		{`a\*c`, "abc", false},
		{"*ab*ab*", "abxab", true},
		{"*ab*ab*", "abab", true},
		{"*ab*ab*", "aba", false},
		{"?", "é", true},
		{"", "", true},
		{"", "a", false},
		{"**", "x", true},
		{`a\`, `a\`, true},
	} {
		if got := wild(c.pattern, c.text); got != c.want {
			t.Errorf("%q, %q: %v", c.pattern, c.text, got)
		}
	}
	if wild("*"+strings.Repeat("a*", 5000)+"b", strings.Repeat("a", 20000)) {
		t.Error("no b, no match")
	}
}

func TestQuartzOfOtherSchedules(t *testing.T) {
	t.Parallel()
	for unix, want := range map[string]string{
		"*/15 2-4 * * 1-5": "0 */15 2-4 ? * MON-FRI", "0 0 1 * *": "0 0 0 1 * ?", "5 4 * * 0,7": "0 5 4 ? * SUN,SUN",
		"@hourly": "0 0 * * * ?", "0 0 1 * 1": never, "@reboot": never, "0 0 * * */2": "0 0 0 ? * */2", "0 0 * jan-mar sun": "0 0 0 ? jan-mar sun",
	} {
		if got := quartzUnix(unix); got != want || checkCron(got) != nil {
			t.Errorf("%s: %s, want %s (%v)", unix, got, want, checkCron(got))
		}
	}
}

// Names that begin or end so are all told apart.
func TestIndexNames(t *testing.T) {
	t.Parallel()
	for _, name := range []string{"a", ".a", "A.b-c_d+e", strings.Repeat("x", 255), "ü"} {
		if why := indexFault(name); why != "" {
			t.Errorf("%s: %s", name, why)
		}
	}
	bad := []string{"", ".", "..", "_a", "-a", "+a", strings.Repeat("x", 256), strings.Repeat("ü", 128)}
	for _, letter := range "\\/*?\"<>| ,#:\x00" {
		bad = append(bad, "a"+string(letter)+"b")
	}
	if i := slices.IndexFunc(bad, func(name string) bool { return indexFault(name) == "" }); i >= 0 {
		t.Errorf("%q is legal", bad[i])
	}
}
