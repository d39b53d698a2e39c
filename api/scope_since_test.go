package api

import (
	"context"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

// What the devices of another sent of a swap is told without their names; all else
// of it is as it was sent.
func TestNamesOfAnother(t *testing.T) {
	x := startTenants(t, alpha, bravo)
	b, _ := x.key(`{"name":"b","role":"owner","owner_id":"bravo9c2-owner"}`)
	at := prefix + "/stations/bravo9c2-station/events?limit=1000"
	got := x.ask(b, http.MethodGet, at, "").body
	for _, want := range []string{
		`"battery_in":"(not yours)"`, `"battery_out":"bravo9c2-battery"`, `"slots":[{"battery":"(not yours)","n":1}]`, `"gateway":"(not yours)"`, `"energy_wh":1500.50`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in %s", want, got)
		}
	}
	if admin := x.get(at).body; !strings.Contains(admin, `"battery_in":"alpha7f3-battery","battery_out":"bravo9c2-battery"`) || strings.Count(admin, `"ts"`) != strings.Count(got, `"ts"`) {
		t.Errorf("an administrator reads %s", admin)
	}
	for path, want := range map[string]string{
		"/batteries/bravo9c2-battery/events":                                               `"station":"(not yours)"`,
		"/batteries/bravo9c2-battery/latest":                                               `"value":"(not yours)"`,
		"/batteries/bravo9c2-battery/telemetry?from=2026-03-01T00:00:00Z":                  `"station":"(not yours)"`,
		"/export/battery?from=2026-03-01T00:00:00Z&to=2026-03-03T00:00:00Z&fields=station": `(not yours)`,
	} {
		if a := x.ask(b, http.MethodGet, prefix+path, ""); a.status != http.StatusOK || !strings.Contains(a.body, want) || strings.Contains(a.body, alpha) {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
}

// sold are the tenants after alpha has sold bravo all of its devices, eleven days and
// some hours ago, with something told of each on both sides of that.
func sold(t *testing.T, change func(*Options)) (x *tenants, sale time.Time) {
	t.Helper()
	x, sale = startTenantsWith(t, change, alpha, bravo), clock.AddDate(0, 0, -11).Add(-5*time.Hour)
	var events []telemetry.Event
	for _, ref := range refsOf(alpha) {
		if a := x.do(http.MethodPatch, prefix+"/"+ref.Kind.Plural()+"/"+ref.ID, `{"owner_id":"bravo9c2-owner","owner_since":"`+sale.Format(time.RFC3339)+`"}`); a.status != http.StatusOK {
			t.Fatalf("%s: got %d %s", ref, a.status, a.body)
		}
		field := map[devices.Kind]string{devices.KindBattery: "soc_pct", devices.KindStation: "queue", devices.KindBuilding: "power_w"}[ref.Kind]
		var days []ledger.RollupDay
		for n := -2; n <= 2; n++ {
			at := sale.Add(time.Duration(n) * time.Hour).UnixMilli()
			x.readings.put(ref.Kind, ref.ID, at, field, 1.0)
			events = append(events, telemetry.Event{Kind: ref.Kind, Device: ref.ID, ID: time.UnixMilli(at).UTC().Format(time.RFC3339), TS: at, Type: "note", Data: []byte(`{}`)})
			day := telemetry.DayOf(at) + int64(n)
			bucket := rollup.Bucket{Start: day * telemetry.Day, Stats: []rollup.Stat{{Field: field, Samples: 1}}}
			days = append(days, ledger.RollupDay{DeviceDay: telemetry.DeviceDay{Kind: ref.Kind, Device: ref.ID, Day: day}, Day: rollup.Day{Hours: []rollup.Bucket{bucket}, Total: bucket}})
		}
		x.commit(ledger.Changes{Rollups: days})
	}
	if _, err := x.ledger.AppendEvents(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	for n := -2; n <= 2; n++ {
		asOf := sale.AddDate(0, 0, n)
		x.commit(ledger.Changes{Parts: []ledger.Part{&ledger.BuildingChange{Building: "alpha7f3-building", Result: &building.Result{
			Building: "alpha7f3-building", AsOf: asOf, Headline: building.Headline{Building: "alpha7f3-building", AsOf: asOf},
		}}}})
	}
	return x, sale
}

// beginnings are the ways to what devices did, with the name of the time in each
// row; days are to be whole.
func beginnings() []struct{ path, time string } {
	const span = "from=2026-01-01T00:00:00Z&to=2026-03-03T00:00:00Z"
	var all []struct{ path, time string }
	for _, ref := range refsOf(alpha) {
		of := "/" + ref.Kind.Plural() + "/" + ref.ID
		all = append(all, []struct{ path, time string }{
			{of + "/telemetry?" + span, "ts"}, {of + "/telemetry?every=1h&" + span, "ts"},
			{of + "/events?limit=1000", "ts"}, {of + "/events?limit=1000&" + span, "ts"}, {of + "/rollups?every=1d&" + span, "start"},
		}...)
	}
	return append(all, []struct{ path, time string }{
		{"/batteries/alpha7f3-battery/days?limit=1000", "date"}, {"/batteries/alpha7f3-battery/assessments?limit=1000", "as_of"},
		{"/batteries/alpha7f3-battery/cycles?limit=1000", "from"},
		{"/stations/alpha7f3-station/days?limit=1000", "from"}, {"/buildings/alpha7f3-building/history?limit=1000", "as_of"},
		{"/export/battery?devices=alpha7f3-battery&" + span, ""},
	}...)
}

// timesOf are the times of a name in JSON, or those of the rows of a CSV.
func timesOf(body, name string) []string {
	pattern := `"` + name + `":"([0-9T:.Z-]+)"`
	if name == "" {
		pattern = `(?m),([0-9-]+T[0-9:.]+Z),`
	}
	var out []string
	for _, found := range regexp.MustCompile(pattern).FindAllStringSubmatch(body, -1) {
		out = append(out, found[1])
	}
	return out
}

// An owner sees what his devices did since he has had them, and not before; what
// they are, he sees whole.
func TestNothingFromBeforeTheOwner(t *testing.T) {
	x, sale := sold(t, func(*Options) {})
	a, _ := x.key(`{"name":"a","role":"owner","owner_id":"alpha7f3-owner"}`)
	b, _ := x.key(`{"name":"b","role":"viewer","owner_id":"bravo9c2-owner"}`)
	times := func(key string, path, name string) []string {
		t.Helper()
		answer := x.ask(key, http.MethodGet, prefix+path, "")
		if answer.status != http.StatusOK {
			t.Fatalf("%s: got %d %s", path, answer.status, answer.body)
		}
		return timesOf(answer.body, name)
	}
	for _, c := range beginnings() {
		limit := sale.Format("2006-01-02T15:04:05")
		if c.time == "date" {
			limit = limit[:10]
		}
		got, all := times(b, c.path, c.time), times(testKey, c.path, c.time)
		want := slices.DeleteFunc(slices.Clone(all), func(at string) bool { return at < limit })
		if strings.Contains(c.path, "/days") && c.time == "date" {
			want = slices.DeleteFunc(want, func(at string) bool { return at == limit }) // the day of the sale is not whole
		}
		if !slices.Equal(got, want) || len(want) == 0 || len(want) == len(all) {
			t.Errorf("%s: got %d from %v, want %d of %d from %v", c.path, len(got), got[:min(1, len(got))], len(want), len(all), want[:min(1, len(want))])
		}
		if gone := x.ask(a, http.MethodGet, prefix+c.path, ""); len(timesOf(gone.body, c.time)) > 0 {
			t.Errorf("%s: who has sold it is told %s", c.path, gone.body)
		}
	}
	of := prefix + "/batteries/alpha7f3-battery"
	all := must[BatteryHealth](x.server, http.StatusOK, http.MethodGet, of+"/health", "")
	var own BatteryHealth
	x.ask(b, http.MethodGet, of+"/health", "").into(t, &own)
	if len(own.Partials) >= len(all.Partials) || len(own.Partials) == 0 {
		t.Errorf("health: got %d measurements, an administrator %d", len(own.Partials), len(all.Partials))
	}
	own.Partials, all.Partials = nil, nil
	if diff := cmp.Diff(all, own); diff != "" || all.Status != "ok" {
		t.Errorf("health, but for what it was measured by before: %s", diff)
	}
	for day, status := range map[string]string{sale.AddDate(0, 0, -1).Format(time.DateOnly): "insufficient_data", sale.Format(time.DateOnly): "ok"} {
		if got := x.ask(b, http.MethodGet, of+"/assessment?as_of="+day, "").body; !strings.Contains(got, `"status":"`+status+`"`) {
			t.Errorf("as of %s: got %.600s", day, got)
		}
	}
	// Ten whole days of 43 swaps, alone as among all stations.
	for path, want := range map[string]string{
		"/stations/alpha7f3-station/service?days=30":          `"swaps":430,`,
		"/fleet/stations?days=30&fields=id,swaps&sort=-swaps": `{"id":"alpha7f3-station","swaps":430}`,
	} {
		if got := x.ask(b, http.MethodGet, prefix+path, "").body; !strings.Contains(got, want) {
			t.Errorf("%s: got %s, want %s", path, got, want)
		}
	}
	// Who has but this battery is told of its days from the first whole one on.
	x.must("owner", `{"id":"charlie","name":"Charlie"}`)
	c, _ := x.key(`{"name":"c","role":"owner","owner_id":"charlie"}`)
	x.mark(devices.KindBattery, "alpha7f3-battery", telemetry.DayOf(sale.UnixMilli())-2)
	again := sale.AddDate(0, 0, 4)
	for since, want := range map[time.Time]string{again: again.AddDate(0, 0, 1).Format(time.DateOnly), clock: ""} {
		if a := x.do(http.MethodPatch, of, `{"owner_id":"charlie","owner_since":"`+since.Format(time.RFC3339)+`"}`); a.status != http.StatusOK {
			t.Fatalf("got %d %s", a.status, a.body)
		}
		for _, path := range []string{"/batteries", "/batteries?sort=health", "/batteries/alpha7f3-battery", "/fleet/summary"} {
			got, all := extentOf(x.ask(c, http.MethodGet, prefix+path, "").body), extentOf(x.get(prefix+path).body)
			if got != want || all == "" || all >= sale.Format(time.DateOnly) {
				t.Errorf("%s: got days from %q, want %q; an administrator %q", path, got, want, all)
			}
		}
	}
}

// extentOf is the first of the days with data in an answer; empty: there are none.
func extentOf(body string) string {
	found := regexp.MustCompile(`"telemetry":\{"from":"([0-9-]+)T`).FindStringSubmatch(body)
	if found == nil {
		return ""
	}
	return found[1]
}

// spannedSwaps notes since when swaps were read.
type spannedSwaps struct {
	BatteryResults
	from int64
}

func (s *spannedSwaps) BatterySwaps(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Swaps, error) {
	s.from = min(s.from, fromDay)
	return s.BatteryResults.BatterySwaps(ctx, id, fromDay, toDay)
}

// That a battery was swapped before it was his, or on the day of the sale, its owner
// is not told, not even by a 0 behind it. Nobody's question reads all swaps there
// were.
func TestSwapsOfBeforeTheOwner(t *testing.T) {
	read := &spannedSwaps{}
	x, sale := sold(t, func(o *Options) { read.BatteryResults, o.Batteries = o.Batteries, read })
	b, _ := x.key(`{"name":"b","role":"viewer","owner_id":"bravo9c2-owner"}`)
	saleDay := telemetry.DayOf(sale.UnixMilli())
	read.from = saleDay
	path := prefix + "/batteries/alpha7f3-battery/days?from=" + Time((saleDay+3)*telemetry.Day).date()
	told := func(key string) bool {
		t.Helper()
		var days items[BatteryDay]
		x.ask(key, http.MethodGet, path, "").into(t, &days)
		if len(days.Items) == 0 {
			t.Fatal("no days")
		}
		return days.Items[0].SwapsOut != nil && *days.Items[0].SwapsOut == 0 && days.Items[0].SwapsIn != nil
	}
	for _, tt := range []struct {
		day          int64
		owner, admin bool
	}{{saleDay - 300, false, true}, {saleDay - 1, false, true}, {saleDay, false, true}, {saleDay + 1, true, true}} {
		x.commit(ledger.Changes{Parts: []ledger.Part{ledger.StationSwaps{
			Station: "elsewhere", Day: tt.day, Batteries: map[string]dossier.Swaps{"alpha7f3-battery": {Out: 1}},
		}}})
		if owner, admin := told(b), told(testKey); owner != tt.owner || admin != tt.admin {
			t.Errorf("swapped %d days after the sale: the owner is told %v, an administrator %v", tt.day-saleDay, owner, admin)
		}
	}
	if read.from < saleDay {
		t.Errorf("swaps were read from day %d on, want %d", read.from, saleDay)
	}
}

// Where an operator wants it so, owners see all of what is theirs now.
func TestEarlierIsShown(t *testing.T) {
	x, _ := sold(t, func(o *Options) { o.Earlier = true })
	b, _ := x.key(`{"name":"b","role":"viewer","owner_id":"bravo9c2-owner"}`)
	for _, c := range beginnings() {
		got, want := timesOf(x.ask(b, http.MethodGet, prefix+c.path, "").body, c.time), timesOf(x.get(prefix+c.path).body, c.time)
		if !slices.Equal(got, want) || len(got) == 0 {
			t.Errorf("%s: got %d rows, want %d", c.path, len(got), len(want))
		}
	}
}
