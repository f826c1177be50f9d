package fault_test

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/synclinehq/syncline/testserver"
)

var helpedRows = flag.Int64("helped-rows", 1_500_000, "rows of a load that several workers share")

// helpedLease is the lease of the workers' ledger: one that is stopped longer has lost.
const helpedLease = 3 * time.Second

// sources of a load that is shared: what many parts are.
var helpedSources = map[string]func(t *testing.T, n int64) (url, digest string){"table": helpedTable, "files": helpedFiles}

// helpedTable is one whose key has no order on disk: its parts are stretches of blocks,
// which helpers read under the snapshot of the one who holds the run.
func helpedTable(t *testing.T, n int64) (url, digest string) {
	url = testserver.Database(t)
	statements := []string{"create table public.t (id uuid, n bigint not null, label text not null, note text)"}
	const each = 250_000 // one statement has a minute
	for from := int64(1); from <= n; from += each {
		statements = append(statements, fmt.Sprintf(`insert into public.t select md5(g::text)::uuid, g, 'label, "' || g || '"', case g %% 3 when 0 then null when 1 then '' else repeat('note ', (g %% 40)::int) end
			from generate_series(%d::bigint, %d) g`, from, min(n, from+each-1)))
	}
	execute(t, connect(t, url), append(statements, "alter table public.t add primary key (id)", "vacuum analyze public.t")...)
	return url, "select (count(*), sum(n), sum(hashtextextended(x::text, 0)))::text from (select * from public.t) x"
}

// helpedFiles is a folder of files that are one table.
func helpedFiles(t *testing.T, n int64) (url, digest string) {
	const files = 40
	dir := t.TempDir()
	for f := range int64(files) {
		var text strings.Builder
		text.WriteString("id,label\n")
		for id := n * f / files; id < n*(f+1)/files; id++ {
			fmt.Fprintf(&text, "%d,row %d of many with a label of some length\n", id, id)
		}
		if err := os.WriteFile(fmt.Sprintf("%s/%03d.csv", dir, f), []byte(text.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return "file://" + dir + "/*.csv?as=t", ""
}

// helped is a load that three workers on one PostgreSQL ledger share.
type helped struct {
	*program
	workers []*process
	ledger  *pgx.Conn
	compare func()
}

func newHelped(t *testing.T, source func(t *testing.T, n int64) (url, digest string)) *helped {
	if testing.Short() {
		t.Skip("many processes: not under the race detector, which does not see into them")
	}
	from, digest := source(t, *helpedRows)
	to, led := testserver.Database(t), testserver.Database(t)
	h := &helped{program: newProgram(t, "--ledger", led, "--i-accept-data-loss", "--lease", helpedLease.String())}
	h.compare = func() { h.same(from, to, digest) }
	path := filepath.Join(t.TempDir(), "helped.yaml")
	yaml := fmt.Sprintf("pipelines:\n  - {name: helped, source: '%s', destination: '%s'}\n", from, to)
	if err := os.WriteFile(path, []byte(yaml), 0o600); err != nil {
		t.Fatal(err)
	}
	h.run(0, "apply", "-f", path)
	h.ledger = connect(t, led)
	for range 3 {
		h.workers = append(h.workers, h.start("worker"))
	}
	h.run(0, "run", "helped")
	return h
}

// same compares what is in both ends, or, where the source cannot be asked, in the target
// with what was written.
func (h *helped) same(from, to, digest string) {
	h.t.Helper()
	if digest != "" {
		want, got := one[string](h.t, connect(h.t, from), digest), one[string](h.t, connect(h.t, to), digest)
		if want != got {
			h.t.Errorf("the source holds %s, the target %s", want, got)
		}
		return
	}
	want := fmt.Sprintf("%d %d %d", *helpedRows, *helpedRows, *helpedRows*(*helpedRows-1)/2)
	got := one[string](h.t, connect(h.t, to), "select count(*) || ' ' || count(distinct id) || ' ' || sum(id) from t where label = 'row ' || id || ' of many with a label of some length'")
	if got != want {
		h.t.Errorf("the table holds %s, want %s", got, want)
	}
}

// holds counts the leases of a worker: of the run, or of parts.
func (h *helped) holds(w *process, parts bool) int64 {
	return one[int64](h.t, h.ledger, fmt.Sprintf("select count(*) from syncline.leases where (part <> '') = %t and worker like '%%/%d'", parts, w.Process.Pid))
}

const hanging = "select count(*) from pg_stat_activity where datname = current_database() and state like 'idle in transaction%' and state_change < now() - interval '40 ms'"

// freeze stops a worker while it holds the run, or a part of it, and no lock in the ledger,
// which would keep everybody from the run until the server ends its session.
func (h *helped) freeze(parts bool, but *process) *process {
	h.t.Helper()
	for end := time.Now().Add(2 * time.Minute); time.Now().Before(end); time.Sleep(10 * time.Millisecond) {
		for _, w := range h.workers {
			if w == but || w.ended() || h.holds(w, parts) == 0 {
				continue
			}
			_ = w.Process.Signal(syscall.SIGSTOP)
			time.Sleep(50 * time.Millisecond) // what it had said to the ledger has come there
			if h.holds(w, parts) > 0 && one[int64](h.t, h.ledger, hanging) == 0 {
				return w
			}
			_ = w.Process.Signal(syscall.SIGCONT)
		}
	}
	h.t.Fatalf("no worker to stop: %+v", h.newest())
	return nil
}

// end waits for the run and checks that it ended once, with everything in place. An attempt
// that goes on reads rows again that look younger than the plan, as all do that were written
// while anything on the server was open which still was when the plan was made.
func (h *helped) end() *shown {
	h.t.Helper()
	r := h.until("the end", 5*time.Minute, ended)
	again := r.Totals.Read - *helpedRows
	if r.State != "succeeded" || again < 0 || again > 0 && len(r.Attempts) == 1 || r.Totals.Inserted != *helpedRows {
		h.t.Fatalf("the run is %s with %+v: %+v", r.State, r.Totals, r.Error)
	}
	h.compare()
	if n := len(h.runs()); n != 1 {
		h.t.Errorf("%d runs", n)
	}
	left := one[string](h.t, h.ledger, "select (select count(*) from syncline.offers) || ' ' || (select count(*) from syncline.parts) || ' ' || (select count(*) from syncline.leases)")
	if left != "0 0 0" {
		h.t.Errorf("offers, parts and leases are left: %s", left)
	}
	return r
}

// TestHelpers: three workers move one table; one that helps is killed, one is stopped beyond
// its lease and goes on afterwards. The run ends once, and names them.
func TestHelpers(t *testing.T) {
	for name, source := range helpedSources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHelped(t, source)
			killed := h.freeze(true, nil)
			_ = killed.Process.Kill()
			<-killed.done
			stopped := h.freeze(true, killed)
			began := time.Now()
			h.until("the stopped one has lost its part", time.Minute, func(*shown) bool { return h.holds(stopped, true) == 0 })
			t.Logf("the part was lost %s after the stop", time.Since(began).Round(100*time.Millisecond))
			_ = stopped.Process.Signal(syscall.SIGCONT)
			r := h.end()
			if len(r.Attempts) != 1 || len(r.Attempts[0].Helpers) < 2 {
				t.Errorf("attempts %+v: the holder of the run was well, two helped", r.Attempts)
			}
			h.until("the stopped one is refused", 30*time.Second, func(r *shown) bool { return r.Facts.Fenced > 0 })
			h.names(r.Attempts[0].Worker, killed, stopped)
		})
	}
}

// names checks that people can see who did the run, and whose sign of life was missed.
func (h *helped) names(holder string, killed, stopped *process) {
	h.t.Helper()
	shown, log := h.run(0, "runs", "show", "last"), h.run(0, "runs", "logs", "last")
	h.t.Logf("%s\n%s", shown, log)
	for _, w := range []*process{killed, stopped} {
		name := fmt.Sprintf("/%d", w.Process.Pid)
		if !strings.Contains(shown, holder+", ") || !strings.Contains(shown, name) {
			h.t.Errorf("%s and %s are not both named", holder, name)
		}
		if !strings.Contains(log, name+", which helped with part ") {
			h.t.Errorf("nothing is said of the end of %s", name)
		}
	}
	if !strings.Contains(shown, "fenced") {
		h.t.Error("nothing is said of who was fenced")
	}
}

// TestHelpedRunLosesItsHolder: another worker takes the run over from the one that is
// killed, while helpers are at it; who helped with the first attempt cannot write any more.
func TestHelpedRunLosesItsHolder(t *testing.T) {
	for name, source := range helpedSources {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := newHelped(t, source)
			stopped := h.freeze(true, nil)
			holder := h.freeze(false, nil)
			_ = holder.Process.Kill()
			<-holder.done
			h.until("another attempt", time.Minute, func(r *shown) bool { return len(r.Attempts) == 2 })
			_ = stopped.Process.Signal(syscall.SIGCONT)
			r := h.end()
			t.Logf("attempts %+v, fenced %d", r.Attempts, r.Facts.Fenced)
			if len(r.Attempts) != 2 || r.Attempts[0].Cause != "lease_lost" {
				t.Errorf("attempts %+v", r.Attempts)
			}
			h.until("the stopped one is refused", 30*time.Second, func(r *shown) bool { return r.Facts.Fenced > 0 })
		})
	}
}
