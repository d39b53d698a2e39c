package influx_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/influx"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
	"github.com/fleetwatt/fleetwatt/ingest/storetest"
)

func TestKilledAndRestarted(t *testing.T) {
	db := servertest.StartInfluxd(t)
	s := open(t, influx.Options{URL: db.URL, Bucket: "db"})
	var in []telemetry.Reading
	for i := range 1000 {
		in = append(in, battery(t, fmt.Sprint("d", i%10), t0+int64(i)*telemetry.Hour, map[string]float64{"soc_pct": 1}))
	}
	if _, err := s.Append(t.Context(), in[:900]); err != nil {
		t.Fatal(err)
	}
	db.Stop()
	for name, call := range calls(t, s) {
		if err := call(t.Context()); !errors.Is(err, telemetry.ErrUnavailable) {
			t.Errorf("%s while the server is down: got error %v, want %v", name, err, telemetry.ErrUnavailable)
		}
	}
	_, err := influx.Open(t.Context(), influx.Options{URL: db.URL, Bucket: "db", Schema: storetest.Schema(t)})
	if !errors.Is(err, telemetry.ErrUnavailable) {
		t.Errorf("open while the server is down: got error %v, want %v", err, telemetry.ErrUnavailable)
	}
	db.Start()
	if n := count(t, s); n != 900 {
		t.Errorf("after the restart: got %d readings, want the 900 that were committed", n)
	}
	if _, err := s.Append(t.Context(), in); err != nil {
		t.Errorf("append again: %v", err)
	}
	if n := count(t, s); n != len(in) {
		t.Errorf("got %d readings, want %d", n, len(in))
	}
}

// TestRestartBetweenCalls has idle connections that are dead when they are used
// next: the call must not notice.
func TestRestartBetweenCalls(t *testing.T) {
	db := servertest.StartInfluxd(t)
	s := open(t, influx.Options{URL: db.URL, Bucket: "db"})
	for range 5 {
		for name, call := range calls(t, s) {
			if err := call(t.Context()); err != nil {
				t.Errorf("%s: %v", name, err)
			}
		}
		db.Stop()
		db.Start()
	}
}

func TestFrozen(t *testing.T) {
	db := servertest.StartInfluxd(t)
	s := open(t, influx.Options{URL: db.URL, Bucket: "db", Timeout: 200 * time.Millisecond})
	db.Freeze()
	for name, call := range calls(t, s) {
		start := time.Now()
		err := call(t.Context())
		if !errors.Is(err, telemetry.ErrUnavailable) || errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%s: got error %v, want %v", name, err, telemetry.ErrUnavailable)
		}
		if took := time.Since(start); took > 5*time.Second {
			t.Errorf("%s: gave up after %s, want about 200ms", name, took)
		}
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
		if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) || errors.Is(err, telemetry.ErrUnavailable) {
			t.Errorf("%s under a deadline: got error %v, want %v", name, err, context.DeadlineExceeded)
		}
		cancel()
	}
	db.Thaw()
	patient := open(t, influx.Options{URL: db.URL, Bucket: "db"})
	if _, err := patient.Append(t.Context(), []telemetry.Reading{battery(t, "a", t0, map[string]float64{"soc_pct": 1})}); err != nil {
		t.Errorf("thawed: %v", err)
	}
}

// TestSlowReader takes longer over a reading than the server may be silent.
func TestSlowReader(t *testing.T) {
	db := servertest.StartInfluxd(t)
	writer := open(t, influx.Options{URL: db.URL, Bucket: "db"})
	var in []telemetry.Reading
	for i := range 12_000 {
		in = append(in, battery(t, "a", t0+int64(i), map[string]float64{"soc_pct": 1}))
	}
	if _, err := writer.Append(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	const timeout = 500 * time.Millisecond
	s := open(t, influx.Options{URL: db.URL, Bucket: "db", Timeout: timeout})
	seen := 0
	err := s.Range(t.Context(), all(), func(telemetry.Reading) error {
		if seen++; seen == 1 {
			<-time.After(2 * timeout)
		}
		return nil
	})
	if err != nil || seen != len(in) {
		t.Errorf("got %d readings, error %v, want %d", seen, err, len(in))
	}
}
