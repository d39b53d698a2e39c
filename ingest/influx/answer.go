package influx

import (
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// replayable marks requests as safe to send again, so that net/http does so by
// itself when an idle connection turns out to be dead. Writes are: a point
// written twice is one point.
type replayable struct{ *http.Transport }

func (t replayable) RoundTrip(req *http.Request) (*http.Response, error) {
	req = req.Clone(req.Context())
	req.Header["X-Idempotency-Key"] = nil // empty: means it, and is not sent
	return t.Transport.RoundTrip(req)
}

// committed sends writes for the client library. It takes 204 alone for a
// commit, where the library takes any 2xx, such as a proxy's login page; and it
// keeps the text of a refusal, which the library drops where it is not worded
// like InfluxDB 2's.
type committed struct{ client *http.Client }

func (c committed) Do(req *http.Request) (*http.Response, error) {
	resp, err := c.client.Do(req)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusNoContent {
		return nil, readRefusal(resp)
	}
	return resp, nil
}

// refusal is an answer other than success.
type refusal struct {
	status     int
	text       string
	own        bool // the database itself says so, not something in between
	retryAfter time.Duration
}

func (r *refusal) Error() string {
	return fmt.Sprintf("influxdb answered %d %s: %s", r.status, http.StatusText(r.status), r.text)
}

// readRefusal reads and closes the answer.
func readRefusal(resp *http.Response) *refusal {
	defer resp.Body.Close()
	r := &refusal{status: resp.StatusCode}
	if s, err := strconv.ParseUint(resp.Header.Get("Retry-After"), 10, 31); err == nil {
		r.retryAfter = time.Duration(s) * time.Second
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 64<<10))
	if err != nil {
		r.text = err.Error()
		return r
	}
	r.text, r.own = refusalText(body)
	return r
}

// refusalText finds the reason in an error document: InfluxDB 1.8 and
// openGemini write {"error": …}; 2 writes {"code": …, "message": …}; 3 adds to
// "error" a "data" list with what is wrong with each line.
func refusalText(body []byte) (text string, own bool) {
	var doc struct {
		Error   string          `json:"error"`
		Message string          `json:"message"`
		Data    json.RawMessage `json:"data"`
	}
	if json.Unmarshal(body, &doc) != nil || doc.Error == "" && doc.Message == "" {
		const enough = 200
		return strings.ToValidUTF8(string(body[:min(len(body), enough)]), "�"), false
	}
	text = doc.Error
	if text == "" {
		text = doc.Message
	}
	var lines []struct {
		Message string `json:"error_message"`
	}
	if json.Unmarshal(doc.Data, &lines) == nil && len(lines) > 0 {
		text += ": " + lines[0].Message
	}
	return text, true
}

// blamesData reports whether the refusal is about the points that were sent:
// then, and only then, points may be given up. Anything else, such as a missing
// database or a proxy that dislikes the request, is for an operator to mend.
func (r *refusal) blamesData() bool {
	if r.status != http.StatusBadRequest && r.status != http.StatusUnprocessableEntity || !r.own {
		return false
	}
	for _, s := range []string{
		"pending deletion",      // of a shard: will be answered better later
		"not found",             // database, bucket, organisation, retention policy
		"database is required",  // a proxy lost the parameters
		"invalid precision",     //
		"bucket name",           //
		"retention policy name", //
	} {
		if strings.Contains(r.text, s) {
			return false
		}
	}
	return true
}

// dropped is how many points a partial write left out; 0 where it doesn't say.
func (r *refusal) dropped() int {
	_, n, ok := strings.Cut(r.text, " dropped=")
	if !ok || !strings.HasPrefix(r.text, "partial write") {
		return 0
	}
	dropped, err := strconv.Atoi(n)
	if err != nil {
		return 0
	}
	return dropped
}

// unavailable is the refusal as telemetry.ErrUnavailable.
func (r *refusal) unavailable() error {
	var err error
	switch r.status {
	case http.StatusUnauthorized, http.StatusForbidden:
		err = fmt.Errorf("%w: the token is refused or lacks permission: %w", telemetry.ErrUnavailable, r)
	case http.StatusNotFound:
		err = fmt.Errorf("%w: no such database, bucket or path: %w", telemetry.ErrUnavailable, r)
	default:
		err = fmt.Errorf("%w: %w", telemetry.ErrUnavailable, r)
	}
	if r.retryAfter > 0 {
		return &telemetry.RetryAfter{After: r.retryAfter, Err: err}
	}
	return err
}
