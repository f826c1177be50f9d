package cli

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/goccy/go-yaml"

	"github.com/synclinehq/syncline/secret"
)

var commandLines = regexp.MustCompile(`(?m)(?:ExecStart=\S*/syncline |(?:args|command): \[)([^\]\n]*)`)

// TestExamples: every command line in examples/ is one that this program has.
func TestExamples(t *testing.T) {
	found := 0
	err := filepath.WalkDir("../examples", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, m := range commandLines.FindAllStringSubmatch(string(text), -1) {
			found++
			cmd, rest, err := (&command{}).root().Find(strings.Fields(strings.ReplaceAll(m[1], ",", " ")))
			if err == nil {
				err = cmd.ParseFlags(rest)
			}
			if err == nil {
				err = cmd.ValidateArgs(cmd.Flags().Args())
			}
			if err != nil || !cmd.Runnable() {
				t.Errorf("%s: syncline %s: %v", path, m[1], err)
			}
		}
		return err
	})
	if err != nil || found < 7 {
		t.Errorf("%d command lines, %v", found, err)
	}
}

var variables = regexp.MustCompile(`SYNCLINE_[A-Z_]+`)

// TestExamplesAreWellFormed: every YAML file in examples/ can be read, and every variable
// that is set there is one that this program reads.
func TestExamplesAreWellFormed(t *testing.T) {
	known := map[string]bool{"SYNCLINE_DATA": true, "SYNCLINE_LEDGER": true, secret.Env: true}
	documents := 0
	err := filepath.WalkDir("../examples", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		text, err := os.ReadFile(path)
		for _, name := range variables.FindAllString(string(text), -1) {
			if !known[name] {
				t.Errorf("%s sets %s, which nobody reads", path, name)
			}
		}
		if filepath.Ext(path) != ".yaml" {
			return err
		}
		each := yaml.NewDecoder(bytes.NewReader(text))
		for {
			var doc map[string]any
			if err := each.Decode(&doc); errors.Is(err, io.EOF) {
				return nil
			} else if err != nil {
				t.Errorf("%s: %v", path, err)
				return nil
			}
			documents++
		}
	})
	if err != nil || documents < 5 {
		t.Errorf("%d documents, %v", documents, err)
	}
}
