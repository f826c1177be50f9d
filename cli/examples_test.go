package cli

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
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
