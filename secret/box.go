// Package secret seals secrets for the ledger with the machine's master key, and keeps
// live ones out of logs. It knows nothing of what the secrets are for.
package secret

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"strings"

	"github.com/tink-crypto/tink-go/v2/aead"
	"github.com/tink-crypto/tink-go/v2/aead/aesgcm"
	"github.com/tink-crypto/tink-go/v2/insecuresecretdataaccess"
	"github.com/tink-crypto/tink-go/v2/keyset"
	"github.com/tink-crypto/tink-go/v2/secretdata"
	"github.com/tink-crypto/tink-go/v2/tink"
)

// Box seals and opens texts with AES-256-GCM. It may be used from any goroutine.
type Box struct {
	aead tink.AEAD
	ids  []uint32 // of the keys it can open with
}

// prefix marks a sealed text; the number is the version of what follows it.
const prefix = "sealed:v1:"

// IsSealed reports whether a text is one that Seal made.
func IsSealed(text string) bool { return strings.HasPrefix(text, prefix) }

// Seal encrypts plaintext for one place: what it is and whose it is. Only Open with the
// same place gets it back, so that a sealed value moved to another row is of no use.
func (b *Box) Seal(plaintext, what, id string) (string, error) {
	sealed, err := b.aead.Encrypt([]byte(plaintext), place(what, id))
	if err != nil {
		return "", fmt.Errorf("seal %s: %w", what, err)
	}
	return prefix + base64.RawStdEncoding.EncodeToString(sealed), nil
}

// ErrWrongKey says that a value was sealed with a master key this Box does not have.
var ErrWrongKey = errors.New("sealed with another master key")

// ErrTampered says that a value was sealed for another place, or changed since.
var ErrTampered = errors.New("sealed for another place, or changed since")

// Open decrypts what Seal made for the same place. Its errors, *Error, are one of the two
// above; they do not say which secret it is about.
func (b *Box) Open(sealed, what, id string) (string, error) {
	raw, err := base64.RawStdEncoding.DecodeString(strings.TrimPrefix(sealed, prefix))
	if err != nil || !IsSealed(sealed) || len(raw) < tinkHeader {
		return "", errTampered
	}
	if key := binary.BigEndian.Uint32(raw[1:]); !b.has(key) {
		return "", &Error{
			Message: fmt.Sprintf("it was sealed with the master key %08x, this one is %08x", key, b.ids[0]),
			Hint:    "give every server the same master key, or set the secret again",
			Err:     ErrWrongKey,
		}
	}
	plain, err := b.aead.Decrypt(raw, place(what, id))
	if err != nil {
		return "", errTampered
	}
	return string(plain), nil
}

// tinkHeader is Tink's version byte and key id.
const tinkHeader = 5

var errTampered = &Error{Message: "it was " + ErrTampered.Error(), Hint: "set the secret again", Err: ErrTampered}

func (b *Box) has(id uint32) bool {
	for _, k := range b.ids {
		if k == id {
			return true
		}
	}
	return false
}

// place is what is authenticated beside the text. The lengths keep ("a|b", "c") and
// ("a", "b|c") apart.
func place(what, id string) []byte {
	return fmt.Appendf(nil, "syncline/1|%d|%s|%d|%s", len(what), what, len(id), id)
}

// newBox makes a box of raw keys: the first one seals, all of them open.
func newBox(keys [][]byte) (*Box, error) {
	b, m := &Box{}, keyset.NewManager()
	params, err := aesgcm.NewParameters(aesgcm.ParametersOpts{
		KeySizeInBytes: keySize, IVSizeInBytes: 12, TagSizeInBytes: 16, Variant: aesgcm.VariantTink,
	})
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	for _, raw := range keys {
		id := keyID(raw)
		key, err := aesgcm.NewKey(secretdata.NewBytesFromData(raw, insecuresecretdataaccess.Token{}), id, params)
		if err != nil {
			return nil, fmt.Errorf("master key: %w", err)
		}
		if _, err := m.AddKey(key); err != nil {
			return nil, fmt.Errorf("master key: %w", err)
		}
		b.ids = append(b.ids, id)
	}
	if err := m.SetPrimary(b.ids[0]); err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	h, err := m.Handle()
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	b.aead, err = aead.New(h)
	return b, err
}

// keyID names a key in what it sealed, without telling anything of it: a part of its hash.
func keyID(raw []byte) uint32 {
	sum := sha256.Sum256(append([]byte("syncline master key id"), raw...))
	return binary.BigEndian.Uint32(sum[:])
}
