package api

import (
	"context"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// AssetView is what stations, batteries and buildings have in common.
type AssetView struct {
	ID           string `json:"id"`
	OwnerID      string `json:"owner_id,omitempty" doc:"absent: unclaimed"`
	SiteID       string `json:"site_id,omitempty"`
	Name         string `json:"name,omitempty"`
	Serial       string `json:"serial,omitempty"`
	Status       string `json:"status" enum:"unclaimed,active,retired"`
	Gateway      string `json:"gateway,omitempty" doc:"kind/id of the device that may publish for it"`
	Commissioned *Time  `json:"commissioned,omitempty"`
	CreatedAt    Time   `json:"created_at"`
	UpdatedAt    Time   `json:"updated_at"`
	Since        *Time  `json:"owner_since,omitempty" doc:"since when the owner has had it; absent: from the beginning"`
	Record
	Telemetry *Extent `json:"telemetry,omitempty" doc:"the days between which there are results; absent without any"`
}

// Extent is the first day with data and the end of the last, in UTC.
type Extent struct {
	From Time `json:"from"`
	To   Time `json:"to"`
}

// NewAsset is what a client may say of any device that it registers.
type NewAsset struct {
	ID           string     `json:"id" doc:"1–64 of A-Za-z0-9._:-"`
	OwnerID      string     `json:"owner_id,omitempty"`
	Since        *time.Time `json:"owner_since,omitempty" doc:"from when on the owner has had it; absent: from the beginning"`
	SiteID       string     `json:"site_id,omitempty"`
	Name         string     `json:"name,omitempty"`
	Serial       string     `json:"serial,omitempty"`
	Status       string     `json:"status,omitempty" enum:"unclaimed,active,retired" doc:"default: active with an owner, unclaimed without"`
	Gateway      string     `json:"gateway,omitempty" doc:"kind/id of the device that may publish for it"`
	Commissioned *time.Time `json:"commissioned,omitempty"`
}

// AssetPatch changes what all devices have in common.
type AssetPatch struct {
	OwnerID      Optional[string]    `json:"owner_id,omitempty"`
	Since        Optional[time.Time] `json:"owner_since,omitempty" doc:"from when on the owner has had it; absent: a new owner from now on"`
	SiteID       Optional[string]    `json:"site_id,omitempty"`
	Name         Optional[string]    `json:"name,omitempty"`
	Serial       Optional[string]    `json:"serial,omitempty"`
	Status       Optional[string]    `json:"status,omitempty"`
	Gateway      Optional[string]    `json:"gateway,omitempty"`
	Commissioned Optional[time.Time] `json:"commissioned,omitempty"`
}

type devicesInput struct {
	Page
	OwnerID string `query:"owner_id" maxLength:"64" doc:"only what this owner owns"`
	SiteID  string `query:"site_id" maxLength:"64" doc:"only what stands on this site"`
	Status  string `query:"status" enum:"unclaimed,active,retired" doc:"only devices of this status"`
	Deleted bool   `query:"deleted" doc:"those that are deleted too"`
}

func (in *devicesInput) narrow() (Page, registry.Filter) {
	return in.Page, registry.Filter{OwnerID: in.OwnerID, SiteID: in.SiteID, Status: devices.Status(in.Status), Deleted: in.Deleted}
}

func viewAsset(d devices.Asset, extents map[string]telemetry.Window) AssetView {
	view := AssetView{
		ID: d.ID, OwnerID: d.OwnerID, SiteID: d.SiteID, Name: d.Name, Serial: d.Serial, Status: string(d.Status),
		Gateway: d.Gateway, Commissioned: timePtr(d.Commissioned), CreatedAt: timeOf(d.CreatedAt), UpdatedAt: timeOf(d.UpdatedAt),
		Since: timePtr(d.OwnerSince), Record: recordOf(d.Record),
	}
	if w, ok := extents[d.ID]; ok {
		view.Telemetry = &Extent{From: Time(w.From), To: Time(w.To)}
	}
	return view
}

func (n NewAsset) asset() devices.Asset {
	return devices.Asset{
		ID: n.ID, OwnerID: n.OwnerID, SiteID: n.SiteID, Name: n.Name, Serial: n.Serial,
		OwnerSince: n.Since,
		Status:     devices.Status(n.Status), Gateway: n.Gateway, Commissioned: n.Commissioned,
	}
}

func (p AssetPatch) merge(m *merge) registry.AssetPatch {
	return registry.AssetPatch{
		OwnerSince: keep(m, "owner_since", p.Since),
		OwnerID:    p.OwnerID.pointer(), SiteID: p.SiteID.pointer(), Name: p.Name.pointer(), Serial: p.Serial.pointer(),
		Status:  (*devices.Status)(keep(m, "status", p.Status)),
		Gateway: p.Gateway.pointer(), Commissioned: keep(m, "commissioned", p.Commissioned),
	}
}

// viewsOf shows a page of devices with the days that they have data for, which
// are asked for once.
func viewsOf[E, V any](a *API, kind devices.Kind, view func(E, map[string]telemetry.Window) V) func(context.Context, []E) ([]V, error) {
	return func(ctx context.Context, of []E) ([]V, error) {
		if len(of) == 0 {
			return nil, nil
		}
		extents, err := a.extents(ctx, kind)
		if err != nil {
			return nil, err
		}
		return eachOf(func(e E) V { return view(e, extents) })(ctx, of)
	}
}

// exists is registry.ErrNotFound for a device that nobody registered.
func (a *API) exists(ctx context.Context, ref devices.Ref) error {
	_, err := assetOf(ctx, a.opts.Registry, ref)
	return err
}

// assetOf is a device of any kind, whether or not it is deleted. Error:
// registry.ErrNotFound.
func assetOf(ctx context.Context, from Registry, ref devices.Ref) (devices.Asset, error) {
	switch ref.Kind {
	case devices.KindStation:
		d, err := from.GetStation(ctx, ref.ID)
		return d.Asset, err
	case devices.KindBattery:
		d, err := from.GetBattery(ctx, ref.ID)
		return d.Asset, err
	case devices.KindBuilding:
		d, err := from.GetBuilding(ctx, ref.ID)
		return d.Asset, err
	}
	return devices.Asset{}, fmt.Errorf("kind %q: %w", ref.Kind, registry.ErrNotFound)
}
