// Package warehouse says where a dataset lies: in a schema of one database, or in a SQLite
// file of its own. It opens neither.
package warehouse

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/synclinehq/syncline"
)

const (
	maxID     = 1024
	maxSchema = 63 // bytes of an identifier in PostgreSQL, which cuts longer ones
	// maxFile is how long the part of a file's name may be that is the dataset's id: beside
	// it there must be room for the suffixes of SQLite's own files.
	maxFile = 200
)

// letters are what an id is of. https://cloud.google.com/bigquery/docs/datasets#dataset-naming
var letters = regexp.MustCompile(`^[A-Za-z0-9_]+$`)

// Warehouse is where datasets lie.
type Warehouse struct {
	database *syncline.Endpoint // nil: files
	folder   string
}

// Files keeps every dataset in a SQLite file in a folder, which it makes.
func Files(folder string) (*Warehouse, error) {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return nil, syncline.Errorf(syncline.FailedPrecondition, "the folder of datasets cannot be made: %w", err).
			Of(syncline.ClassConfig).Try("let the user that Syncline runs as write there")
	}
	return &Warehouse{folder: folder}, nil
}

// Schemas keeps every dataset in a schema of a database, a destination whose settings have
// a schema.
func Schemas(database syncline.Endpoint) *Warehouse { return &Warehouse{database: &database} }

// Dataset is a dataset as a destination. Two ids are never the same place, and none leads
// out of the warehouse.
func (w *Warehouse) Dataset(dataset string) (syncline.Endpoint, error) {
	if len(dataset) > maxID || !letters.MatchString(dataset) {
		return syncline.Endpoint{}, syncline.Invalid("dataset", "%.100q is no id of a dataset", dataset).
			Try("use up to %d letters, digits and underscores", maxID)
	}
	if w.database != nil {
		return w.schema(dataset)
	}
	return w.file(dataset)
}

func (w *Warehouse) file(dataset string) (syncline.Endpoint, error) {
	name := dataset
	if len(name) > maxFile {
		sum := sha256.Sum256([]byte(dataset))
		name = dataset[:100] + "-" + hex.EncodeToString(sum[:]) // no id has a hyphen in it
	}
	settings, err := json.Marshal(map[string]string{"path": filepath.Join(w.folder, name+".db")})
	if err != nil {
		return syncline.Endpoint{}, fmt.Errorf("file of a dataset: %w", err)
	}
	return syncline.Endpoint{Kind: "sqlite", Settings: settings}, nil
}

func (w *Warehouse) schema(dataset string) (syncline.Endpoint, error) {
	if err := allowed(dataset); err != nil {
		return syncline.Endpoint{}, err
	}
	var settings map[string]any
	if err := json.Unmarshal(w.database.Settings, &settings); err != nil {
		return syncline.Endpoint{}, fmt.Errorf("settings of the warehouse: %w", err)
	}
	settings["schema"] = dataset
	doc, err := json.Marshal(settings)
	if err != nil {
		return syncline.Endpoint{}, fmt.Errorf("settings of the warehouse: %w", err)
	}
	return syncline.Endpoint{Kind: w.database.Kind, Settings: doc}, nil
}

// allowed keeps datasets out of schemas that are others': the server's own, and the one
// that a ledger in the same database has.
func allowed(schema string) error {
	switch {
	case len(schema) > maxSchema:
		return syncline.Invalid("dataset", "the id of the dataset is longer than the name of a schema may be").Try("use at most %d characters", maxSchema)
	case strings.HasPrefix(schema, "pg_") || schema == "information_schema" || schema == "syncline":
		return syncline.Invalid("dataset", "%q is a schema that is no dataset's", schema).Try("choose another id")
	}
	return nil
}
