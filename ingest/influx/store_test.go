package influx_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/influx"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
	"github.com/fleetwatt/fleetwatt/ingest/storetest"
)

const t0 int64 = 1767225600000 // 2026-01-01T00:00:00Z

func TestStore(t *testing.T) {
	db := servertest.StartInfluxd(t)
	databases := 0
	storetest.Run(t, func(t *testing.T) storetest.Store {
		databases++
		return open(t, influx.Options{URL: db.URL, Bucket: fmt.Sprintf(`test "%d"`, databases)})
	})
}

// open opens a store that is closed when the test ends.
func open(t testing.TB, opts influx.Options) *influx.Store {
	t.Helper()
	opts.Schema = storetest.Schema(t)
	s, err := influx.Open(t.Context(), opts)
	if err != nil {
		t.Fatalf("open: %v", err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return s
}

// battery is a reading of numeric fields.
func battery(t testing.TB, device string, ts int64, fields map[string]float64) telemetry.Reading {
	t.Helper()
	schema := storetest.Schema(t)
	r := telemetry.Reading{Kind: devices.KindBattery, Device: device, TS: ts}
	for name, n := range fields {
		r.Set(telemetry.Value{Field: schema.Field(devices.KindBattery, name), Num: n})
	}
	return r
}

func all() telemetry.RangeQuery {
	return telemetry.RangeQuery{Kind: devices.KindBattery, Window: telemetry.Window{From: 0, To: t0 + 1000*telemetry.Day}}
}

// count returns how many readings the store shows.
func count(t *testing.T, s *influx.Store) int {
	t.Helper()
	n := 0
	if err := s.Range(t.Context(), all(), func(telemetry.Reading) error { n++; return nil }); err != nil {
		t.Fatalf("range: %v", err)
	}
	return n
}

// writeRaw writes line protocol beside the store.
func writeRaw(t *testing.T, db *servertest.Influxd, database, lines string) {
	t.Helper()
	resp, err := http.Post(db.URL+"/write?precision=ms&db="+url.QueryEscape(database), "text/plain", strings.NewReader(lines))
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusNoContent {
		body, _ := io.ReadAll(resp.Body)
		t.Fatalf("write %q: got %s %s", lines, resp.Status, body)
	}
}

// run sends a statement beside the store.
func run(t *testing.T, db *servertest.Influxd, statement string) {
	t.Helper()
	resp, err := http.PostForm(db.URL+"/query", url.Values{"q": {statement}})
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil || resp.StatusCode != http.StatusOK || strings.Contains(string(body), `"error"`) {
		t.Fatalf("%s: got %s %s, error %v", statement, resp.Status, body, err)
	}
}

// calls are the four methods of a store, each on a query that reaches the
// server.
func calls(t *testing.T, s *influx.Store) map[string]func(context.Context) error {
	in := []telemetry.Reading{battery(t, "a", t0, map[string]float64{"soc_pct": 1})}
	return map[string]func(context.Context) error{
		"append": func(ctx context.Context) error {
			_, err := s.Append(ctx, in)
			return err
		},
		"range": func(ctx context.Context) error {
			return s.Range(ctx, all(), func(telemetry.Reading) error { return nil })
		},
		"latest": func(ctx context.Context) error {
			_, err := s.Latest(ctx, all())
			return err
		},
		"aggregate": func(ctx context.Context) error {
			_, err := s.Aggregate(ctx, telemetry.AggregateQuery{RangeQuery: all(), Func: telemetry.Mean, Every: time.Hour})
			return err
		},
	}
}

func TestOpenOptions(t *testing.T) {
	_, err := influx.Open(t.Context(), influx.Options{URL: "localhost:8086", Bucket: "/x"})
	if err == nil {
		t.Fatal("got no error, want three problems")
	}
	for _, key := range []string{"url:", "bucket:", "schema:"} {
		if !strings.Contains(err.Error(), key) {
			t.Errorf("got %q, want a problem with %s", err, key)
		}
	}
}

func TestOpenDatabase(t *testing.T) {
	db := servertest.StartInfluxd(t)
	first := open(t, influx.Options{URL: db.URL + "/", Bucket: "fleet"})
	if _, err := first.Append(t.Context(), []telemetry.Reading{battery(t, "a", t0, map[string]float64{"soc_pct": 1})}); err != nil {
		t.Fatal(err)
	}
	if n := count(t, open(t, influx.Options{URL: db.URL, Bucket: "fleet"})); n != 1 {
		t.Errorf("opened again: got %d readings, want 1", n)
	}

	_, err := influx.Open(t.Context(), influx.Options{URL: db.URL, Bucket: "fleet/raw", Schema: storetest.Schema(t)})
	if err == nil || !strings.Contains(err.Error(), `no retention policy "raw"`) || errors.Is(err, telemetry.ErrUnavailable) {
		t.Errorf("a retention policy that is not there: got error %v", err)
	}
	run(t, db, `CREATE RETENTION POLICY "raw" ON "fleet" DURATION 0s REPLICATION 1`)
	raw := open(t, influx.Options{URL: db.URL, Bucket: "fleet/raw"})
	if n := count(t, raw); n != 0 {
		t.Errorf("a new retention policy: got %d readings, want none", n)
	}
	for _, device := range []string{"a", "b"} {
		if _, err := raw.Append(t.Context(), []telemetry.Reading{battery(t, device, t0, map[string]float64{"soc_pct": 1})}); err != nil {
			t.Fatal(err)
		}
	}
	if got, want := [2]int{count(t, raw), count(t, first)}, [2]int{2, 1}; got != want {
		t.Errorf("got %v readings in the two policies, want %v", got, want)
	}
}

func TestAuthentication(t *testing.T) {
	db := servertest.StartInfluxd(t, "INFLUXDB_HTTP_AUTH_ENABLED=true")
	run(t, db, `CREATE USER root WITH PASSWORD 'se:cret' WITH ALL PRIVILEGES`)
	opts := influx.Options{URL: db.URL, Bucket: "fleet", Username: "root", Token: "se:cret", Schema: storetest.Schema(t)}
	s := open(t, opts)
	for name, call := range calls(t, s) {
		if err := call(t.Context()); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	opts.Token = "wrong"
	_, err := influx.Open(t.Context(), opts)
	if !errors.Is(err, telemetry.ErrUnavailable) || !strings.Contains(err.Error(), "token") {
		t.Errorf("wrong password: got error %v, want %v that names the token", err, telemetry.ErrUnavailable)
	}
	if strings.Contains(fmt.Sprint(err), "wrong") {
		t.Errorf("the error %q shows the password", err)
	}
}
