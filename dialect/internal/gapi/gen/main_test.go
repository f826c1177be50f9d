package main

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

// What is committed is what the generator makes: nobody edited it by hand, or the generator
// without running it.
func TestCommittedIsGenerated(t *testing.T) {
	code, docs := t.TempDir(), t.TempDir()
	if err := generate(code, docs); err != nil {
		t.Fatal(err)
	}
	same(t, code, "../../../datatransfer/datatransferpb", "*.pb.go")
	same(t, docs, "../../../datatransfer", "discovery*.json")
}

func same(t *testing.T, made, committed, pattern string) {
	t.Helper()
	want := list(t, committed, pattern)
	got := list(t, made, pattern)
	if len(got) == 0 || len(got) != len(want) {
		t.Errorf("%s has %d files %s, the generator makes %d", committed, len(want), pattern, len(got))
	}
	for name, b := range got {
		if !bytes.Equal(b, want[name]) {
			t.Errorf("%s is not what the generator makes", filepath.Join(committed, name))
		}
	}
}

func list(t *testing.T, dir, pattern string) map[string][]byte {
	t.Helper()
	names, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	files := map[string][]byte{}
	for _, name := range names {
		b, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		files[filepath.Base(name)] = b
	}
	return files
}
