package api

import (
	"bytes"
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
)

const (
	mimeHTML     = "text/html; charset=utf-8"
	mimeMarkdown = "text/markdown; charset=utf-8"
)

type reportInput struct {
	BuildingPath
	Format string `query:"format" enum:"html,md" doc:"default: what the Accept header prefers"`

	accept string
}

// Resolve keeps the Accept header.
func (in *reportInput) Resolve(ctx huma.Context) []error {
	in.accept = ctx.Header("Accept")
	return nil
}

func (in *reportInput) markdown() bool {
	if in.Format != "" {
		return in.Format == "md"
	}
	return negotiation.SelectQValue(in.accept, []string{"text/html", "text/markdown"}) == "text/markdown"
}

type reportOutput struct {
	ContentType string `header:"Content-Type"`
	Policy      string `header:"Content-Security-Policy"`
	Body        []byte
}

// reportPolicy lets a page have its own style and nothing else.
const reportPolicy = "default-src 'none'; style-src 'unsafe-inline'"

func (a *API) routeBuildingReport() {
	text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	add(a, operation{
		id: "get-building-report", method: http.MethodGet, path: "/buildings/{id}/savings/report", tag: buildingsTag,
		summary: "The savings of a building as a page to read and check", right: access.Read,
		notes:   "One page of HTML without scripts, or Markdown, by the Accept header. A building whose data does not suffice has a page that says so.",
		errors:  []int{http.StatusNotFound},
		content: map[string]*huma.MediaType{"text/html": text, "text/markdown": text},
	}, a.buildingReport)
}

func (a *API) buildingReport(ctx context.Context, in *reportInput) (*reportOutput, error) {
	if a.opts.BuildingReports == nil {
		return nil, huma.Error404NotFound("this server writes no reports")
	}
	if err := a.buildingExists(ctx, in.ID); err != nil {
		return nil, err
	}
	r, err := a.opts.BuildingReports.Report(ctx, in.ID, a.opts.Now())
	if err != nil {
		return nil, noReport(err)
	}
	var body bytes.Buffer
	out := &reportOutput{ContentType: mimeHTML, Policy: reportPolicy}
	if in.markdown() {
		out.ContentType = mimeMarkdown
		err = report.Markdown(&body, r)
	} else {
		err = report.HTML(&body, r)
	}
	out.Body = body.Bytes()
	return out, err
}
