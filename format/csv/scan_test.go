package csv

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/rows"
)

// draw shows what a scanner makes of its input, one line a row: fields between bars,
// quoted ones with quotes, and malformed rows with their raw text.
func draw(t testing.TB, s *Scanner) string {
	t.Helper()
	var out strings.Builder
	for {
		row, err := s.Next()
		if bad, ok := err.(*Malformed); ok {
			fmt.Fprintf(&out, "! %d %s %q\n", bad.Line, bad.Code, row.Raw)
			continue
		}
		if err == io.EOF {
			return out.String()
		}
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(&out, "%d", row.Line)
		for _, f := range row.Fields {
			if f.Quoted {
				fmt.Fprintf(&out, "|%q", f.Text)
			} else {
				fmt.Fprintf(&out, "|%s", f.Text)
			}
		}
		out.WriteString("\n")
	}
}

func TestScan(t *testing.T) {
	for _, c := range []struct{ name, in, want string }{
		{"empty", "", ""},
		{"plain", "a,b\n1,2\n", "1|a|b\n2|1|2\n"},
		{"no line end at the end", "a,b", "1|a|b\n"},
		{"crlf", "a,b\r\n\"1\",2\r\n3,\"4\"\r\n5,6\r", "1|a|b\n2|\"1\"|2\n3|3|\"4\"\n4|5|6\n"},
		{"quoted and crlf", "\"a\",b\r\nc,d\r\n", "1|\"a\"|b\n2|c|d\n"},
		{"null and empty", ",\"\"\n", "1||\"\"\n"},
		{"bom", "\xef\xbb\xbfa,b\n", "1|a|b\n"},
		{"bom and quote", "\xef\xbb\xbf\"a\",b\n", "1|\"a\"|b\n"},
		{"embedded line ends", "\"a\nb\",\"c\r\nd\"\ne,f\n", "1|\"a\\nb\"|\"c\\r\\nd\"\n4|e|f\n"},
		{"doubled quotes", "\"a\"\"b\",\"\"\"\",\"\"\"c\"\"\"\n", "1|\"a\\\"b\"|\"\\\"\"|\"\\\"c\\\"\"\n"},
		{"separator in quotes", "\"a,b\",c\n", "1|\"a,b\"|c\n"},
		{"blank lines", "a\n\n\nb\n", "1|a\n2|\n3|\n4|b\n"},
		{"quote inside a field", "a\"b,c\nd,e\n", "! 1 malformed \"a\\\"b,c\\n\"\n2|d|e\n"},
		{"text behind a quote", "\"a\"b,c\nd,e\n", "! 1 malformed \"\\\"a\\\"b,c\\n\"\n2|d|e\n"},
		{"stray quote, healed by the next", "1,\"abc,2\n2,def,\"x\"\n3,4\n", "! 2 malformed \"1,\\\"abc,2\\n\"\n2|2|def|\"x\"\n3|3|4\n"},
		{"never closed", "a,b\n1,\"2\n3,4\n5,6\n", "1|a|b\n! 2 malformed \"1,\\\"2\\n\"\n3|3|4\n4|5|6\n"},
		{"never closed at the end", "a,\"", "! 1 malformed \"a,\\\"\"\n"},
		{"never closed behind a line end", "\"a\nb\",\"c\n1,2\n", "! 2 malformed \"\\\"a\\n\"\n! 2 malformed \"b\\\",\\\"c\\n\"\n3|1|2\n"},
		{"return without line feed", "a\rb,c\n", "1|a\rb|c\n"},
		{"quote and spaces", " \"a\"\n", "! 1 malformed \" \\\"a\\\"\\n\"\n"},
	} {
		for name, r := range map[string]io.Reader{"whole": strings.NewReader(c.in), "bytewise": iotest.OneByteReader(strings.NewReader(c.in))} {
			if got := draw(t, NewScanner(r, Default(), stream.Start)); got != c.want {
				t.Errorf("%s, %s:\n%swant\n%s", c.name, name, got, c.want)
			}
		}
	}
}

func TestBrokenStreamIsNoEnd(t *testing.T) {
	s := NewScanner(io.MultiReader(strings.NewReader("a,b\n1,2"), iotest.ErrReader(io.ErrUnexpectedEOF)), Default(), stream.Start)
	if _, err := s.Next(); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if row, err := s.Next(); err != io.ErrUnexpectedEOF {
			t.Fatalf("the half row came out as %q, %v", row.Raw, err)
		}
	}
}

func TestHugeRow(t *testing.T) {
	huge := func(open, end string) io.Reader {
		return io.MultiReader(strings.NewReader("a,b\n1,"+open), io.LimitReader(zeros{}, 64<<20), strings.NewReader(end+"3,4\n"))
	}
	for name, r := range map[string]io.Reader{"plain": huge("", "\n"), "quoted": huge("\"\n", "\n\"\n")} {
		s := NewScanner(r, Default(), stream.Start)
		if _, err := s.Next(); err != nil {
			t.Fatal(err)
		}
		row, err := s.Next()
		bad, ok := err.(*Malformed)
		if !ok || bad.Code != rows.CodeTooLarge || len(row.Raw) != rows.MaxSample || row.Bytes < 64<<20 {
			t.Fatalf("%s: %v, %d bytes of sample, %d of row", name, err, len(row.Raw), row.Bytes)
		}
		row, err = s.Next()
		if err != nil || string(row.Fields[1].Text) != "4" {
			t.Fatalf("%s: behind it %q, %v", name, row.Raw, err)
		}
	}
	s := NewScanner(huge("\"", ""), Default(), stream.Start)
	_, _ = s.Next()
	if _, err := s.Next(); err == nil || !strings.Contains(err.Error(), "line 2") {
		t.Errorf("an endless quote is %v", err)
	}
}

func TestRowsUpToTheLimitPass(t *testing.T) {
	line := strings.Repeat("x", rows.MaxRowBytes-3) + ",\"\n\"\n"
	for _, in := range []string{line[1:], line[2:]} {
		_, err := NewScanner(strings.NewReader(in), Default(), stream.Start).Next()
		if (err != nil) != (len(in) > rows.MaxRowBytes) {
			t.Errorf("a row of %d bytes: %v", len(in), err)
		}
	}
}

// zeros reads as the letter 0 without end, in lines.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return copy(p, bytes.Repeat([]byte("0"), len(p))), nil }

// FuzzScan asserts that no byte is lost or read twice, however the input is cut into
// reads, and that scanning from any row boundary gives the same rows.
func FuzzScan(f *testing.F) {
	for _, s := range []string{"a,b\n1,2\n", "\"a\"\"\n\",b\r\n", "a\"b\n\"c", "\xef\xbb\xbfx;\"y\"\n\n", "\"\r\n\"\r\n,\"\"", "\"a\"\r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, in string) {
		if strings.HasPrefix(in, "\xff\xfe") || strings.HasPrefix(in, "\xfe\xff") || len(in) > 300 {
			return
		}
		want := draw(t, NewScanner(strings.NewReader(in), Default(), stream.Start))
		if got := draw(t, NewScanner(iotest.OneByteReader(strings.NewReader(in)), Default(), stream.Start)); got != want {
			t.Fatalf("byte by byte\n%swhole\n%s", got, want)
		}
		s := NewScanner(strings.NewReader(in), Default(), stream.Start)
		var sum int64
		for n := 0; ; n++ {
			row, err := s.Next()
			if err == io.EOF {
				break
			}
			if sum += row.Bytes; !strings.HasSuffix(strings.TrimPrefix(in, "\xef\xbb\xbf")[:sum], string(row.Raw)) {
				t.Fatalf("raw %q is not what ends at %d", row.Raw, sum)
			}
			at := s.At()
			if n > 5 {
				continue
			}
			rest := draw(t, NewScanner(strings.NewReader(in[at.Offset:]), Default(), at))
			if !strings.HasSuffix(want, rest) {
				t.Fatalf("from %d on\n%sof\n%s", at.Offset, rest, want)
			}
		}
		if at := s.At(); at.Offset != int64(len(in)) {
			t.Fatalf("ended at %d of %d", at.Offset, len(in))
		}
	})
}
