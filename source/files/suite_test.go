package files

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/synclinehq/syncline/format/compress"
	"github.com/synclinehq/syncline/format/csv"
	"github.com/synclinehq/syncline/format/ndjson"
	"github.com/synclinehq/syncline/format/sidecar"
	"github.com/synclinehq/syncline/source/sourcetest"
)

// appendRows writes the rows of a record behind what a file holds, as a member of its own.
func appendRows(t testing.TB, path string, rec arrow.RecordBatch) {
	t.Helper()
	var data []byte
	codec, name := compress.ByName(path)
	if filepath.Ext(name) == ".jsonl" {
		w, err := ndjson.NewWriter(rec.Schema())
		if err != nil {
			t.Fatal(err)
		}
		for i := range int(rec.NumRows()) {
			data = w.AppendRow(data, rec, i)
		}
	} else {
		w, err := csv.NewWriter(rec.Schema(), csv.Default())
		if err != nil {
			t.Fatal(err)
		}
		if _, err := os.Stat(path); err != nil {
			data = w.AppendHeader(data, rec.Schema())
		}
		for i := range int(rec.NumRows()) {
			data = w.AppendRow(data, rec, i)
		}
	}
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	z, err := codec.Writer(f)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := z.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
}

func fixture(ext string) sourcetest.Fixture {
	const noCursor = "files have no cursor columns: TestIncremental"
	return sourcetest.Fixture{
		Kind: Kind,
		New: func(t testing.TB) sourcetest.Place {
			dir := t.TempDir()
			if err := os.Mkdir(filepath.Join(dir, sidecar.Dir), 0o755); err != nil {
				t.Fatal(err)
			}
			said := map[string]any{"path": dir}
			if ext == ".jsonl.gz" { // so that one of the suites runs inside a root
				said["root"] = filepath.Dir(dir)
			}
			settings, err := json.Marshal(said)
			if err != nil {
				t.Fatal(err)
			}
			return sourcetest.Place{
				Settings: settings,
				Create: func(t testing.TB, name string, key []string, rec arrow.RecordBatch) string {
					path := filepath.Join(dir, name+ext)
					appendRows(t, path, rec)
					if err := sidecar.Write(nil, path, path, sidecar.Schema{Columns: rec.Schema(), Key: key}); err != nil {
						t.Fatal(err)
					}
					return name + ext
				},
				Insert: func(t testing.TB, entity string, rec arrow.RecordBatch) {
					appendRows(t, filepath.Join(dir, entity), rec)
				},
			}
		},
		Without: map[string]string{
			"incremental": noCursor, "rows after the mark": noCursor, "null cursor": noCursor, "window": noCursor,
		},
	}
}

func TestSuite(t *testing.T) {
	for _, ext := range []string{".csv", ".jsonl.gz"} {
		t.Run(ext, func(t *testing.T) { sourcetest.Run(t, fixture(ext)) })
	}
}
