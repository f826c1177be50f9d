package transfer_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/synclinehq/syncline/bench/measure"
)

func (s *server) toCSV(t *testing.T) {
	s.mixed(t, "mixed", *size)
	ours, theirs := filepath.Join(t.TempDir(), "mixed.csv"), filepath.Join(t.TempDir(), "ref.csv")
	s.toFile(t, ours, theirs, measure.Comparison{
		Name: "PostgreSQL→CSV, " + count(*size), Against: `\copy to csv`, Bar: 0.9,
		Theirs: func(t testing.TB) measure.Sample {
			return s.unload(t, theirs, `\copy mixed to '`+theirs+`' (format csv, header)`)
		},
	})
	s.load(t, ours, "csv, header")
	s.same(t, "loaded", "mixed")
}

func (s *server) toJSONLines(t *testing.T) {
	s.mixed(t, "mixed", *size)
	ours, theirs := filepath.Join(t.TempDir(), "mixed.jsonl"), filepath.Join(t.TempDir(), "ref.jsonl")
	s.toFile(t, ours, theirs, measure.Comparison{
		Name: "PostgreSQL→JSON Lines, " + count(*size), Against: "copy (select row_to_json(t) …)", Bar: 1.5,
		Theirs: func(t testing.TB) measure.Sample {
			return s.unload(t, theirs, `\copy (select row_to_json(t) from mixed t) to '`+theirs+`'`)
		},
	})
	s.loadJSON(t, ours)
	s.same(t, "loaded", "mixed")
}

// toFile measures writing the mixed table to a file.
func (s *server) toFile(t *testing.T, ours, theirs string, c measure.Comparison) {
	t.Helper()
	var p program
	c.Unit, c.MaxRSS = "rows/s", memory
	c.Ours = func(t testing.TB) measure.Sample {
		remove(t, ours)
		p = newProgram(t)
		s.settle(t)
		return p.sync(t, *size, s.url(src), ours, "--entities", "public.mixed")
	}
	measure.Compare(t, c)
	p.told(t)
	s.clean(t, src)
	onlyFile(t, ours)
	remove(t, theirs)
}

// unload lets psql write a file.
func (s *server) unload(t testing.TB, path, command string) measure.Sample {
	t.Helper()
	remove(t, path)
	s.settle(t)
	cmd := measure.Shell(s.psql(src) + `-c "$COMMAND"`)
	cmd.Env = append(os.Environ(), "COMMAND="+command)
	took, _ := measure.Run(t, cmd)
	return measure.Sample{Count: int64(*size), Took: took}
}

// fromCSV reads the file that \copy writes: NULL is the empty field, the empty string "".
func (s *server) fromCSV(t *testing.T) {
	s.mixed(t, "mixed", *size)
	file := filepath.Join(t.TempDir(), "from_csv.csv")
	s.unload(t, file, `\copy mixed to '`+file+`' (format csv, header)`)
	ours := func(t testing.TB) measure.Sample {
		s.drop(t, "from_csv")
		return newProgram(t).sync(t, *size, file, s.url(dst), "--key", "id")
	}
	ours(t)
	s.mirror(t, "from_csv")
	want := "id bigint, qty bigint, amount numeric(38,2), score double precision, active boolean, created_at timestamp with time zone, day date, label text, note text, payload text; key PRIMARY KEY (id)"
	if got := s.shape(t, dst, "from_csv"); got != want {
		t.Errorf("made the table %s, want %s", got, want)
	}
	measure.Compare(t, measure.Comparison{
		Name: "CSV→PostgreSQL, " + count(*size), Against: `\copy from csv`, Unit: "rows/s", Bar: 0.9, MaxRSS: memory, Ours: ours,
		Theirs: func(t testing.TB) measure.Sample {
			s.empty(t)
			took, _ := measure.Run(t, measure.Shell(s.psql(dst)+`-c "\copy ref from '`+file+`' (format csv, header)"`))
			return measure.Sample{Count: int64(*size), Took: took}
		},
	})
	s.same(t, "from_csv", "mixed")
	s.same(t, "ref", "mixed")
	s.clean(t, dst)
}

// load puts a file into a table with the source's types, to see what is in it.
func (s *server) load(t testing.TB, path, format string) {
	t.Helper()
	s.loaded(t)
	measure.Run(t, measure.Shell(s.psql(dst)+`-c "\copy loaded from '`+path+`' (format `+format+`)"`))
}

// loadJSON is load for JSON Lines: a line is taken as one field, by separators that JSON
// text cannot hold.
func (s *server) loadJSON(t testing.TB, path string) {
	t.Helper()
	s.loaded(t)
	s.exec(t, dst, "drop table if exists lines")
	s.exec(t, dst, "create table lines (doc json)")
	measure.Run(t, measure.Shell(s.psql(dst)+`-c "\copy lines from '`+path+`' (format csv, delimiter e'\x02', quote e'\x01')"`))
	s.exec(t, dst, "insert into loaded select r.* from lines, json_populate_record(null::loaded, doc) r")
	s.exec(t, dst, "drop table lines")
}

func (s *server) loaded(t testing.TB) {
	t.Helper()
	sql := "create table loaded ("
	for i, c := range columns {
		if i > 0 {
			sql += ", "
		}
		sql += c.name + " " + c.native
	}
	s.exec(t, dst, "drop table if exists loaded")
	s.exec(t, dst, sql+")")
}

func remove(t testing.TB, path string) {
	t.Helper()
	if err := os.RemoveAll(path); err != nil {
		t.Fatal(err)
	}
}

// onlyFile fails when a sync left a stage beside its file.
func onlyFile(t testing.TB, path string) {
	t.Helper()
	found, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		if f.Name() != filepath.Base(path) && f.Name() != ".syncline" {
			t.Errorf("left behind: %s", f.Name())
		}
	}
}
