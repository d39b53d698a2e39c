package influx

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// chunkRows bounds the rows that the server puts in one document of a stream,
// and so what either side holds in memory.
const chunkRows = 5000

// document is one of the JSON documents that an answer consists of.
type document struct {
	Results []struct {
		Statement int      `json:"statement_id"`
		Series    []series `json:"series"`
		Partial   bool     `json:"partial"` // more of this statement follows
		Error     string   `json:"error"`
	} `json:"results"`
	Error string `json:"error"`
}

// series is rows of one device, or of the fleet.
type series struct {
	Tags struct {
		Device string `json:"device"`
	} `json:"tags"`
	Columns []string `json:"columns"` // the first is "time"
	Values  [][]cell `json:"values"`
}

// cell is one value of a row.
type cell struct {
	kind cellKind
	num  float64
	text string
}

type cellKind uint8

const (
	cellNone cellKind = iota // null, or a type that fleetwatt does not write
	cellNumber
	cellText
)

// UnmarshalJSON keeps numbers to the bit: InfluxDB prints the shortest decimal
// that reads back as the same float.
func (c *cell) UnmarshalJSON(b []byte) error {
	*c = cell{}
	switch {
	case len(b) > 0 && b[0] == '"':
		c.kind = cellText
		return json.Unmarshal(b, &c.text)
	case len(b) > 0 && (b[0] == '-' || '0' <= b[0] && b[0] <= '9'):
		n, err := strconv.ParseFloat(string(b), 64)
		if err != nil {
			return fmt.Errorf("number %s: %w", b, err)
		}
		c.kind, c.num = cellNumber, n
	}
	return nil
}

var errSilent = errors.New("influxdb is silent")

// query runs statements, separated by semicolons, and calls handle for each
// series of the answer as it arrives, with the index of its statement. It stops
// at handle's first error and returns it. The time handle takes does not count
// as the server's silence.
func (s *Store) query(ctx context.Context, statements string, handle func(statement int, sr *series) error) error {
	running, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	patience := time.AfterFunc(s.timeout, func() { cancel(errSilent) })
	defer patience.Stop()

	resp, err := s.post(running, statements)
	if err != nil {
		return s.queryError(ctx, running, err)
	}
	defer resp.Body.Close()
	if resp.StatusCode != http.StatusOK {
		return s.queryError(ctx, running, readRefusal(resp))
	}
	patience.Stop()
	decoder := json.NewDecoder(&timed{resp.Body, patience, s.timeout})
	partial, documents := false, 0
	for {
		var doc document
		if err := decoder.Decode(&doc); err == io.EOF && documents > 0 && !partial {
			return nil
		} else if err != nil {
			return s.queryError(ctx, running, fmt.Errorf("read the answer: %w", noEOF(err)))
		}
		documents++
		if doc.Error != "" {
			return statementError(doc.Error)
		}
		for i := range doc.Results {
			result := &doc.Results[i]
			if result.Error != "" {
				if err := statementError(result.Error); err != nil {
					return err
				}
			}
			partial = result.Partial
			for j := range result.Series {
				if err := handle(result.Statement, &result.Series[j]); err != nil {
					return err
				}
			}
		}
	}
}

func (s *Store) post(ctx context.Context, statements string) (*http.Response, error) {
	form := url.Values{
		"q": {statements}, "db": {s.database}, "epoch": {"ms"},
		"chunked": {"true"}, "chunk_size": {strconv.Itoa(chunkRows)},
	}
	if s.policy != "" {
		form.Set("rp", s.policy)
	}
	if s.org != "" {
		form.Set("org", s.org)
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, s.queryURL, strings.NewReader(form.Encode()))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Accept", "application/json")
	if s.token != "" {
		req.Header.Set("Authorization", "Token "+s.token)
	}
	return s.http.Do(req)
}

// timed lets the patience run out while a read waits, and only then.
type timed struct {
	io.Reader
	patience *time.Timer
	timeout  time.Duration
}

func (r *timed) Read(p []byte) (int, error) {
	r.patience.Reset(r.timeout)
	defer r.patience.Stop()
	return r.Reader.Read(p)
}

// noEOF turns the end of a stream that should go on into an error that doesn't
// look like a proper end.
func noEOF(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

// queryError classes what went wrong between here and a full answer.
func (s *Store) queryError(ctx, running context.Context, err error) error {
	var no *refusal
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.Is(context.Cause(running), errSilent):
		return fmt.Errorf("%w: no answer to a query within %s", telemetry.ErrUnavailable, s.timeout)
	case errors.As(err, &no):
		if no.blamesData() {
			return no
		}
		return no.unavailable()
	}
	return fmt.Errorf("%w: %w", telemetry.ErrUnavailable, err)
}

// statementError classes an error that the server reports about a statement
// inside an answer. That nothing was written yet is not an error.
func statementError(text string) error {
	if strings.Contains(text, "measurement not found") {
		return nil
	}
	for _, s := range []string{"timeout", "max-concurrent-queries", "closed", "interrupted", "not found", "shutting down"} {
		if strings.Contains(text, s) {
			return fmt.Errorf("%w: influxdb reports %q", telemetry.ErrUnavailable, text)
		}
	}
	return fmt.Errorf("influxdb reports %q", text)
}
