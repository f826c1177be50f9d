package sim

import (
	"bufio"
	"cmp"
	"flag"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/synclinehq/syncline/store/sqlite"
)

var (
	one  = flag.Uint64("seed", 0, "play only this seed")
	many = flag.Int("seeds", 0, "how many random seeds to play; default 200, with -short 30")
)

// TestSimulation plays the seeds that once failed, and as many new ones as it is told.
func TestSimulation(t *testing.T) {
	seeds := draw(t)
	template := emptyLedger(t)
	var sum tally
	began := time.Now()
	next := make(chan uint64, len(seeds))
	for _, s := range seeds {
		next <- s
	}
	close(next)
	t.Run("seeds", func(t *testing.T) {
		for i := range runtime.GOMAXPROCS(0) {
			t.Run(strconv.Itoa(i), func(t *testing.T) {
				t.Parallel()
				for seed := range next {
					t.Run(fmt.Sprint(seed), func(t *testing.T) { play(t, seed, template, &sum) })
				}
			})
		}
	})
	t.Logf("%d seeds in %s, %s of virtual time: %s", len(seeds), time.Since(began).Round(time.Second), sum.virtual.Round(time.Hour), sum.String())
	if len(seeds) >= 50 {
		sum.happened(t)
	}
}

func draw(t *testing.T) (seeds []uint64) {
	if *one != 0 {
		return []uint64{*one}
	}
	n := 200
	if testing.Short() {
		n = 30
	}
	seeds = kept(t)
	for range cmp.Or(*many, n) {
		seeds = append(seeds, uint64(rand.Uint32())+1)
	}
	return seeds
}

// kept reads the seeds that failed before.
func kept(t *testing.T) (seeds []uint64) {
	f, err := os.Open(filepath.Join("testdata", "seeds"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = f.Close() }()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		word, _, _ := strings.Cut(lines.Text(), " ")
		seed, err := strconv.ParseUint(word, 10, 64)
		if err != nil {
			t.Fatalf("testdata/seeds: %v", err)
		}
		seeds = append(seeds, seed)
	}
	return seeds
}

// emptyLedger is the content of a ledger that holds nothing: making one takes longer than
// playing a seed.
func emptyLedger(t *testing.T) []byte {
	path := filepath.Join(t.TempDir(), "ledger.db")
	db, err := sqlite.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	if err := db.Close(); err != nil {
		t.Fatal(err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}

// memory is a folder that costs no disk, where there is one: what a disk loses is not
// what is looked for here.
func memory(t *testing.T) string {
	dir, err := os.MkdirTemp("/dev/shm", "ledger")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	return dir
}

func play(t *testing.T, seed uint64, template []byte, sum *tally) {
	path := filepath.Join(memory(t), "ledger.db")
	if err := os.WriteFile(path, template, 0o600); err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t, seed, path)
		w.play()
		sum.add(w)
	})
	if t.Failed() {
		t.Logf("again with: go test ./sim -run TestSimulation -seed %d; what fails there belongs into sim/testdata/seeds", seed)
	}
}

// tally counts what happened in all seeds: a simulation in which nothing goes wrong
// proves nothing.
type tally struct {
	mu      sync.Mutex
	virtual time.Duration
	did     map[string]int
}

func (s *tally) add(w *world) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.did == nil {
		s.did = map[string]int{}
	}
	s.virtual += time.Since(w.began)
	for what, n := range w.did {
		s.did[what] += n
	}
}

func (s *tally) String() string { return strings.TrimPrefix(fmt.Sprint(s.did), "map") }

// happened asserts that each fault did happen, and had the effect it is there for.
func (s *tally) happened(t *testing.T) {
	for _, what := range []string{
		"pause", "crash", "partition", "slow", "away", "jump", "stop", "cancel", "hold", "resume", "start",
		"answer lost", "late", "stale write refused", "stale call refused", "claim", "release", "yield", "done", "ack_cancel", "slot",
	} {
		if s.did[what] == 0 {
			t.Errorf("%q never happened", what)
		}
	}
}
