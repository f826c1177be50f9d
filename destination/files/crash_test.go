package files

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/destination"
	"github.com/synclinehq/syncline/rows"
	"github.com/synclinehq/syncline/source"
)

// Two parts of crashRows rows, in batches of crashBatch, each one a checkpoint.
const crashRows, crashBatch = 5_000, 50

// TestMain lets the test binary be the worker that TestKilled kills.
func TestMain(m *testing.M) {
	settings := os.Getenv("SYNCLINE_TEST_WORKER")
	if settings == "" {
		os.Exit(m.Run())
	}
	token, err := strconv.ParseInt(os.Getenv("SYNCLINE_TEST_TOKEN"), 10, 64)
	if err == nil {
		err = work(context.Background(), settings, token)
	}
	if errors.Is(err, syncline.ErrLeaseLost) {
		os.Exit(7)
	}
	if err != nil {
		_, _ = fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// work does what is left of a load and publishes it.
func work(ctx context.Context, settings string, token int64) error {
	d, err := Kind.Open(ctx, env, []byte(settings))
	if err != nil {
		return err
	}
	w, err := d.Open(ctx, destination.Target{
		Entity: source.Entity{Name: "orders", Schema: notes, Key: []string{"id"}}, Table: d.Lands("orders"), Load: "load",
		Fence: destination.Fence{Stream: "pipeline/orders", Token: token}, Format: rows.Arrow, Disposition: syncline.Replace,
		Keep: func(context.Context, string, []rows.Reject) error { return nil },
		Note: func(syncline.Severity, string, ...any) {},
	})
	if err != nil {
		return err
	}
	if token%2 == 0 {
		w.(*Writer).aside = 1 // saves go on beside the writing
	}
	standing, err := w.Takeover(ctx)
	if err != nil || standing.Published {
		return err
	}
	var sum syncline.Counts
	for part := range 2 {
		p, err := workPart(ctx, w, token, part, standing.Parts[strconv.Itoa(part)])
		if err != nil {
			return err
		}
		sum = sum.Add(p.Counts)
	}
	_, err = w.Publish(ctx, []byte("mark"), sum, nil)
	return err
}

func workPart(ctx context.Context, w destination.Writer, token int64, part int, p rows.Position) (rows.Position, error) {
	if p.Done {
		return p, nil
	}
	l, err := w.Part(ctx, strconv.Itoa(part), token)
	if err != nil {
		return p, err
	}
	from := part * crashRows
	if p.Next != nil {
		if from, err = strconv.Atoi(string(p.Next)); err != nil {
			return p, err
		}
	}
	for ; from < (part+1)*crashRows; from += crashBatch {
		b := batch(notes, from, from+crashBatch)
		_, err := l.Write(ctx, b)
		b.Release()
		if err != nil {
			return p, err
		}
	}
	return l.Finish(ctx)
}

// TestKilled kills workers, or stops them and lets them go on later, at random moments;
// the next one goes on with the load. In the end the file is what one worker alone would
// have written, and no stopped one has done anything more.
func TestKilled(t *testing.T) {
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	for _, name := range []string{"orders.csv", "orders.jsonl.gz"} {
		path := filepath.Join(t.TempDir(), name)
		settings := fmt.Sprintf(`{"path": %q}`, path)
		var stopped []*os.Process
		var gone []chan error
		for token := 1; ; token++ {
			cmd := exec.Command(os.Args[0])
			cmd.Env = append(os.Environ(), "SYNCLINE_TEST_WORKER="+settings, fmt.Sprintf("SYNCLINE_TEST_TOKEN=%d", token))
			cmd.Stderr = os.Stderr
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			ended := make(chan error, 1)
			go func() { ended <- cmd.Wait() }()
			select {
			case err := <-ended:
				if err != nil {
					t.Fatalf("worker %d: %v", token, err)
				}
			case <-time.After(time.Duration(20+8*token+random.IntN(120)) * time.Millisecond):
				// One that stops in the short time in which it holds the lock would block all
				// others, which is tested elsewhere.
				if random.IntN(3) == 0 && token < 20 && !holdsLock(path) {
					halt(cmd.Process)
					if !holdsLock(path) && !exists(path) { // else it has published already
						stopped, gone = append(stopped, cmd.Process), append(gone, ended)
						t.Cleanup(func() { _ = cmd.Process.Kill() })
						continue
					}
				}
				_ = cmd.Process.Kill()
				<-ended
				continue
			}
			t.Logf("%s: worker %d came to the end, %d are stopped", name, token, len(stopped))
			break
		}
		before := identify(nil, path)
		for i, p := range stopped {
			_ = p.Signal(syscall.SIGCONT)
			if err := <-gone[i]; err == nil {
				t.Errorf("%s: a worker that was stopped came to a good end", name)
			}
		}
		if identify(nil, path) != before {
			t.Errorf("%s: a worker that was stopped has published", name)
		}
		whole := filepath.Join(t.TempDir(), name)
		if err := work(t.Context(), fmt.Sprintf(`{"path": %q}`, whole), 1); err != nil {
			t.Fatal(err)
		}
		if string(decoded(t, path)) != string(decoded(t, whole)) {
			t.Errorf("%s: %d bytes, %d without a kill", name, len(decoded(t, path)), len(decoded(t, whole)))
		}
	}
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

// halt stops a process and returns when all its threads stand still: until then it may yet
// take the lock.
func halt(p *os.Process) {
	_ = p.Signal(syscall.SIGSTOP)
	for end := time.Now().Add(time.Second); time.Now().Before(end); time.Sleep(time.Millisecond) {
		threads, _ := filepath.Glob(fmt.Sprintf("/proc/%d/task/*/stat", p.Pid))
		moving := slices.ContainsFunc(threads, func(path string) bool {
			stat, err := os.ReadFile(path)
			return err == nil && !bytes.Contains(stat, []byte(") T ")) && !bytes.Contains(stat, []byte(") Z "))
		})
		if !moving {
			return
		}
	}
}

// holdsLock reports whether somebody holds the lock of the stream right now.
func holdsLock(path string) bool {
	found, err := filepath.Glob(filepath.Join(filepath.Dir(path), ".syncline", "*.lock"))
	if err != nil || len(found) == 0 {
		return true // not made yet
	}
	f, err := os.Open(found[0])
	if err != nil {
		return true
	}
	defer func() { _ = f.Close() }()
	return syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil
}
