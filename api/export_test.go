package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const exportWindow = "from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z"

var exportStart = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli()

// download gets a file and what came after it.
func (s *server) download(path string) (answer, http.Header, error) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	res, err := s.client.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	return answer{res.StatusCode, res.Header, string(body)}, res.Trailer, err
}

func TestExportCSV(t *testing.T) {
	s := start(t)
	for _, id := range []string{"B2", "B1", "B3"} {
		s.must("battery", fmt.Sprintf(`{"id":%q}`, id))
		s.readings.put(devices.KindBattery, id, exportStart, "soc_pct", 50.5, "state", "idle")
	}
	s.readings.put(devices.KindBattery, "B1", exportStart+1, "soc_pct", 51.0)
	for _, tt := range []struct{ name, query, want string }{
		{"some fields", "&fields=soc_pct,state", "device,ts,soc_pct,state\nB1,2026-01-01T00:00:00.000Z,50.5,idle\nB1,2026-01-01T00:00:00.001Z,51,\nB2,2026-01-01T00:00:00.000Z,50.5,idle\nB3,2026-01-01T00:00:00.000Z,50.5,idle\n"},
		{"some devices", "&fields=state&devices=B3,B2&time=epoch_ms", fmt.Sprintf("device,ts_ms,state\nB2,%[1]d,idle\nB3,%[1]d,idle\n", exportStart)},
	} {
		a, trailer, err := s.download("/api/v1/export/battery?" + exportWindow + tt.query)
		if err != nil || a.status != http.StatusOK || a.body != tt.want {
			t.Errorf("%s: got %d, %v\n%s", tt.name, a.status, err, cmp.Diff(tt.want, a.body))
		}
		if got, want := trailer.Get("X-Row-Count"), fmt.Sprint(strings.Count(tt.want, "\n")-1); got != want {
			t.Errorf("%s: rows: got %q, want %q", tt.name, got, want)
		}
		if got := a.header.Get("Content-Type"); !strings.HasPrefix(got, "text/csv") {
			t.Errorf("%s: Content-Type: got %q", tt.name, got)
		}
		if got, want := a.header.Get("Content-Disposition"), `attachment; filename="battery_20260101T000000Z_20260102T000000Z.csv"`; got != want {
			t.Errorf("%s: Content-Disposition: got %q, want %q", tt.name, got, want)
		}
	}
	a, trailer, err := s.download("/api/v1/export/building?" + exportWindow + "&fields=gas_wh")
	if err != nil || a.body != "device,ts,gas_wh\n" || trailer.Get("X-Row-Count") != "0" {
		t.Errorf("nothing stored: got %q, %v, %v", a.body, trailer, err)
	}
	if head := s.do(http.MethodHead, "/api/v1/export/battery?"+exportWindow, ""); head.status != http.StatusOK || head.body != "" {
		t.Errorf("HEAD: got %d %q", head.status, head.body)
	}
}

func TestExportParquet(t *testing.T) {
	dir := t.TempDir()
	s := start(t, func(o *Options) { o.TempDir = dir })
	s.readings.put(devices.KindBattery, "B1", exportStart, "soc_pct", 50.5)
	a, trailer, err := s.download("/api/v1/export/battery?format=parquet&" + exportWindow)
	if err != nil || a.status != http.StatusOK || !strings.HasPrefix(a.body, "PAR1") || !strings.HasSuffix(a.body, "PAR1") {
		t.Fatalf("got %d, %v and %d bytes", a.status, err, len(a.body))
	}
	if got := trailer.Get("X-Row-Count"); got != "1" {
		t.Errorf("rows: got %q, want 1", got)
	}
	if got := a.header.Get("Content-Type"); got != "application/vnd.apache.parquet" {
		t.Errorf("Content-Type: got %q", got)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
}

func TestExportRefusals(t *testing.T) {
	s := start(t)
	for query, want := range map[string]int{
		"rocket?" + exportWindow:                        http.StatusUnprocessableEntity,
		"battery?" + exportWindow + "&format=xls":       http.StatusUnprocessableEntity,
		"battery?" + exportWindow + "&fields=colour":    http.StatusUnprocessableEntity,
		"battery?" + exportWindow + "&devices=absent":   http.StatusNotFound,
		"battery?from=2026-01-02&to=2026-01-01":         http.StatusUnprocessableEntity,
		"battery?" + exportWindow + "&time=sundial":     http.StatusUnprocessableEntity,
		"battery?to=2026-01-01T00:00:00Z&" + "limit=10": http.StatusUnprocessableEntity,
	} {
		refused(t, s.get("/api/v1/export/"+query), want)
	}
	s.readings.fail(fmt.Errorf("%w: on fire", telemetry.ErrUnavailable))
	for range maxExports + 1 { // those that fail give their place back
		refused(t, s.get("/api/v1/export/battery?format=parquet&"+exportWindow), http.StatusServiceUnavailable)
	}
	s.readings.fail(nil)
	for range maxExports + 1 {
		if a := s.get("/api/v1/export/battery?" + exportWindow); a.status != http.StatusOK {
			t.Errorf("got %d %s, want 200", a.status, a.body)
		}
	}
}

// endless is a store of one battery that has a reading each millisecond. What
// comes after the first page is up to then.
type endless struct {
	telemetry.Reader
	field *devices.Field
	then  func(ctx context.Context) error
}

func (e *endless) Latest(context.Context, telemetry.RangeQuery) ([]telemetry.Sample, error) {
	return []telemetry.Sample{{Device: "B1", Value: telemetry.Value{Field: e.field}}}, nil
}

func (e *endless) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	if q.Window.From > exportStart {
		return e.then(ctx)
	}
	for ts := q.Window.From; ; ts++ {
		if err := yield(telemetry.Reading{Kind: q.Kind, Device: "B1", TS: ts, Values: []telemetry.Value{{Field: e.field, Num: 1}}}); err != nil {
			return err
		}
	}
}

const endlessPath = "/api/v1/export/battery?fields=soc_pct&" + exportWindow

func (e *endless) install(o *Options) {
	e.field = o.Schema.Field(devices.KindBattery, "soc_pct")
	o.Telemetry = e
}

// A file that can't be finished is not taken for a whole one.
func TestExportCutOff(t *testing.T) {
	store := &endless{then: func(context.Context) error { return fmt.Errorf("%w: on fire", telemetry.ErrUnavailable) }}
	s := start(t, store.install)
	a, trailer, err := s.download(endlessPath)
	if a.status != http.StatusOK || strings.Count(a.body, "\n") < 1000 {
		t.Fatalf("got %d and %d bytes, want the first page", a.status, len(a.body))
	}
	if !errors.Is(err, io.ErrUnexpectedEOF) || trailer.Get("X-Row-Count") != "" {
		t.Errorf("got %v and %v, want a cut connection and no row count", err, trailer)
	}
	if !strings.Contains(s.log.String(), "export cut off") {
		t.Error("the log does not say so")
	}
}

// An export may last longer than the write timeout, and only so many run at
// once.
func TestExportsAtOnce(t *testing.T) {
	const timeout = 200 * time.Millisecond
	begun, goOn := make(chan struct{}), make(chan struct{})
	store := &endless{then: func(ctx context.Context) error {
		select {
		case begun <- struct{}{}:
		case <-goOn:
		case <-ctx.Done():
			return ctx.Err()
		}
		<-goOn
		return nil
	}}
	s := start(t, store.install, func(o *Options) { o.WriteTimeout = timeout })
	type result struct {
		answer
		rows string
		err  error
	}
	results := make(chan result, maxExports)
	for range maxExports {
		go func() {
			a, trailer, err := s.download(endlessPath)
			results <- result{a, trailer.Get("X-Row-Count"), err}
		}()
	}
	for range maxExports {
		<-begun
	}
	a := s.get(endlessPath)
	refused(t, a, http.StatusServiceUnavailable)
	if a.header.Get("Retry-After") == "" {
		t.Error("no Retry-After")
	}
	<-time.After(2 * timeout)
	close(goOn)
	for range maxExports {
		if r := <-results; r.err != nil || r.status != http.StatusOK || r.rows == "" {
			t.Errorf("got %d, %v, rows %q, want a whole file", r.status, r.err, r.rows)
		}
	}
}

// A client that goes away, or takes nothing, gives its place back.
func TestExportNobodyTakes(t *testing.T) {
	store := &endless{then: func(context.Context) error { return nil }}
	s := start(t, store.install, func(o *Options) { o.WriteTimeout = 300 * time.Millisecond })
	for range maxExports {
		conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		if err := conn.(*net.TCPConn).SetReadBuffer(4096); err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\n\r\n", endlessPath, testKey)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	deadline := time.After(20 * time.Second)
	for {
		a, trailer, err := s.download(endlessPath)
		if err == nil && a.status == http.StatusOK && trailer.Get("X-Row-Count") != "" {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("got %d, %v, want room for another export", a.status, err)
		}
	}
}

// Parquet is sent when all of it is there. A client that goes away before that
// ends the work.
func TestExportParquetThatNobodyWaitsFor(t *testing.T) {
	begun, ended := make(chan struct{}), make(chan error, 1)
	store := &endless{then: func(ctx context.Context) error {
		close(begun)
		select {
		case <-ctx.Done():
			ended <- ctx.Err()
		case <-time.After(30 * time.Second):
			ended <- errors.New("it went on without its client")
		}
		return ctx.Err()
	}}
	dir := t.TempDir()
	s := start(t, store.install, func(o *Options) { o.TempDir = dir })
	ctx, hangUp := context.WithCancel(t.Context())
	defer hangUp()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, s.url+endlessPath+"&format=parquet", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+testKey)
	answered := make(chan error, 1)
	go func() {
		res, err := s.client.Do(req)
		if err == nil {
			err = res.Body.Close()
		}
		answered <- err
	}()
	<-begun
	hangUp()
	if err := <-answered; !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want the client to have gone before the answer", err)
	}
	if err := <-ended; !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want the export to end with its client", err)
	}
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	for deadline := time.After(20 * time.Second); ; {
		left, err := os.ReadDir(dir)
		if err == nil && len(left) == 0 {
			return
		}
		select {
		case <-tick.C:
		case <-deadline:
			t.Fatalf("left behind: %v, %v", left, err)
		}
	}
}

func TestHungUp(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	client, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	server, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer server.Close()
	if hungUp(server) {
		t.Error("a quiet client: got gone")
	}
	if _, err := io.WriteString(client, "next"); err != nil {
		t.Fatal(err)
	}
	next := make([]byte, 4)
	if _, err := io.ReadFull(server, next[:1]); err != nil {
		t.Fatal(err)
	}
	if hungUp(server) {
		t.Error("a client that sends: got gone")
	}
	if _, err := io.ReadFull(server, next[1:]); err != nil || string(next) != "next" {
		t.Errorf("got %q, %v, want nothing to be taken of what it sends", next, err)
	}
	if err := client.Close(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(10 * time.Second)
	for !hungUp(server) {
		if time.Now().After(deadline) {
			t.Fatal("a client that has closed is not gone")
		}
		runtime.Gosched()
	}
}
