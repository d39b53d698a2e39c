package api

import (
	"context"
	"encoding/json"
	"net/http"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// AuditEntry is one change of the registry: who made it, when, and what was
// before and after.
type AuditEntry struct {
	ID     int64           `json:"id"`
	At     Time            `json:"at"`
	Actor  string          `json:"actor" doc:"name of the caller; system: nobody asked for it"`
	Action string          `json:"action" enum:"create,update,delete,restore,enroll,grant,revoke"`
	Kind   string          `json:"kind" enum:"owner,site,station,battery,building,credential,certificate,key"`
	Object string          `json:"object" doc:"id; of a credential or certificate kind/id of its device; of a key its prefix"`
	Before json.RawMessage `json:"before,omitempty" doc:"absent: there was nothing"`
	After  json.RawMessage `json:"after,omitempty" doc:"absent: there is nothing"`
}

type auditInput struct {
	Page
	Kind   string    `query:"kind" enum:"owner,site,station,battery,building,credential,certificate,key"`
	Object string    `query:"object" maxLength:"80" doc:"only changes of this object"`
	Actor  string    `query:"actor" maxLength:"256" doc:"only changes that this caller made"`
	Action string    `query:"action" enum:"create,update,delete,restore,enroll,grant,revoke"`
	From   time.Time `query:"from" doc:"only changes from then on"`
	To     time.Time `query:"to" doc:"only changes before then"`
}

// window is the time asked for; open at an end that is not given.
func (in *auditInput) window() telemetry.Window {
	if in.From.IsZero() && in.To.IsZero() {
		return telemetry.Window{}
	}
	w := telemetry.Window{From: 0, To: 1 << 53}
	if !in.From.IsZero() {
		w.From = in.From.UnixMilli()
	}
	if !in.To.IsZero() {
		w.To = in.To.UnixMilli()
	}
	return w
}

func (a *API) routeHistory() {
	add(a, operation{
		id: "list-changes", method: http.MethodGet, path: "/audit", tag: "audit", summary: "Who changed what in the registry, the newest first",
	}, a.listChanges)
	for _, kind := range devices.Kinds() {
		a.routeOwnersOf(string(kind), kind.Plural())
	}
	a.routeOwnersOf(registry.KindSite, "sites")
	add(a, operation{
		id: "list-owner-assets", method: http.MethodGet, path: "/owners/{id}/assets", tag: "owners", right: access.Read,
		summary: "What an owner owned, and when",
		errors:  []int{http.StatusNotFound},
	}, a.listOwnerAssets)
}

func (a *API) listChanges(ctx context.Context, in *auditInput) (*listOutput[AuditEntry], error) {
	changes, total, err := a.opts.Registry.Changes(ctx, registry.ChangeFilter{
		Kind: in.Kind, ObjectID: in.Object, Actor: in.Actor, Action: registry.Action(in.Action),
		Window: in.window(), Limit: in.Limit, Offset: in.Offset,
	})
	if err != nil {
		return nil, err
	}
	views := make([]AuditEntry, len(changes))
	for i, c := range changes {
		views[i] = AuditEntry{
			ID: c.ID, At: timeOf(c.At), Actor: c.Actor, Action: string(c.Action), Kind: c.Kind, Object: c.ObjectID,
			Before: c.Before, After: c.After,
		}
	}
	return list(in.Page, views, total), nil
}

// Ownership is a time in which an asset had one owner.
type Ownership struct {
	Kind    string `json:"kind" enum:"station,battery,building,site"`
	ID      string `json:"id"`
	OwnerID string `json:"owner_id"`
	From    *Time  `json:"from,omitempty" doc:"absent: from the beginning"`
	To      *Time  `json:"to,omitempty" doc:"exclusive; absent: to this day"`
}

func viewOwnership(o registry.Ownership) Ownership {
	end := func(ms int64) *Time {
		if ms == 0 {
			return nil
		}
		t := Time(ms)
		return &t
	}
	return Ownership{Kind: o.Kind, ID: o.ID, OwnerID: o.OwnerID, From: end(o.From), To: end(o.To)}
}

// routeOwnersOf registers who owned an asset of the kind.
func (a *API) routeOwnersOf(kind, many string) {
	add(a, operation{
		id: "list-" + kind + "-owners", method: http.MethodGet, path: "/" + many + "/{id}/owners", tag: many, right: access.Read,
		summary: "Who owned it, and when", errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *DevicePath) (*itemOutput[items[Ownership]], error) {
		var err error
		if kind == registry.KindSite {
			_, err = a.opts.Registry.GetSite(ctx, in.ID)
		} else {
			err = a.exists(ctx, devices.Ref{Kind: devices.Kind(kind), ID: in.ID})
		}
		if err != nil {
			return nil, err
		}
		return a.ownerships(ctx, registry.OwnershipFilter{Kind: kind, ID: in.ID})
	})
}

type ownerAssetsInput struct {
	DevicePath
	Kind string    `query:"kind" enum:"station,battery,building,site"`
	From time.Time `query:"from" doc:"owned at some time from then on"`
	To   time.Time `query:"to" doc:"owned at some time before then"`
}

func (a *API) listOwnerAssets(ctx context.Context, in *ownerAssetsInput) (*itemOutput[items[Ownership]], error) {
	if _, err := a.opts.Registry.GetOwner(ctx, in.ID); err != nil {
		return nil, err
	}
	window := (&auditInput{From: in.From, To: in.To}).window()
	return a.ownerships(ctx, registry.OwnershipFilter{OwnerID: in.ID, Kind: in.Kind, Window: window})
}

func (a *API) ownerships(ctx context.Context, f registry.OwnershipFilter) (*itemOutput[items[Ownership]], error) {
	found, err := a.opts.Registry.Ownerships(ctx, f)
	if err != nil {
		return nil, err
	}
	out := &itemOutput[items[Ownership]]{}
	out.Body.Items = make([]Ownership, len(found))
	for i, o := range found {
		out.Body.Items[i] = viewOwnership(o)
	}
	return out, nil
}
