package registrytest

import (
	"fmt"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

func testStatus(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	anOwner(t, r, "acme")
	anOwner(t, r, "bolt")
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b")}))
	type patch = registry.AssetPatch
	status := func(s devices.Status) *devices.Status { return &s }
	// The steps build on one another.
	for _, tt := range []struct {
		name    string
		patch   patch
		want    devices.Status // empty: refused
		problem []string
	}{
		{"named, still unclaimed", patch{Name: ptr("n")}, devices.StatusUnclaimed, nil},
		{"active without an owner", patch{Status: status(devices.StatusActive)}, "", []string{"status"}},
		{"claimed", patch{OwnerID: ptr("acme")}, devices.StatusActive, nil},
		{"unclaimed with an owner", patch{Status: status(devices.StatusUnclaimed)}, "", []string{"status"}},
		{"sold", patch{OwnerID: ptr("bolt")}, devices.StatusActive, nil},
		{"given up", patch{OwnerID: ptr("")}, devices.StatusUnclaimed, nil},
		{"claimed in so many words", patch{OwnerID: ptr("acme"), Status: status(devices.StatusActive)}, devices.StatusActive, nil},
		{"retired", patch{Status: status(devices.StatusRetired)}, devices.StatusRetired, nil},
		{"retired stays so when sold", patch{OwnerID: ptr("bolt")}, devices.StatusRetired, nil},
		{"brought back", patch{Status: status(devices.StatusActive)}, devices.StatusActive, nil},
		{"no such status", patch{Status: status("broken")}, "", []string{"status"}},
		{"no such owner", patch{OwnerID: ptr("nobody")}, "", []string{"owner_id"}},
	} {
		got, err := r.UpdateBattery(ctx, "b", registry.BatteryPatch{AssetPatch: tt.patch})
		if tt.want == "" {
			invalid(t, tt.name, err, tt.problem...)
			continue
		}
		if err != nil || got.Status != tt.want {
			t.Errorf("%s: got %q, %v, want %q", tt.name, got.Status, err, tt.want)
		}
	}
}

func testLists(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	anOwner(t, r, "acme")
	anOwner(t, r, "bolt")
	for i := range 7 {
		owner := []string{"acme", "bolt"}[i%2]
		must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{
			ID: fmt.Sprintf("b%d", 6-i), OwnerID: owner, SiteID: owner + "-site",
		}}))
	}
	ok(t, r.Enroll(ctx, []devices.Ref{battery("B1"), station("b0")}))
	for _, tt := range []struct {
		name   string
		filter registry.Filter
		ids    []string
		total  int
	}{
		{"everything, bytewise", registry.Filter{}, []string{"B1", "b0", "b1", "b2", "b3", "b4", "b5", "b6"}, 8},
		{"page", registry.Filter{Limit: 3, Offset: 2}, []string{"b1", "b2", "b3"}, 8},
		{"last page", registry.Filter{Limit: 3, Offset: 6}, []string{"b5", "b6"}, 8},
		{"beyond", registry.Filter{Limit: 3, Offset: 8}, []string{}, 8},
		{"owner", registry.Filter{OwnerID: "bolt"}, []string{"b1", "b3", "b5"}, 3},
		{"site", registry.Filter{SiteID: "acme-site", Limit: 1}, []string{"b0"}, 4},
		{"status", registry.Filter{Status: devices.StatusUnclaimed}, []string{"B1"}, 1},
		{"all conditions", registry.Filter{OwnerID: "acme", SiteID: "bolt-site"}, []string{}, 0},
		{"a stranger", registry.Filter{OwnerID: "acme' OR '1'='1"}, []string{}, 0},
	} {
		items, total, err := r.ListBatteries(ctx, tt.filter)
		ids := []string{}
		for _, b := range items {
			ids = append(ids, b.ID)
		}
		if err != nil || total != tt.total || items == nil {
			t.Errorf("%s: got total %d, %v, want %d and no nil list", tt.name, total, err, tt.total)
		}
		same(t, tt.name, ids, tt.ids)
	}
	owners, total, err := r.ListOwners(ctx, registry.Filter{Limit: 1, Offset: 1})
	if err != nil || total != 2 || len(owners) != 1 || owners[0].ID != "bolt" {
		t.Errorf("owners: got %v, %d, %v, want bolt of 2", owners, total, err)
	}
	sites, total, err := r.ListSites(ctx, registry.Filter{OwnerID: "acme"})
	if err != nil || total != 1 || len(sites) != 1 || sites[0].ID != "acme-site" {
		t.Errorf("sites: got %v, %d, %v, want acme-site of 1", sites, total, err)
	}
	stations, total, err := r.ListStations(ctx, registry.Filter{})
	if err != nil || total != 1 || len(stations) != 1 || stations[0].ID != "b0" {
		t.Errorf("stations: got %v, %d, %v, want b0 of 1", stations, total, err)
	}
	buildings, total, err := r.ListBuildings(ctx, registry.Filter{})
	if err != nil || total != 0 || buildings == nil || len(buildings) != 0 {
		t.Errorf("buildings: got %v, %d, %v, want an empty list", buildings, total, err)
	}
}
