package server

import (
	"context"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/synclinehq/syncline"
)

// ledgerState draws, whenever it is asked, how the ledger stands.
type ledgerState struct{ store syncline.Store }

func gauge(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("syncline_"+name, help, labels, nil)
}

var (
	runsDesc    = gauge("runs", "Runs that have not ended, by state.", "state")
	queueDesc   = gauge("queue_length", "Runs that are due and that nobody has claimed.")
	oldestDesc  = gauge("queue_oldest_seconds", "How long the first of them has been due.")
	leasesDesc  = gauge("leases", "Runs and parts that workers hold.")
	workersDesc = gauge("workers", "Workers that hold any.")
	rowsDesc    = gauge("running_rows", "Rows that the runs that are under way have read.")
	bytesDesc   = gauge("running_bytes", "Bytes of the runs that are under way.")
)

var unfinished = []syncline.State{syncline.StatePending, syncline.StateRunning, syncline.StateSuspended}

func (l *ledgerState) Describe(to chan<- *prometheus.Desc) {
	for _, d := range []*prometheus.Desc{runsDesc, queueDesc, oldestDesc, leasesDesc, workersDesc, rowsDesc, bytesDesc} {
		to <- d
	}
}

func (l *ledgerState) Collect(to chan<- prometheus.Metric) {
	ctx, stop := context.WithTimeout(context.Background(), 10*time.Second)
	defer stop()
	var st standing
	err := l.store.View(ctx, func(tx syncline.Tx) error {
		st = standing{runs: map[syncline.State]int{}}
		return st.read(tx)
	})
	if err != nil {
		to <- prometheus.NewInvalidMetric(runsDesc, err)
		return
	}
	for _, s := range unfinished {
		to <- prometheus.MustNewConstMetric(runsDesc, prometheus.GaugeValue, float64(st.runs[s]), string(s))
	}
	for d, v := range map[*prometheus.Desc]float64{
		queueDesc: float64(st.queue), oldestDesc: st.oldest.Seconds(), leasesDesc: float64(st.leases), workersDesc: float64(st.workers),
		rowsDesc: float64(st.counts.Read), bytesDesc: float64(st.counts.Bytes),
	} {
		to <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v)
	}
}

type standing struct {
	runs            map[syncline.State]int
	queue           int
	oldest          time.Duration
	leases, workers int
	counts          syncline.Counts
}

const page = 1000

func (s *standing) read(tx syncline.Tx) error {
	now, err := tx.Now()
	if err != nil {
		return err
	}
	f := syncline.RunFilter{UnfinishedIn: true, Limit: page}
	for {
		rs, err := tx.Runs(f)
		if err != nil {
			return err
		}
		if err := s.add(tx, rs, now); err != nil {
			return err
		}
		if len(rs) < page {
			return s.held(tx)
		}
		last := rs[len(rs)-1]
		f.BeforeAt, f.BeforeID = last.CreatedAt, last.ID
	}
}

func (s *standing) add(tx syncline.Tx, rs []*syncline.Run, now time.Time) error {
	var running []*syncline.Run
	for _, r := range rs {
		s.runs[r.State]++
		if due := now.Sub(r.NotBefore); r.Waits() && due >= 0 {
			s.queue++
			s.oldest = max(s.oldest, due)
		}
		if r.State == syncline.StateRunning {
			running = append(running, r)
		}
	}
	if len(running) == 0 {
		return nil
	}
	ts, err := tx.Tally(running...)
	for _, t := range ts {
		s.counts = s.counts.Add(syncline.Totals(t.Tasks))
	}
	return err
}

func (s *standing) held(tx syncline.Tx) error {
	sessions, err := tx.Sessions()
	if err != nil {
		return err
	}
	for _, id := range sessions {
		ls, err := tx.SessionLeases(id)
		if err != nil {
			return err
		}
		s.leases += len(ls)
	}
	s.workers = len(sessions)
	return nil
}
