package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strconv"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

// mimeProblem is the media type of every error (RFC 9457).
const mimeProblem = "application/problem+json"

// problem turns an error of a port into the answer that the client gets. It is
// the only place that knows which error means which status. What is not known
// here is "internal error" to the client and goes whole to the log.
func (a *API) problem(ctx context.Context, operation string, err error) error {
	var (
		status  huma.StatusError
		invalid *registry.Invalid
	)
	switch {
	case errors.As(err, &status):
		return status
	case errors.As(err, &invalid):
		return unprocessable(invalid.Problems)
	case errors.Is(err, registry.ErrNotFound), errors.Is(err, quarantine.ErrNotFound), errors.Is(err, ErrUnknownJob), errors.Is(err, ledger.ErrNoSheet):
		return huma.Error404NotFound(err.Error())
	case errors.Is(err, registry.ErrExists), errors.Is(err, registry.ErrConflict), errors.Is(err, ErrJobRunning), errors.Is(err, ErrNotReplayable):
		return huma.Error409Conflict(err.Error())
	case errors.Is(err, telemetry.ErrUnknownField), errors.Is(err, telemetry.ErrNotNumeric):
		return badParameter("query.fields", err.Error(), nil)
	case errors.Is(err, telemetry.ErrBadQuery):
		return huma.Error422UnprocessableEntity(err.Error())
	case errors.Is(err, telemetry.ErrUnavailable):
		a.opts.Log.WarnContext(ctx, "store unavailable", "operation", operation, "err", err)
		return unavailable("the store can't be reached; try again", retryAfter(err))
	case errors.Is(err, registry.ErrUnavailable), errors.Is(err, ledger.ErrUnavailable):
		a.opts.Log.WarnContext(ctx, "database unavailable", "operation", operation, "err", err)
		return unavailable("the database can't be reached; try again", retryAfter(err))
	case errors.Is(err, registry.ErrVersion):
		return huma.Error412PreconditionFailed(err.Error())
	case errors.Is(err, telemetry.ErrClosed), errors.Is(err, context.Canceled):
		return unavailable("the server is stopping", time.Second)
	case errors.Is(err, context.DeadlineExceeded):
		a.opts.Log.WarnContext(ctx, "request timed out", "operation", operation, "err", err)
		return unavailable("the request took too long; narrow it", time.Second)
	}
	a.opts.Log.ErrorContext(ctx, "request failed", "operation", operation, "err", err)
	return huma.Error500InternalServerError("internal error")
}

// badParameter is a 422 that names the parameter: query.every, body.name.
func badParameter(location, detail string, value any) huma.StatusError {
	return huma.Error422UnprocessableEntity("validation failed",
		&huma.ErrorDetail{Location: location, Message: detail, Value: value})
}

// unprocessable is a 422 that names each property of the body at fault.
func unprocessable(problems []registry.Problem) huma.StatusError {
	details := make([]error, len(problems))
	for i, p := range problems {
		details[i] = &huma.ErrorDetail{Location: "body." + p.Field, Message: p.Detail}
	}
	return huma.Error422UnprocessableEntity("validation failed", details...)
}

// unavailable is a 503 that says when to come back.
func unavailable(detail string, after time.Duration) huma.StatusError {
	return &retryable{
		ErrorModel: huma.ErrorModel{
			Status: http.StatusServiceUnavailable, Title: http.StatusText(http.StatusServiceUnavailable), Detail: detail,
		},
		headers: http.Header{fiber.HeaderRetryAfter: {seconds(after)}},
	}
}

// seconds is a wait as the header Retry-After has it.
func seconds(wait time.Duration) string { return strconv.Itoa(max(1, int(math.Ceil(wait.Seconds())))) }

// retryable is a problem with the Retry-After header.
type retryable struct {
	huma.ErrorModel
	headers http.Header
}

// GetHeaders makes huma send the header.
func (r *retryable) GetHeaders() http.Header { return r.headers }

// retryAfter is the store's own advice, or five seconds.
func retryAfter(err error) time.Duration {
	var advice *telemetry.RetryAfter
	if errors.As(err, &advice) && advice.After > 0 {
		return advice.After
	}
	return 5 * time.Second
}

// failed answers for everything that did not come to an operation: no such
// route or method, a request that HTTP itself refuses, a panic.
func (a *API) failed(c *fiber.Ctx, err error) error {
	secure(c)
	c.Response().ResetBody()
	var fiberErr *fiber.Error
	if !errors.As(err, &fiberErr) {
		var status huma.StatusError
		if !errors.As(a.problem(c.UserContext(), c.Method()+" "+c.Route().Path, err), &status) {
			status = huma.Error500InternalServerError("internal error")
		}
		return writeProblem(c, status.GetStatus(), status.Error())
	}
	if fiberErr.Code == http.StatusMethodNotAllowed {
		c.Append(fiber.HeaderAllow, fiber.MethodOptions)
		if c.Method() == fiber.MethodOptions {
			return c.SendStatus(http.StatusNoContent)
		}
	}
	return writeProblem(c, fiberErr.Code, refusal(fiberErr.Code))
}

// refusal says what a status below the operations means. The text of the
// server's own error is not used: it may quote the request, key included.
func refusal(status int) string {
	switch status {
	case http.StatusNotFound:
		return "no such route; see /openapi.json"
	case http.StatusMethodNotAllowed:
		return "the route does not have this method; see the Allow header"
	case http.StatusRequestEntityTooLarge:
		return fmt.Sprintf("the body is larger than %d bytes, or %d of a file that is imported; such a file may be gzip", maxBody, maxImport)
	case http.StatusRequestHeaderFieldsTooLarge:
		return "the request's headers are too large"
	case http.StatusRequestTimeout:
		return "the request did not arrive in time"
	}
	return "the request can't be read as HTTP"
}

// writeProblem writes a problem outside of an operation.
func writeProblem(c *fiber.Ctx, status int, detail string) error {
	body, err := json.Marshal(&huma.ErrorModel{Status: status, Title: http.StatusText(status), Detail: detail})
	if err != nil {
		return fmt.Errorf("encode problem: %w", err)
	}
	c.Set(fiber.HeaderContentType, mimeProblem)
	return c.Status(status).Send(body)
}

// maxEcho bounds in bytes how much of a wrong value is sent back.
const maxEcho = 100

// trimValues keeps problems small: a wrong value is echoed only where it is a
// short scalar, never the body it stands in.
func trimValues(_ huma.Context, _ string, v any) (any, error) {
	model, ok := v.(*huma.ErrorModel)
	if !ok {
		return v, nil
	}
	for _, d := range model.Errors {
		switch value := d.Value.(type) {
		case nil, bool, int64, uint64:
		case float64:
			if math.IsNaN(value) || math.IsInf(value, 0) {
				d.Value = nil // JSON has no such number
			}
		case string:
			if len(value) > maxEcho || d.Location == "body" {
				d.Value = nil
			}
		default:
			d.Value = nil
		}
	}
	return v, nil
}
