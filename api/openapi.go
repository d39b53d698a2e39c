package api

import (
	"context"
	"net/http"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

const prefix = "/api/v1"

// humaConfig describes the document and turns off what huma would serve by
// itself: its documentation page loads scripts from elsewhere, and its OpenAPI
// handler fills a cache without a lock.
func humaConfig(version string) huma.Config {
	config := huma.DefaultConfig("fleetwatt", version)
	config.OpenAPIPath, config.DocsPath, config.SchemasPath = "", "", ""
	asJSON := jsonFormat()
	config.Formats = map[string]huma.Format{"application/json": asJSON, "json": asJSON}
	config.CreateHooks = nil // no $schema property in answers
	config.Transformers = []huma.Transformer{trimValues}
	config.Info.Description = "Telemetry of swap stations, batteries and buildings, and what follows from it. " +
		"Times are RFC 3339 in UTC, intervals are half-open, errors are RFC 9457 problems."
	config.Components.SecuritySchemes = map[string]*huma.SecurityScheme{
		securityScheme: {Type: "http", Scheme: "bearer", Description: "the admin key"},
	}
	return config
}

// operation is one route as this package declares it.
type operation struct {
	id      string // unique; names the route in logs and clients
	method  string
	path    string // below /api/v1, or absolute where public
	tag     string
	summary string
	notes   string       // what a caller must know beyond the summary
	status  int          // of success; 0: 200, or 204 without a body
	errors  []int        // beyond 401, 403, 422, 429, 500 and 503
	public  bool         // answers without a key
	right   access.Right // what a caller needs; nothing: to be an administrator
	patient bool         // may outlast the request timeout
	file    bool         // takes a body of up to maxImport

	parameters []*huma.Param              // beyond those of the input
	content    map[string]*huma.MediaType // of success; nil: as the output says
}

// What permit reads of an operation; the document does not have it.
const (
	metaPublic = "public"
	metaRight  = "right"
)

// add registers an operation: it bounds the handler's time and turns its error
// into a problem.
func add[I, O any](a *API, op operation, handler func(context.Context, *I) (*O, error)) {
	if op.file {
		a.imports = append(a.imports, strings.Split(prefix+op.path, "/"))
	}
	huma.Register(a.huma, op.huma(), func(ctx context.Context, in *I) (*O, error) {
		if !op.patient {
			var cancel context.CancelFunc
			ctx, cancel = context.WithTimeout(ctx, a.opts.RequestTimeout)
			defer cancel()
		}
		out, err := handler(registry.WithActor(ctx, access.From(ctx).Name), in)
		if err != nil {
			return nil, a.problem(ctx, op.id, err)
		}
		return out, nil
	})
}

func (op operation) huma() huma.Operation {
	out := huma.Operation{
		OperationID: op.id, Method: op.method, Path: op.path, Tags: []string{op.tag},
		Summary: op.summary, Description: op.notes, DefaultStatus: op.status,
		MaxBodyBytes: maxBody + 1,                                                     // the server's own limit answers first
		Errors:       append(slices.Clone(op.errors), http.StatusUnprocessableEntity), // of unknown parameters
		Parameters:   op.parameters,
	}
	if op.file {
		out.MaxBodyBytes = maxImport + 1
	}
	if op.method == http.MethodPost && !op.public {
		out.Parameters = append(slices.Clone(out.Parameters), keyParameter())
	}
	if op.content != nil {
		out.Responses = map[string]*huma.Response{"200": {Content: op.content}}
	}
	out.Metadata = map[string]any{metaPublic: op.public, metaRight: op.right}
	if !op.public {
		out.Path = prefix + op.path
		out.Security = []map[string][]string{{securityScheme: {}}}
		out.Errors = append(out.Errors, http.StatusUnauthorized, http.StatusForbidden, http.StatusTooManyRequests, http.StatusServiceUnavailable)
	}
	return out
}
