package client

import (
	"context"
	"crypto/x509"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"strings"
	"syscall"
)

// explain says what it means that no answer came.
func (c *Client) explain(ctx context.Context, err error) error {
	var (
		dns       *net.DNSError
		unknownCA x509.UnknownAuthorityError
		timeout   net.Error
		wrapped   *url.Error
	)
	if errors.As(err, &wrapped) {
		err = wrapped.Err // without the URL, which is named below
	}
	where := c.base.Redacted()
	switch {
	case errors.Is(err, context.Canceled) && ctx.Err() != nil:
		return ErrInterrupted
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens at %s: is `fleetwatt serve` running there? name another address with %s (%w)", where, c.sayServer, err)
	case errors.As(err, &dns):
		return fmt.Errorf("the host of %s is not known: is %s right? (%w)", where, c.sayServer, err)
	case errors.As(err, &unknownCA):
		return fmt.Errorf("the certificate of %s is signed by nobody this machine trusts (%w)", where, err)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded), errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("%s did not answer in time: %s/readyz says what is wrong there (%w)", where, where, err)
	}
	return fmt.Errorf("call %s: %w (is that the HTTP address of a fleetwatt server?)", where, err)
}

// problem is an RFC 9457 problem as the server writes it.
type problem struct {
	Detail string `json:"detail"`
	Title  string `json:"title"`
	Errors []struct {
		Message  string `json:"message"`
		Location string `json:"location"`
		Value    any    `json:"value"`
	} `json:"errors"`
}

// refusal is the answer of a server that said no.
func (c *Client) refusal(res *http.Response) error {
	e := &Error{Status: res.StatusCode, Message: fmt.Sprintf("%s answers %s: is that a fleetwatt server?", c.base.Redacted(), res.Status)}
	if res.StatusCode == http.StatusUnauthorized {
		e.Message = fmt.Sprintf("%s does not accept the key: give %s", c.base.Redacted(), c.sayKey)
		return e
	}
	body, err := io.ReadAll(io.LimitReader(res.Body, maxProblem))
	var p problem
	if err != nil || json.Unmarshal(body, &p) != nil || p.Title == "" {
		return e
	}
	e.Message = p.sentence()
	if res.StatusCode == http.StatusInternalServerError { // what it is, the server tells its own people only
		e.Message += ": the server's log says why"
	}
	if after := res.Header.Get("Retry-After"); after != "" {
		e.Message += " (try again in " + after + " s)"
	}
	return e
}

// sentence is "validation failed: query.reason: there is no such reason (x)".
func (p *problem) sentence() string {
	var b strings.Builder
	b.WriteString(p.Detail)
	if p.Detail == "" {
		b.WriteString(p.Title)
	}
	for i, e := range p.Errors {
		b.WriteString([]string{": ", "; "}[min(i, 1)])
		// The name of a parameter is that of a flag, or near it.
		if _, name, ok := strings.Cut(e.Location, "."); ok {
			b.WriteString(name + ": ")
		}
		b.WriteString(e.Message)
		if e.Value != nil {
			fmt.Fprintf(&b, " (%v)", e.Value)
		}
	}
	return b.String()
}
