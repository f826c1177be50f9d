package client_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/client"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func serve(t *testing.T, h http.HandlerFunc) *client.Client {
	t.Helper()
	s := httptest.NewServer(h)
	transport := &http.Transport{}
	t.Cleanup(func() { transport.CloseIdleConnections(); s.Close() })
	return client.New(transport, s.URL)
}

// A stream that is cut in the middle of an event is taken up again, and the run's end is
// the last thing that is yielded.
func TestWatchSurvivesCuts(t *testing.T) {
	calls := 0
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
		calls++
		switch calls {
		case 1:
			fmt.Fprint(w, ": comment\n\nevent: run\ndata: {\"id\":\"a\",\"state\":\"running\"}\n\nevent: run\ndata: {\"id\":\"a\",\"sta")
		case 2:
			w.WriteHeader(http.StatusServiceUnavailable)
			fmt.Fprint(w, `{"error":{"code":"unavailable","message":"starting"}}`)
		default:
			fmt.Fprint(w, "event: run\r\ndata: {\"id\":\"a\",\r\ndata: \"state\":\"failed\"}\r\n\r\nevent: run\ndata: {\"state\":\"running\"}\n\n")
		}
	})
	var states []string
	for r, err := range c.Watch(t.Context(), "a") {
		if err != nil {
			t.Fatal(err)
		}
		states = append(states, string(r.State))
	}
	if strings.Join(states, " ") != "running failed" {
		t.Errorf("saw %v", states)
	}
}

func TestWatchEndsWithAnErrorThatStays(t *testing.T) {
	for name, answer := range map[string]func(w http.ResponseWriter){
		"before": func(w http.ResponseWriter) {
			w.WriteHeader(http.StatusNotFound)
			fmt.Fprint(w, `{"error":{"code":"not_found","message":"no run"}}`)
		},
		"within": func(w http.ResponseWriter) {
			fmt.Fprint(w, "event: error\ndata: {\"error\":{\"code\":\"not_found\",\"message\":\"no run\"}}\n\n")
		},
	} {
		c := serve(t, func(w http.ResponseWriter, _ *http.Request) { answer(w) })
		var last error
		for _, err := range c.Watch(t.Context(), "a") {
			last = err
		}
		if syncline.CodeOf(last) != syncline.NotFound {
			t.Errorf("%s: %v", name, last)
		}
	}
}

func TestAnswersThatAreNone(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		if strings.HasSuffix(r.URL.Path, "/html") {
			w.WriteHeader(http.StatusBadGateway)
			fmt.Fprint(w, "<html>bad gateway</html>")
			return
		}
		fmt.Fprint(w, "{")
	})
	if _, err := c.Run(t.Context(), "html"); syncline.CodeOf(err) != syncline.Internal || !strings.Contains(err.Error(), "502") {
		t.Errorf("a page: %v", err)
	}
	if _, err := c.Run(t.Context(), "half"); err == nil || !strings.Contains(err.Error(), "GET /runs/half") {
		t.Errorf("half a document: %v", err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	c := client.New(&http.Transport{}, "http://127.0.0.1:1")
	_, err := c.About(t.Context())
	var e *syncline.Error
	if !errors.As(err, &e) || e.Code != syncline.Unavailable || !e.Retryable {
		t.Errorf("%+v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.About(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

// References may hold anything: they stay one piece of the path.
func TestReferencesAreOnePiece(t *testing.T) {
	var path string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		path = r.URL.EscapedPath()
		fmt.Fprint(w, "{}")
	})
	if _, err := c.Pause(t.Context(), "a/../b ?#%"); err != nil || path != "/pipelines/a%2F..%2Fb%20%3F%23%25/pause" {
		t.Errorf("%s, %v", path, err)
	}
}

func TestStartDrawsAKey(t *testing.T) {
	var bodies []string
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		b := make([]byte, r.ContentLength)
		_, _ = r.Body.Read(b)
		bodies = append(bodies, string(b))
		fmt.Fprint(w, "{}")
	})
	for range 2 {
		if _, err := c.Start(t.Context(), "p", client.Order{}); err != nil {
			t.Fatal(err)
		}
	}
	if !strings.Contains(bodies[0], "dedupe_key") || bodies[0] == bodies[1] {
		t.Errorf("%v", bodies)
	}
}

func TestACallHasADeadline(t *testing.T) {
	ctx, stop := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer stop()
	release := make(chan struct{})
	defer close(release)
	c := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	if _, err := c.About(ctx); err == nil {
		t.Error("no error")
	}
}
