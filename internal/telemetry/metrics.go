package telemetry

import (
	"math"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promauto"

	"github.com/versioner-io/versioner/internal/buildinfo"
)

// The native form of histograms: buckets that grow by a tenth, at most 100 of them.
const (
	namespace          = "versioner"
	nativeFactor       = 1.1
	nativeBuckets      = 100
	nativeResetAtLeast = time.Hour
)

// Metrics are the metrics of a process. Those of parts that the process does not run are absent. A nil Metrics records nothing. Every
// label has few values, and none of them names an account.
type Metrics struct {
	registry *prometheus.Registry

	requests         *prometheus.CounterVec
	requestDuration  *prometheus.HistogramVec
	authentications  *prometheus.CounterVec
	rateLimits       *prometheus.CounterVec
	admissionRejects *prometheus.CounterVec
	validatorGaps    *prometheus.CounterVec

	credentialCache *prometheus.CounterVec
	listenerUp      *prometheus.GaugeVec

	events         *prometheus.CounterVec
	preflights     *prometheus.CounterVec
	batchEvents    *prometheus.HistogramVec
	queueEvents    *prometheus.GaugeVec
	queueWait      *prometheus.HistogramVec
	partitionsLeft *prometheus.GaugeVec

	poolAcquire      *prometheus.HistogramVec
	databaseErrors   *prometheus.CounterVec
	listReads        *prometheus.CounterVec
	replicaLag       *prometheus.GaugeVec
	embeddedRestarts *prometheus.CounterVec

	jobs        *prometheus.GaugeVec
	jobAge      *prometheus.GaugeVec
	jobDuration *prometheus.HistogramVec
	deliveries  *prometheus.CounterVec
}

// NewMetrics returns the metrics of this build, with those of Go and of the process.
func NewMetrics(build buildinfo.Info) *Metrics {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	f := factory{promauto.With(registry)}
	f.gauge("build_info", "1, with the version and the revision of the program.", "version", "revision").WithLabelValues(build.Version, build.Commit).Set(1)
	return &Metrics{
		registry: registry,

		requests:         f.counter("http_requests_total", "Requests, by operationId of the API and status code.", "operation", "code"),
		requestDuration:  f.histogram("http_request_duration_seconds", "Time until a request is answered.", requestSeconds(), "operation"),
		authentications:  f.counter("auth_total", "Credentials of requests, by the scheme that they look like.", "scheme", "outcome"),
		rateLimits:       f.counter("rate_limit_total", "Requests that a quota admitted or rejected.", "limiter", "outcome"),
		admissionRejects: f.counter("admission_rejected_total", "Requests answered 503 because too many wait.", "pool"),
		validatorGaps:    f.counter("validator_gap_total", "Requests that passed validation, and whose content the database could not store."),

		credentialCache: f.counter("credential_cache_total", "Look-ups of credentials in the memory of this process.", "outcome"),
		listenerUp:      f.gauge("listener_up", "1 while the listener for changed credentials is connected, else 0."),

		events:         f.counter("ingest_events_total", "Recorded events, by event type and effect.", "type", "effect"),
		preflights:     f.counter("preflight_total", "Starts of deployments that rules were evaluated for, by outcome.", "outcome"),
		batchEvents:    f.histogram("ingest_batch_events", "Events of a committed transaction.", prometheus.ExponentialBuckets(1, 2, 9)),
		queueEvents:    f.gauge("ingest_queue_events", "Events that wait for their transaction, or for its commit."),
		queueWait:      f.histogram("ingest_queue_wait_seconds", "Time from the arrival of an event to the begin of its transaction.", requestSeconds()),
		partitionsLeft: f.gauge("event_partitions_ahead", "Monthly partitions of the event log that begin in the future."),

		poolAcquire:      f.histogram("db_pool_acquire_seconds", "Time until a caller has a connection, admission included.", requestSeconds(), "pool"),
		databaseErrors:   f.counter("db_errors_total", "Failed statements and connections, by class of SQLSTATE, or connection, timeout, canceled, other.", "class"),
		listReads:        f.counter("list_reads_total", "Lists, by the pool that they were read with.", "pool"),
		replicaLag:       f.gauge("replica_lag_seconds", "Age of the newest moment whose changes the read replica is known to have; +Inf while it is not known."),
		embeddedRestarts: f.counter("embedded_postgres_restarts_total", "Restarts of the embedded PostgreSQL."),

		jobs:        f.gauge("jobs", "Background jobs of the database, by queue and state.", "queue", "state"),
		jobAge:      f.gauge("job_oldest_age_seconds", "Time since the oldest waiting job was due.", "queue"),
		jobDuration: f.histogram("job_duration_seconds", "Duration of background jobs.", jobSeconds(), "kind", "outcome"),
		deliveries:  f.counter("deliveries_total", "Attempts to deliver notifications, by type of channel.", "channel", "outcome"),
	}
}

// factory registers metrics.
type factory struct{ promauto.Factory }

func (f factory) counter(name, help string, labels ...string) *prometheus.CounterVec {
	return f.NewCounterVec(prometheus.CounterOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func (f factory) gauge(name, help string, labels ...string) *prometheus.GaugeVec {
	return f.NewGaugeVec(prometheus.GaugeOpts{Namespace: namespace, Name: name, Help: help}, labels)
}

func (f factory) histogram(name, help string, buckets []float64, labels ...string) *prometheus.HistogramVec {
	return f.NewHistogramVec(prometheus.HistogramOpts{
		Namespace: namespace, Name: name, Help: help, Buckets: buckets,
		NativeHistogramBucketFactor: nativeFactor, NativeHistogramMaxBucketNumber: nativeBuckets, NativeHistogramMinResetDuration: nativeResetAtLeast,
	}, labels)
}

// requestSeconds reaches the time limit of requests.
func requestSeconds() []float64 {
	return []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10}
}

// jobSeconds reaches the time limit of jobs.
func jobSeconds() []float64 { return []float64{.005, .01, .05, .1, .5, 1, 5, 10, 30} }

// Request counts an answered request. The operation is empty for pages and unknown paths.
func (m *Metrics) Request(operation string, status int, duration time.Duration) {
	if m == nil {
		return
	}
	if operation == "" {
		operation = "other"
	}
	m.requests.WithLabelValues(operation, strconv.Itoa(status)).Inc()
	m.requestDuration.WithLabelValues(operation).Observe(duration.Seconds())
}

// Authentication counts a credential: accepted, forbidden, rejected, rate_limited or unavailable.
func (m *Metrics) Authentication(scheme, outcome string) {
	if m != nil {
		m.authentications.WithLabelValues(scheme, outcome).Inc()
	}
}

// RateLimit counts a request that was charged to a quota, or rejected by it.
func (m *Metrics) RateLimit(limiter string, isAdmitted bool) {
	if m == nil {
		return
	}
	outcome := "rejected"
	if isAdmitted {
		outcome = "admitted"
	}
	m.rateLimits.WithLabelValues(limiter, outcome).Inc()
}

// AdmissionRejected counts a request for which there was no capacity: of a pool of connections, or of another resource.
func (m *Metrics) AdmissionRejected(pool string) {
	if m != nil {
		m.admissionRejects.WithLabelValues(pool).Inc()
	}
}

// ValidatorGap counts a request that validation should have rejected.
func (m *Metrics) ValidatorGap() {
	if m != nil {
		m.validatorGaps.WithLabelValues().Inc()
	}
}

// CredentialCache counts a look-up: hit, miss, or bypass while the listener is disconnected.
func (m *Metrics) CredentialCache(outcome string) {
	if m != nil {
		m.credentialCache.WithLabelValues(outcome).Inc()
	}
}

// ListenerUp reports whether the listener for changed credentials is connected.
func (m *Metrics) ListenerUp(isUp bool) {
	if m == nil {
		return
	}
	value := 0.0
	if isUp {
		value = 1
	}
	m.listenerUp.WithLabelValues().Set(value)
}

// ListRead counts a list.
func (m *Metrics) ListRead(pool string) {
	if m != nil {
		m.listReads.WithLabelValues(pool).Inc()
	}
}

// ReplicaLag sets the lag of the read replica; the longest duration is an unknown one.
func (m *Metrics) ReplicaLag(lag time.Duration) {
	if m == nil {
		return
	}
	seconds := lag.Seconds()
	if lag == math.MaxInt64 {
		seconds = math.Inf(1)
	}
	m.replicaLag.WithLabelValues().Set(seconds)
}

// Event counts a recorded event.
func (m *Metrics) Event(eventType, effect string) {
	if m != nil {
		m.events.WithLabelValues(eventType, effect).Inc()
	}
}

// Preflight counts the start of a deployment that rules were evaluated for: passed, skipped, overridden or blocked.
func (m *Metrics) Preflight(outcome string) {
	if m != nil {
		m.preflights.WithLabelValues(outcome).Inc()
	}
}

// Batch counts a committed transaction of events.
func (m *Metrics) Batch(events int) {
	if m != nil {
		m.batchEvents.WithLabelValues().Observe(float64(events))
	}
}

// QueuedEvents adds to the number of events that wait; a negative number takes away.
func (m *Metrics) QueuedEvents(added int) {
	if m != nil {
		m.queueEvents.WithLabelValues().Add(float64(added))
	}
}

// QueueWait observes how long an event has waited for its transaction.
func (m *Metrics) QueueWait(wait time.Duration) {
	if m != nil {
		m.queueWait.WithLabelValues().Observe(wait.Seconds())
	}
}

// PartitionsAhead sets the number of future partitions of the event log.
func (m *Metrics) PartitionsAhead(partitions int) {
	if m != nil {
		m.partitionsLeft.WithLabelValues().Set(float64(partitions))
	}
}

// EmbeddedRestarts adds to the number of restarts of the embedded PostgreSQL. A process that runs one adds 0 at its start.
func (m *Metrics) EmbeddedRestarts(added int) {
	if m != nil {
		m.embeddedRestarts.WithLabelValues().Add(float64(added))
	}
}

// PoolAcquired observes how long a caller has waited for a connection.
func (m *Metrics) PoolAcquired(pool string, wait time.Duration) {
	if m != nil {
		m.poolAcquire.WithLabelValues(pool).Observe(wait.Seconds())
	}
}

// PoolConnections returns the number of connections in each state.
type PoolConnections func() map[string]int32

// Pool reads the connections of a pool whenever the metrics are read. states are the keys of connections.
func (m *Metrics) Pool(pool string, states []string, connections PoolConnections) {
	if m == nil {
		return
	}
	for _, state := range states {
		promauto.With(m.registry).NewGaugeFunc(prometheus.GaugeOpts{
			Namespace: namespace, Name: "db_pool_connections", Help: "Connections to the database.", ConstLabels: prometheus.Labels{"pool": pool, "state": state},
		}, func() float64 { return float64(connections()[state]) })
	}
}

// DatabaseError counts a failed statement or connection.
func (m *Metrics) DatabaseError(class string) {
	if m != nil {
		m.databaseErrors.WithLabelValues(class).Inc()
	}
}

// JobCount is the number of jobs of a queue in a state.
type JobCount struct {
	Queue, State string
	Count        int64
}

// Jobs replaces the numbers of jobs, and for each queue the time since its oldest waiting job was due. Without arguments they are unknown.
func (m *Metrics) Jobs(counts []JobCount, ages map[string]time.Duration) {
	if m == nil {
		return
	}
	m.jobs.Reset()
	m.jobAge.Reset()
	for _, count := range counts {
		m.jobs.WithLabelValues(count.Queue, count.State).Set(float64(count.Count))
	}
	for queue, age := range ages {
		m.jobAge.WithLabelValues(queue).Set(age.Seconds())
	}
}

// Job observes a job that has ended: completed, failed, snoozed or cancelled.
func (m *Metrics) Job(kind, outcome string, duration time.Duration) {
	if m != nil {
		m.jobDuration.WithLabelValues(kind, outcome).Observe(duration.Seconds())
	}
}

// Delivery counts an attempt of a delivery: delivered, retried (it failed, and there will be another one) or failed.
func (m *Metrics) Delivery(channel, outcome string) {
	if m != nil {
		m.deliveries.WithLabelValues(channel, outcome).Inc()
	}
}
