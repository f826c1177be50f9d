package elastic

import (
	"bytes"
	"cmp"
	"encoding/json"
	"flag"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/auth"
	"github.com/synclinehq/syncline/catalog"
	"github.com/synclinehq/syncline/store/sqlite"
)

var update = flag.Bool("update", false, "rewrite the answers in testdata")

// callers are those that an exchange may name: "As: viewer"; "worker x y" is a worker of
// the pipelines x and y only.
var callers = map[string]auth.Principal{
	"":         admin,
	"nobody":   {},
	"viewer":   {Key: "v", Name: "viewer", Role: auth.Viewer},
	"operator": {Key: "o", Name: "operator", Role: auth.Operator},
	"editor":   {Key: "e", Name: "editor", Role: auth.Editor},
	"worker":   worker("w"),
}

func callerOf(t *testing.T, as string) auth.Principal {
	t.Helper()
	words := strings.Fields(as + " ")
	if len(words) == 0 {
		return admin
	}
	who, ok := callers[words[0]]
	if !ok {
		t.Fatalf("nobody is called %q", as)
	}
	who.Scope = words[1:]
	return who
}

// golden is a file of exchanges, one after the other on one ledger. Each is a request and,
// after a line of dashes, its answer. What differs from run to run has a name instead:
// <now> for a time of just now, <id-1> and so on for ids that the server made.
type golden struct {
	t   *testing.T
	d   *desk
	ids []string
}

const dashes = "----\n"

func TestGolden(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txtar")
	if err != nil || len(files) == 0 {
		t.Fatalf("no exchanges: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txtar"), func(t *testing.T) {
			t.Parallel()
			s, err := sqlite.Open(t.Context(), filepath.Join(t.TempDir(), "ledger.db"))
			if err != nil {
				t.Fatal(err)
			}
			g := &golden{t: t, d: deskOn(t, s)}
			g.play(file)
		})
	}
}

func (g *golden) play(file string) {
	archive, err := txtar.ParseFile(file)
	if err != nil {
		g.t.Fatal(err)
	}
	for i, f := range archive.Files {
		request, want, _ := strings.Cut(string(f.Data), dashes)
		got := g.exchange(request)
		if got != want && !*update {
			g.t.Errorf("%s: %s\n%s\ngot:\n%s\nwant:\n%s", file, f.Name, request, got, want)
		}
		archive.Files[i].Data = []byte(request + dashes + got)
	}
	if *update {
		if err := os.WriteFile(file, txtar.Format(archive), 0o644); err != nil {
			g.t.Fatal(err)
		}
	}
}

func (g *golden) exchange(request string) string {
	for i := len(g.ids); i > 0; i-- {
		request = strings.ReplaceAll(request, fmt.Sprintf("<id-%d>", i), g.ids[i-1])
	}
	head, body, _ := strings.Cut(strings.TrimSuffix(request, "\n"), "\n\n")
	lines := strings.Split(strings.TrimSuffix(head, "\n"), "\n")
	method, path, _ := strings.Cut(lines[0], " ")
	if method == "APPLY" {
		return g.apply(path, body)
	}
	r := httptest.NewRequestWithContext(g.t.Context(), method, path, strings.NewReader(body))
	as := ""
	for _, line := range lines[1:] {
		name, value, _ := strings.Cut(line, ": ")
		if name == "As" {
			as = value
			continue
		}
		r.Header.Set(name, value)
	}
	w := httptest.NewRecorder()
	g.d.api.ServeHTTP(w, r.WithContext(auth.With(r.Context(), callerOf(g.t, as))))
	return g.draw(r, w)
}

// apply makes a pipeline as the native API does.
func (g *golden) apply(name, definition string) string {
	var d syncline.Definition
	if err := json.Unmarshal([]byte(definition), &d); err != nil {
		g.t.Fatal(err)
	}
	p, _, err := g.d.api.o.Catalog.Put(g.t.Context(), name, d, catalog.PutOptions{})
	if err != nil {
		g.t.Fatal(err)
	}
	g.ids = append(g.ids, p.ID)
	return ""
}

func (g *golden) draw(r *http.Request, w *httptest.ResponseRecorder) string {
	var made struct {
		ID       string `json:"id"`
		Document string `json:"_id"`
	}
	if r.Method != http.MethodGet && w.Code < 300 && json.Unmarshal(w.Body.Bytes(), &made) == nil {
		if id := cmp.Or(made.ID, made.Document); !strings.HasSuffix(r.URL.Path, id) && !slices.Contains(g.ids, id) {
			g.ids = append(g.ids, id)
		}
	}
	var out strings.Builder
	fmt.Fprintln(&out, w.Code)
	for _, name := range slices.Sorted(maps.Keys(w.Header())) {
		for _, value := range w.Header()[name] {
			fmt.Fprintf(&out, "%s: %s\n", name, value)
		}
	}
	var body bytes.Buffer
	if w.Code >= 300 || json.Indent(&body, w.Body.Bytes(), "", "  ") != nil {
		body = *w.Body
	}
	fmt.Fprintf(&out, "\n%s\n", bytes.TrimSpace(body.Bytes()))
	return g.steady(out.String())
}

var moments = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)

// steady gives names to what differs from run to run.
func (g *golden) steady(text string) string {
	for i, id := range g.ids {
		text = strings.ReplaceAll(text, id, fmt.Sprintf("<id-%d>", i+1))
	}
	return moments.ReplaceAllStringFunc(text, func(at string) string {
		if when, err := time.Parse(time.RFC3339Nano, at); err == nil && time.Since(when).Abs() < time.Hour {
			return "<now>"
		}
		return at
	})
}
