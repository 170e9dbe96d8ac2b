// Package metrics counts what an operator watches. It is a tool: every room that has
// something to count is handed a *Metrics and says what happened; this package knows the
// names and labels under which Prometheus reads it.
//
// Invariants. A label takes its values from a list that the program knows: routes are
// patterns, never paths; codes are declared faults. No label holds an address, an id or
// anything else a client chose, so nobody can make the number of series grow and no
// person can be found in it. A nil *Metrics counts nothing, so no caller needs to ask.
//
// Limits. The registry is its own: what other libraries register globally stays out. Who
// may read the numbers is decided by the row or the listener that Handler stands behind.
package metrics

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// Metrics is the set of counters. Make it with New.
type Metrics struct {
	registry     *prometheus.Registry
	requests     *prometheus.CounterVec
	durations    *prometheus.HistogramVec
	refusals     *prometheus.CounterVec
	grants       *prometheus.CounterVec
	refreshes    *prometheus.CounterVec
	fallbacks    prometheus.Counter
	texts        *prometheus.CounterVec
	textRefusals *prometheus.CounterVec
	letters      *prometheus.CounterVec
	sprays       *prometheus.CounterVec
}

// New makes an empty set, with the numbers of the Go runtime and of the process.
func New() *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		requests: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "limen_requests_total", Help: "Answered requests by route and class of status.",
		}, []string{"route", "class"}),
		durations: prometheus.NewHistogramVec(prometheus.HistogramOpts{
			Name: "limen_request_seconds", Help: "How long answers took, by route.",
			Buckets: []float64{.0005, .001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5},
		}, []string{"route"}),
		refusals: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "limen_refusals_total", Help: "Refusals by code; see docs/error-codes.md.",
		}, []string{"code"}),
		grants: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "limen_grants_total", Help: "Completed sign-ins by method of the last proof.",
		}, []string{"method"}),
		refreshes: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "limen_refreshes_total", Help: "Refreshes by outcome of the refresh rule.",
		}, []string{"outcome"}),
		fallbacks: prometheus.NewCounter(prometheus.CounterOpts{
			Name: "limen_limiter_fallback_total", Help: "Limits counted in memory because Redis did not answer.",
		}),
		letters: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "limen_letters_total", Help: "Letters of the outbox by lane and by what came of a try: sent, retried or dead.",
		}, []string{"lane", "outcome"}),
	}
	m.sprays = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "limen_password_sprays_total", Help: "How often one wrong password was found to be tried for many identifiers, by scope: network or anywhere.",
	}, []string{"scope"})
	m.texts = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "limen_texts_total", Help: "Tries to send a message to a phone, by provider and by what came of it: sent, refused, not_carried or failed.",
	}, []string{"provider", "outcome"})
	m.textRefusals = prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "limen_text_refusals_total", Help: "Messages to phones that the guard refused, by code.",
	}, []string{"code"})
	m.registry.MustRegister(m.requests, m.durations, m.refusals, m.grants, m.refreshes, m.fallbacks, m.letters, m.sprays, m.texts, m.textRefusals,
		collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return m
}

// Gatherer is what an exporter reads.
func (m *Metrics) Gatherer() prometheus.Gatherer { return m.registry }

// Handler serves the numbers in the formats of Prometheus.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}

// Request counts an answer. Route is a pattern of the route table.
func (m *Metrics) Request(route string, status int, took time.Duration) {
	if m == nil {
		return
	}
	m.requests.WithLabelValues(route, strconv.Itoa(status/100)+"xx").Inc()
	m.durations.WithLabelValues(route).Observe(took.Seconds())
}

// Refused counts a refusal by its declared code.
func (m *Metrics) Refused(code string) {
	if m != nil {
		m.refusals.WithLabelValues(code).Inc()
	}
}

// Granted counts a completed sign-in.
func (m *Metrics) Granted(method string) {
	if m != nil {
		m.grants.WithLabelValues(method).Inc()
	}
}

// Sprayed counts one wrong password that was tried for many identifiers.
func (m *Metrics) Sprayed(scope string) {
	if m != nil {
		m.sprays.WithLabelValues(scope).Inc()
	}
}

// Refreshed counts a refresh by what the refresh rule decided.
func (m *Metrics) Refreshed(outcome string) {
	if m != nil {
		m.refreshes.WithLabelValues(outcome).Inc()
	}
}

// FellBack counts a limit that was counted in memory instead of Redis.
func (m *Metrics) FellBack() {
	if m != nil {
		m.fallbacks.Inc()
	}
}

// Queue is the state of the line in front of the password hashes.
type Queue struct {
	Running, Waiting int
	Done, Refused    int64
}

// WatchQueue reads the hash queue whenever somebody looks.
func (m *Metrics) WatchQueue(read func() Queue) {
	m.gauge("limen_hash_running", "Password hashes being computed.", func() float64 { return float64(read().Running) })
	m.gauge("limen_hash_waiting", "Requests waiting for their turn to hash.", func() float64 { return float64(read().Waiting) })
	m.counter("limen_hash_done_total", "Password hashes computed.", func() float64 { return float64(read().Done) })
	m.counter("limen_hash_refused_total", "Requests refused because the line was full.", func() float64 { return float64(read().Refused) })
}

// Letter counts what came of a try to send a letter.
func (m *Metrics) Letter(lane, outcome string) {
	if m != nil {
		m.letters.WithLabelValues(lane, outcome).Inc()
	}
}

// Text counts what came of a try to send a message to a phone.
func (m *Metrics) Text(provider, outcome string) {
	if m != nil {
		m.texts.WithLabelValues(provider, outcome).Inc()
	}
}

// TextRefused counts a message to a phone that the guard refused, by the fault's code.
func (m *Metrics) TextRefused(code string) {
	if m != nil {
		m.textRefusals.WithLabelValues(code).Inc()
	}
}

// Lane is the state of a lane of the outbox.
type Lane struct {
	Name    string
	Waiting int           // bounded: where the count stops is said by whoever counts
	Oldest  time.Duration // how long the longest due letter has been due
}

// WatchOutbox reads the lanes of the outbox whenever somebody looks. Lanes that cannot be
// read at that moment are left out.
func (m *Metrics) WatchOutbox(read func() []Lane) {
	if m != nil {
		m.registry.MustRegister(outbox{read})
	}
}

// outbox reads the database once for all its numbers.
type outbox struct{ read func() []Lane }

var (
	outboxWaiting = prometheus.NewDesc("limen_outbox_waiting", "Letters waiting to be sent; the count stops at 10000.", []string{"lane"}, nil)
	outboxOldest  = prometheus.NewDesc("limen_outbox_oldest_due_seconds", "For how long the longest due letter has been due.", []string{"lane"}, nil)
)

// Describe implements prometheus.Collector.
func (outbox) Describe(out chan<- *prometheus.Desc) {
	out <- outboxWaiting
	out <- outboxOldest
}

// Collect implements prometheus.Collector.
func (o outbox) Collect(out chan<- prometheus.Metric) {
	for _, l := range o.read() {
		out <- prometheus.MustNewConstMetric(outboxWaiting, prometheus.GaugeValue, float64(l.Waiting), l.Name)
		out <- prometheus.MustNewConstMetric(outboxOldest, prometheus.GaugeValue, l.Oldest.Seconds(), l.Name)
	}
}

func (m *Metrics) gauge(name, help string, read func() float64) {
	if m != nil {
		m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: name, Help: help}, read))
	}
}

func (m *Metrics) counter(name, help string, read func() float64) {
	if m != nil {
		m.registry.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help}, read))
	}
}
