package app

import (
	"embed"
	"errors"
	"fmt"
	"os"
	"path/filepath"
)

//go:embed demodata/flights.csv.gz demodata/airports.csv
var demoData embed.FS

// Demo writes the files of the demo below the data directory, and says where they are and
// where their copy may go.
func (a *App) Demo() (files, database string, err error) {
	dir := filepath.Join(a.dir, "demo")
	files = filepath.Join(dir, "files")
	if err := os.MkdirAll(files, 0o700); err != nil {
		return "", "", fmt.Errorf("folder of the demo: %w", err)
	}
	for _, name := range []string{"flights.csv.gz", "airports.csv"} {
		text, err := demoData.ReadFile("demodata/" + name)
		if err == nil {
			err = replaceFile(filepath.Join(files, name), text)
		}
		if err != nil {
			return "", "", fmt.Errorf("file of the demo: %w", err)
		}
	}
	return files, filepath.Join(dir, "demo.db"), nil
}

// replaceFile puts a file in place as a whole: another demo may be reading it.
func replaceFile(path string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(path), ".demo-*")
	if err != nil {
		return err
	}
	defer os.Remove(f.Name())
	_, err = f.Write(text)
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), path)
}
