package api

import (
	"net/http"
	"slices"

	"github.com/danielgtaylor/huma/v2"
)

// refuseUnknown answers 422 to query parameters that the document does not have.
// huma's own check knows those of the input struct alone, not the filters of a
// table.
func refuseUnknown(api huma.API) func(huma.Context, func(huma.Context)) {
	return func(ctx huma.Context, next func(huma.Context)) {
		target := ctx.URL()
		if target.RawQuery == "" {
			next(ctx)
			return
		}
		var wrong []error
		for name := range target.Query() {
			if !slices.ContainsFunc(ctx.Operation().Parameters, func(p *huma.Param) bool { return p.In == "query" && p.Name == name }) {
				wrong = append(wrong, &huma.ErrorDetail{Location: "query." + name, Message: "unknown query parameter"})
			}
		}
		if len(wrong) == 0 {
			next(ctx)
			return
		}
		// What can go wrong here is the writing to a client that has gone.
		_ = huma.WriteErr(api, ctx, http.StatusUnprocessableEntity, "validation failed", wrong...)
	}
}
