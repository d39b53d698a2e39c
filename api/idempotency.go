package api

import (
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

const (
	// headerKey is the client's name for a request that it may repeat.
	headerKey = "Idempotency-Key"
	// headerReplayed marks an answer that was given before.
	headerReplayed = "Idempotent-Replayed"
	maxKeyLength   = 255
)

// Answers keeps the answers to requests that bear a key, for a day.
type Answers interface {
	// BeginAnswer finds the answer; without one the request is to be made.
	// Errors: registry.ErrReused, ErrUnanswered.
	BeginAnswer(context.Context, registry.Request) (a registry.Answer, answered bool, err error)
	KeepAnswer(context.Context, registry.Request, registry.Answer) error
	DropAnswer(context.Context, registry.Request) error
}

// keptHeaders are the headers of an answer that belong to its repetition.
var keptHeaders = [...]string{fiber.HeaderContentType, fiber.HeaderLocation, fiber.HeaderETag}

// keyParameter is the header in the OpenAPI document.
func keyParameter() *huma.Param {
	return &huma.Param{
		Name: headerKey, In: "header", Schema: &huma.Schema{Type: huma.TypeString, MaxLength: new(maxKeyLength)},
		Description: "names the request, so that its repetition within a day gets the same answer and changes nothing; not for requests whose answer holds a secret",
	}
}

// once makes a POST with an Idempotency-Key happen once: its repetition gets
// the answer that it got. Whoever gets an error of the server may repeat it, and
// then it is made.
func (a *API) once(c *fiber.Ctx) error {
	key := c.Get(headerKey)
	if key == "" || c.Method() != fiber.MethodPost {
		return c.Next()
	}
	if len(key) > maxKeyLength {
		return writeProblem(c, http.StatusUnprocessableEntity, "Idempotency-Key: want at most 255 bytes")
	}
	if carriesSecret(c.Path()) {
		return writeProblem(c, http.StatusUnprocessableEntity,
			"Idempotency-Key: the answer holds a secret, which is not kept; leave the header out")
	}
	if !storable(key) {
		return writeProblem(c, http.StatusUnprocessableEntity, "Idempotency-Key: want text without control characters")
	}
	request := requestOf(c, key)
	request.Begun = a.opts.Now()
	answer, answered, err := a.begin(c, request)
	switch {
	case errors.Is(err, registry.ErrReused):
		return writeProblem(c, http.StatusUnprocessableEntity, "Idempotency-Key: "+registry.ErrReused.Error())
	case errors.Is(err, registry.ErrUnanswered):
		c.Set(fiber.HeaderRetryAfter, "1")
		return writeProblem(c, http.StatusConflict, "Idempotency-Key: "+registry.ErrUnanswered.Error())
	case errors.Is(err, registry.ErrUnavailable), errors.Is(err, context.DeadlineExceeded):
		a.opts.Log.Warn("find answer of a request with a key", "path", c.Path(), "err", err)
		c.Set(fiber.HeaderRetryAfter, "5")
		return writeProblem(c, http.StatusServiceUnavailable, "the database can't be reached; nothing was done; try again")
	case err != nil:
		return err
	case answered:
		return again(c, answer)
	}
	return a.answer(c, request)
}

// begin looks for the answer, for a short time: nothing was done yet, and whoever
// asks may ask again.
func (a *API) begin(c *fiber.Ctx, request registry.Request) (registry.Answer, bool, error) {
	ctx, cancel := context.WithTimeout(c.UserContext(), settleTime)
	defer cancel()
	return a.opts.Registry.BeginAnswer(ctx, request)
}

// requestOf is the request, by all that it asks for.
func requestOf(c *fiber.Ctx, key string) registry.Request {
	h := sha256.New()
	p := access.From(c.UserContext())
	// Role and sight are of it: a token of the same subject may bear others later.
	for _, part := range [][]byte{
		[]byte(c.Method()), c.Request().RequestURI(), c.Body(), []byte(p.Role), []byte(p.OwnerID), []byte(deviceName(p.Device)),
	} {
		sum := sha256.Sum256(part)
		_, _ = h.Write(sum[:]) // it never fails
	}
	q := registry.Request{Actor: p.Name, Key: key}
	h.Sum(q.Digest[:0])
	return q
}

// carriesSecret reports whether the answer of a route is shown once.
func carriesSecret(path string) bool {
	path = strings.TrimPrefix(path, prefix)
	return strings.HasPrefix(path, "/keys") || strings.Contains(path, "/credential")
}

// answer makes the request and keeps its answer.
func (a *API) answer(c *fiber.Ctx, request registry.Request) (err error) {
	kept := false
	defer func() {
		if kept {
			return
		}
		// Also after a panic. Whoever comes again finds the request not made.
		a.settle(c, func(ctx context.Context) error { return a.opts.Registry.DropAnswer(ctx, request) })
	}()
	if err := c.Next(); err != nil {
		return err
	}
	status := c.Response().StatusCode()
	if status >= http.StatusInternalServerError || status == http.StatusUnauthorized || status == http.StatusTooManyRequests || c.Response().IsBodyStream() {
		return nil
	}
	headers := map[string]string{}
	for _, name := range keptHeaders {
		if v := c.GetRespHeader(name); v != "" {
			headers[name] = v
		}
	}
	raw, err := json.Marshal(headers)
	if err != nil {
		return err
	}
	kept = true
	a.settle(c, func(ctx context.Context) error {
		return a.opts.Registry.KeepAnswer(ctx, request, registry.Answer{Status: status, Headers: string(raw), Body: c.Response().Body()})
	})
	return nil
}

// settleTime bounds how long it takes to find what came of a request, and to
// write it down. What can't be written by then the registry writes later.
const settleTime = 5 * time.Second

// settle writes down what came of a request. The client gets its answer all the
// same: what was done was done.
func (a *API) settle(c *fiber.Ctx, write func(context.Context) error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(c.UserContext()), settleTime)
	defer cancel()
	if err := write(ctx); err != nil {
		a.opts.Log.Warn("keep answer of a request with a key", "path", c.Path(), "err", err)
	}
}

// again gives an answer that was given before.
func again(c *fiber.Ctx, answer registry.Answer) error {
	var headers map[string]string
	if err := json.Unmarshal([]byte(answer.Headers), &headers); err != nil {
		return err
	}
	for name, v := range headers {
		c.Set(name, v)
	}
	c.Set(headerReplayed, "true")
	return c.Status(answer.Status).Send(answer.Body)
}
