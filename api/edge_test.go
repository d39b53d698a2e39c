package api

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// raw sends bytes as they are and returns the answer.
func (s *server) raw(request string) answer {
	s.t.Helper()
	conn, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		s.t.Fatal(err)
	}
	defer conn.Close()
	if err := conn.SetDeadline(time.Now().Add(20 * time.Second)); err != nil {
		s.t.Fatal(err)
	}
	if _, err := io.WriteString(conn, request); err != nil {
		s.t.Fatal(err)
	}
	res, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer{status: res.StatusCode, header: res.Header, body: string(body)}
}

func TestRefusalsBelowTheOperations(t *testing.T) {
	s := start(t)
	auth := "Authorization: Bearer " + testKey + "\r\n"
	for _, tt := range []struct {
		name    string
		request string
		status  int
	}{
		{"unknown route", "GET /nope HTTP/1.1\r\nHost: x\r\n\r\n", 404},
		{"unknown route below the prefix", "GET /api/v1/nope HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n", 404},
		{"method not there", "DELETE /api/v1/owners HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n", 405},
		{"unknown method", "BREW /healthz HTTP/1.1\r\nHost: x\r\n\r\n", 501},
		{"bad escape", "GET /api/v1/owners/%zz HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n", 422},
		{"control character", "GET /api/v1/owners?x=\x7f HTTP/1.1\r\nHost: x\r\n" + auth + "\r\n", 400},
		{"compressed body", "POST /api/v1/owners HTTP/1.1\r\nHost: x\r\n" + auth + "Content-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}", 415},
		{"body too large", fmt.Sprintf("POST /api/v1/owners HTTP/1.1\r\nHost: x\r\n%sContent-Length: %d\r\n\r\n", auth, maxBody+1), 413},
		{"headers too large", "GET /healthz HTTP/1.1\r\nHost: x\r\nX-Long: " + strings.Repeat("a", 2*maxHeader) + "\r\n\r\n", 431},
		{"not HTTP", "hello " + testKey + "\r\n\r\n", 400},
	} {
		t.Run(tt.name, func(t *testing.T) {
			a := s.raw(tt.request)
			p := refused(t, a, tt.status)
			if p.Detail == "" {
				t.Error("no detail")
			}
			if strings.Contains(a.body, testKey) {
				t.Errorf("the answer quotes the key: %s", a.body)
			}
			if got := a.header.Get("X-Content-Type-Options"); tt.status != 501 && got != "nosniff" {
				t.Errorf("X-Content-Type-Options: got %q, want nosniff", got)
			}
		})
	}
}

func TestBodyOfTheLimitIsRead(t *testing.T) {
	s := start(t)
	fill := maxBody - len(`{"id":"o1","name":""}`)
	a := s.do(http.MethodPost, "/api/v1/owners", `{"id":"o1","name":"`+strings.Repeat("n", fill)+`"}`)
	p := refused(t, a, http.StatusUnprocessableEntity) // too long a name, not too large a body
	if at := p.locations(); len(at) != 1 || at[0] != "body.name" {
		t.Errorf("locations: got %v, want body.name", at)
	}
	if len(a.body) > 1000 {
		t.Errorf("the answer has %d bytes: it echoes the value", len(a.body))
	}
}

func TestUnreadableBodyIsNotEchoed(t *testing.T) {
	s := start(t)
	a := s.do(http.MethodPost, "/api/v1/owners", `{"id": secret}`)
	refused(t, a, http.StatusBadRequest)
	if strings.Contains(a.body, "secret") {
		t.Errorf("got %s, want no echo", a.body)
	}
}

func TestMethods(t *testing.T) {
	s := start(t)
	get := s.get("/api/v1/owners")
	head := s.do(http.MethodHead, "/api/v1/owners", "")
	if head.status != http.StatusOK || head.body != "" || head.header.Get("Content-Length") != get.header.Get("Content-Length") {
		t.Errorf("HEAD: got %d %q length %s, want 200, no body, length %s",
			head.status, head.body, head.header.Get("Content-Length"), get.header.Get("Content-Length"))
	}
	options := s.send(http.MethodOptions, "/api/v1/owners", "", nil)
	allow := strings.Join(options.header.Values("Allow"), ", ")
	if options.status != http.StatusNoContent || allow != "GET, HEAD, POST, OPTIONS" {
		t.Errorf("OPTIONS: got %d, Allow %q", options.status, allow)
	}
	refused(t, s.do(http.MethodOptions, "/api/v1/nope", ""), http.StatusNotFound)
	put := s.do(http.MethodPut, "/api/v1/owners", "")
	refused(t, put, http.StatusMethodNotAllowed)
	if got := strings.Join(put.header.Values("Allow"), ", "); got != allow {
		t.Errorf("405: Allow %q, want %q", got, allow)
	}
}

func TestPanicIsAnInternalError(t *testing.T) {
	s := start(t)
	s.must("battery", `{"id":"B1"}`)
	s.readings.mu.Lock()
	s.readings.panics = true
	s.readings.mu.Unlock()
	a := s.get("/api/v1/batteries/B1/latest")
	if p := refused(t, a, http.StatusInternalServerError); p.Detail != "internal error" {
		t.Errorf("detail: got %q, want internal error", p.Detail)
	}
	if strings.Contains(a.body, "secret detail") {
		t.Errorf("the answer tells: %s", a.body)
	}
	if log := s.log.String(); !strings.Contains(log, "secret detail") || !strings.Contains(log, "fakes_test.go") {
		t.Errorf("log: got %s, want the panic and its stack", log)
	}
	if a := s.get("/api/v1/owners"); a.status != http.StatusOK {
		t.Errorf("after the panic: got %d, want 200", a.status)
	}
}

func TestPanicOfMetricsIsAnInternalError(t *testing.T) {
	s := start(t, func(o *Options) {
		o.Metrics = http.HandlerFunc(func(http.ResponseWriter, *http.Request) { panic("collector") })
	})
	refused(t, s.send(http.MethodGet, "/metrics", "", nil), http.StatusInternalServerError)
}

func TestStoreErrors(t *testing.T) {
	s := start(t)
	s.must("battery", `{"id":"B1"}`)
	for _, tt := range []struct {
		name   string
		err    error
		status int
		detail string
		retry  string
	}{
		{"unknown", errors.New("disk on fire at /dev/sda"), 500, "internal error", ""},
		{"unavailable", fmt.Errorf("query: %w", telemetry.ErrUnavailable), 503, "the store can't be reached; try again", "5"},
		{"advice", &telemetry.RetryAfter{After: 1500 * time.Millisecond, Err: errors.New("slow down")}, 503, "the store can't be reached; try again", "2"},
		{"closed", telemetry.ErrClosed, 503, "the server is stopping", "1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s.readings.fail(tt.err)
			for _, path := range []string{"latest", "telemetry", "telemetry?every=1h", "telemetry?every=1h&aggregate=delta"} {
				a := s.get("/api/v1/batteries/B1/" + path)
				p := refused(t, a, tt.status)
				if p.Detail != tt.detail || a.header.Get("Retry-After") != tt.retry {
					t.Errorf("%s: got %q, Retry-After %q; want %q, %q", path, p.Detail, a.header.Get("Retry-After"), tt.detail, tt.retry)
				}
			}
		})
	}
	if log := s.log.String(); !strings.Contains(log, "disk on fire") {
		t.Error("the log lacks the unknown error")
	}
}

func TestSlowStoreIsCutOff(t *testing.T) {
	s := start(t, func(o *Options) { o.RequestTimeout = time.Nanosecond })
	s.readings.put(devices.KindBattery, "B1", clock.UnixMilli()-1000, "soc_pct", 50.0)
	refused(t, s.get("/api/v1/owners"), http.StatusServiceUnavailable)
}

// must registers something that the test needs.
func (s *server) must(kind, body string) {
	s.t.Helper()
	plural := map[string]string{
		"owner": "owners", "site": "sites", "station": "stations", "battery": "batteries", "building": "buildings",
	}[kind]
	if a := s.do(http.MethodPost, "/api/v1/"+plural, body); a.status != http.StatusCreated {
		s.t.Fatalf("create %s: got %d %s", kind, a.status, a.body)
	}
}
