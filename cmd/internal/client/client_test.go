package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

const key = "a-key-that-nobody-may-see"

func serve(t *testing.T, h http.HandlerFunc) *Client {
	t.Helper()
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	c, err := New(s.URL+"/", key)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCall(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		if r.Header.Get("Authorization") != "Bearer "+key {
			t.Errorf("got authorization %q", r.Header.Get("Authorization"))
		}
		w.Header().Set("X-Total-Count", "7")
		fmt.Fprintf(w, `{"items":[%q]}`, r.Method+" "+r.URL.EscapedPath()+"?"+r.URL.RawQuery+" "+string(body))
	})
	var got struct{ Items []string }
	header, err := c.Call(t.Context(), http.MethodPut, "/stations/a%2Fb/x", url.Values{"q": {"1 2"}}, map[string]int{"n": 1}, &got)
	if err != nil || header.Get("X-Total-Count") != "7" {
		t.Fatalf("got %v, %v", header, err)
	}
	if want := `PUT /api/v1/stations/a%2Fb/x?q=1+2 {"n":1}`; got.Items[0] != want {
		t.Errorf("got %q, want %q", got.Items[0], want)
	}
}

func TestRefusalsAreSentences(t *testing.T) {
	tests := []struct {
		name   string
		status int
		body   string
		want   string
	}{
		{"problem", 404, `{"title":"Not Found","status":404,"detail":"battery B1: not found"}`, "battery B1: not found"},
		{"without detail", 409, `{"title":"Conflict","status":409}`, "Conflict"},
		{
			"parameters", 422,
			`{"title":"Unprocessable Entity","status":422,"detail":"validation failed","errors":[{"message":"there is no such reason","location":"query.reason","value":"x"},{"message":"must be before until","location":"query.since"}]}`,
			"validation failed: reason: there is no such reason (x); since: must be before until",
		},
		{"unauthorised", 401, `{"title":"Unauthorized","status":401,"detail":"send the admin key"}`, "--api-key"},
		{"unavailable", 503, `{"title":"Service Unavailable","status":503,"detail":"the store can't be reached"}`, "the store can't be reached (try again in 5 s)"},
		{"internal", 500, `{"title":"Internal Server Error","status":500,"detail":"internal error"}`, "internal error: the server's log says why"},
		{"not ours", 502, `<html>Bad gateway</html>`, "502"},
		{"redirect", 301, ``, "301"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			c := serve(t, func(w http.ResponseWriter, _ *http.Request) {
				if tt.status == http.StatusServiceUnavailable {
					w.Header().Set("Retry-After", "5")
				}
				w.Header().Set("Location", "http://elsewhere.invalid/")
				w.WriteHeader(tt.status)
				_, _ = io.WriteString(w, tt.body)
			})
			_, err := c.Call(t.Context(), http.MethodGet, "/x", nil, nil, nil)
			var refused *Error
			if !errors.As(err, &refused) || refused.Status != tt.status || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %d and %q", err, tt.status, tt.want)
			}
			if strings.Contains(err.Error(), key) {
				t.Error("the key is in the error")
			}
		})
	}
}

func TestNobodyThere(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	c, err := New(s.URL, key)
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Call(t.Context(), http.MethodGet, "/x", nil, nil, nil)
	if err == nil || !strings.Contains(err.Error(), s.URL) || !strings.Contains(err.Error(), "--server") || strings.Contains(err.Error(), key) {
		t.Errorf("got %v, want the address and what to do", err)
	}
}

// Where the server and the key are given by other flags, errors name those.
func TestNamed(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusUnauthorized) })
	c.Named("--api", "--admin-key")
	_, err := c.Call(t.Context(), http.MethodGet, "/x", nil, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "give --admin-key") || strings.Contains(err.Error(), "--api-key") {
		t.Errorf("a wrong key: got %v", err)
	}
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	if c, err = New(gone.URL, key); err != nil {
		t.Fatal(err)
	}
	c.Named("--api", "--admin-key")
	if _, err := c.Call(t.Context(), http.MethodGet, "/x", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "with --api (") {
		t.Errorf("nobody there: got %v", err)
	}
}

// What does not speak HTTP is told apart from a server that is away.
func TestAnotherProtocol(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		if conn, err := l.Accept(); err == nil {
			_ = conn.Close()
		}
	}()
	c, err := New("http://"+l.Addr().String(), key)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := c.Call(t.Context(), http.MethodGet, "/x", nil, nil, nil); err == nil || !strings.Contains(err.Error(), "HTTP address") {
		t.Errorf("got %v, want a question", err)
	}
}

func TestUpload(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		fmt.Fprintf(w, `{"got":%q}`, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("Content-Type")+" "+string(body))
	})
	var got struct{ Got string }
	if err := c.Upload(t.Context(), "/import", url.Values{"kind": {"owner"}}, "text/csv", strings.NewReader("id\n"), &got); err != nil {
		t.Fatal(err)
	}
	if want := "POST /api/v1/import?kind=owner text/csv id\n"; got.Got != want {
		t.Errorf("got %q, want %q", got.Got, want)
	}
}

func TestSlowServer(t *testing.T) {
	hold := make(chan struct{})
	c := serve(t, func(http.ResponseWriter, *http.Request) { <-hold })
	t.Cleanup(func() { close(hold) })
	c.timeout = 50 * time.Millisecond
	_, err := c.Call(t.Context(), http.MethodGet, "/x", nil, nil, nil)
	if err == nil || !strings.Contains(err.Error(), "in time") {
		t.Errorf("got %v, want that it takes too long", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.Call(ctx, http.MethodGet, "/x", nil, nil, nil); !errors.Is(err, ErrInterrupted) {
		t.Errorf("cancelled: got %v", err)
	}
}

func TestNotOurAnswer(t *testing.T) {
	c := serve(t, func(w http.ResponseWriter, _ *http.Request) { _, _ = io.WriteString(w, "hello") })
	var into struct{}
	if _, err := c.Call(t.Context(), http.MethodGet, "/x", nil, nil, &into); err == nil || !strings.Contains(err.Error(), "not fleetwatt's") {
		t.Errorf("got %v", err)
	}
}

func TestBadServer(t *testing.T) {
	for _, server := range []string{"", "127.0.0.1:8080", "ftp://x", "http://", "http://user:secret@x", "http://x/?q=1", "http://\x00"} {
		if _, err := New(server, key); err == nil || strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: got %v, want an error", server, err)
		}
	}
}
