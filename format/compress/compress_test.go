package compress

import (
	"bytes"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"
)

func member(t *testing.T, c Codec, text string) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := c.Writer(&b)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(w, text); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func decode(c Codec, data []byte) (string, error) {
	r, err := c.Reader(bytes.NewReader(data))
	if err != nil {
		return "", err
	}
	defer func() { _ = r.Close() }()
	b, err := io.ReadAll(r)
	return string(b), err
}

func TestMembersJoin(t *testing.T) {
	defer goleak.VerifyNone(t)
	for _, c := range []Codec{None, Gzip, Zstd} {
		data := append(member(t, c, "one\n"), member(t, c, "two\n")...)
		if got, err := decode(c, data); err != nil || got != "one\ntwo\n" {
			t.Errorf("%q: %q, %v", c, got, err)
		}
		if c != None && Sniff(data) != c {
			t.Errorf("%q looks like %q", c, Sniff(data))
		}
	}
}

func TestCutStreamsAreErrors(t *testing.T) {
	for _, c := range []Codec{Gzip, Zstd} {
		first := member(t, c, strings.Repeat("a line\n", 1000))
		data := append(first, member(t, c, strings.Repeat("another\n", 1000))...)
		for n := 1; n < len(data); n++ {
			if _, err := decode(c, data[:n]); err == nil && n != len(first) {
				t.Fatalf("%s cut after %d of %d bytes was read as whole", c, n, len(data))
			}
		}
	}
	for _, c := range []Codec{Gzip, Codec("lzma")} {
		if r, err := c.Reader(bytes.NewReader(nil)); err == nil || r != nil {
			t.Errorf("nothing was read as %s: %v, %v", c, r, err)
		}
	}
}

func TestByName(t *testing.T) {
	for name, want := range map[string]Codec{"a.csv": None, "a.csv.gz": Gzip, "a.CSV.GZ": Gzip, "a.zst": Zstd, ".gz": None} {
		c, rest := ByName(name)
		if c != want || c != None && rest != name[:strings.LastIndex(name, ".")] {
			t.Errorf("%s: %q, %q", name, c, rest)
		}
	}
}
