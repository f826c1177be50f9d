package stream

import (
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/synclinehq/syncline/rows"
)

func TestWindow(t *testing.T) {
	w := New(iotest.OneByteReader(strings.NewReader("\xef\xbb\xbfab\ncd")), Start)
	if err := w.SkipBOM(); err != nil {
		t.Fatal(err)
	}
	for !w.Ended() {
		if err := w.More(); err != nil {
			t.Fatal(err)
		}
	}
	if got := string(w.Data()); got != "ab\ncd" {
		t.Fatalf("holds %q", got)
	}
	w.Advance(3)
	if at := w.At(); at != (Place{Offset: 6, Line: 2}) || string(w.Data()) != "cd" {
		t.Errorf("at %+v before %q", at, w.Data())
	}
}

func TestMarksOfOtherEncodings(t *testing.T) {
	for _, in := range []string{"\xff\xfea\x00", "\xfe\xff\x00a"} {
		if err := New(strings.NewReader(in), Start).SkipBOM(); err != ErrUTF16 {
			t.Errorf("%q: %v", in, err)
		}
	}
	w := New(strings.NewReader("\xef\xbb\xbf"), Place{Offset: 9, Line: 2})
	if err := w.SkipBOM(); err != nil || w.At().Offset != 9 {
		t.Error("a mark in the middle of a stream is no mark")
	}
}

func TestErrorsStay(t *testing.T) {
	// One that fails once and then claims to have ended.
	w := New(io.MultiReader(strings.NewReader("a\n"), iotest.TimeoutReader(strings.NewReader("bc"))), Start)
	var err error
	for range 4 {
		err = w.More()
	}
	if err != iotest.ErrTimeout || w.Ended() {
		t.Errorf("%v, ended %v", err, w.Ended())
	}
	if err := New(stuck{}, Start).More(); err != io.ErrNoProgress {
		t.Errorf("a reader that gives nothing: %v", err)
	}
}

type stuck struct{}

func (stuck) Read([]byte) (int, error) { return 0, nil }

func TestBufferIsBounded(t *testing.T) {
	w := New(io.LimitReader(endless{}, 1<<30), Start)
	for len(w.Data()) <= rows.MaxRowBytes {
		if err := w.More(); err != nil {
			t.Fatal(err)
		}
	}
	if len(w.buf) > maxBuffer {
		t.Errorf("grown to %d", len(w.buf))
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }
