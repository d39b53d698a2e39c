package api

import (
	"context"
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2/middleware/adaptor"
)

type statusOutput struct {
	Body struct {
		Status string `json:"status" enum:"ok"`
	}
}

type readyOutput struct {
	Body struct {
		Status string  `json:"status" enum:"ready"`
		Checks []Check `json:"checks" nullable:"false"`
	}
}

// notReady is a problem that carries the checks (RFC 9457, 3.2).
type notReady struct {
	huma.ErrorModel
	Checks []Check `json:"checks"`
}

func (a *API) routeSystem() {
	add(a, operation{
		id: "get-healthz", method: http.MethodGet, path: "/healthz", tag: "operations", public: true,
		summary: "Whether the process serves",
	}, func(context.Context, *struct{}) (*statusOutput, error) {
		out := &statusOutput{}
		out.Body.Status = "ok"
		return out, nil
	})
	add(a, operation{
		id: "get-readyz", method: http.MethodGet, path: "/readyz", tag: "operations", public: true,
		summary: "Whether everything that the server needs works",
		errors:  []int{http.StatusServiceUnavailable},
	}, a.ready)
	a.app.Get("/metrics", adaptor.HTTPHandler(a.opts.Metrics))
}

func (a *API) ready(ctx context.Context, _ *struct{}) (*readyOutput, error) {
	checks := a.opts.Health.Ready(ctx)
	if !a.fleet.mirror.ready() {
		checks = append(checks, Check{Name: "fleet", Detail: "the batteries are being read"})
	}
	var failing []string
	for _, c := range checks {
		if !c.OK {
			failing = append(failing, c.Name)
		}
	}
	if len(failing) > 0 {
		return nil, &notReady{
			ErrorModel: huma.ErrorModel{
				Status: http.StatusServiceUnavailable,
				Title:  http.StatusText(http.StatusServiceUnavailable),
				Detail: "not ready: " + strings.Join(failing, ", "),
			},
			Checks: checks,
		}
	}
	out := &readyOutput{}
	out.Body.Status = "ready"
	out.Body.Checks = append([]Check{}, checks...)
	return out, nil
}
