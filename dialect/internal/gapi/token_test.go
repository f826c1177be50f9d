package gapi_test

import (
	"math/rand/v2"
	"net/url"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/dialect/internal/gapi"
)

type sortKey struct {
	At time.Time `json:"at"`
	ID string    `json:"id"`
}

func TestTokens(t *testing.T) {
	t.Parallel()
	tokens := gapi.NewTokens(box(t))
	rapid.Check(t, func(t *rapid.T) {
		scope := rapid.String().Draw(t, "scope")
		key := sortKey{time.Unix(rapid.Int64Range(0, 1<<32).Draw(t, "at"), 0).UTC(), rapid.StringN(0, 64, 256).Draw(t, "id")}
		token := tokens.Seal(scope, key)
		if url.QueryEscape(token) != token || key.ID != "" && len(key.ID) > 3 && strings.Contains(token, key.ID) {
			t.Fatalf("%q", token)
		}
		for range 2 { // a token may be used again
			var got sortKey
			if err := tokens.Open(scope, token, &got); err != nil || got != key {
				t.Fatalf("%v, %v", got, err)
			}
		}
	})
}

func TestTokensThatAreRefused(t *testing.T) {
	t.Parallel()
	tokens, others := gapi.NewTokens(box(t)), gapi.NewTokens(box(t))
	token := tokens.Seal("runs|p|FAILED", sortKey{ID: "canary"})
	at := rand.IntN(len(token))
	t.Logf("changed at %d", at)
	other := map[bool]string{true: "A", false: "B"}[token[at] != 'A']
	for name, c := range map[string]struct {
		tokens       *gapi.Tokens
		scope, token string
	}{
		"another list": {tokens, "runs|p|RUNNING", token}, "another key": {others, "runs|p|FAILED", token}, "cut": {tokens, "runs|p|FAILED", token[:len(token)-3]}, "longer": {tokens, "runs|p|FAILED", token + "AAAA"},
		"changed": {tokens, "runs|p|FAILED", token[:at] + other + token[at+1:]}, "nonsense": {tokens, "runs|p|FAILED", "2"}, "nothing": {tokens, "runs|p|FAILED", ""}, "huge": {tokens, "runs|p|FAILED", strings.Repeat("A", 1<<20)},
		"of another kind": {tokens, "runs|p|FAILED", tokens.Seal("runs|p|FAILED", 5)},
	} {
		got := sortKey{}
		e, ok := c.tokens.Open(c.scope, c.token, &got).(*syncline.Error)
		if !ok || e.Code != syncline.InvalidArgument || e.Field != "page_token" || strings.Contains(e.Error(), "canary") || got.ID != "" {
			t.Errorf("%s: %v, %v", name, got, e)
		}
	}
}

func TestPageSize(t *testing.T) {
	t.Parallel()
	for n, want := range map[int32]int{0: 50, 1: 1, 999: 999, 1000: 1000, 1001: 1000, 1<<31 - 1: 1000} {
		if got, err := gapi.PageSize(n, 50, 1000); err != nil || got != want {
			t.Errorf("%d: %d, %v", n, got, err)
		}
	}
	if _, err := gapi.PageSize(-1, 50, 1000); syncline.CodeOf(err) != syncline.InvalidArgument {
		t.Error(err)
	}
}
