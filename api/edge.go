package api

import (
	"fmt"
	"log/slog"
	"net/url"
	"runtime/debug"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"
)

// edge is the outermost layer of a request: response headers, the request's
// context, the log line, and the last stop of a panic.
func (a *API) edge(c *fiber.Ctx) error {
	start := a.opts.Now()
	secure(c)
	c.SetUserContext(a.base)
	err := a.recovered(c)
	if err == nil {
		err = a.delivery.send(c)
	}
	if err != nil {
		err = a.failed(c, err)
	}
	a.opts.Log.Debug("request",
		"method", c.Method(), "path", c.Path(), "status", c.Response().StatusCode(),
		"bytes", bodyBytes(c), "duration", a.opts.Now().Sub(start))
	return err
}

// recovered runs the rest of the chain and turns a panic into an error.
func (a *API) recovered(c *fiber.Ctx) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = &panicked{value: p, stack: debug.Stack()}
		}
	}()
	uri, err := url.ParseRequestURI(string(c.Request().RequestURI()))
	if err != nil {
		return huma.Error400BadRequest("the request URI can't be parsed")
	}
	if !storableURI(c, uri) {
		return huma.Error400BadRequest("the request URI holds control characters, or text that is not UTF-8")
	}
	if c.Get(fiber.HeaderContentEncoding) != "" {
		// Fiber would unpack the body without a bound.
		return huma.Error415UnsupportedMediaType("request bodies must not be compressed")
	}
	if isJSON(c) && !storableJSON(c.Body()) {
		return huma.Error400BadRequest("the body holds the character U+0000, or text that is not UTF-8")
	}
	return c.Next()
}

// panicked is a panic of a handler.
type panicked struct {
	value any
	stack []byte
}

func (p *panicked) Error() string { return fmt.Sprintf("panic: %v", p.value) }

// LogValue keeps the stack for the log alone.
func (p *panicked) LogValue() slog.Value {
	return slog.GroupValue(slog.String("panic", fmt.Sprint(p.value)), slog.String("stack", string(p.stack)))
}

// secure sets the headers that every answer carries. A page overrides the
// content security policy with its own.
func secure(c *fiber.Ctx) {
	c.Set(fiber.HeaderXContentTypeOptions, "nosniff")
	c.Set(fiber.HeaderXFrameOptions, "DENY")
	c.Set(fiber.HeaderReferrerPolicy, "no-referrer")
	c.Set(fiber.HeaderCacheControl, "no-store")
	c.Set("Cross-Origin-Resource-Policy", "same-origin")
	c.Set(fiber.HeaderContentSecurityPolicy, "default-src 'none'; frame-ancestors 'none'")
}
