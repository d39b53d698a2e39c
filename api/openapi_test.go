package api

import (
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/gofiber/fiber/v2"
)

// document is the part of an OpenAPI document that the tests look at.
type document struct {
	OpenAPI string                          `json:"openapi"`
	Paths   map[string]map[string]specified `json:"paths"`

	Components struct {
		Schemas         map[string]any `json:"schemas"`
		SecuritySchemes map[string]any `json:"securitySchemes"`
	} `json:"components"`
}

type specified struct {
	OperationID string                `json:"operationId"`
	Summary     string                `json:"summary"`
	Security    []map[string][]string `json:"security"`
	Parameters  []struct {
		Name   string         `json:"name"`
		In     string         `json:"in"`
		Schema map[string]any `json:"schema"`
	} `json:"parameters"`
	RequestBody any `json:"requestBody"`
	Responses   map[string]struct {
		Content map[string]struct {
			Schema map[string]any `json:"schema"`
		} `json:"content"`
	} `json:"responses"`
}

func (s *server) document() document {
	s.t.Helper()
	var doc document
	a := s.send(http.MethodGet, "/openapi.json", "", nil)
	if a.status != http.StatusOK {
		s.t.Fatalf("openapi.json: got %d %s", a.status, a.body)
	}
	a.into(s.t, &doc)
	return doc
}

// each calls f for each operation, sorted by path and method.
func (d document) each(f func(method, path string, op specified)) {
	for _, path := range slices.Sorted(maps.Keys(d.Paths)) {
		for _, method := range slices.Sorted(maps.Keys(d.Paths[path])) {
			f(strings.ToUpper(method), path, d.Paths[path][method])
		}
	}
}

var pathParameter = regexp.MustCompile(`\{([^}]+)\}`)

func TestOpenAPIDocument(t *testing.T) {
	s := start(t)
	doc := s.document()
	if doc.OpenAPI != "3.1.0" {
		t.Errorf("openapi: got %q, want 3.1.0", doc.OpenAPI)
	}
	if doc.Components.SecuritySchemes[securityScheme] == nil {
		t.Errorf("no security scheme %q", securityScheme)
	}
	seen := map[string]bool{}
	doc.each(func(method, path string, op specified) {
		name := method + " " + path
		if op.OperationID == "" || seen[op.OperationID] {
			t.Errorf("%s: operationId %q is empty or not unique", name, op.OperationID)
		}
		seen[op.OperationID] = true
		if op.Summary == "" {
			t.Errorf("%s: no summary", name)
		}
		if guarded := strings.HasPrefix(path, prefix); guarded != (len(op.Security) == 1) {
			t.Errorf("%s: security %v, want it exactly below %s", name, op.Security, prefix)
		}
		var declared []string
		for _, p := range op.Parameters {
			if p.Schema == nil {
				t.Errorf("%s: parameter %s has no schema", name, p.Name)
			}
			if p.In == "path" {
				declared = append(declared, p.Name)
			}
		}
		for _, m := range pathParameter.FindAllStringSubmatch(path, -1) {
			if !slices.Contains(declared, m[1]) {
				t.Errorf("%s: path parameter %s is not declared", name, m[1])
			}
		}
		checkResponses(t, name, op)
	})
	checkRefs(t, doc)
}

func checkResponses(t *testing.T, name string, op specified) {
	t.Helper()
	failures, successes := 0, 0
	for status, r := range op.Responses {
		if strings.HasPrefix(status, "2") {
			successes++
			continue
		}
		failures++
		if r.Content[mimeProblem].Schema["$ref"] != "#/components/schemas/ErrorModel" {
			t.Errorf("%s %s: got %v, want a problem", name, status, r.Content)
		}
	}
	if failures == 0 || successes == 0 {
		t.Errorf("%s: got %d successes and %d failures, want some of each", name, successes, failures)
	}
	if len(op.Security) > 0 {
		if _, ok := op.Responses["401"]; !ok {
			t.Errorf("%s: no 401", name)
		}
	}
}

// checkRefs follows every $ref of the document.
func checkRefs(t *testing.T, doc document) {
	t.Helper()
	var follow func(v any)
	follow = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if ref, ok := v["$ref"].(string); ok {
				name, local := strings.CutPrefix(ref, "#/components/schemas/")
				if !local || doc.Components.Schemas[name] == nil {
					t.Errorf("$ref %s leads nowhere", ref)
				}
			}
			for _, child := range v {
				follow(child)
			}
		case []any:
			for _, child := range v {
				follow(child)
			}
		}
	}
	for _, schema := range doc.Components.Schemas {
		follow(schema)
	}
	doc.each(func(_, _ string, op specified) {
		follow(op.RequestBody)
		for _, r := range op.Responses {
			for _, c := range r.Content {
				follow(c.Schema)
			}
		}
	})
}

func TestEveryGuardedRouteIsDocumented(t *testing.T) {
	s := start(t)
	doc := s.document()
	colon := regexp.MustCompile(`:([a-z]+)`)
	n := 0
	for _, r := range s.api.App().GetRoutes(true) {
		if !strings.HasPrefix(r.Path, prefix) || r.Method == fiber.MethodHead {
			continue
		}
		n++
		path := colon.ReplaceAllString(r.Path, "{$1}")
		if _, ok := doc.Paths[path][strings.ToLower(r.Method)]; !ok {
			t.Errorf("%s %s is served but not documented", r.Method, path)
		}
	}
	if n < 40 {
		t.Errorf("got %d routes, want all of them", n)
	}
}

func TestDocsPageStandsAlone(t *testing.T) {
	s := start(t)
	policy := regexp.MustCompile(`default-src 'none'`)
	for path, mime := range map[string]string{
		"/docs": "text/html", "/docs/docs.js": "text/javascript", "/docs/docs.css": "text/css",
	} {
		a := s.send(http.MethodGet, path, "", nil)
		if a.status != http.StatusOK || !strings.HasPrefix(a.header.Get("Content-Type"), mime) {
			t.Errorf("%s: got %d %s, want 200 %s", path, a.status, a.header.Get("Content-Type"), mime)
		}
		if got := a.header.Get("Content-Security-Policy"); !policy.MatchString(got) || strings.Contains(got, "unsafe") {
			t.Errorf("%s: Content-Security-Policy %q", path, got)
		}
		if strings.Contains(a.body, "://") {
			t.Errorf("%s refers to another host", path)
		}
		if strings.Contains(a.body, "innerHTML") {
			t.Errorf("%s writes markup from the document", path)
		}
	}
}
