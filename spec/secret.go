package spec

import (
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
)

// Redacted stands wherever a secret would be shown.
const Redacted = "[redacted]"

// Secret holds a value that must not be shown. Every way of printing, logging or encoding
// it says "[redacted]"; Reveal is the only way out.
type Secret struct {
	// A pointer, because fmt reaches into the unexported fields of a struct around this one
	// without asking for methods, and would print a plain string.
	value *string
}

// NewSecret hides value.
func NewSecret(value string) Secret { return Secret{&value} }

// Reveal returns the value itself, for the one call that needs it.
func (s Secret) Reveal() string {
	if s.value == nil {
		return ""
	}
	return *s.value
}

// Empty reports whether there is no value.
func (s Secret) Empty() bool { return s.Reveal() == "" }

func (s Secret) String() string { return Redacted }

func (s Secret) GoString() string { return Redacted }

// Format answers every verb alike, %x and %d too.
func (s Secret) Format(f fmt.State, _ rune) { _, _ = io.WriteString(f, Redacted) }

func (s Secret) LogValue() slog.Value { return slog.StringValue(Redacted) }

func (s Secret) MarshalJSON() ([]byte, error) { return []byte(`"` + Redacted + `"`), nil }

func (s Secret) MarshalText() ([]byte, error) { return []byte(Redacted), nil }

func (s *Secret) UnmarshalJSON(b []byte) error {
	var value string
	if json.Unmarshal(b, &value) != nil {
		return fmt.Errorf("a secret must be text")
	}
	*s = NewSecret(value)
	return nil
}

func (s *Secret) UnmarshalText(b []byte) error {
	*s = NewSecret(string(b))
	return nil
}
