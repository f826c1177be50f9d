package durable

import (
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"testing"
)

func TestWriteFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x.json")
	for _, want := range []string{"one", "the second", ""} {
		if err := WriteFile(nil, path, []byte(want)); err != nil {
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
	if err := WriteFile(nil, filepath.Join(path, "under a file"), nil); err == nil {
		t.Error("wrote under a file")
	}
}

func TestKilledWritersAreSweptAway(t *testing.T) {
	dir := t.TempDir()
	mine, other := filepath.Join(dir, "x.json"), filepath.Join(dir, "y.json")
	for _, path := range []string{mine, other} { // as far as a killed one comes
		if err := WriteFile(nil, path, nil); err != nil {
			t.Fatal(err)
		}
		name := sha256.Sum256([]byte(filepath.Base(path)))
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf(".new-%x-1", name[:8])), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if err := WriteFile(nil, mine, []byte("new")); err != nil {
		t.Fatal(err)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) != 3 {
		t.Errorf("there are %v, %v; what another path's writer left is not ours", left, err)
	}
}

func TestFailedRenameLeavesTheOld(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "x")
	if err := WriteFile(nil, path, []byte("old")); err != nil {
		t.Fatal(err)
	}
	if err := Rename(nil, filepath.Join(dir, "none"), path); err == nil {
		t.Error("renamed a file that is not there")
	}
	if got, _ := os.ReadFile(path); string(got) != "old" {
		t.Errorf("left %q", got)
	}
}
