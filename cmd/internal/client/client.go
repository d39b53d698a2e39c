// Package client speaks to a running fleetwatt server over its API, for the
// operator's commands. It turns what goes wrong into sentences that say what to
// do, and tells its key to nobody but the server. It does not know what the
// routes mean.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	prefix      = "/api/v1"
	callTimeout = 2 * time.Minute // of a call with its answer
	maxAnswer   = 64 << 20        // bytes of an answer that is held in memory
	maxProblem  = 64 << 10
)

// Client calls one server. It may be used by several goroutines.
type Client struct {
	base    url.URL
	key     string
	http    *http.Client
	timeout time.Duration

	// How a user says what the server is, and the key, for errors.
	sayServer, sayKey string
}

// New returns a client of the server at a URL like http://127.0.0.1:8080, with
// the admin key. Its errors name --server and --api-key.
func New(server, key string) (*Client, error) {
	u, err := url.Parse(server)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.RawQuery != "" || u.User != nil {
		return nil, errors.New("server: want a URL like http://127.0.0.1:8080")
	}
	transport := http.DefaultTransport.(*http.Transport).Clone()
	// A compressed answer would come without the length and the trailers that
	// tell whether it is whole.
	transport.DisableCompression = true
	return &Client{
		base: url.URL{Scheme: u.Scheme, Host: u.Host, Path: strings.TrimRight(u.Path, "/")}, key: key, timeout: callTimeout,
		sayServer: "--server", sayKey: "--api-key, FLEETWATT_API_KEY, or --data with the server's data directory",
		http: &http.Client{Transport: transport, CheckRedirect: func(*http.Request, []*http.Request) error {
			return http.ErrUseLastResponse // the key is for this server alone
		}},
	}, nil
}

// Named makes errors name other flags. It is called before the first call.
func (c *Client) Named(server, key string) { c.sayServer, c.sayKey = server, key }

// Direct has calls go past the proxies that the environment names, to a server
// that is this very program. It is called before the first call.
func (c *Client) Direct() { c.http.Transport.(*http.Transport).Proxy = nil }

// ErrInterrupted ends a call whose context was cancelled. It is not
// context.Canceled: whoever breaks a command off does not get what it was for.
var ErrInterrupted = errors.New("interrupted before the server had answered")

// Error is an answer that says no.
type Error struct {
	Status  int    // HTTP
	Message string // a sentence without its full stop
}

func (e *Error) Error() string { return e.Message }

// Call sends body, if it is not nil, as JSON to the path below /api/v1 and
// decodes the answer into into, if that is not nil. A refusal is an *Error.
func (c *Client) Call(ctx context.Context, method, path string, query url.Values, body, into any) (http.Header, error) {
	var reader io.Reader
	if body != nil {
		b, err := json.Marshal(body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		reader = bytes.NewReader(b)
	}
	return c.exchange(ctx, method, path, query, "application/json", reader, into)
}

// Upload posts a file and decodes the answer into into. A refusal is an *Error.
func (c *Client) Upload(ctx context.Context, path string, query url.Values, contentType string, file io.Reader, into any) error {
	_, err := c.exchange(ctx, http.MethodPost, path, query, contentType, file, into)
	return err
}

func (c *Client) exchange(ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader, into any) (http.Header, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	res, err := c.send(ctx, method, path, query, contentType, body)
	if err != nil {
		return nil, err
	}
	defer func() { _ = res.Body.Close() }() // all that is wanted was read
	answer, err := io.ReadAll(io.LimitReader(res.Body, maxAnswer+1))
	switch {
	case err != nil:
		return nil, c.explain(ctx, err)
	case len(answer) > maxAnswer:
		return nil, fmt.Errorf("the answer has more than %d bytes: ask for less", maxAnswer)
	case into == nil:
		return res.Header, nil
	}
	if err := json.Unmarshal(answer, into); err != nil {
		return nil, fmt.Errorf("the answer from %s is not fleetwatt's: %w", c.base.Redacted(), err)
	}
	return res.Header, nil
}

// Download gets a file, for which it waits as long as it takes. The caller reads
// and closes the answer's body.
func (c *Client) Download(ctx context.Context, path string, query url.Values) (*http.Response, error) {
	return c.send(ctx, http.MethodGet, path, query, "", nil)
}

// send returns an answer of success.
func (c *Client) send(ctx context.Context, method, path string, query url.Values, contentType string, body io.Reader) (*http.Response, error) {
	u := c.base
	raw := u.Path + prefix + path
	unescaped, err := url.PathUnescape(raw)
	if err != nil {
		return nil, fmt.Errorf("path %s: %w", path, err)
	}
	u.Path, u.RawPath, u.RawQuery = unescaped, raw, query.Encode()
	req, err := http.NewRequestWithContext(ctx, method, u.String(), body)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+c.key)
	req.Header.Set("Accept", "*/*")
	if body != nil {
		req.Header.Set("Content-Type", contentType)
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.explain(ctx, err)
	}
	if res.StatusCode/100 == 2 {
		return res, nil
	}
	defer func() { _ = res.Body.Close() }()
	return nil, c.refusal(res)
}
