// Package sidecar keeps the exact schema of a data file beside it, in .syncline, for the
// day on which the file is read again: CSV and JSON Lines say less of their columns than
// was known when they were written.
package sidecar

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/extensions"

	"github.com/synclinehq/syncline/format/durable"
	"github.com/synclinehq/syncline/format/tree"
	"github.com/synclinehq/syncline/format/typename"
	"github.com/synclinehq/syncline/rows"
)

// Dir is the folder beside data files in which Syncline keeps what it knows of them.
const Dir = ".syncline"

// Schema is what was known of a file when it was written.
type Schema struct {
	Columns *arrow.Schema
	Key     []string
}

type document struct {
	// Size and Hash tie the document to one file, wherever it is copied to.
	Size    int64    `json:"size"`
	Hash    string   `json:"hash"`
	Columns []column `json:"columns"`
	Key     []string `json:"key,omitempty"`
}

type column struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Native   string `json:"native,omitempty"`
	Required bool   `json:"required,omitempty"`
}

// Path is where the schema of a file is kept.
func Path(file string) string {
	return filepath.Join(filepath.Dir(file), Dir, filepath.Base(file)+".schema.json")
}

// Write keeps the schema of a file, whose content may still have another name: it stands
// at content now and will be file.
func Write(t *tree.Tree, file, content string, s Schema) error {
	size, hash, err := identity(t, content)
	if err != nil {
		return fmt.Errorf("schema of %s: %w", file, err)
	}
	d := document{Size: size, Hash: hash, Key: s.Key}
	for _, f := range s.Columns.Fields() {
		d.Columns = append(d.Columns, column{f.Name, typename.Word(f.Type), native(f), !f.Nullable})
	}
	data, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return fmt.Errorf("schema of %s: %w", file, err)
	}
	if err := durable.WriteFile(t, Path(file), data); err != nil {
		return fmt.Errorf("schema of %s: %w", file, err)
	}
	return nil
}

// native is the field's native type. A json column gets one in any case: it tells readers
// of JSON Lines that null in it is a value, and NULL is left out.
func native(f arrow.Field) string {
	if _, ok := f.Type.(*extensions.JSONType); ok && rows.Native(f) == "" {
		return "syncline:json"
	}
	return rows.Native(f)
}

// Read returns the schema that was kept for exactly this file; false when there is none,
// or the file is another one by now.
func Read(t *tree.Tree, file string) (Schema, bool) {
	var d document
	data, err := t.ReadFile(Path(file))
	if err != nil || json.Unmarshal(data, &d) != nil {
		return Schema{}, false
	}
	size, hash, err := identity(t, file)
	if err != nil || size != d.Size || hash != d.Hash {
		return Schema{}, false
	}
	var fields []arrow.Field
	for _, c := range d.Columns {
		is, err := typename.Parse(c.Type)
		if err != nil {
			return Schema{}, false // of a later version of Syncline
		}
		fields = append(fields, rows.Field(c.Name, is, !c.Required, c.Native))
	}
	return Schema{Columns: arrow.NewSchema(fields, nil), Key: d.Key}, true
}

// Remove forgets the schema of a file.
func Remove(t *tree.Tree, file string) error {
	if err := t.Remove(Path(file)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

const block = 64 << 10

// identity looks at the first and the last block: enough to tell files apart that were
// written at different times, without reading them whole.
func identity(t *tree.Tree, path string) (int64, string, error) {
	f, err := t.Open(path)
	if err != nil {
		return 0, "", err
	}
	defer func() { _ = f.Close() }() // only read
	info, err := f.Stat()
	if err != nil {
		return 0, "", err
	}
	h := sha256.New()
	for _, at := range []int64{0, max(0, info.Size()-block)} {
		if _, err := io.Copy(h, io.NewSectionReader(f, at, block)); err != nil {
			return 0, "", err
		}
	}
	return info.Size(), hex.EncodeToString(h.Sum(nil)[:16]), nil
}
