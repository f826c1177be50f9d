package sqlite_test

import (
	"bufio"
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/synclinehq/syncline"
	"github.com/synclinehq/syncline/store/sqlite"
)

const killPath = "SYNCLINE_TEST_KILL_PATH"

func TestMain(m *testing.M) {
	if path := os.Getenv(killPath); path != "" {
		writeAndAcknowledge(path)
		return
	}
	os.Exit(m.Run())
}

// writeAndAcknowledge makes changes of two rows from several goroutines and prints the
// number of each that was acknowledged, until it is killed.
func writeAndAcknowledge(path string) {
	db, err := sqlite.Open(context.Background(), path)
	if err != nil {
		fmt.Println(err)
		os.Exit(1)
	}
	var n atomic.Int64
	base, _ := strconv.ParseInt(os.Args[len(os.Args)-1], 10, 64)
	n.Store(base)
	var wg sync.WaitGroup
	for range 8 {
		wg.Go(func() {
			for {
				i := n.Add(1)
				err := db.Update(context.Background(), func(tx syncline.Tx) error {
					if err := tx.AppendEvents(syncline.Event{RunID: "r", Seq: i}); err != nil {
						return err
					}
					return tx.AppendMessages(syncline.Message{RunID: "r", Seq: i})
				})
				if err != nil {
					fmt.Println(err)
					os.Exit(1)
				}
				fmt.Println(i)
			}
		})
	}
	wg.Wait()
}

// TestKill kills a process that writes, at moments it does not choose: nothing that was
// acknowledged may be missing, nothing half-done be there, and the file be whole.
func TestKill(t *testing.T) {
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))
	path := filepath.Join(t.TempDir(), "ledger.db")
	acked := map[int64]bool{}
	for kill := range 30 {
		for _, n := range killed(t, path, kill*1_000_000, time.Duration(20+random.IntN(150))*time.Millisecond) {
			acked[n] = true
		}
		if kill%10 == 9 {
			compare(t, path, acked)
		}
	}
	t.Logf("%d changes were acknowledged before 30 kills", len(acked))
	if len(acked) < 300 {
		t.Fatal("too few to prove anything")
	}
}

// killed runs the writer until it has acknowledged something and a while has passed.
func killed(t *testing.T, path string, base int, while time.Duration) (acked []int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0], strconv.Itoa(base))
	cmd.Env = append(os.Environ(), killPath+"="+path)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		n, err := strconv.ParseInt(lines.Text(), 10, 64)
		if err != nil {
			if lines.Scan() { // not the line that the kill has cut
				t.Fatalf("the writer says %q", lines.Text())
			}
			break
		}
		if len(acked) == 0 {
			time.AfterFunc(while, func() { _ = cmd.Process.Kill() })
		}
		acked = append(acked, n)
	}
	_ = cmd.Wait()
	return acked
}

func compare(t *testing.T, path string, acked map[int64]bool) {
	t.Helper()
	db := open(t, path)
	defer db.Close()
	there := map[int64]int{}
	err := db.View(t.Context(), func(tx syncline.Tx) error {
		es, err := tx.Events("r", -1, 10_000_000)
		if err != nil {
			return err
		}
		for _, e := range es {
			there[e.Seq]++
		}
		ms, err := tx.Messages("r", -1, 10_000_000)
		for _, m := range ms {
			there[m.Seq]++
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	for n := range acked {
		if there[n] != 2 {
			t.Errorf("change %d was acknowledged, and %d of its 2 rows are there", n, there[n])
		}
	}
	for n, rows := range there {
		if rows != 2 {
			t.Errorf("change %d is half there", n)
		}
	}
	if err := db.Check(t.Context()); err != nil {
		t.Error(err)
	}
}
