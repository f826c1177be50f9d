package cli

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/synclinehq/syncline/testserver"
)

// TestMain lets the test binary be the program as well: under the name syncline it is it.
func TestMain(m *testing.M) {
	if filepath.Base(os.Args[0]) == "syncline" {
		os.Exit(Main(Interruptible(), os.Args[1:], IO{In: os.Stdin, Out: os.Stdout, Err: os.Stderr}))
	}
	dir, err := installed()
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	testserver.Main(m, func() { _ = os.RemoveAll(dir) })
}

// installed puts the program on the path.
func installed() (string, error) {
	self, err := os.Executable()
	if err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp("", "syncline-cli")
	if err != nil {
		return "", err
	}
	err = os.Symlink(self, filepath.Join(dir, "syncline"))
	return dir, errors.Join(err, os.Setenv("PATH", dir+":"+os.Getenv("PATH")))
}

// TestScripts runs testdata/*.txt. Beside the usual commands they have:
//
//	exits CODE COMMAND…     run a command that must exit so
//	until PATTERN COMMAND…  repeat a command until its output matches, for 20 s at most
//	member PATH PATTERN     a member of the JSON that was just written: tasks.0.counts.read; len is how many
//	psql STATEMENT          on the script's own database, $PG
//	rows FILE N             a CSV file with N rows: id,name
//	query FILE STATEMENT    on a SQLite file; the first column goes to stdout
//	runid VAR PIPELINE      the id of the pipeline's newest run
//	secretless DIR WORD     no file below DIR holds WORD
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata",
		Setup: func(e *testscript.Env) error {
			e.Vars = append(e.Vars, "HOME="+e.WorkDir+"/home", "SYNCLINE_DATA="+e.WorkDir+"/data", "PATH="+os.Getenv("PATH"), "TZ=UTC")
			if uses(e, "$PG") {
				database := testserver.Database(e.T().(testing.TB))
				u, err := url.Parse(database)
				if err != nil {
					return err
				}
				e.Vars = append(e.Vars, "PG="+database, "PGADDR="+u.Host)
			}
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits": exits, "until": until, "member": member, "psql": psql, "rows": rowsFile, "query": query, "runid": runID, "secretless": secretless,
		},
	})
}

// uses reports whether a script mentions a word, so that those without a database start none.
func uses(e *testscript.Env, word string) bool {
	name := strings.TrimPrefix(filepath.Base(e.WorkDir), "script-")
	text, err := os.ReadFile(filepath.Join("testdata", name+".txt"))
	return err == nil && strings.Contains(string(text), word)
}

func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND…")
	}
	got, err := 0, ts.Exec(args[1], args[2:]...)
	var failed *exec.ExitError
	switch {
	case errors.As(err, &failed):
		got = failed.ExitCode()
	case err != nil:
		ts.Fatalf("%v", err)
	}
	if strconv.Itoa(got) != args[0] {
		ts.Fatalf("exit code %d, want %s", got, args[0])
	}
}

func until(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: until PATTERN COMMAND…")
	}
	pattern := regexp.MustCompile(args[0])
	for end := time.Now().Add(20 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		_ = ts.Exec(args[1], args[2:]...)
		if pattern.MatchString(ts.ReadFile("stdout")) {
			return
		}
		if time.Now().After(end) {
			ts.Fatalf("never matched %s", pattern)
		}
	}
}

func member(ts *testscript.TestScript, neg bool, args []string) {
	if len(args) != 2 {
		ts.Fatalf("usage: member PATH PATTERN")
	}
	var v any
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &v))
	for step := range strings.SplitSeq(args[0], ".") {
		switch at := v.(type) {
		case map[string]any:
			next, ok := at[step]
			if !ok && !neg {
				ts.Fatalf("no member %q of %s", step, args[0])
			}
			v = next
		case []any:
			if step == "len" {
				v = len(at)
				continue
			}
			i, err := strconv.Atoi(step)
			ts.Check(err)
			if i >= len(at) {
				ts.Fatalf("%d members at %q of %s", len(at), step, args[0])
			}
			v = at[i]
		default:
			ts.Fatalf("nothing at %q of %s", step, args[0])
		}
	}
	doc, err := json.Marshal(v)
	ts.Check(err)
	text := strings.Trim(string(doc), `"`)
	if regexp.MustCompile("^(?:"+args[1]+")$").MatchString(text) == neg {
		ts.Fatalf("%s is %s", args[0], text)
	}
}

func runID(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: runid VAR PIPELINE")
	}
	ts.Check(ts.Exec("syncline", "runs", args[1], "--limit", "1", "--json"))
	var runs []struct{ ID string }
	ts.Check(json.Unmarshal([]byte(ts.ReadFile("stdout")), &runs))
	if len(runs) == 0 {
		ts.Fatalf("%s has no run", args[1])
	}
	ts.Setenv(args[0], runs[0].ID)
}

func psql(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 1 {
		ts.Fatalf("usage: psql STATEMENT")
	}
	ctx, stop := context.WithTimeout(context.Background(), time.Minute)
	defer stop()
	c, err := pgx.Connect(ctx, ts.Getenv("PG"))
	ts.Check(err)
	defer c.Close(ctx)
	_, err = c.Exec(ctx, args[0])
	ts.Check(err)
}

func rowsFile(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	var b strings.Builder
	b.WriteString("id,name\n")
	for i := range n {
		fmt.Fprintf(&b, "%d,name of %d\n", i, i)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(b.String()), 0o600))
}

func secretless(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(filepath.WalkDir(ts.MkAbs(args[0]), func(path string, d os.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		text, err := os.ReadFile(path)
		if strings.Contains(string(text), args[1]) {
			return fmt.Errorf("%s holds %s", path, args[1])
		}
		return err
	}))
}
