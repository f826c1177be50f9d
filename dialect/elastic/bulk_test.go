package elastic

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"
)

// refused stands for an index that the caller may not write to.
var errRefused = errors.New("refused")

// carry reads a bulk request through, and says which indexes were asked for.
func carry(body io.Reader, index string) (out string, asked []string, err error) {
	b := newBulkBody(io.NopCloser(body), func(index string) error {
		asked = append(asked, index)
		if index == "other" {
			return errRefused
		}
		return nil
	})
	b.index = index
	raw, err := io.ReadAll(b)
	return string(raw), asked, err
}

func TestBulkIsPassedOnByteByByte(t *testing.T) {
	long := `{"text":"` + strings.Repeat("é\\n", 100_000) + `","index":{"_index":"other"}}`
	body := `{"index":{"_index":"a","_id":"1"}}` + "\n" + long + "\n" +
		`{"delete":{"_index":"a","_id":"2"}}` + "\n\n" +
		`{"update":{"_index":"b","_id":"3"}}` + "\r\n" + `{"doc":{"delete":{"_index":"other"}},"doc_as_upsert":true}` + "\n" +
		`{"create":{}}` + "\n" + `{"index":{"_index":"other"}}` + "\n" +
		`{"delete":{"_id":"2"}}`
	for name, r := range map[string]io.Reader{
		"at once": strings.NewReader(body), "byte by byte": iotest.OneByteReader(strings.NewReader(body)),
		"by halves": iotest.HalfReader(strings.NewReader(body)), "with its end": iotest.DataErrReader(strings.NewReader(body)),
	} {
		out, asked, err := carry(r, "c")
		if err != nil || out != body {
			t.Errorf("%s: %d of %d bytes, %v", name, len(out), len(body), err)
		}
		if got := fmt.Sprint(asked); got != "[a b c]" {
			t.Errorf("%s: asked for %s", name, got)
		}
	}
}

func TestBulkIsRefused(t *testing.T) {
	fine := `{"index":{"_index":"a"}}` + "\n{}\n"
	for _, line := range []string{
		`{"index":{"_index":"other"}}`,
		`{"delete":{"_index":"other"}}`,
		`{"index":{"_index":"a","_index":"other"}}`,
		`{"index":{"_index":"a"}}{"index":{"_index":"other"}}`,
		`{"index":{"_index":"a"},"create":{"_index":"other"}}`,
		`{"index":{"\u005findex":"other"}}`,
		`{"sing":{}}`, `{`, `{}`, `[]`, `1`, "\x00",
		`{"index":{"_id":"` + strings.Repeat("x", maxAction) + `"}}`,
	} {
		out, _, err := carry(strings.NewReader(fine+line+"\n{}\n"), "")
		if err == nil || len(out) > len(fine) {
			t.Errorf("%.80s: passed on, %v", line, err)
		}
	}
	if _, _, err := carry(io.MultiReader(strings.NewReader(fine), iotest.ErrReader(io.ErrUnexpectedEOF)), ""); err != io.ErrUnexpectedEOF {
		t.Errorf("a body that breaks off: %v", err)
	}
}

func FuzzBulk(f *testing.F) {
	f.Add(`{"index":{"_index":"a"}}`+"\n{}\n", true)
	f.Fuzz(func(t *testing.T, body string, odd bool) {
		out, _, err := carry(pieces(body, odd), "")
		if !strings.HasPrefix(body, out) || err == nil && out != body {
			t.Errorf("%q became %q, %v", body, out, err)
		}
	})
}

// pieces gives a text in pieces.
func pieces(text string, odd bool) io.Reader {
	if odd {
		return iotest.OneByteReader(strings.NewReader(text))
	}
	return strings.NewReader(text)
}
