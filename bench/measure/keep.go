package measure

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// keep puts rows into a file of figures, each in the place of its namesake, and returns
// all that the file now holds.
func keep(path string, rows []Row) ([]Row, error) {
	var kept []Row
	switch data, err := os.ReadFile(path); {
	case errors.Is(err, fs.ErrNotExist):
	case err != nil:
		return nil, err
	default:
		if err := json.Unmarshal(data, &kept); err != nil {
			return nil, fmt.Errorf("%s: %w", path, err)
		}
	}
	kept = merge(kept, rows)
	data, err := json.MarshalIndent(kept, "", "  ")
	if err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return nil, err
	}
	return kept, os.WriteFile(path, append(data, '\n'), 0o644)
}

func merge(kept, rows []Row) []Row {
	for _, r := range rows {
		if i := slices.IndexFunc(kept, func(k Row) bool { return k.Name == r.Name }); i >= 0 {
			kept[i] = r
		} else {
			kept = append(kept, r)
		}
	}
	return kept
}

// draw puts a suite's table into the document.
func draw(path, suite, table string) error {
	text, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	open, end := "<!-- results: "+suite+" -->\n", "<!-- end -->"
	before, rest, ok := strings.Cut(string(text), open)
	_, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		return fmt.Errorf("%s has no place for %q: %s… %s", path, suite, open, end)
	}
	return os.WriteFile(path, []byte(before+open+table+end+after), 0o644)
}
