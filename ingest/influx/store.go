// Package influx keeps telemetry in InfluxDB: one measurement for each kind of
// device, the tag "device", numbers always as floats, texts as strings. It
// writes line protocol to /api/v2/write and reads InfluxQL from /query, which
// InfluxDB 1.8, 2, 3 and openGemini all answer. It does not batch, retry or
// queue: the caller commits batches and repeats those that were unavailable.
//
// A 204 from the server is its promise that the points are on disk. InfluxDB
// 1.8 keeps that promise while wal-fsync-delay is 0, its default. A service
// that answers 204 before it has checked and stored the points can't keep it,
// whoever writes.
package influx

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"
	"time"

	influxdb2 "github.com/influxdata/influxdb-client-go/v2"
	"github.com/influxdata/influxdb-client-go/v2/api"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// DefaultTimeout is how long a server may be silent.
const DefaultTimeout = 10 * time.Second

// Options say where the database is. URL, Bucket and Schema are required.
type Options struct {
	URL      string // http or https; may have a path
	Username string // of InfluxDB 1.8 with authentication; Token is then its password
	Token    string // empty: none
	Org      string // of InfluxDB 2; others ignore it
	Bucket   string // a bucket, or "database" or "database/retention-policy"
	Timeout  time.Duration
	Logger   *slog.Logger // nil: silent
	Schema   *devices.Schema
}

// Store is a telemetry store in InfluxDB. Goroutines may share it.
type Store struct {
	schema   *devices.Schema
	log      *slog.Logger
	timeout  time.Duration
	http     *http.Client
	client   influxdb2.Client
	writer   api.WriteAPIBlocking
	queryURL string
	token    string
	org      string
	database string
	policy   string // retention policy; empty: the default one
	closed   atomic.Bool
}

var (
	_ telemetry.Appender = (*Store)(nil)
	_ telemetry.Reader   = (*Store)(nil)
)

// Open connects to the database and creates it where it is missing and the
// server allows that. A server that can't be reached, or refuses the token, is
// telemetry.ErrUnavailable.
func Open(ctx context.Context, opts Options) (*Store, error) {
	base, err := opts.check()
	if err != nil {
		return nil, fmt.Errorf("influx options: %w", err)
	}
	token := opts.Token
	if opts.Username != "" {
		token = opts.Username + ":" + opts.Token
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	transport.MaxIdleConnsPerHost = 8
	client := &http.Client{
		Transport: replayable{transport},
		// A redirected POST becomes a GET, and its answer means nothing.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	clientOptions := influxdb2.DefaultOptions().SetPrecision(time.Millisecond).SetApplicationName("fleetwatt")
	clientOptions.HTTPOptions().SetHTTPDoer(committed{client})
	influx := influxdb2.NewClientWithOptions(base.String(), token, clientOptions)
	s := &Store{
		schema:   opts.Schema,
		log:      opts.Logger,
		timeout:  opts.Timeout,
		http:     client,
		client:   influx,
		writer:   influx.WriteAPIBlocking(opts.Org, opts.Bucket),
		queryURL: base.JoinPath("query").String(),
		token:    token,
		org:      opts.Org,
	}
	s.database, s.policy, _ = strings.Cut(opts.Bucket, "/")
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if s.timeout <= 0 {
		s.timeout = DefaultTimeout
	}
	if err := s.ensureDatabase(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("open influxdb at %s: %w", base.Redacted(), err), s.Close())
	}
	return s, nil
}

func (o *Options) check() (*url.URL, error) {
	var problems []error
	base, err := url.Parse(o.URL)
	switch {
	case err != nil:
		problems = append(problems, fmt.Errorf("url: %w", err))
	case base.Scheme != "http" && base.Scheme != "https" || base.Host == "":
		problems = append(problems, fmt.Errorf("url: got %q, want http://host:port or https://host:port", o.URL))
	}
	if db, policy, cut := strings.Cut(o.Bucket, "/"); db == "" || cut && policy == "" {
		problems = append(problems, fmt.Errorf("bucket: got %q, want a bucket, database or database/retention-policy", o.Bucket))
	}
	if o.Schema == nil {
		problems = append(problems, errors.New("schema: missing"))
	}
	return base, errors.Join(problems...)
}

// Close lets go of idle connections. Calls under way end by themselves; later
// ones are telemetry.ErrClosed. Close may be called twice.
func (s *Store) Close() error {
	if !s.closed.Swap(true) {
		s.client.Close()
		s.http.CloseIdleConnections()
	}
	return nil
}

// begin says whether a call may go ahead.
func (s *Store) begin(ctx context.Context) error {
	if s.closed.Load() {
		return telemetry.ErrClosed
	}
	return ctx.Err()
}
