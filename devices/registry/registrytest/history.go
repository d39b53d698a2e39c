package registrytest

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func testVersions(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	anOwner(t, r, "acme")
	b := must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: "b", OwnerID: "acme"}}))
	named := func(name string, version int64) registry.BatteryPatch {
		return registry.BatteryPatch{AssetPatch: registry.AssetPatch{Name: ptr(name), Version: version}}
	}
	same(t, "version of a new entry", b.Version, int64(1))
	b = must[devices.Battery](t)(r.UpdateBattery(ctx, "b", named("one", 1)))
	same(t, "version after a change", b.Version, int64(2))
	_, err := r.UpdateBattery(ctx, "b", named("late", 1))
	is(t, "a patch of an old version", err, registry.ErrVersion)
	_, err = r.UpdateBattery(ctx, "b", named("early", 3))
	is(t, "a patch of a version to come", err, registry.ErrVersion)
	_, err = r.DeleteBattery(ctx, "b", 1)
	is(t, "a deletion of an old version", err, registry.ErrVersion)
	same(t, "after those", must[devices.Battery](t)(r.GetBattery(ctx, "b")), b)
	b = must[devices.Battery](t)(r.UpdateBattery(ctx, "b", named("any", 0)))
	same(t, "whichever version", b.Version, int64(3))

	s := must[devices.Site](t)(r.UpdateSite(ctx, "acme-site", registry.SitePatch{City: ptr("Leeds"), Version: 1}))
	same(t, "city", s.City, "Leeds")
	_, err = r.UpdateSite(ctx, "acme-site", registry.SitePatch{Version: 1})
	is(t, "an old site", err, registry.ErrVersion)
	must[devices.Owner](t)(r.UpdateOwner(ctx, "acme", registry.OwnerPatch{Version: 1}))
	_, err = r.UpdateOwner(ctx, "acme", registry.OwnerPatch{Version: 1})
	is(t, "an old owner", err, registry.ErrVersion)
}

func testDeletion(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	anOwner(t, r, "acme")
	must[devices.Station](t)(r.CreateStation(ctx, devices.Station{Asset: devices.Asset{ID: "s", OwnerID: "acme", SiteID: "acme-site"}}))
	must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: "b", OwnerID: "acme", Gateway: "station/s"}}))
	refused := func(what string, err error) {
		t.Helper()
		is(t, what, err, registry.ErrConflict)
	}
	_, err := r.DeleteOwner(ctx, "acme", 0)
	refused("an owner of something", err)
	_, err = r.DeleteSite(ctx, "acme-site", 0)
	refused("a site with a station", err)
	_, err = r.DeleteStation(ctx, "s", 0)
	refused("a gateway", err)
	_, err = r.DeleteBattery(ctx, "none", 0)
	is(t, "what is not there", err, registry.ErrNotFound)

	gone := must[devices.Battery](t)(r.DeleteBattery(ctx, "b", 1))
	if gone.DeletedAt == nil || gone.Status != devices.StatusRetired || gone.Version != 2 || gone.OwnerID != "acme" {
		t.Errorf("deleted: got %+v, want it retired, with its owner and version 2", gone)
	}
	same(t, "deleted twice", must[devices.Battery](t)(r.DeleteBattery(ctx, "b", 0)), gone)
	same(t, "got", must[devices.Battery](t)(r.GetBattery(ctx, "b")), gone)
	if _, known := r.Lookup(battery("b")); !known {
		t.Error("a deleted device is not known any more: what it sends would be lost")
	}
	for deleted, want := range map[bool]int{false: 0, true: 1} {
		items, total, err := r.ListBatteries(ctx, registry.Filter{Deleted: deleted})
		if err != nil || len(items) != want || total != want {
			t.Errorf("list with deleted %v: got %d of %d, %v, want %d", deleted, len(items), total, err, want)
		}
	}
	_, err = r.UpdateBattery(ctx, "b", registry.BatteryPatch{})
	refused("a patch of what is deleted", err)
	_, err = r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: "b"}})
	is(t, "the same id again", err, registry.ErrExists)

	must[devices.Station](t)(r.DeleteStation(ctx, "s", 0))
	_, err = r.RestoreBattery(ctx, "b", 0)
	invalid(t, "restored without its gateway", err, "gateway")
	must[devices.Site](t)(r.DeleteSite(ctx, "acme-site", 0))
	must[devices.Owner](t)(r.DeleteOwner(ctx, "acme", 0))
	_, err = r.CreateBuilding(ctx, devices.Building{Asset: devices.Asset{ID: "g", OwnerID: "acme", SiteID: "acme-site", Gateway: "station/s"}})
	invalid(t, "what refers to the deleted", err, "owner_id", "site_id", "gateway")

	must[devices.Owner](t)(r.RestoreOwner(ctx, "acme", 0))
	must[devices.Site](t)(r.RestoreSite(ctx, "acme-site", 0))
	must[devices.Station](t)(r.RestoreStation(ctx, "s", 0))
	back := must[devices.Battery](t)(r.RestoreBattery(ctx, "b", 2))
	if back.DeletedAt != nil || back.Status != devices.StatusActive || back.Version != 3 {
		t.Errorf("restored: got %+v, want it active and of version 3", back)
	}
	same(t, "restored twice", must[devices.Battery](t)(r.RestoreBattery(ctx, "b", 0)), back)
	must[devices.Building](t)(r.CreateBuilding(ctx, devices.Building{Asset: devices.Asset{ID: "g"}}))
	must[devices.Building](t)(r.DeleteBuilding(ctx, "g", 1))
	must[devices.Building](t)(r.RestoreBuilding(ctx, "g", 2))
}

func testAudit(t *testing.T, open Opener) {
	r := start(t, open)
	ctx := registry.WithActor(t.Context(), "ada")
	must[devices.Owner](t)(r.CreateOwner(ctx, devices.Owner{ID: "acme", Name: "Acme"}))
	must[devices.Owner](t)(r.UpdateOwner(registry.WithActor(ctx, "bob"), "acme", registry.OwnerPatch{Name: ptr("Acme Ltd")}))
	must[devices.Owner](t)(r.DeleteOwner(ctx, "acme", 0))
	must[devices.Owner](t)(r.RestoreOwner(ctx, "acme", 0))
	ok(t, r.Enroll(t.Context(), []devices.Ref{battery("b")}))
	secret := must[string](t)(r.SetCredential(ctx, battery("b"), "bee"))
	ok(t, r.RevokeCredential(ctx, battery("b")))
	_, err := r.UpdateOwner(ctx, "acme", registry.OwnerPatch{Name: ptr("")})
	invalid(t, "refused", err, "name") // and so not in the log

	type brief struct {
		Actor  string
		Action registry.Action
		Kind   string
		ID     string
	}
	log, total, err := r.Changes(t.Context(), registry.ChangeFilter{})
	ok(t, err)
	var got []brief
	for i, c := range log {
		got = append(got, brief{c.Actor, c.Action, c.Kind, c.ObjectID})
		if i > 0 && (c.ID >= log[i-1].ID || c.At.After(log[i-1].At)) {
			t.Errorf("change %d is not older than the one before it", c.ID)
		}
		if strings.Contains(string(c.Before)+string(c.After), secret) {
			t.Error("the log holds a secret")
		}
	}
	same(t, "log", got, []brief{
		{"ada", registry.ActionRevoke, "credential", "battery/b"},
		{"ada", registry.ActionGrant, "credential", "battery/b"},
		{registry.System, registry.ActionEnroll, "battery", "b"},
		{"ada", registry.ActionRestore, "owner", "acme"},
		{"ada", registry.ActionDelete, "owner", "acme"},
		{"bob", registry.ActionUpdate, "owner", "acme"},
		{"ada", registry.ActionCreate, "owner", "acme"},
	})
	same(t, "total", total, len(got))

	update := log[5]
	var before, after devices.Owner
	ok(t, json.Unmarshal(update.Before, &before))
	ok(t, json.Unmarshal(update.After, &after))
	same(t, "names", [2]string{before.Name, after.Name}, [2]string{"Acme", "Acme Ltd"})
	same(t, "versions", [2]int64{before.Version, after.Version}, [2]int64{1, 2})
	if log[6].Before != nil || log[6].After == nil {
		t.Errorf("creation: got %s → %s, want nothing before", log[6].Before, log[6].After)
	}
	at := update.At.UnixMilli()
	for what, f := range map[string]registry.ChangeFilter{
		"by actor": {Actor: "bob"}, "by time": {Window: telemetry.Window{From: at, To: at + 1}},
		"by object and action": {Kind: "owner", ObjectID: "acme", Action: registry.ActionUpdate},
		"by page":              {Limit: 1, Offset: 5},
	} {
		found, _, err := r.Changes(t.Context(), f)
		ok(t, err)
		same(t, what, found, []registry.Change{update})
	}
}

func testOwnership(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	for _, id := range []string{"acme", "bolt", "corp"} {
		must[devices.Owner](t)(r.CreateOwner(ctx, devices.Owner{ID: id, Name: id}))
	}
	day := func(month time.Month, day int) time.Time { return time.Date(2025, month, day, 0, 0, 0, 0, time.UTC) }
	sell := func(to string, on *time.Time) (devices.Battery, error) {
		return r.UpdateBattery(ctx, "b", registry.BatteryPatch{AssetPatch: registry.AssetPatch{OwnerID: &to, OwnerSince: on}})
	}
	b := must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: "b", OwnerID: "acme"}}))
	if b.OwnerSince != nil {
		t.Errorf("first owner: got since %v, want from the beginning", b.OwnerSince)
	}
	b = must[devices.Battery](t)(sell("bolt", ptr(day(3, 10))))
	if b.OwnerSince == nil || !b.OwnerSince.Equal(day(3, 10)) {
		t.Errorf("sold in March: got since %v", b.OwnerSince)
	}
	_, err := sell("corp", ptr(day(3, 9)))
	invalid(t, "sold before it was bought", err, "owner_since")
	_, err = sell("corp", ptr(day(3, 10).AddDate(10, 0, 0)))
	invalid(t, "sold in the future", err, "owner_since")
	b = must[devices.Battery](t)(sell("corp", nil))
	soldAt := b.UpdatedAt
	must[devices.Battery](t)(sell("", ptr(soldAt)))
	must[devices.Battery](t)(sell("acme", nil))
	at := func(i time.Time, want string) {
		t.Helper()
		got, owned, err := r.OwnerAt(ctx, "battery", "b", i)
		if err != nil || got != want || owned != (want != "") {
			t.Errorf("owner at %v: got %q, %v, %v, want %q", i, got, owned, err, want)
		}
	}
	at(day(1, 1).AddDate(-20, 0, 0), "acme")
	at(day(3, 10).Add(-time.Millisecond), "acme")
	at(day(3, 10), "bolt")
	at(soldAt.Add(-time.Millisecond), "bolt")
	at(soldAt, "") // what corp had for no time at all is nobody's
	at(soldAt.Add(time.Hour), "acme")

	all := must[[]registry.Ownership](t)(r.Ownerships(ctx, registry.OwnershipFilter{Kind: "battery", ID: "b"}))
	march, sold, again := day(3, 10).UnixMilli(), soldAt.UnixMilli(), all[len(all)-1].From
	want := []registry.Ownership{
		{Kind: "battery", ID: "b", OwnerID: "acme", To: march},
		{Kind: "battery", ID: "b", OwnerID: "bolt", From: march, To: sold},
		{Kind: "battery", ID: "b", OwnerID: "acme", From: again},
	}
	same(t, "history", all, want)
	for _, tt := range []struct {
		name   string
		filter registry.OwnershipFilter
		want   []registry.Ownership
	}{
		{"of acme", registry.OwnershipFilter{OwnerID: "acme"}, []registry.Ownership{want[0], want[2]}},
		{"of acme until March", registry.OwnershipFilter{OwnerID: "acme", Window: telemetry.Window{From: 0, To: march}}, want[:1]},
		{"of acme from March", registry.OwnershipFilter{OwnerID: "acme", Window: telemetry.Window{From: march, To: again}}, []registry.Ownership{}},
		{"in an instant", registry.OwnershipFilter{Window: telemetry.Window{From: march, To: march + 1}}, want[1:2]},
	} {
		same(t, tt.name, must[[]registry.Ownership](t)(r.Ownerships(ctx, tt.filter)), tt.want)
	}

	must[devices.Battery](t)(r.DeleteBattery(ctx, "b", 0))
	at(changed(t, r).Add(time.Hour), "")
	must[devices.Battery](t)(r.RestoreBattery(ctx, "b", 0))
	at(changed(t, r).Add(time.Hour), "acme")
	must[devices.Site](t)(r.CreateSite(ctx, devices.Site{ID: "x", OwnerID: "bolt", Name: "X", TimeZone: "UTC", OwnerSince: ptr(day(2, 1))}))
	same(t, "site", must[[]registry.Ownership](t)(r.Ownerships(ctx, registry.OwnershipFilter{Kind: "site"})),
		[]registry.Ownership{{Kind: "site", ID: "x", OwnerID: "bolt", From: day(2, 1).UnixMilli()}})
}

// changed is when the battery was changed last.
func changed(t *testing.T, r Registry) time.Time {
	t.Helper()
	return must[devices.Battery](t)(r.GetBattery(t.Context(), "b")).UpdatedAt
}

// A sale that was registered with the wrong date is put right.
func testCorrectedOwnership(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	for _, id := range []string{"acme", "bolt"} {
		must[devices.Owner](t)(r.CreateOwner(ctx, devices.Owner{ID: id, Name: id}))
	}
	must[devices.Station](t)(r.CreateStation(ctx, devices.Station{Asset: devices.Asset{ID: "s", OwnerID: "acme"}}))
	since := func(at time.Time) registry.StationPatch {
		return registry.StationPatch{AssetPatch: registry.AssetPatch{OwnerSince: &at}}
	}
	must[devices.Station](t)(r.UpdateStation(ctx, "s", registry.StationPatch{AssetPatch: registry.AssetPatch{OwnerID: ptr("bolt")}}))
	march := time.Date(2025, 3, 10, 0, 0, 0, 0, time.UTC)
	for _, at := range []time.Time{march, march.AddDate(0, 1, 0), march} {
		s := must[devices.Station](t)(r.UpdateStation(ctx, "s", since(at)))
		if s.OwnerSince == nil || !s.OwnerSince.Equal(at) {
			t.Errorf("corrected to %v: got %v", at, s.OwnerSince)
		}
	}
	want := []registry.Ownership{
		{Kind: "station", ID: "s", OwnerID: "acme", To: march.UnixMilli()},
		{Kind: "station", ID: "s", OwnerID: "bolt", From: march.UnixMilli()},
	}
	same(t, "history", must[[]registry.Ownership](t)(r.Ownerships(ctx, registry.OwnershipFilter{})), want)
	_, err := r.UpdateStation(ctx, "s", since(time.Date(1969, 1, 1, 0, 0, 0, 0, time.UTC)))
	invalid(t, "before there was time", err, "owner_since")
	same(t, "after a refusal", must[[]registry.Ownership](t)(r.Ownerships(ctx, registry.OwnershipFilter{})), want)
}
