package api

import (
	"context"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// Owner is a person or company that owns assets.
type Owner struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	CreatedAt Time   `json:"created_at"`
	UpdatedAt Time   `json:"updated_at"`
	Record
}

// Record is what is kept of every entry of the registry.
type Record struct {
	Version   int64 `json:"version" doc:"one more with each change"`
	DeletedAt *Time `json:"deleted_at,omitempty" doc:"absent: it is not deleted"`
}

func recordOf(r devices.Record) Record {
	return Record{Version: r.Version, DeletedAt: timePtr(r.DeletedAt)}
}

// NewOwner is an owner to register.
type NewOwner struct {
	ID   string `json:"id" doc:"1–64 of A-Za-z0-9._:-"`
	Name string `json:"name"`
}

// OwnerPatch changes an owner.
type OwnerPatch struct {
	Name Optional[string] `json:"name,omitempty"`
}

type ownersInput struct {
	Page
	Deleted bool `query:"deleted" doc:"those that are deleted too"`
}

// Site is a place where stations and buildings stand.
type Site struct {
	ID        string   `json:"id"`
	OwnerID   string   `json:"owner_id,omitempty"`
	Name      string   `json:"name"`
	TimeZone  string   `json:"time_zone" doc:"IANA name; decides what a local day is"`
	City      string   `json:"city,omitempty"`
	Latitude  *float64 `json:"latitude,omitempty" doc:"degrees north"`
	Longitude *float64 `json:"longitude,omitempty" doc:"degrees east"`
	CreatedAt Time     `json:"created_at"`
	UpdatedAt Time     `json:"updated_at"`
	Since     *Time    `json:"owner_since,omitempty" doc:"since when the owner has had it; absent: from the beginning"`
	Record
}

// NewSite is a site to register.
type NewSite struct {
	ID        string     `json:"id" doc:"1–64 of A-Za-z0-9._:-"`
	OwnerID   string     `json:"owner_id,omitempty"`
	Name      string     `json:"name"`
	TimeZone  string     `json:"time_zone" doc:"IANA name: Europe/London"`
	City      string     `json:"city,omitempty" doc:"for results by city"`
	Since     *time.Time `json:"owner_since,omitempty" doc:"from when on the owner has had it; absent: from the beginning"`
	Latitude  *float64   `json:"latitude,omitempty" doc:"degrees north, −90…90"`
	Longitude *float64   `json:"longitude,omitempty" doc:"degrees east, −180…180"`
}

// SitePatch changes a site.
type SitePatch struct {
	OwnerID   Optional[string]    `json:"owner_id,omitempty"`
	Name      Optional[string]    `json:"name,omitempty"`
	TimeZone  Optional[string]    `json:"time_zone,omitempty"`
	City      Optional[string]    `json:"city,omitempty"`
	Since     Optional[time.Time] `json:"owner_since,omitempty" doc:"from when on the owner has had it; absent: a new owner from now on"`
	Latitude  Optional[float64]   `json:"latitude,omitempty"`
	Longitude Optional[float64]   `json:"longitude,omitempty"`
}

type sitesInput struct {
	Page
	OwnerID string `query:"owner_id" maxLength:"64" doc:"only what this owner owns"`
	Deleted bool   `query:"deleted" doc:"those that are deleted too"`
}

// eachOf makes views of a page from the view of one item.
func eachOf[E, V any](view func(E) V) func(context.Context, []E) ([]V, error) {
	return func(_ context.Context, of []E) ([]V, error) {
		views := make([]V, len(of))
		for i, e := range of {
			views[i] = view(e)
		}
		return views, nil
	}
}

func (a *API) routeOwners() {
	reg := a.opts.Registry
	r := resource[devices.Owner, registry.OwnerPatch, Owner, NewOwner, OwnerPatch]{
		one: "owner", many: "owners",
		create: reg.CreateOwner, get: reg.GetOwner, list: reg.ListOwners, update: reg.UpdateOwner,
		remove: reg.DeleteOwner, restore: reg.RestoreOwner,
		at: func(p registry.OwnerPatch, version int64) registry.OwnerPatch { p.Version = version; return p },
		id: func(o devices.Owner) string { return o.ID },
		views: eachOf(func(o devices.Owner) Owner {
			return Owner{ID: o.ID, Name: o.Name, CreatedAt: timeOf(o.CreatedAt), UpdatedAt: timeOf(o.UpdatedAt), Record: recordOf(o.Record)}
		}),
		build: func(n NewOwner) devices.Owner { return devices.Owner{ID: n.ID, Name: n.Name} },
		patch: func(p OwnerPatch) (registry.OwnerPatch, error) {
			return registry.OwnerPatch{Name: p.Name.pointer()}, nil
		},
	}
	listRoute(a, r, func(in *ownersInput) (Page, registry.Filter) { return in.Page, registry.Filter{Deleted: in.Deleted} })
	r.route(a)
}

func (a *API) routeSites() {
	reg := a.opts.Registry
	r := resource[devices.Site, registry.SitePatch, Site, NewSite, SitePatch]{
		one: "site", many: "sites",
		create: reg.CreateSite, get: reg.GetSite, list: reg.ListSites, update: reg.UpdateSite,
		remove: reg.DeleteSite, restore: reg.RestoreSite,
		at:    func(p registry.SitePatch, version int64) registry.SitePatch { p.Version = version; return p },
		id:    func(s devices.Site) string { return s.ID },
		views: eachOf(viewSite),
		build: func(n NewSite) devices.Site {
			return devices.Site{
				ID: n.ID, OwnerID: n.OwnerID, Name: n.Name, TimeZone: n.TimeZone, Latitude: n.Latitude, Longitude: n.Longitude,
				City: n.City, OwnerSince: n.Since,
			}
		},
		patch: func(p SitePatch) (registry.SitePatch, error) {
			var m merge
			patch := registry.SitePatch{
				OwnerID: p.OwnerID.pointer(), Name: p.Name.pointer(), TimeZone: p.TimeZone.pointer(), City: p.City.pointer(),
				OwnerSince: keep(&m, "owner_since", p.Since),
				Latitude:   keep(&m, "latitude", p.Latitude), Longitude: keep(&m, "longitude", p.Longitude),
			}
			return patch, m.err()
		},
		changed: a.zoneChanged,
	}
	listRoute(a, r, func(in *sitesInput) (Page, registry.Filter) {
		return in.Page, registry.Filter{OwnerID: in.OwnerID, Deleted: in.Deleted}
	})
	r.route(a)
}

func viewSite(s devices.Site) Site {
	return Site{
		ID: s.ID, OwnerID: s.OwnerID, Name: s.Name, TimeZone: s.TimeZone, City: s.City, Latitude: s.Latitude, Longitude: s.Longitude,
		CreatedAt: timeOf(s.CreatedAt), UpdatedAt: timeOf(s.UpdatedAt), Since: timePtr(s.OwnerSince), Record: recordOf(s.Record),
	}
}
