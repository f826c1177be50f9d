package server

import (
	"cmp"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/synclinehq/syncline"
)

// Metrics are what a process tells Prometheus. Counters are of what went through this
// process; the state of the ledger is the same from every server of it.
type Metrics struct {
	registry *prometheus.Registry
	handler  http.Handler

	changes  *prometheus.CounterVec
	rows     *prometheus.CounterVec
	bytes    prometheus.Counter
	delay    prometheus.Histogram
	calls    *prometheus.HistogramVec
	requests *prometheus.CounterVec
	grpc     *prometheus.CounterVec
	latency  *prometheus.HistogramVec
	refusals *prometheus.CounterVec
}

// NewMetrics makes metrics that nothing is counted in yet.
func NewMetrics() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		changes:  counters("run_changes_total", "What happened to runs.", "event"),
		rows:     counters("rows_total", "Rows of the runs that have ended.", "what"),
		bytes:    prometheus.NewCounter(prometheus.CounterOpts{Name: "syncline_bytes_total", Help: "Bytes of the runs that have ended."}),
		delay: prometheus.NewHistogram(prometheus.HistogramOpts{
			Name: "syncline_schedule_delay_seconds", Help: "How late scheduled runs were made.",
			Buckets: []float64{.01, .05, .1, .25, .5, 1, 2, 5, 15, 60, 300, 3600},
		}),
		calls:    histograms("store_call_seconds", "How long calls of the ledger's store took.", "call"),
		requests: counters("http_requests_total", "Requests by how they were answered.", "dialect", "method", "code"),
		grpc:     counters("grpc_requests_total", "Requests of gRPC by the status they ended with.", "dialect", "code"),
		latency:  histograms("http_request_seconds", "How long requests took, streams included.", "dialect"),
		refusals: counters("http_refusals_total", "Requests that were not let in.", "why"),
	}
	m.registry.MustRegister(m.changes, m.rows, m.bytes, m.delay, m.calls, m.requests, m.grpc, m.latency, m.refusals,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{ErrorHandling: promhttp.ContinueOnError, MaxRequestsInFlight: 2})
	return m
}

func counters(name, help string, labels ...string) *prometheus.CounterVec {
	return prometheus.NewCounterVec(prometheus.CounterOpts{Name: "syncline_" + name, Help: help}, labels)
}

func histograms(name, help string, labels ...string) *prometheus.HistogramVec {
	return prometheus.NewHistogramVec(prometheus.HistogramOpts{
		Name: "syncline_" + name, Help: help, Buckets: []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 5, 30},
	}, labels)
}

func (m *Metrics) refused(why string) { m.refusals.WithLabelValues(why).Inc() }

func (m *Metrics) request(dialect string, r *http.Request, a *answer, took time.Duration) {
	m.requests.WithLabelValues(dialect, known(r.Method), strconv.Itoa(a.status)).Inc()
	if strings.HasPrefix(r.Header.Get("Content-Type"), "application/grpc") {
		m.grpc.WithLabelValues(dialect, grpcCode(a.Header())).Inc()
	}
	m.latency.WithLabelValues(dialect).Observe(took.Seconds())
}

// known keeps the words of callers out of the labels, which live as long as the process.
func known(method string) string {
	switch method {
	case http.MethodGet, http.MethodHead, http.MethodPost, http.MethodPut, http.MethodDelete, http.MethodPatch, http.MethodOptions:
		return method
	}
	return "other"
}

// grpcCode is the status of an answer, whose HTTP status is 200 whatever it says.
func grpcCode(h http.Header) string {
	const name = "Grpc-Status"
	n, err := strconv.ParseUint(cmp.Or(h.Get(name), h.Get(http.TrailerPrefix+name)), 10, 8)
	if err != nil || n > 16 {
		return "none"
	}
	return strconv.FormatUint(n, 10)
}

func (m *Metrics) ended(c syncline.Counts) {
	for what, n := range map[string]int64{
		"read": c.Read, "written": c.Inserted + c.Updated, "deleted": c.Deleted + c.Swept, "rejected": c.Rejected,
	} {
		m.rows.WithLabelValues(what).Add(float64(max(0, n)))
	}
	m.bytes.Add(float64(max(0, c.Bytes)))
}
