package warehouse_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/warehouse"
)

func settings(t *testing.T, e syncline.Endpoint) (s struct {
	Path, Host, Schema, Password string
	Port                         int
},
) {
	t.Helper()
	if err := json.Unmarshal(e.Settings, &s); err != nil {
		t.Fatal(err)
	}
	return s
}

// Every id has a file of its own, in the folder, with a name that the filesystem takes.
func TestFiles(t *testing.T) {
	t.Parallel()
	folder := filepath.Join(t.TempDir(), "a", "datasets")
	w, err := warehouse.Files(folder)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(folder); err != nil || info.Mode().Perm() != 0o700 {
		t.Fatal(info, err)
	}
	long := strings.Repeat("a", 1024)
	seen := map[string]bool{}
	for _, id := range []string{"sales", "Sales", "_", "0", "con", long[:200], long[:201], long[:1023] + "b", long} {
		e, err := w.Dataset(id)
		if err != nil || e.Kind != "sqlite" {
			t.Fatal(id, e.Kind, err)
		}
		path := settings(t, e).Path
		if filepath.Dir(path) != folder || filepath.Ext(path) != ".db" || seen[path] {
			t.Errorf("%s is in %s", id, path)
		}
		seen[path] = true
		if err := os.WriteFile(path+"-journal", nil, 0o600); err != nil {
			t.Error(err)
		}
	}
	if e, _ := w.Dataset("sales"); settings(t, e).Path != filepath.Join(folder, "sales.db") {
		t.Error(settings(t, e).Path)
	}
}

func TestFilesThatCannotBe(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := warehouse.Files(filepath.Join(file, "datasets")); syncline.CodeOf(err) != syncline.FailedPrecondition {
		t.Error(err)
	}
}

func TestSchemas(t *testing.T) {
	t.Parallel()
	w := warehouse.Schemas(syncline.Endpoint{Kind: "postgres", Settings: json.RawMessage(`{"host":"h","port":5433,"password":"p"}`)})
	for _, id := range []string{"sales", "public", strings.Repeat("a", 63), "syncline_2", "PG_x"} {
		e, err := w.Dataset(id)
		if s := settings(t, e); err != nil || e.Kind != "postgres" || s.Schema != id || s.Host != "h" || s.Port != 5433 || s.Password != "p" {
			t.Errorf("%s: %s, %v", id, e.Settings, err)
		}
	}
	for _, id := range []string{strings.Repeat("a", 64), "pg_catalog", "pg_temp", "information_schema", "syncline"} {
		if _, err := w.Dataset(id); syncline.CodeOf(err) != syncline.InvalidArgument {
			t.Errorf("%s: %v", id, err)
		}
	}
}

func TestIDs(t *testing.T) {
	t.Parallel()
	files, err := warehouse.Files(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	schemas := warehouse.Schemas(syncline.Endpoint{Kind: "postgres", Settings: json.RawMessage(`{}`)})
	for _, w := range []*warehouse.Warehouse{files, schemas} {
		for _, id := range []string{"", ".", "..", "../x", "a/b", "a\\b", "/etc/x", "a.b", "a-b", "a b", "a\x00", "a\n", "é", "${env:X}", strings.Repeat("a", 1025)} {
			e, err := w.Dataset(id)
			wrong, _ := err.(*syncline.Error)
			if wrong == nil || wrong.Code != syncline.InvalidArgument || wrong.Hint == "" || e.Kind != "" {
				t.Errorf("%q: %v, %v", id, e, err)
			}
		}
	}
}
