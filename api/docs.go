package api

import (
	"embed"
	"encoding/json"
	"fmt"
	"path"

	"github.com/gofiber/fiber/v2"
)

// docsFiles are a page that renders /openapi.json without the internet.
//
//go:embed docs
var docsFiles embed.FS

// docsPolicy lets the page load its own script and style, and nothing else.
const docsPolicy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// serveDocs registers the OpenAPI document, which must be complete by now, and
// the page that shows it.
func (a *API) serveDocs() error {
	if err := exemplify(a.huma.OpenAPI()); err != nil {
		return err
	}
	spec, err := json.Marshal(a.huma.OpenAPI())
	if err != nil {
		return fmt.Errorf("encode OpenAPI document: %w", err)
	}
	a.app.Get("/openapi.json", static(spec, fiber.MIMEApplicationJSON))
	events, err := asyncAPI(a.opts.Schema, a.opts.Version)
	if err != nil {
		return fmt.Errorf("encode AsyncAPI document: %w", err)
	}
	a.app.Get("/asyncapi.json", static(events, fiber.MIMEApplicationJSON))
	for route, file := range map[string]struct{ name, mime string }{
		"/docs":          {"index.html", fiber.MIMETextHTMLCharsetUTF8},
		"/docs/docs.js":  {"docs.js", fiber.MIMETextJavaScriptCharsetUTF8},
		"/docs/docs.css": {"docs.css", "text/css; charset=utf-8"},
	} {
		content, err := docsFiles.ReadFile(path.Join("docs", file.name))
		if err != nil {
			return fmt.Errorf("read documentation page: %w", err)
		}
		a.app.Get(route, static(content, file.mime))
	}
	return nil
}

// static answers with content, which may be kept by caches that ask first.
func static(content []byte, mime string) fiber.Handler {
	return func(c *fiber.Ctx) error {
		c.Set(fiber.HeaderContentType, mime)
		c.Set(fiber.HeaderCacheControl, "no-cache")
		c.Set(fiber.HeaderContentSecurityPolicy, docsPolicy)
		return c.Send(content)
	}
}
