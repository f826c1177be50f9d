package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/synclinehq/syncline"
)

// Key is a key as the ledger keeps it. Of its secret only the hash is there: 256 random
// bits need no slow one.
type Key struct {
	ID   string `json:"-"`
	Name string `json:"name"`
	Role Role   `json:"role"`
	// Scope are the names of the pipelines that a worker key is for; empty: all.
	Scope []string `json:"scope,omitempty"`
	Hash  []byte   `json:"hash"` // SHA-256 of the secret
	// Place is where a key was made by itself: a machine and its data directory.
	Place     string    `json:"place,omitempty"`
	CreatedAt time.Time `json:"created_at"`
	ExpiresAt time.Time `json:"expires_at,omitzero"`
	UsedAt    time.Time `json:"used_at,omitzero"` // to within some minutes
}

// Expired reports whether the key's time is over.
func (k *Key) Expired(now time.Time) bool { return !k.ExpiresAt.IsZero() && !now.Before(k.ExpiresAt) }

func (k *Key) principal() Principal {
	return Principal{Key: k.ID, Name: k.Name, Role: k.Role, Scope: k.Scope}
}

// opens compares in constant time.
func (k *Key) opens(secret string) bool {
	return subtle.ConstantTimeCompare(hash(secret), k.Hash) == 1
}

func hash(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

const (
	idBytes     = 12
	secretBytes = 32
	// bearer begins a key that is written in one word, so that programs that look for lost
	// secrets find it.
	bearer = "syn_"
)

// letters need no escaping anywhere, and a double click selects them all.
var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding)

func random(n int) string {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return letters.EncodeToString(b)
}

// Credential is a key as its holder sends it.
type Credential struct{ ID, Secret string }

// Bearer is the credential in one word.
func (c Credential) Bearer() string { return bearer + c.ID + "_" + c.Secret }

// APIKey is what follows "ApiKey " in a header.
func (c Credential) APIKey() string {
	return base64.StdEncoding.EncodeToString([]byte(c.ID + ":" + c.Secret))
}

// Plausible reports whether the credential has the form of one of ours; no other is
// looked for, or written to a log.
func (c Credential) Plausible() bool {
	return wellFormed(c.ID, idBytes) && wellFormed(c.Secret, secretBytes)
}

func wellFormed(text string, n int) bool {
	b, err := letters.DecodeString(text)
	return err == nil && len(b) == n
}

// Presented reads the value of an Authorization header. It is false when there is none;
// what is there but cannot be read is a credential that opens nothing.
func Presented(header string) (c Credential, given bool) {
	scheme, rest, _ := strings.Cut(strings.TrimSpace(header), " ")
	rest = strings.TrimSpace(rest)
	switch strings.ToLower(scheme) {
	case "":
		return c, false
	case "apikey", "basic":
		text, err := base64.StdEncoding.DecodeString(rest)
		if err != nil {
			return c, true
		}
		c.ID, c.Secret, _ = strings.Cut(string(text), ":")
	case "bearer":
		if word, ok := strings.CutPrefix(rest, bearer); ok {
			c.ID, c.Secret, _ = strings.Cut(word, "_")
		}
	}
	return c, true
}

// check says what is wrong with a key that is to be made.
func (k *Key) check(now time.Time) error {
	var field, text, hint string
	switch {
	case grants[k.Role] == nil:
		field, text, hint = "role", fmt.Sprintf("no role %q", k.Role), "viewer, operator, editor, admin or worker"
	case len(k.Scope) > 0 && k.Role != Worker:
		field, text, hint = "pipelines", "only a worker's key can be for some pipelines alone", "leave the pipelines away, or make it a worker's key"
	case len(k.Name) > maxName:
		field, text, hint = "name", "the name is too long", "at most 100 bytes"
	case len(k.Scope) > maxScope || slices.Contains(k.Scope, ""):
		field, text, hint = "pipelines", "the pipelines must be names, at most 1,000", "syncline pipelines lists them"
	case k.Expired(now):
		field, text, hint = "expires_at", "the key would have expired already", "give a time to come"
	default:
		return nil
	}
	return syncline.Invalid(field, "%s", text).Try("%s", hint)
}

const (
	maxName  = 100
	maxScope = 1000
)
