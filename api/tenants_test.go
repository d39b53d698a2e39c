package api

import (
	"context"
	"crypto/subtle"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
	"github.com/fleetwatt/fleetwatt/ingest/presence"
)

// The owners of the tests of isolation. Everything of an owner has an id that
// begins with the owner's and is as long as that of the other's, so that a search
// of raw bytes finds a leak.
const (
	alpha = "alpha7f3"
	bravo = "bravo9c2"
	ghost = "ghost5e1" // nobody, with nothing
)

// ring is an authenticator of the admin key and of the registry's keys, an hour
// after they were made.
type ring struct{ keys *registry.Registry }

func (r ring) Authenticate(ctx context.Context, token string) (access.Principal, error) {
	if token == testKey {
		return access.Principal{Name: "admin", Role: access.Admin}, nil
	}
	prefix, err := access.KeyPrefix(token)
	if err != nil {
		return access.Principal{}, access.ErrUnknown
	}
	k, want, err := r.keys.FindKey(ctx, prefix)
	got := access.Digest(token)
	if err != nil || subtle.ConstantTimeCompare(got[:], want[:]) != 1 || !k.RevokedAt.IsZero() {
		return access.Principal{}, access.ErrUnknown
	}
	if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(clock.Add(time.Hour)) {
		return access.Principal{}, access.ErrExpired
	}
	return access.Principal{
		Name: "key " + k.Prefix + " (" + k.Name + ")", KeyID: k.Prefix, Role: access.Role(k.Role), OwnerID: k.OwnerID, Device: k.Device, Expires: k.ExpiresAt,
	}, nil
}

// tenants is a server with some owners, who have one of each.
type tenants struct {
	*server
	live    *Live
	entries map[string][2]string // by owner: an intervention and an adjustment
}

// startTenants serves the owners, and nobody else.
func startTenants(t *testing.T, owners ...string) *tenants {
	t.Helper()
	return startTenantsWith(t, func(*Options) {}, owners...)
}

// startTenantsWith is startTenants with other options.
func startTenantsWith(t *testing.T, change func(*Options), owners ...string) *tenants {
	t.Helper()
	x := &tenants{live: NewLive(clock), entries: map[string][2]string{}}
	var refs []devices.Ref
	for _, o := range owners {
		refs = append(refs, refsOf(o)...)
	}
	tracker, err := presence.Open(t.Context(), filepath.Join(t.TempDir(), "presence.db"), presence.Options{
		Now:        func() time.Time { return clock },
		Registered: func(context.Context) ([]devices.Ref, error) { return refs, nil },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := tracker.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, ref := range refs {
		at := clock.Add(-time.Minute).UnixMilli()
		tracker.Observe(ref, at, &wire.Decoded{Readings: []telemetry.Reading{{TS: at}}})
	}
	x.server = start(t, func(o *Options) {
		keys := o.Registry.(*registry.Registry)
		o.Access, o.Keys, o.Live, o.Presence, o.BuildingReports, o.WrongKeys = ring{keys}, keys, x.live, tracker, plainReports{}, 1<<20
		change(o)
	})
	x.shared()
	for _, o := range owners {
		x.settle(o)
	}
	return x
}

func refsOf(owner string) []devices.Ref {
	return []devices.Ref{
		{Kind: devices.KindBattery, ID: owner + "-battery"}, {Kind: devices.KindBuilding, ID: owner + "-building"}, {Kind: devices.KindStation, ID: owner + "-station"},
	}
}

// plainReports are reports without anything in them.
type plainReports struct{}

func (plainReports) Report(_ context.Context, id string, made time.Time) (report.Report, error) {
	in := building.Input{Plan: &building.Plan{Building: id, Rules: building.DefaultRules()}}
	r, err := building.Evaluate(in)
	if err != nil {
		return report.Report{}, err
	}
	return building.Report(in, r, report.Building{ID: id, Name: id, TimeZone: "UTC"}, made)
}

// shared is what serves all owners.
func (x *tenants) shared() {
	x.t.Helper()
	for path, body := range map[string]string{"/tariffs/shared": `{"version":"1","currency":"EUR","dynamic":true}`, "/grids/shared": `{"version":"1"}`} {
		if a := x.do(http.MethodPut, prefix+path, body); a.status != http.StatusOK {
			x.t.Fatalf("%s: got %d %s", path, a.status, a.body)
		}
	}
}

// settle gives an owner one of each, with telemetry, events and results.
func (x *tenants) settle(o string) {
	t := x.t
	t.Helper()
	x.must("owner", fmt.Sprintf(`{"id":%q,"name":"%s GmbH"}`, o+"-owner", o))
	x.must("site", fmt.Sprintf(`{"id":%q,"name":"%s yard","owner_id":%q,"time_zone":"Europe/Berlin","city":"%s city"}`, o+"-site", o, o+"-owner", o))
	belongs := fmt.Sprintf(`"owner_id":%q,"site_id":%q,"name":"%s"`, o+"-owner", o+"-site", o)
	x.must("station", fmt.Sprintf(`{"id":%q,"slots":12,%s}`, o+"-station", belongs))
	x.must("battery", fmt.Sprintf(`{"id":%q,"chemistry":"NMC","rated_capacity_ah":40,"rated_voltage_v":48,"cutoff_voltage_v":40,"commissioned":"2026-01-01T00:00:00Z","gateway":%q,%s}`,
		o+"-battery", "station/"+o+"-station", belongs))
	x.must("building", fmt.Sprintf(`{"id":%q,"floor_area_m2":300,%s}`, o+"-building", belongs))

	capacity := 39.0
	if o == alpha {
		capacity = 33 // so that a figure over both is not one over bravo's
	}
	x.work(pack{id: o + "-battery", capacityAh: capacity, hot: o == alpha}, firstDay(), daysOfPacks)
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	calendar, swaps := station.CalendarOf(berlin), 10+int(capacity)
	worked := ledger.StationResults{Station: o + "-station", Rules: "r", Days: swapDays(t, calendar, 40, swaps)}
	last := worked.Days[len(worked.Days)-1]
	worked.Faults = []station.Fault{{From: last.From, To: last.From + 2*3600_000, Code: o}}
	x.commit(ledger.Changes{Parts: []ledger.Part{worked}})

	var events []telemetry.Event
	for k, ref := range refsOf(o) {
		for n := range int64(3) {
			at := clock.Add(-time.Duration(n) * time.Hour).UnixMilli()
			events = append(events, telemetry.Event{Kind: ref.Kind, Device: ref.ID, ID: fmt.Sprintf("%s-event-%d-%d", o, k, n), TS: at, Type: "note", Data: []byte(`{"of":"` + o + `"}`)})
			switch ref.Kind {
			case devices.KindBattery:
				x.readings.put(ref.Kind, ref.ID, at, "soc_pct", capacity, "voltage_v", 48.0)
			case devices.KindStation:
				x.readings.put(ref.Kind, ref.ID, at, "slots_ready", 3.0, "energy_wh", 1000-float64(n))
			case devices.KindBuilding:
				x.readings.put(ref.Kind, ref.ID, at, "power_w", 10*capacity)
			}
		}
		x.mark(ref.Kind, ref.ID, telemetry.DayOf(clock.UnixMilli())-1)
	}
	if _, err := x.ledger.AppendEvents(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	x.name(o, events[0].TS)
	x.build(o)
	x.account(o)
}

// name has the owner's devices tell of the other owner's, whether he exists or not.
func (x *tenants) name(o string, at int64) {
	x.t.Helper()
	other := map[string]string{alpha: bravo, bravo: alpha}[o]
	if _, err := x.ledger.AppendEvents(x.t.Context(), []telemetry.Event{
		{Kind: devices.KindStation, Device: o + "-station", ID: o + "-swapped", TS: at, Type: "swap.completed", Data: []byte(fmt.Sprintf(
			`{"id":"%[1]s-swapped","battery_in":"%[2]s-battery","battery_out":"%[1]s-battery","energy_wh":1500.50,"slots":[{"n":1,"battery":"%[2]s-battery"}],"gateway":"station/%[2]s-station"}`, o, other))},
		{Kind: devices.KindBattery, Device: o + "-battery", ID: o + "-charged", TS: at, Type: "charge.completed", Data: []byte(fmt.Sprintf(`{"station":"%s-station","of":"%s"}`, other, o))},
	}); err != nil {
		x.t.Fatal(err)
	}
	x.readings.put(devices.KindBattery, o+"-battery", at-1, "soc_pct", 50.0, "station", other+"-station")
}

// account gives the owner money: entries, a price, a contract.
func (x *tenants) account(o string) {
	x.t.Helper()
	var swaps []telemetry.Event
	for n := range map[string]int{alpha: 26, bravo: 23}[o] {
		id, at := fmt.Sprintf("%s-swap-%d", o, n), time.Date(2026, 1, 3, n, 0, 0, 0, time.UTC).UnixMilli()
		swaps = append(swaps, telemetry.Event{Kind: devices.KindStation, Device: o + "-station", ID: id, TS: at, Type: "swap.completed", Data: []byte(fmt.Sprintf(
			`{"id":%q,"ts":%d,"type":"swap.completed","battery_in":%[3]q,"battery_out":%[3]q,"energy_wh":1500}`, id, at, o+"-battery"))})
	}
	if _, err := x.ledger.AppendEvents(x.t.Context(), swaps); err != nil {
		x.t.Fatal(err)
	}
	for path, body := range map[string]string{
		"/money/entries/" + o + "-entries": `{"at":"2026-01-10T00:00:00Z","kind":"maintenance","amount":{"amount":"12.30","currency":"EUR"},"asset":"station/` +
			o + `-station","partner":"` + o + ` partner"}`,
		"/money/entries/" + o + "-bought": `{"at":"2026-01-02T00:00:00Z","kind":"capital_cost","amount":{"amount":"4000","currency":"EUR"},"asset":"station/` + o + `-station"}`,
		"/money/prices/" + o + "-prices":  `{"use":"swap","owner_id":"` + o + `-owner","from":"2026-01-01","price":"2.5","currency":"EUR"}`,
		"/money/contracts/" + o + "-contracts": `{"owner_id":"` + o + `-owner","currency":"EUR","agreements":[{"id":"a","party":"` + o +
			` partner","from":"2026-01-01","tiers":[{"above":"0","share":"0.1"}]}]}`,
	} {
		if a := x.do(http.MethodPut, prefix+path, body); a.status != http.StatusOK {
			x.t.Fatalf("%s: got %d %s", path, a.status, a.body)
		}
	}
}

// build gives the owner's building a result and what one enters of it.
func (x *tenants) build(o string) {
	t, id := x.t, o+"-building"
	t.Helper()
	r, err := building.Evaluate(building.Input{Plan: &building.Plan{
		Building: id, Zone: "UTC", Rules: building.DefaultRules(),
		Interventions: []building.Intervention{{ID: "1", Title: o, Concerns: []building.Meter{building.Electricity}, Start: "2026-01-01"}},
	}, Series: building.Series{First: clock.Add(-time.Hour).UnixMilli(), Last: clock.UnixMilli()}})
	if err != nil {
		t.Fatal(err)
	}
	x.commit(ledger.Changes{Parts: []ledger.Part{&ledger.BuildingChange{Building: id, Result: r}}})
	var entries [2]string
	for k, c := range []struct{ path, body string }{{"interventions", intervention}, {"adjustments", adjustment}} {
		a := x.do(http.MethodPost, prefix+"/buildings/"+id+"/"+c.path, strings.ReplaceAll(c.body, "TITLE", o))
		if a.status != http.StatusCreated {
			t.Fatalf("%s: got %d %s", c.path, a.status, a.body)
		}
		entries[k] = a.header.Get("Location")[strings.LastIndex(a.header.Get("Location"), "/")+1:]
	}
	x.entries[o] = entries
	for _, scope := range []string{"building/" + id, "site/" + o + "-site"} {
		if _, err := x.ledger.MergeSeries(t.Context(), ledger.ImportedSeries{
			SeriesInfo: ledger.SeriesInfo{Kind: ledger.MeasuredWeather, ID: scope, Source: o, To: clock},
			Values:     []prepare.Point{{TS: clock.Add(-2 * time.Hour).UnixMilli(), Value: 8}, {TS: clock.Add(-time.Hour).UnixMilli(), Value: 9}},
		}); err != nil {
			t.Fatal(err)
		}
	}
	for path, body := range map[string]string{"/buildings/" + id + "/settings": `{}`, "/batteries/" + o + "-battery/passport/sheet": `{"max_voltage_v":54}`} {
		if a := x.do(http.MethodPut, prefix+path, body); a.status != http.StatusOK {
			t.Fatalf("%s: got %d %s", path, a.status, a.body)
		}
	}
}

const (
	intervention = `{"title":"TITLE","concerns":["electricity"],"start":"2026-03-01"}`
	adjustment   = `{"reason":"TITLE","meter":"electricity","from":"2026-02-01","to":"2026-02-02","amount":1}`
)

// key makes a key as the administrator does, and returns it.
func (x *tenants) key(body string) (text, prefix string) {
	x.t.Helper()
	k := must[NewAccessKey](x.server, http.StatusCreated, http.MethodPost, "/api/v1/keys", body)
	return k.Key, k.Prefix
}

// ask sends a request with a key; an empty one: without.
func (x *tenants) ask(key, method, path, body string, more ...string) answer {
	x.t.Helper()
	header := map[string]string{}
	if key != "" {
		header["Authorization"] = "Bearer " + key
	}
	for i := 0; i < len(more); i += 2 {
		header[more[i]] = more[i+1]
	}
	return x.send(method, path, body, header)
}
