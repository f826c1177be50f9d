package secret

import (
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Env is the variable that holds the master key where no file can.
const Env = "SYNCLINE_MASTER_KEY"

// keySize is that of AES-256.
const keySize = 32

// Error is an error with a next step. It never holds a secret.
type Error struct {
	Message string
	Hint    string
	Err     error // for errors.Is
}

func (e *Error) Error() string { return e.Message }

func (e *Error) Unwrap() error { return e.Err }

// Load makes the box of the master key: of env, the value of the variable Env, when that
// is set, else of the file, which is made when it is not there. A key is 32 random bytes
// in base64; several on lines of their own are a rotation: the first one seals, all open.
func Load(file, env string) (*Box, error) {
	if env != "" {
		return parse(env, "the variable "+Env)
	}
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) {
		if err = create(file); err == nil {
			text, err = os.ReadFile(file)
		}
	}
	if err != nil {
		return nil, fmt.Errorf("master key: %w", err)
	}
	if err := checkMode(file); err != nil {
		return nil, err
	}
	return parse(string(text), "the master key file "+file)
}

// create writes a new key. Two processes may do so at once: linking the finished file to
// its name fails for the second, which then uses the first one's key. A crash leaves no
// half-written one.
func create(file string) error {
	raw := make([]byte, keySize)
	_, _ = rand.Read(raw)                                        // never fails, as its documentation promises
	f, err := os.CreateTemp(filepath.Dir(file), ".master-*.tmp") // made with mode 0600
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.WriteString(base64.StdEncoding.EncodeToString(raw) + "\n")
	err = errors.Join(err, f.Sync(), f.Close())
	if err != nil {
		return err
	}
	if err := os.Link(f.Name(), file); err != nil && !errors.Is(err, fs.ErrExist) {
		return err
	}
	return syncFolder(filepath.Dir(file))
}

// syncFolder makes the new name durable: secrets sealed with a key that a power cut takes
// away would be lost.
func syncFolder(path string) error {
	d, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}

func checkMode(file string) error {
	info, err := os.Stat(file)
	if err != nil {
		return fmt.Errorf("master key: %w", err)
	}
	if mode := info.Mode().Perm(); mode&0o077 != 0 {
		return &Error{
			Message: fmt.Sprintf("the master key file %s can be read or written by others (mode %04o)", file, mode),
			Hint:    "chmod 600 " + file,
		}
	}
	return nil
}

func parse(text, where string) (*Box, error) {
	var keys [][]byte
	for line := range strings.FieldsSeq(text) {
		raw, err := base64.StdEncoding.DecodeString(line)
		if err != nil || len(raw) != keySize {
			keys = nil
			break
		}
		keys = append(keys, raw)
	}
	if len(keys) == 0 {
		return nil, &Error{
			Message: where + " does not hold 32 bytes in base64",
			Hint:    "restore it from a backup; for a new ledger make one with: head -c 32 /dev/urandom | base64",
		}
	}
	return newBox(keys)
}
