package native_test

import (
	"context"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/synclinehq/syncline/auth"
)

// FuzzBodies: whatever is sent to whatever takes a body, the answer is no fault of the
// server's own, and it says nothing of what it keeps sealed.
func FuzzBodies(f *testing.F) {
	for _, s := range []string{
		`{"source":"shop://u:canary@a","destination":"shop://b","dir":"/"}`, `[{"run":"1","token":1}]`, `{"files":[{"name":"a.yaml","text":"pipelines: []"}]}`,
		`{"url":"shop://a"}`, `{"worker":{"id":"h/1","session":"s","host":"h","kinds":["sync"]},"n":1}`, `{}`, `[]`, `null`, `{"stats":{"counts":{"read":-1}}}`, "\xff", `"`,
	} {
		for i := range 8 {
			f.Add(i, []byte(s))
		}
	}
	x := setup(f)
	x.begin()
	var paths []string
	for path, item := range x.api.OpenAPI().Paths {
		if item.Post != nil {
			paths = append(paths, strings.NewReplacer("{", "", "}", "").Replace(path))
		}
	}
	slices.Sort(paths)
	f.Fuzz(func(t *testing.T, which int, body []byte) {
		ctx, stop := context.WithTimeout(auth.With(t.Context(), auth.Local), 2*time.Second)
		defer stop()
		path := paths[uint(which)%uint(len(paths))]
		req := httptest.NewRequestWithContext(ctx, http.MethodPost, path, strings.NewReader(string(body)))
		req.Header.Set("Content-Type", "application/json")
		out := httptest.NewRecorder()
		x.api.ServeHTTP(out, req)
		if out.Code == http.StatusInternalServerError && ctx.Err() == nil || strings.Contains(out.Body.String(), "canary") && !strings.Contains(string(body), "canary") {
			t.Fatalf("%s: %d %.500s", path, out.Code, out.Body)
		}
	})
}
