package influx_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/influx"
	"github.com/fleetwatt/fleetwatt/ingest/storetest"
)

// answering is a server that has the database "db" and answers every other
// query, and every write, as told.
func answering(t *testing.T, write, query http.HandlerFunc) *influx.Store {
	t.Helper()
	mux := http.NewServeMux()
	mux.HandleFunc("/api/v2/write", func(w http.ResponseWriter, r *http.Request) { write(w, r) })
	mux.HandleFunc("/query", func(w http.ResponseWriter, r *http.Request) {
		if r.FormValue("q") == "SHOW DATABASES" {
			_, _ = io.WriteString(w, `{"results":[{"series":[{"columns":["name"],"values":[["db"]]}]}]}`)
			return
		}
		query(w, r)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	return open(t, influx.Options{URL: server.URL, Bucket: "db", Token: "secret", Org: "acme"})
}

func answer(status int, body string, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(status)
		_, _ = io.WriteString(w, body)
	}
}

func TestWriteAnswers(t *testing.T) {
	const (
		stored = iota
		rejected
		unavailable
	)
	tests := []struct {
		name    string
		status  int
		body    string
		header  []string
		want    int
		text    string
		waiting time.Duration
	}{
		{name: "stored", status: 204, want: stored},
		{name: "1.8 conflict", status: 400, body: `{"error":"partial write: field type conflict: input field \"soc_pct\" on measurement \"battery\" is type float, already exists as type string dropped=1"}`, want: rejected, text: "field type conflict"},
		{name: "1.8 parse error", status: 400, body: `{"error":"unable to parse 'x': missing fields"}`, want: rejected, text: "unable to parse"},
		{name: "2 conflict", status: 422, body: `{"code":"unprocessable entity","message":"failure writing points to database: partial write: field type conflict dropped=1"}`, want: rejected, text: "field type conflict"},
		{name: "3 partial write", status: 400, body: `{"error":"partial write of line protocol occurred","data":[{"original_line":"x","line_number":1,"error_message":"invalid column type for column 'soc_pct'"}]}`, want: rejected, text: "invalid column type"},
		{name: "one line too large", status: 413, body: `{"error":"Request Entity Too Large"}`, want: rejected, text: "Too Large"},
		{name: "shard on its way out", status: 400, body: `{"error":"partial write: shard 3 is pending deletion dropped=1"}`, want: unavailable},
		{name: "1.8 without the database", status: 404, body: `{"error":"database not found: \"db\""}`, want: unavailable, text: "no such database"},
		{name: "2 without the bucket", status: 400, body: `{"code":"invalid","message":"bucket \"db\" not found"}`, want: unavailable, text: "not found"},
		{name: "a proxy's bad request", status: 400, body: "<html>400 The plain HTTP request was sent to HTTPS port</html>", want: unavailable, text: "plain HTTP"},
		{name: "wrong token", status: 401, body: `{"code":"unauthorized","message":"unauthorized access"}`, want: unavailable, text: "token"},
		{name: "no permission", status: 403, body: `{"error":"\"u\" user is not authorized to write to database \"db\""}`, want: unavailable, text: "permission"},
		{name: "overloaded", status: 429, body: `{"code":"too many requests","message":"slow down"}`, header: []string{"Retry-After", "17"}, want: unavailable, text: "slow down", waiting: 17 * time.Second},
		{name: "starting", status: 503, header: []string{"Retry-After", "3"}, want: unavailable, waiting: 3 * time.Second},
		{name: "disk full", status: 500, body: `{"error":"write wal: no space left on device"}`, want: unavailable, text: "no space"},
		{name: "bad gateway", status: 502, body: "<html>", want: unavailable},
		{name: "method not allowed", status: 405, want: unavailable},
		{name: "a login page", status: 200, body: "<html>Welcome", want: unavailable, text: "Welcome"},
		{name: "a redirect", status: 302, header: []string{"Location", "/login"}, want: unavailable, text: "302"},
		{name: "a document that poses as another status", status: 500, body: `{"statusCode":204,"error":"no"}`, want: unavailable, text: "no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(t, answer(tt.status, tt.body, tt.header...), answer(200, `{"results":[]}`))
			got, err := s.Append(t.Context(), []telemetry.Reading{battery(t, "a", t0, map[string]float64{"soc_pct": 1})})
			switch tt.want {
			case unavailable:
				if !errors.Is(err, telemetry.ErrUnavailable) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got error %v, want %v with %q", err, telemetry.ErrUnavailable, tt.text)
				}
			case rejected:
				if err != nil || len(got.Rejected) != 1 || !strings.Contains(got.Rejected[0].Reason, tt.text) {
					t.Errorf("got %+v, error %v, want a rejection with %q", got, err, tt.text)
				}
			case stored:
				if err != nil || got.New != 1 {
					t.Errorf("got %+v, error %v, want one new", got, err)
				}
			}
			var waiting time.Duration
			if after, ok := errors.AsType[*telemetry.RetryAfter](err); ok {
				waiting = after.After
			}
			if waiting != tt.waiting {
				t.Errorf("got advice to wait %s, want %s", waiting, tt.waiting)
			}
		})
	}
}

// TestPartialWriteIsNoCommit has a server that answers like InfluxDB 1.8 where
// one shard refuses a point and another shard fails after that.
func TestPartialWriteIsNoCommit(t *testing.T) {
	kept := make(map[string]bool)
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if strings.Contains(string(body), "device=bad") {
			answer(400, `{"error":"partial write: field type conflict dropped=1"}`)(w, r)
			return
		}
		for line := range strings.Lines(string(body)) {
			kept[strings.TrimSpace(line)] = true
		}
		w.WriteHeader(http.StatusNoContent)
	}, nil)
	soc := map[string]float64{"soc_pct": 1}
	got, err := s.Append(t.Context(), []telemetry.Reading{
		battery(t, "a", 1, soc), battery(t, "bad", 2, soc), battery(t, "c", 3, soc), battery(t, "d", 4, soc), battery(t, "e", 5, soc),
	})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff([]int{1}, indices(t, got.Rejected, "conflict")); d != "" {
		t.Errorf("rejected (-want +got):\n%s", d)
	}
	want := map[string]bool{
		"battery,device=a soc_pct=1 1": true, "battery,device=c soc_pct=1 3": true,
		"battery,device=d soc_pct=1 4": true, "battery,device=e soc_pct=1 5": true,
	}
	if d := cmp.Diff(want, kept); d != "" {
		t.Errorf("committed with a 204 (-want +got):\n%s", d)
	}
}

// TestOneWrongFieldIsCheap has a server that refuses a field, as InfluxDB 1.8
// words it, and counts the requests that it takes to sort the batch.
func TestOneWrongFieldIsCheap(t *testing.T) {
	requests := 0
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		requests++
		body, _ := io.ReadAll(r.Body)
		if bad := strings.Count(string(body), "voltage_v"); bad > 0 {
			answer(400, fmt.Sprintf(`{"error":"partial write: field type conflict: input field \"voltage_v\" on measurement \"battery\" is type float, already exists as type string dropped=%d"}`, bad))(w, r)
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}, nil)
	var in []telemetry.Reading
	for i := range 1000 {
		fields := map[string]float64{"soc_pct": 1}
		if i%2 == 1 {
			fields["voltage_v"] = 50
		}
		in = append(in, battery(t, "a", int64(i), fields))
	}
	got, err := s.Append(t.Context(), in)
	if err != nil || got.New != 500 || len(got.Rejected) != 500 {
		t.Fatalf("got %d new and %d rejected, error %v, want 500 of each", got.New, len(got.Rejected), err)
	}
	if requests > 3 {
		t.Errorf("got %d requests, want 3: the whole, the good half, the bad half", requests)
	}
}

func TestRequestsAreBounded(t *testing.T) {
	var lines, largest int
	var sizes []int
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		n := strings.Count(string(body), "\n")
		lines, largest, sizes = lines+n, max(largest, len(body)), append(sizes, n)
		w.WriteHeader(http.StatusNoContent)
	}, nil)
	state := storetest.Schema(t).Field(devices.KindBattery, "state")
	var in []telemetry.Reading
	for i := range 12_000 {
		r := telemetry.Reading{Kind: devices.KindBattery, Device: "a", TS: int64(i)}
		if i >= 8_000 {
			r.Set(telemetry.Value{Field: state, Text: strings.Repeat("x", devices.MaxTextLength)})
		} else {
			r.Set(telemetry.Value{Field: state})
		}
		in = append(in, r)
	}
	if got, err := s.Append(t.Context(), in); err != nil || got.New != len(in) {
		t.Fatalf("got %+v, error %v, want %d new", got, err, len(in))
	}
	if lines != len(in) || slices.Max(sizes) > 5000 || largest > 1<<20 || len(sizes) > 4 {
		t.Errorf("got requests of %v lines, the largest %d bytes, want at most 5000 lines and 1 MiB, and few", sizes, largest)
	}
}

// TestDeadConnection has a server that drops an idle connection at the moment
// it is used again.
func TestDeadConnection(t *testing.T) {
	requests := 0
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		if requests++; requests == 2 {
			conn, _, err := http.NewResponseController(w).Hijack()
			if err != nil {
				t.Errorf("hijack: %v", err)
				return
			}
			conn.Close()
			return
		}
		w.WriteHeader(http.StatusNoContent)
	}, nil)
	for i := range 2 {
		if _, err := s.Append(t.Context(), []telemetry.Reading{battery(t, "a", t0, map[string]float64{"soc_pct": 1})}); err != nil {
			t.Errorf("append %d: %v", i, err)
		}
	}
	if requests != 3 {
		t.Errorf("got %d requests, want 3: the second is sent again", requests)
	}
}

// TestCountOfNothing has a server that counts a field that the step lacks as 0.
func TestCountOfNothing(t *testing.T) {
	s := answering(t, nil, answer(200, `{"results":[{"series":[{"name":"battery","tags":{"device":"a"},
		"columns":["time","soc_pct","voltage_v"],"values":[[0,3,0],[3600000,0,0]]}]}]}`))
	q := telemetry.AggregateQuery{RangeQuery: all(), Func: telemetry.Count, Every: time.Hour}
	got, err := s.Aggregate(t.Context(), q)
	if err != nil {
		t.Fatal(err)
	}
	if len(got) != 1 || len(got[0].Values) != 1 || got[0].Values[0].Field.Name != "soc_pct" || got[0].Values[0].Num != 3 {
		t.Errorf("got %+v, want one bucket with soc_pct 3", got)
	}
}

func TestWriteRequest(t *testing.T) {
	var got *http.Request
	s := answering(t, func(w http.ResponseWriter, r *http.Request) {
		got = r
		w.WriteHeader(http.StatusNoContent)
	}, nil)
	if _, err := s.Append(t.Context(), []telemetry.Reading{battery(t, "a", t0, map[string]float64{"soc_pct": 1})}); err != nil {
		t.Fatal(err)
	}
	if q := got.URL.Query(); q.Get("precision") != "ms" || q.Get("bucket") != "db" || q.Get("org") != "acme" {
		t.Errorf("got query %v, want precision ms, bucket db, org acme", q)
	}
	if h := got.Header; h.Get("Authorization") != "Token secret" || h.Get("X-Idempotency-Key") != "" {
		t.Errorf("got header %v", h)
	}
}

func TestQueryAnswers(t *testing.T) {
	const good = `{"results":[{"statement_id":0,"series":[{"name":"battery","tags":{"device":"a"},"columns":["time","soc_pct"],"values":[[1,2.5]]}]}]}`
	open := strings.Replace(good, `]]}]}`, `]]}],"partial":true}`, 1)
	later := strings.Replace(good, "[1,", "[2,", 1)
	tests := []struct {
		name   string
		status int
		body   string
		want   error // nil with fails: any error but ErrUnavailable
		fails  bool
		text   string
		rows   int
	}{
		{name: "two documents", status: 200, body: open + "\n" + later + "\n", rows: 2},
		{name: "no results", status: 200, body: `{"results":[{"statement_id":0}]}`},
		{name: "nothing was ever written", status: 200, body: `{"results":[{"statement_id":0,"error":"measurement not found"}]}`},
		{name: "a null and a foreign type", status: 200, body: strings.Replace(good, "[[1,2.5]]", `[[1,null],[2,"x"],[3,true],[4,7]]`, 1), rows: 1},
		{name: "a point without device", status: 200, body: strings.Replace(good, `"tags":{"device":"a"},`, "", 1)},
		{name: "cut off between documents", status: 200, body: open, want: telemetry.ErrUnavailable, rows: 1},
		{name: "cut off within", status: 200, body: good[:80], want: telemetry.ErrUnavailable},
		{name: "empty", status: 200, want: telemetry.ErrUnavailable},
		{name: "a web page", status: 200, body: "<html>", want: telemetry.ErrUnavailable},
		{name: "an error after some rows", status: 200, body: open + `{"results":[{"statement_id":0,"error":"query-timeout limit exceeded"}]}`, want: telemetry.ErrUnavailable, text: "query-timeout", rows: 1},
		{name: "the database is gone", status: 200, body: `{"results":[{"error":"database not found: db"}]}`, want: telemetry.ErrUnavailable},
		{name: "an error of the statement", status: 200, body: `{"results":[{"error":"max-select-series limit exceeded: (2/1)"}]}`, fails: true, text: "max-select-series"},
		{name: "an error of it all", status: 200, body: `{"error":"no"}`, fails: true, text: "no"},
		{name: "parse error", status: 400, body: `{"error":"error parsing query: found EOF"}`, fails: true, text: "error parsing query"},
		{name: "wrong token", status: 401, body: `{"error":"authorization failed"}`, want: telemetry.ErrUnavailable, text: "token"},
		{name: "starting", status: 503, want: telemetry.ErrUnavailable},
		{name: "a redirect", status: 302, want: telemetry.ErrUnavailable},
		{name: "out of order", status: 200, body: later + good, fails: true, text: "out of order", rows: 1},
		{name: "a column nobody asked for", status: 200, body: strings.Replace(good, "soc_pct", "altitude_m", 1), fails: true, text: "altitude_m"},
		{name: "a short row", status: 200, body: strings.Replace(good, "[[1,2.5]]", `[[1]]`, 1), fails: true, text: "does not fit"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := answering(t, answer(204, ""), answer(tt.status, tt.body))
			rows := 0
			err := s.Range(t.Context(), all(), func(telemetry.Reading) error { rows++; return nil })
			switch {
			case tt.want != nil:
				if !errors.Is(err, tt.want) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got error %v, want %v with %q", err, tt.want, tt.text)
				}
			case tt.fails:
				if err == nil || errors.Is(err, telemetry.ErrUnavailable) || !strings.Contains(err.Error(), tt.text) {
					t.Errorf("got error %v, want one that a retry will not mend, with %q", err, tt.text)
				}
			case err != nil:
				t.Errorf("got error %v", err)
			}
			if rows != tt.rows {
				t.Errorf("got %d readings, want %d", rows, tt.rows)
			}
		})
	}
}
