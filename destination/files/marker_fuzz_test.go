package files

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/sidecar"
)

// FuzzMarkers: a marker is refused as damaged, or it is what is written again.
func FuzzMarkers(f *testing.F) {
	for _, s := range []string{
		`{"stream":"s","token":3,"turn":1,"load":"l","shape":"x","published":{"load":"k","target":"/t.csv","file":{"size":1,"mtime":2,"inode":3},"total":-1,"counts":{"read":1},"mark":"MQ=="}}`,
		`{"publishing":{"staged":"a","as":{"append":true}}}`,
		`{"id":"0","token":1,"file":"f","size":9,"position":{"next":"eyJ9","done":true,"counts":{"read":5}}}`,
		`{`, ``, `null`, `[]`, `{"token":1e99}`,
	} {
		f.Add([]byte(s))
	}
	dir := f.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, sidecar.Dir), 0o755); err != nil {
		f.Fatal(err)
	}
	m := newMarkers(nil, dir, "stream")
	f.Fuzz(func(t *testing.T, doc []byte) {
		again(t, m.base+".json", doc, m.readStream, m.writeStream)
		readPart := func() (part, error) { p, _, err := m.readPart("0"); return p, err }
		again(t, m.partPath("0"), doc, readPart, func(p part) error { p.ID = "0"; return m.writePart(p) })
	})
}

func again[T any](t *testing.T, path string, doc []byte, read func() (T, error), write func(T) error) {
	t.Helper()
	if err := os.WriteFile(path, doc, 0o600); err != nil {
		t.Fatal(err)
	}
	first, err := read()
	if err != nil {
		if e, ok := errors.AsType[*syncline.Error](err); !ok || e.Code != syncline.DataLoss || e.Hint == "" {
			t.Fatalf("%q: %v", doc, err)
		}
		return
	}
	if err := write(first); err != nil {
		t.Fatal(err)
	}
	second, err := read()
	if err != nil {
		t.Fatal(err)
	}
	if err := write(second); err != nil {
		t.Fatal(err)
	}
	if third, err := read(); err != nil || !reflect.DeepEqual(second, third) {
		t.Fatalf("%q: %+v came back as %+v: %v", doc, second, third, err)
	}
}
