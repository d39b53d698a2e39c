package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

type eventsInput struct {
	DevicePath
	Interval
	Page
	Types []string `query:"type" doc:"comma-separated event types: swap.completed,fault.opened; default: all"`
}

// Event is something that happened to a device.
type Event struct {
	ID   string          `json:"id"`
	TS   Time            `json:"ts"`
	Type string          `json:"type"`
	Data json.RawMessage `json:"data" doc:"the event as the device sent it"`
}

func (a *API) routeEvents(kind devices.Kind) {
	add(a, operation{
		right: access.Read, id: "list-" + string(kind) + "-events", method: http.MethodGet, path: "/" + kind.Plural() + "/{id}/events", tag: kind.Plural(),
		summary: "Events by time", notes: "Without from and to, all that are kept.",
		errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *eventsInput) (*listOutput[Event], error) {
		return a.events(ctx, devices.Ref{Kind: kind, ID: in.ID}, in)
	})
}

func (a *API) events(ctx context.Context, ref devices.Ref, in *eventsInput) (*listOutput[Event], error) {
	window, err := in.open()
	if err != nil {
		return nil, err
	}
	if err := a.exists(ctx, ref); err != nil {
		return nil, err
	}
	events, total, err := a.opts.Events.Events(ctx, ledger.EventQuery{
		Kind: ref.Kind, Device: ref.ID, Types: in.Types, Window: window, Limit: in.Limit, Offset: in.Offset,
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	views := make([]Event, len(events))
	for i, e := range events {
		views[i] = viewEvent(e)
	}
	return list(in.Page, views, total), nil
}

// viewEvent shows an event; data that is no JSON, which the wire contract does
// not let in, is null rather than an answer that can't be read.
func viewEvent(e telemetry.Event) Event {
	view := Event{ID: e.ID, TS: Time(e.TS), Type: e.Type, Data: json.RawMessage("null")}
	if json.Valid(e.Data) {
		view.Data = e.Data
	}
	return view
}
