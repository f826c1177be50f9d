package files

import (
	"bufio"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/format/compress"
	"github.com/synclinehq/syncline/format/csv"
)

// identity tells one state of a file from another.
type identity struct {
	Size  int64  `json:"size"`
	MTime int64  `json:"mtime"` // nanoseconds
	Hash  string `json:"hash"`  // of the first block
}

const block = 64 << 10

// opened is a file being read.
type opened struct {
	path   string
	f      *os.File
	id     identity
	codec  compress.Codec
	decode io.ReadCloser
	out    int64 // bytes decoded
	*bufio.Reader
}

// openFile opens a file and looks at its first block. ended is asked before every read.
func (s *Source) openFile(path string, ended func() error) (*opened, error) {
	f, err := s.tree.Open(path)
	if err != nil {
		return nil, unreadable(path, err)
	}
	o := &opened{path: path, f: f}
	if err := o.begin(ended); err != nil {
		_ = o.Close() // it was only read
		return nil, err
	}
	return o, nil
}

func (o *opened) begin(ended func() error) error {
	head := make([]byte, block)
	n, err := o.f.ReadAt(head, 0)
	if err != nil && err != io.EOF {
		return unreadable(o.path, err)
	}
	if o.id, err = o.identify(head[:n]); err != nil {
		return err
	}
	o.codec = compress.Sniff(head[:n])
	if named, _ := compress.ByName(o.path); named != compress.None && named != o.codec {
		return syncline.Errorf(syncline.InvalidArgument, "%s is named like %s and is not", o.path, named).Of(syncline.ClassSource).
			Try("check that it was written to its end, or rename it")
	}
	o.decode, err = o.codec.Reader(watched{o.f, ended})
	if err != nil {
		return o.fault(err)
	}
	o.Reader = bufio.NewReaderSize(counted{o.decode, &o.out}, block)
	return nil
}

type counted struct {
	r io.Reader
	n *int64
}

func (c counted) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	*c.n += int64(n)
	return n, err
}

// share is how large the whole file is decoded, as far as what was read of it tells.
func (o *opened) share() (float64, error) {
	if o.codec == compress.None {
		return float64(o.id.Size), nil
	}
	at, err := o.f.Seek(0, io.SeekCurrent)
	if err != nil {
		return 0, unreadable(o.path, err)
	}
	return float64(o.out) * float64(o.id.Size) / float64(max(at, 1)), nil
}

func (o *opened) identify(head []byte) (identity, error) {
	info, err := o.f.Stat()
	if err != nil {
		return identity{}, unreadable(o.path, err)
	}
	if !info.Mode().IsRegular() {
		return identity{}, syncline.Invalid("path", "%s is not a regular file", o.path).Try("give a file: pipes and devices cannot be read again after a fault")
	}
	hash := sha256.Sum256(head)
	return identity{Size: info.Size(), MTime: info.ModTime().UnixNano(), Hash: hex.EncodeToString(hash[:16])}, nil
}

// unchanged looks whether the file is still the one that was opened.
func (o *opened) unchanged() error {
	info, err := o.f.Stat()
	if err != nil {
		return unreadable(o.path, err)
	}
	if info.Size() != o.id.Size || info.ModTime().UnixNano() != o.id.MTime {
		return changed(o.path)
	}
	return nil
}

// changed makes the load begin anew: rows of two states of a file must not be joined.
func changed(path string) error {
	return syncline.Errorf(syncline.Aborted, "%s has changed since the load began", path).Of(syncline.ClassSource).Because("source_changed").
		Try("let whatever writes the file finish first, or have it write under another name and rename").Again()
}

// skip passes over so many decoded bytes.
func (o *opened) skip(n int64) error {
	if o.codec == compress.None {
		if _, err := o.f.Seek(n, io.SeekStart); err != nil {
			return unreadable(o.path, err)
		}
		o.Reset(counted{o.decode, &o.out})
		return nil
	}
	if _, err := io.CopyN(io.Discard, o.Reader, n); err != nil {
		return o.fault(err)
	}
	return nil
}

// fault says what is wrong with the stream.
func (o *opened) fault(err error) error {
	if _, ok := errors.AsType[*os.PathError](err); ok {
		return unreadable(o.path, err)
	}
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	if _, ok := errors.AsType[*syncline.Error](err); ok {
		return err
	}
	if o.codec != compress.None {
		return syncline.Errorf(syncline.DataLoss, "%s is damaged or not written to its end: %w", o.path, err).Of(syncline.ClassSource).
			Try("test it with %s -t, and fetch it again", o.codec)
	}
	return syncline.Errorf(syncline.InvalidArgument, "%s: %w", o.path, err).Of(syncline.ClassData).
		Try("look at its first lines, and at the settings separator, quote and header")
}

func (o *opened) Close() error {
	if o.decode != nil {
		_ = o.decode.Close() // closes no file, and what it read is read
	}
	return o.f.Close()
}

// watched asks before every read whether reading is to stop.
type watched struct {
	r     io.Reader
	ended func() error
}

func (w watched) Read(p []byte) (int, error) {
	if err := w.ended(); err != nil {
		return 0, err
	}
	return w.r.Read(p)
}

// Formats by the settings' words.
const (
	formatCSV   = "csv"
	formatTSV   = "tsv"
	formatJSONL = "jsonl"
)

// formatOf is the format of a file, "" when neither settings nor name tell it.
func (s *Source) formatOf(path string) string {
	if s.settings.Format != "" {
		return s.settings.Format
	}
	_, name := compress.ByName(filepath.Base(path))
	switch strings.ToLower(filepath.Ext(name)) {
	case ".csv":
		return formatCSV
	case ".tsv", ".tab":
		return formatTSV
	case ".jsonl", ".ndjson", ".json":
		return formatJSONL
	}
	return ""
}

// dialect is how an open CSV file writes its rows.
func (s *Source) dialect(o *opened) (csv.Dialect, error) {
	if s.formatOf(o.path) == formatTSV {
		return s.settings.dialect('\t')
	}
	head, err := o.Peek(block)
	if err != nil && err != io.EOF {
		return csv.Dialect{}, o.fault(err)
	}
	quote, err := oneByte("quote", s.settings.Quote)
	if err != nil {
		return csv.Dialect{}, err
	}
	return s.settings.dialect(csv.Sniff(head, quote))
}

func noFormat(path string) error {
	return syncline.Invalid("format", "the name of %s does not tell its format", path).Try("say format: csv, tsv or jsonl; in a URL ?format=csv")
}
