package registrytest

import (
	"encoding/json"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

func testOwners(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	made := must[devices.Owner](t)(r.CreateOwner(ctx, devices.Owner{ID: "acme", Name: "Acme"}))
	want := time.Date(2025, 12, 31, 23, 0, 1, 123e6, time.UTC)
	same(t, "created", made, devices.Owner{ID: "acme", Name: "Acme", CreatedAt: want, UpdatedAt: want, Record: devices.Record{Version: 1}})
	same(t, "got", must[devices.Owner](t)(r.GetOwner(ctx, "acme")), made)

	_, err := r.CreateOwner(ctx, devices.Owner{ID: "acme", Name: "Another"})
	is(t, "same id", err, registry.ErrExists)
	_, err = r.GetOwner(ctx, "ACME")
	is(t, "ids differ by case", err, registry.ErrNotFound)
	_, err = r.UpdateOwner(ctx, "nobody", registry.OwnerPatch{})
	is(t, "update of nobody", err, registry.ErrNotFound)
	_, err = r.UpdateOwner(ctx, "acme", registry.OwnerPatch{Name: ptr(" ")})
	invalid(t, "no name", err, "name")
	_, err = r.CreateOwner(ctx, devices.Owner{ID: "a/b", Name: "bad\x00"})
	invalid(t, "bad id and name", err, "id", "name")

	updated := must[devices.Owner](t)(r.UpdateOwner(ctx, "acme", registry.OwnerPatch{Name: ptr("Acme & Söhne")}))
	if !updated.UpdatedAt.After(made.UpdatedAt) || !updated.CreatedAt.Equal(made.CreatedAt) {
		t.Errorf("times after an update: got %v and %v, want only the second to move", updated.CreatedAt, updated.UpdatedAt)
	}
	same(t, "name", updated.Name, "Acme & Söhne")
	closed(t, r)
	same(t, "opened again", must[devices.Owner](t)(start(t, open).GetOwner(ctx, "acme")), updated)
}

func testSites(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	anOwner(t, r, "acme")
	made := must[devices.Site](t)(r.CreateSite(ctx, devices.Site{
		ID: "s1", OwnerID: "acme", Name: "Depot", TimeZone: "Asia/Kolkata", Latitude: ptr(12.97), Longitude: ptr(77.59),
	}))
	same(t, "got", must[devices.Site](t)(r.GetSite(ctx, "s1")), made)
	bare := must[devices.Site](t)(r.CreateSite(ctx, devices.Site{ID: "s2", Name: "Bare", TimeZone: "UTC"}))
	same(t, "bare", must[devices.Site](t)(r.GetSite(ctx, "s2")), bare)
	if bare.Latitude != nil || bare.OwnerID != "" {
		t.Errorf("bare: got %+v, want neither coordinates nor an owner", bare)
	}

	moved := must[devices.Site](t)(r.UpdateSite(ctx, "s1", registry.SitePatch{Longitude: ptr(-180.0), OwnerID: ptr("")}))
	want := made
	want.Longitude, want.OwnerID, want.UpdatedAt = ptr(-180.0), "", moved.UpdatedAt
	want.Version = 2
	same(t, "updated", moved, want)

	_, err := r.CreateSite(ctx, devices.Site{ID: "s1", Name: "x", TimeZone: "UTC"})
	is(t, "same id", err, registry.ErrExists)
	_, err = r.UpdateSite(ctx, "s9", registry.SitePatch{})
	is(t, "update of none", err, registry.ErrNotFound)
	for _, tt := range []struct {
		name   string
		site   devices.Site
		fields []string
	}{
		{"nothing", devices.Site{}, []string{"id", "name", "time_zone"}},
		{"no such owner", devices.Site{ID: "x", OwnerID: "nobody", Name: "x", TimeZone: "UTC"}, []string{"owner_id"}},
		{"no such zone", devices.Site{ID: "x", Name: "x", TimeZone: "Europe/Atlantis"}, []string{"time_zone"}},
		{"the zone of the server", devices.Site{ID: "x", Name: "x", TimeZone: "Local"}, []string{"time_zone"}},
		{"off the globe", devices.Site{ID: "x", Name: "x", TimeZone: "UTC", Latitude: ptr(90.1), Longitude: ptr(-180.1)}, []string{"latitude", "longitude"}},
		{"not a number", devices.Site{ID: "x", Name: "x", TimeZone: "UTC", Latitude: ptr(math.NaN()), Longitude: ptr(0.0)}, []string{"latitude"}},
		{"half a place", devices.Site{ID: "x", Name: "x", TimeZone: "UTC", Latitude: ptr(1.0)}, []string{"longitude"}},
	} {
		_, err := r.CreateSite(ctx, tt.site)
		invalid(t, tt.name, err, tt.fields...)
	}
}

func testDevices(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	anOwner(t, r, "acme")
	commissioned := time.Date(2025, 3, 4, 5, 6, 7, 8e6, time.FixedZone("", -7200))
	asset := func(id string) devices.Asset {
		return devices.Asset{
			ID: id, OwnerID: "acme", SiteID: "acme-site", Name: "Nr 1", Serial: "SN-1", Commissioned: &commissioned,
			CreatedAt: commissioned, UpdatedAt: commissioned, // not the caller's to say
		}
	}
	st := must[devices.Station](t)(r.CreateStation(ctx, devices.Station{Asset: asset("same"), Slots: 12}))
	withGateway := asset("same")
	withGateway.Gateway = "station/same"
	ba := must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{
		Asset: withGateway, Chemistry: "LFP", RatedCapacityAh: 50, RatedVoltageV: 51.2, CutoffVoltageV: 44,
	}))
	bu := must[devices.Building](t)(r.CreateBuilding(ctx, devices.Building{Asset: asset("same"), FloorAreaM2: 1234.5}))

	if st.Slots != 12 || ba.RatedVoltageV != 51.2 || bu.FloorAreaM2 != 1234.5 || ba.Gateway != "station/same" {
		t.Errorf("properties: got %+v, %+v, %+v", st, ba, bu)
	}
	if st.Status != devices.StatusActive || st.CreatedAt.Equal(commissioned) {
		t.Errorf("station: got status %s, created %v, want active and the clock's time", st.Status, st.CreatedAt)
	}
	if ba.Commissioned.Location() != time.UTC || !ba.Commissioned.Equal(commissioned) {
		t.Errorf("commissioned: got %v, want %v in UTC", ba.Commissioned, commissioned)
	}
	bare := must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: "bare"}}))
	same(t, "bare", bare, devices.Battery{Asset: devices.Asset{
		ID: "bare", Status: devices.StatusUnclaimed, CreatedAt: bare.CreatedAt, UpdatedAt: bare.UpdatedAt,
		Record: devices.Record{Version: 1},
	}})

	_, err := r.CreateBuilding(ctx, devices.Building{Asset: asset("same")})
	is(t, "same kind and id", err, registry.ErrExists)
	_, err = r.GetStation(ctx, "bare")
	is(t, "id of another kind", err, registry.ErrNotFound)

	closed(t, r)
	r = start(t, open)
	same(t, "station", must[devices.Station](t)(r.GetStation(ctx, "same")), st)
	same(t, "battery", must[devices.Battery](t)(r.GetBattery(ctx, "same")), ba)
	same(t, "building", must[devices.Building](t)(r.GetBuilding(ctx, "same")), bu)
	same(t, "bare battery", must[devices.Battery](t)(r.GetBattery(ctx, "bare")), bare)
}

func testPatches(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	anOwner(t, r, "acme")
	made := must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{
		Asset: devices.Asset{ID: "b", Serial: "SN-1"}, Chemistry: "NMC", RatedVoltageV: 60, CutoffVoltageV: 50,
	}))
	for _, tt := range []struct {
		name  string
		patch string
		want  func(*devices.Battery)
	}{
		{"nothing", `{}`, func(*devices.Battery) {}},
		{"a rating", `{"rated_capacity_ah": 2}`, func(b *devices.Battery) { b.RatedCapacityAh = 2 }},
		{"two at once", `{"rated_voltage_v": 4.2, "cutoff_voltage_v": 2.7}`, func(b *devices.Battery) { b.RatedVoltageV, b.CutoffVoltageV = 4.2, 2.7 }},
		{"text away", `{"serial": "", "name": "first"}`, func(b *devices.Battery) { b.Serial, b.Name = "", "first" }},
		{"site", `{"site_id": "acme-site"}`, func(b *devices.Battery) { b.SiteID = "acme-site" }},
		{"site away", `{"site_id": ""}`, func(b *devices.Battery) { b.SiteID = "" }},
		{"date", `{"commissioned": "2026-02-03T04:05:06+01:00"}`, func(b *devices.Battery) {
			b.Commissioned = ptr(time.Date(2026, 2, 3, 3, 5, 6, 0, time.UTC))
		}},
		{"null is absent", `{"commissioned": null, "rated_capacity_ah": null}`, func(*devices.Battery) {}},
	} {
		var patch registry.BatteryPatch
		ok(t, json.Unmarshal([]byte(tt.patch), &patch))
		got := must[devices.Battery](t)(r.UpdateBattery(ctx, "b", patch))
		tt.want(&made)
		made.UpdatedAt = got.UpdatedAt
		made.Version++
		same(t, tt.name, got, made)
		same(t, tt.name+", stored", must[devices.Battery](t)(r.GetBattery(ctx, "b")), made)
	}

	_, err := r.UpdateBattery(ctx, "b", registry.BatteryPatch{CutoffVoltageV: ptr(4.2), RatedCapacityAh: ptr(0.0)})
	invalid(t, "against what is stored", err, "rated_capacity_ah", "cutoff_voltage_v")
	same(t, "after a refused patch", must[devices.Battery](t)(r.GetBattery(ctx, "b")), made)
	_, err = r.UpdateStation(ctx, "b", registry.StationPatch{})
	is(t, "another kind", err, registry.ErrNotFound)

	must[devices.Station](t)(r.CreateStation(ctx, devices.Station{Asset: devices.Asset{ID: "s"}}))
	s := must[devices.Station](t)(r.UpdateStation(ctx, "s", registry.StationPatch{Slots: ptr(8)}))
	same(t, "slots", s.Slots, 8)
	must[devices.Building](t)(r.CreateBuilding(ctx, devices.Building{Asset: devices.Asset{ID: "g"}}))
	g := must[devices.Building](t)(r.UpdateBuilding(ctx, "g", registry.BuildingPatch{FloorAreaM2: ptr(99.5)}))
	same(t, "floor area", g.FloorAreaM2, 99.5)
}

func testInvalid(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	everything := devices.Asset{
		ID: strings.Repeat("x", 65), OwnerID: "nobody", SiteID: "nowhere", Name: strings.Repeat("n", 257),
		Serial: "\xff", Status: "broken", Gateway: "station/none", Commissioned: ptr(time.Date(10000, 1, 1, 0, 0, 0, 0, time.UTC)),
	}
	_, err := r.CreateBattery(ctx, devices.Battery{
		Asset: everything, Chemistry: "a\nb", RatedCapacityAh: -1, RatedVoltageV: math.Inf(1), CutoffVoltageV: math.NaN(),
	})
	invalid(t, "all at once", err, "id", "owner_id", "site_id", "name", "serial", "status", "gateway", "commissioned",
		"chemistry", "rated_capacity_ah", "rated_voltage_v", "cutoff_voltage_v")
	_, err = r.CreateStation(ctx, devices.Station{Asset: devices.Asset{ID: "s"}, Slots: -1})
	invalid(t, "slots", err, "slots")
	_, err = r.CreateBuilding(ctx, devices.Building{Asset: devices.Asset{ID: "g"}, FloorAreaM2: -1})
	invalid(t, "floor area", err, "floor_area_m2")
	_, err = r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: "b"}, RatedVoltageV: 3.7, CutoffVoltageV: 3.7})
	invalid(t, "cut-off", err, "cutoff_voltage_v")
	if _, known := r.Lookup(battery("b")); known {
		t.Error("a refused battery is in the directory")
	}
	must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: "c"}, CutoffVoltageV: 2.7}))
}
