package sqlite

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/format/sqlitefile"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
	from "github.com/synclinehq/syncline/source/sqlite"
)

const mostMiB, wideRows = 72, 60_000 // of about 270 bytes

// A process that copies a file into another one, key in no order, is as small with four
// times the rows.
func TestMemoryOfAProcess(t *testing.T) {
	t.Parallel()
	if runtime.GOOS != "linux" {
		t.Skip("other systems count the memory of a process in other units")
	}
	var peak [2]int
	for i, n := range []int{wideRows, 4 * wideRows} {
		dir := t.TempDir()
		p := &place{filepath.Join(dir, "from.db")}
		p.exec(t, fmt.Sprintf(`create table wide (id TEXT PRIMARY KEY, n INTEGER, a TEXT, b TEXT, c BLOB);
			with recursive g(i) as (select 1 union all select i + 1 from g where i < %d)
			insert into wide select printf('%%016x', i * 7919 %% 1000003 * 1000003 + i), i, hex(zeroblob(50)), printf('row %%d', i), zeroblob(100) from g`, n))
		cmd := exec.Command(os.Args[0])
		cmd.Env = append(os.Environ(), "SQLITE_COPY="+dir)
		out, err := cmd.CombinedOutput()
		var copied, kib int
		if _, scan := fmt.Sscanf(string(out), "copied %d within %d", &copied, &kib); err != nil || scan != nil || copied != n {
			t.Fatalf("%v: %s", err, out)
		}
		peak[i] = kib >> 10
	}
	t.Logf("peaks: %d MiB with %d rows, %d MiB with %d", peak[0], wideRows, peak[1], 4*wideRows)
	if peak[0] == 0 || max(peak[0], peak[1]) > mostMiB || peak[1] > peak[0]+peak[0]/5 {
		t.Errorf("peaks of %d and %d MiB: more than %d, or growing with the rows", peak[0], peak[1], mostMiB)
	}
}

// copyAll is that process.
func copyAll(dir string) {
	n, err := copyWide(context.Background(), dir)
	fmt.Println("copied", n, "within", peakKiB(), err)
	os.Exit(map[bool]int{false: 1}[err == nil])
}

// peakKiB asks the kernel for this program's peak: what a parent is told of a child counts
// from before it became a program of its own.
func peakKiB() (kib int) {
	status, _ := os.ReadFile("/proc/self/status")
	_, after, _ := strings.Cut(string(status), "VmHWM:")
	_, _ = fmt.Sscan(after, &kib)
	return kib
}

func copyWide(ctx context.Context, dir string) (int64, error) {
	settings := func(name string) json.RawMessage {
		b, _ := json.Marshal(sqlitefile.Settings{Path: filepath.Join(dir, name)})
		return b
	}
	src, err := from.Kind.Open(ctx, env(), settings("from.db"))
	if err != nil {
		return 0, err
	}
	dst, err := Kind.Open(ctx, env(), settings("to.db"))
	if err != nil {
		return 0, err
	}
	entities, err := src.Entities(ctx, nil)
	if err != nil {
		return 0, err
	}
	q := source.Query{Entity: entities[0], Mode: syncline.ModeFull, Format: rows.Arrow, Parallel: 1}
	w, err := dst.Open(ctx, destination.Target{
		Entity: q.Entity, Table: "wide", Load: "l", Fence: destination.Fence{Stream: "s", Token: 1}, Format: rows.Arrow,
		Mode: q.Mode, Disposition: syncline.Replace, Note: func(syncline.Severity, string, ...any) {},
	})
	if err != nil {
		return 0, err
	}
	n, err := copyRows(ctx, src, q, w)
	return n, errors.Join(err, w.Close(), dst.Close(), src.Close())
}

// copyRows has two batches in flight, and one being made, as a run has.
func copyRows(ctx context.Context, src source.Source, q source.Query, w destination.Writer) (int64, error) {
	plan, err := src.Plan(ctx, q)
	if err == nil {
		_, err = w.Takeover(ctx)
	}
	if err != nil {
		return 0, err
	}
	l, err := w.Part(ctx, plan.Parts[0].ID, 1)
	if err != nil {
		return 0, err
	}
	defer func() { _ = l.Close() }()
	batches := make(chan rows.Batch)
	var reading error
	go func() {
		defer close(batches)
		for b, err := range src.Read(ctx, q, plan, plan.Parts[0], nil) {
			if reading = err; err != nil {
				return
			}
			batches <- b
		}
	}()
	for b := range batches {
		_, writing := l.Write(ctx, b)
		err = errors.Join(err, writing)
		b.Release()
	}
	if err = errors.Join(err, reading); err != nil {
		return 0, err
	}
	at, err := l.Finish(ctx)
	if err != nil {
		return 0, err
	}
	out, err := w.Publish(ctx, nil, at.Counts, nil)
	return out.Total, err
}
