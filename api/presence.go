package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest/presence"
)

type presenceInput struct {
	Page
	Kind  string `query:"kind" enum:"battery,building,station" doc:"only devices of this kind"`
	State string `query:"state" enum:"online,stale,offline,never" doc:"only devices in this state"`
}

// DevicePresence is whether a device is there. What did not happen yet is absent.
type DevicePresence struct {
	Kind             string         `json:"kind" enum:"battery,building,station"`
	ID               string         `json:"id"`
	State            string         `json:"state" enum:"online,stale,offline,never" doc:"stale: there, but nothing was measured lately; offline: reported gone, or silent for longer than it ever is; never: not heard yet"`
	FirstSeen        *Time          `json:"first_seen,omitempty" doc:"when the first message was received"`
	LastSeen         *Time          `json:"last_seen,omitempty" doc:"when the last message was received, by the server's clock"`
	NewestTS         *Time          `json:"newest_ts,omitempty" doc:"time of the newest reading or event"`
	Since            *Time          `json:"since,omitempty" doc:"when the device last came, after it was offline or for the first time"`
	OfflineAt        *Time          `json:"offline_at,omitempty" doc:"when it was last reported offline, by itself or its last will"`
	OfflineAfterSecs float64        `json:"offline_after_s" doc:"silence after which it is offline: configured, or three times its usual pause"`
	Clock            *ClockEstimate `json:"clock,omitempty" doc:"absent: no message carried sent_at"`
}

// ClockEstimate is how far a device's clock is off.
type ClockEstimate struct {
	OffsetMS   int64  `json:"offset_ms" doc:"added to the device's times; negative where its clock is ahead, 0 where it is right within a minute"`
	Since      *Time  `json:"since,omitempty" doc:"when this offset was found; absent: it was never another"`
	ObservedMS *int64 `json:"observed_ms,omitempty" doc:"least difference between arrival and sent_at in the last one to two hours with messages: the clock's error plus the network's delay"`
	Samples    int64  `json:"samples" doc:"records with sent_at since the server started"`
}

// routePresence registers the routes of presence, where it is followed.
func (a *API) routePresence() {
	if a.opts.Presence == nil {
		return
	}
	add(a, operation{
		right: access.Read, id: "list-presence", method: http.MethodGet, path: "/presence", tag: "ingest",
		summary: "Which devices are there, by kind and id",
		notes:   "All that are registered or were heard. State is by time of receipt: a device whose clock is wrong is there nonetheless.",
	}, a.listPresence)
	for _, kind := range devices.Kinds() {
		add(a, operation{
			right: access.Read, id: "get-" + string(kind) + "-presence", method: http.MethodGet, path: "/" + kind.Plural() + "/{id}/presence", tag: kind.Plural(),
			summary: "Whether it is there, and how its clock is", errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *DevicePath) (*itemOutput[DevicePresence], error) {
			ref := devices.Ref{Kind: kind, ID: in.ID}
			if err := a.exists(ctx, ref); err != nil {
				return nil, err
			}
			return &itemOutput[DevicePresence]{Body: viewPresence(a.opts.Presence.Get(ref))}, nil
		})
	}
}

func (a *API) listPresence(ctx context.Context, in *presenceInput) (*listOutput[DevicePresence], error) {
	found, total, err := a.opts.Presence.List(ctx, presence.Filter{
		Kind: devices.Kind(in.Kind), State: presence.State(in.State), Limit: in.Limit, Offset: in.Offset,
	})
	if err != nil {
		return nil, fmt.Errorf("list presence: %w", err)
	}
	views := make([]DevicePresence, len(found))
	for i, p := range found {
		views[i] = viewPresence(p)
	}
	return list(in.Page, views, total), nil
}

func viewPresence(p presence.Presence) DevicePresence {
	view := DevicePresence{
		Kind: string(p.Device.Kind), ID: p.Device.ID, State: string(p.State),
		FirstSeen: since1970(p.First), LastSeen: since1970(p.Last), NewestTS: since1970(p.Newest),
		Since: since1970(p.Since), OfflineAt: since1970(p.Left), OfflineAfterSecs: p.Allowed.Seconds(),
	}
	if c := p.Clock; c != nil {
		view.Clock = &ClockEstimate{OffsetMS: c.OffsetMS, Since: since1970(c.SinceMS), Samples: c.Samples}
		if c.Known {
			view.Clock.ObservedMS = &c.ObservedMS
		}
	}
	return view
}
