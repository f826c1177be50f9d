package gapi

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/synclinehq/syncline"
)

// Box seals texts so that nobody can read or change them; a *secret.Box is one.
type Box interface {
	Seal(plaintext, what, id string) (string, error)
	Open(sealed, what, id string) (string, error)
}

// Tokens makes page tokens (https://google.aip.dev/158). A token holds the sort key of the
// last item of its page, so that what is inserted meanwhile neither moves items onto two
// pages nor off all. Every server with the same master key reads them.
type Tokens struct{ box Box }

// NewTokens seals with box.
func NewTokens(box Box) *Tokens { return &Tokens{box} }

const (
	tokenKind = "page token"
	maxToken  = 2 << 10
)

var (
	toURL   = strings.NewReplacer("+", "-", "/", "_", ":", ".")
	fromURL = strings.NewReplacer("-", "+", "_", "/", ".", ":")
)

// Seal makes a token of a key that JSON can say. scope is what the token is good for: the
// method, and all its parameters but those of the page.
func (t *Tokens) Seal(scope string, key any) string {
	raw, err := json.Marshal(key)
	if err != nil {
		panic(fmt.Sprintf("page token: %v", err)) // a key is strings, numbers and times
	}
	sealed, err := t.box.Seal(string(raw), tokenKind, scope)
	if err != nil {
		panic(fmt.Sprintf("page token: %v", err)) // the machine has no randomness left
	}
	return toURL.Replace(sealed)
}

// Open reads a token's key into key. A token that was not made for this scope is an
// InvalidArgument.
func (t *Tokens) Open(scope, token string, key any) error {
	if len(token) > maxToken {
		return badToken()
	}
	raw, err := t.box.Open(fromURL.Replace(token), tokenKind, scope)
	if err != nil || json.Unmarshal([]byte(raw), key) != nil {
		return badToken()
	}
	return nil
}

func badToken() *syncline.Error {
	return syncline.Invalid("page_token", "the page token is not of this list").
		Try("repeat the parameters of the call that answered with it, or begin again without a token")
}
