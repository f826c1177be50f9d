package syncline_test

import (
	"cmp"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"
)

// arrows says which packages of this module a package may import. A name ending in /*
// stands for every package below it that has no line of its own. What a test file
// imports is not looked at, nor are the suites (sourcetest and the like).
var arrows = map[string]string{
	".":    "",
	"spec": "",
	"rows": ".", // for Counts: one set of books, not two

	"schedule": ".",
	"secret":   "",
	"client":   ".",

	"auth":      ".",
	"netguard":  "",
	"warehouse": ".",
	// The server knows no dialect, only that there are some.
	"server": ". auth dialect",

	"ledger":         ".",
	"store/sqlstore": ".",
	"store/*":        ". store/sqlstore",

	"format/*":          ". rows format/*",
	"format/pgurl":      ". spec", // a connection's settings
	"format/sqlitefile": ". spec", // the same for a file
	"source":            ". spec rows",
	"destination":       ". spec rows source",
	"task":              ". spec rows",
	"source/*":          ". spec rows source format/*",
	"destination/*":     ". spec rows source destination format/*",
	"task/*":            ". spec rows task source destination",

	"registry": ". spec source destination task",
	"catalog":  ". registry schedule spec secret source",
	"engine":   ". catalog ledger schedule task",

	"dialect": ". catalog ledger registry",
	// The native API draws the documents that client declares: one set of them, not two.
	"dialect/native": ". auth dialect client catalog ledger schedule spec",
	"dialect/*":      ". auth dialect dialect/internal/* catalog ledger registry schedule spec",
	// Generated messages point at nothing of ours.
	"dialect/datatransfer":                ". auth dialect dialect/internal/* dialect/datatransfer/datatransferpb catalog ledger registry schedule spec",
	"dialect/datatransfer/datatransferpb": "",

	"builtin": "registry dialect spec source/* destination/* task/* dialect/* source destination task",
	"app":     "*",
	"cli":     ". app client",
	"cmd/*":   "cli",
}

// tests are packages that only tests import; they may import anything.
var tests = []string{"testserver", "store/storetest", "source/sourcetest", "destination/destinationtest", "task/tasktest", "dialect/dialecttest", "fault", "bench", "sim"}

func TestArrows(t *testing.T) {
	const module = "github.com/synclinehq/syncline"
	files := token.NewFileSet()
	// Reading the files here, rather than asking "go list", lets the test cache notice
	// when one of them changes.
	err := filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		from := filepath.ToSlash(filepath.Dir(path))
		may := mayImport(from)
		if may == "" && from != "." && arrows[from] != may {
			t.Errorf("%s has no line in arrows", from)
		}
		f, err := parser.ParseFile(files, path, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		for _, imp := range f.Imports {
			to, ours := strings.CutPrefix(strings.Trim(imp.Path.Value, `"`), module)
			to = cmp.Or(strings.TrimPrefix(to, "/"), ".")
			if ours && !covers(may, to) {
				t.Errorf("%s imports %s; it may import: %s", path, to, may)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func mayImport(from string) string {
	for _, name := range tests {
		if from == name {
			return "*"
		}
	}
	if may, ok := arrows[from]; ok {
		return may
	}
	parent, _, _ := strings.Cut(from, "/")
	return arrows[parent+"/*"]
}

func covers(may, to string) bool {
	for m := range strings.FieldsSeq(may) {
		dir, below := strings.CutSuffix(m, "*")
		if m == to || below && strings.HasPrefix(to, dir) {
			return true
		}
	}
	return false
}
