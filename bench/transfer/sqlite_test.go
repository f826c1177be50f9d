package transfer_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/synclinehq/syncline/bench/measure"
)

// exact reads a SQLite table without rounding, as sqlite3 does by itself.
const exact = `select id, qty, amount, printf('%!.17g', score) as score, active, created_at, day, label, note, payload from mixed`

func (s *server) toSQLite(t *testing.T) {
	needSQLite(t)
	s.mixed(t, "mixed", *size)
	ours, theirs := filepath.Join(t.TempDir(), "ours.db"), filepath.Join(t.TempDir(), "theirs.db")
	var p program
	sync := func(t testing.TB) measure.Sample {
		fresh(t, ours)
		p = newProgram(t)
		s.settle(t)
		return p.sync(t, *size, s.url(src), ours, "--entities", "public.mixed")
	}
	sync(t)
	made := sqlite(t, ours, "select sql from sqlite_schema where name = 'mixed'")
	measure.Compare(t, measure.Comparison{
		Name: "PostgreSQL→SQLite, " + count(*size), Against: "psql | sqlite3 .import", Unit: "rows/s", Bar: 0.8, MaxRSS: memory, Ours: sync,
		Theirs: func(t testing.TB) measure.Sample {
			fresh(t, theirs)
			sqlite(t, theirs, made)
			s.settle(t)
			took, _ := measure.Run(t, measure.Shell(fmt.Sprintf(`%s -c "copy mixed to stdout (format csv)" | sqlite3 %s ".import --csv /dev/stdin mixed"`, s.psql(src), theirs)))
			return measure.Sample{Count: int64(*size), Took: took}
		},
	})
	p.told(t)
	out := filepath.Join(t.TempDir(), "out.csv")
	measure.Run(t, measure.Shell(fmt.Sprintf(`sqlite3 -csv %s "%s" > %s`, ours, exact, out)))
	s.load(t, out, "csv")
	s.same(t, "loaded", "mixed")
	if n := sqlite(t, theirs, "select count(*) from mixed"); n != fmt.Sprint(*size) {
		t.Errorf("the reference imported %s rows", n)
	}
	if left := sqlite(t, ours, "select group_concat(name) from sqlite_schema where name like '\\_syncline\\_stage%' escape '\\' or name like '\\_syncline\\_spool%' escape '\\'"); left != "" {
		t.Errorf("left behind: %s", left)
	}
	s.clean(t, src)
}

func (s *server) fromSQLite(t *testing.T) {
	needSQLite(t)
	s.mixed(t, "mixed", *size)
	file := filepath.Join(t.TempDir(), "in.db")
	newProgram(t).sync(t, *size, s.url(src), file, "--entities", "public.mixed")
	ours := func(t testing.TB) measure.Sample {
		s.drop(t, "mixed")
		return newProgram(t).sync(t, *size, file, s.url(dst), "--entities", "mixed")
	}
	ours(t)
	t.Log("made the table", s.shape(t, dst, "mixed"))
	s.mirror(t, "mixed")
	measure.Compare(t, measure.Comparison{
		Name: "SQLite→PostgreSQL, " + count(*size), Against: `sqlite3 -csv | \copy from csv`, Unit: "rows/s", Bar: 0.9, MaxRSS: memory, Ours: ours,
		Theirs: func(t testing.TB) measure.Sample {
			s.empty(t)
			took, _ := measure.Run(t, measure.Shell(fmt.Sprintf(`sqlite3 -csv %s "select * from mixed" | %s -c "\copy ref from pstdin (format csv)"`, file, s.psql(dst))))
			return measure.Sample{Count: int64(*size), Took: took}
		},
	})
	s.same(t, "mixed", "mixed")
	if n := value[int64](t, s, dst, "select count(*) from ref"); n != int64(*size) {
		t.Errorf("the reference copied %d rows", n)
	}
	s.clean(t, dst)
	s.drop(t, "mixed")
}

// needSQLite skips where the command line tool is missing, and fails there in CI.
func needSQLite(t *testing.T) {
	t.Helper()
	out, err := exec.Command("sqlite3", "--version").Output()
	switch {
	case err == nil:
		version, _, _ := strings.Cut(string(out), " ")
		measure.Version("sqlite3 " + version)
	case os.Getenv("CI") == "":
		t.Skip("sqlite3 is not installed: make bench-tools")
	default:
		t.Fatal(err)
	}
}

// sqlite runs a statement with the command line tool.
func sqlite(t testing.TB, path, sql string) string {
	t.Helper()
	out, err := exec.Command("sqlite3", path, sql).CombinedOutput()
	if err != nil {
		t.Fatalf("sqlite3: %v: %s", err, out)
	}
	return strings.TrimSpace(string(out))
}

// fresh removes a database with the files beside it.
func fresh(t testing.TB, path string) {
	t.Helper()
	for _, suffix := range []string{"", "-wal", "-shm", "-journal"} {
		remove(t, path+suffix)
	}
}
