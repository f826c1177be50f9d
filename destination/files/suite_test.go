package files

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/destination/destinationtest"
	"github.com/synclinehq/syncline/format/compress"
	"github.com/synclinehq/syncline/format/csv"
	"github.com/synclinehq/syncline/format/ndjson"
	"github.com/synclinehq/syncline/format/record"
	places "github.com/synclinehq/syncline/format/stream"
	"github.com/synclinehq/syncline/source"
)

var env = source.Env{Dial: (&net.Dialer{}).DialContext, Now: time.Now, Log: slog.New(slog.DiscardHandler)}

// folder is a place of files, seen from outside.
type folder struct {
	dir, format, compress string
}

func (f folder) Open(t testing.TB) destination.Destination {
	t.Helper()
	said := map[string]string{"path": f.dir, "format": f.format, "compress": f.compress}
	if f.compress == "gzip" { // so that one of the suites runs inside a root
		said["root"] = filepath.Dir(f.dir)
	}
	settings, err := json.Marshal(said)
	if err != nil {
		t.Fatal(err)
	}
	d, err := Kind.Open(context.Background(), env, settings)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// paths are the files that hold a table: one, or those of a folder that is appended to.
func (f folder) paths(t testing.TB, table string) []string {
	t.Helper()
	found, err := filepath.Glob(filepath.Join(f.dir, withoutExt(table), "[^.]*"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(f.dir, table)); err == nil {
		found = append(found, filepath.Join(f.dir, table))
	}
	return found
}

func (f folder) Rows(t testing.TB, table string, fields []arrow.Field) (all []destinationtest.Row, ok bool) {
	t.Helper()
	for _, path := range f.paths(t, table) {
		all, ok = append(all, f.rows(t, path, fields)...), true
	}
	return all, ok
}

// rows reads a file with its own header, as columns of the given types.
func (f folder) rows(t testing.TB, path string, fields []arrow.Field) []destinationtest.Row {
	t.Helper()
	data := decoded(t, path)
	named := map[string]arrow.Field{}
	for _, field := range fields {
		field.Nullable = true
		if field.Type.ID() == arrow.EXTENSION {
			field.Metadata = arrow.NewMetadata([]string{"native"}, []string{"test:json"})
		}
		named[field.Name] = field
	}
	var reader interface {
		Next() (record.Batch, error)
	}
	var names []string
	var err error
	at := record.Position{Place: places.Start}
	if f.format == formatJSONL {
		var schema []arrow.Field
		for _, field := range fields {
			schema, names = append(schema, named[field.Name]), append(names, field.Name)
		}
		reader, err = ndjson.NewReader(bytes.NewReader(data), path, arrow.NewSchema(schema, nil), at)
	} else {
		names, err = csv.Header(csv.NewScanner(bytes.NewReader(data), csv.Default(), places.Start))
		if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		var schema []arrow.Field
		for _, name := range names {
			field, ok := named[name]
			if !ok {
				field = arrow.Field{Name: name, Type: arrow.BinaryTypes.String, Nullable: true}
			}
			schema = append(schema, field)
		}
		reader, err = csv.NewReader(bytes.NewReader(data), path, csv.Default(), arrow.NewSchema(schema, nil), at)
	}
	if err != nil {
		t.Fatal(err)
	}
	var all []destinationtest.Row
	for {
		b, err := reader.Next()
		if err != nil {
			return all
		}
		for _, r := range b.Rejects {
			t.Errorf("%s: %s %q", r.Key, r.Message, r.Sample)
		}
		for _, row := range destinationtest.Texts(b.Record) {
			all = append(all, arrange(row, names, fields))
		}
	}
}

// arrange puts the values of named columns in the order of fields.
func arrange(row destinationtest.Row, names []string, fields []arrow.Field) destinationtest.Row {
	out := make(destinationtest.Row, len(fields))
	for i, f := range fields {
		out[i] = destinationtest.Null
		for j, name := range names {
			if name == f.Name {
				out[i] = row[j]
			}
		}
	}
	return out
}

func decoded(t testing.TB, path string) []byte {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return unpacked(t, data)
}

func (f folder) Leftovers(t testing.TB) (left []string) {
	t.Helper()
	err := filepath.WalkDir(f.dir, func(path string, d fs.DirEntry, err error) error {
		name := d.Name()
		// The stream's marker, its lock and the schemas of files stay; the marker of a
		// part would be a leftover.
		marker := strings.HasSuffix(name, ".json") && strings.Count(name, ".") > 1 && !strings.HasSuffix(name, ".schema.json")
		if strings.HasPrefix(name, ".") && name != ".syncline" || marker && filepath.Base(filepath.Dir(path)) == ".syncline" {
			left = append(left, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return left
}

func (f folder) Drop(t testing.TB, table string) {
	t.Helper()
	for _, path := range f.paths(t, table) {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func (f folder) Empty(t testing.TB, table string) {
	t.Helper()
	for _, path := range f.paths(t, table) {
		if err := os.Truncate(path, 0); err != nil {
			t.Fatal(err)
		}
	}
}

// LoseStagedRow takes the last line off the only stage.
func (f folder) LoseStagedRow(t testing.TB) {
	t.Helper()
	stages, err := filepath.Glob(filepath.Join(f.dir, ".*.part"))
	if err != nil || len(stages) != 1 {
		t.Fatal(stages, err)
	}
	data := decoded(t, stages[0])
	shorter := data[:bytes.LastIndexByte(data[:len(data)-1], '\n')+1]
	if err := os.WriteFile(stages[0], encoded(t, codecOf(t, stages[0]), shorter), 0o644); err != nil {
		t.Fatal(err)
	}
}

func fixture(format, compress string) destinationtest.Fixture {
	const noKeys = "rows in files cannot be found again: TestUpsertIsRefused"
	cannot := map[string]string{
		"StoppedHolder":       "upsert is among its dispositions: TestStoppedHolder",
		"Duplicates":          "files have no keys: every row that comes is kept",
		"Mark":                "writes by upsert: TestMark",
		"MarkVoidWhenDropped": "writes by upsert: TestMark",
		"MarkVoidWhenEmptied": "writes by upsert: TestMark",
		"Window":              "a stretch of a file cannot be replaced: TestWindowIsRefused",
	}
	if compress != "none" {
		cannot["BigRows"] = "what is compressed is a stream like any other: shown without compression"
	}
	for _, name := range []string{"Upsert", "UpsertCrash", "UpsertNewColumn", "UpsertDeletes", "UpsertHardDeletes", "UpsertHardDeletesGuarded"} {
		cannot[name] = noKeys
	}
	return destinationtest.Fixture{
		New:    func(t testing.TB) destinationtest.Place { return folder{t.TempDir(), format, compress} },
		Cannot: cannot,
	}
}

func TestSuite(t *testing.T) {
	for _, c := range []struct{ format, compress string }{{"csv", "none"}, {"jsonl", "gzip"}} {
		t.Run(c.format+" "+c.compress, func(t *testing.T) { destinationtest.Run(t, fixture(c.format, c.compress)) })
	}
}

func codecOf(t testing.TB, path string) compress.Codec {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return compress.Sniff(data)
}

func encoded(t testing.TB, c compress.Codec, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w, err := c.Writer(&out)
	if err != nil {
		t.Fatal(err)
	}
	_, err = w.Write(data)
	if err = errors.Join(err, w.Close()); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}

func unpacked(t testing.TB, data []byte) []byte {
	t.Helper()
	r, err := compress.Sniff(data).Reader(bytes.NewReader(data))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Close() }()
	var out bytes.Buffer
	if _, err := out.ReadFrom(r); err != nil {
		t.Fatal(err)
	}
	return out.Bytes()
}
