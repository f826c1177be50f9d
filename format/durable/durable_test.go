package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	for _, want := range []string{"one", "the second", ""} {
		if err := WriteFile(path, []byte(want)); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); err != nil || string(got) != want {
			t.Fatalf("%q, %v", got, err)
		}
	}
	left, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(left) != 1 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if err := WriteFile(filepath.Join(path, "under a file"), nil); err == nil {
		t.Error("wrote under a file")
	}
}

func TestFailedRenameLeavesTheOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := WriteFile(path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := Rename(filepath.Join(dir, "none"), path); err == nil {
		t.Error("renamed a file that is not there")
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("left %q", got)
	}
}
