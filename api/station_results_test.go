package api

import (
	"encoding/csv"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// swapDays makes so many days of a station up to yesterday: every day swaps at
// 8 h local, one refusal at 9 h, energy, slots and, on the last, a fault.
func swapDays(t *testing.T, c station.Calendar, days, swaps int) []ledger.StationDay {
	t.Helper()
	last := c.LastComplete(clock.UnixMilli())
	var out []ledger.StationDay
	for k := last - int64(days) + 1; k <= last; k++ {
		w := c.Window(k)
		length := w.To - w.From
		d := station.Day{Day: k, Window: w, Readings: 96, Heard: length}
		d.States = station.StateTime{MS: map[string]int64{"in_service": length}, Reports: 96}
		d.Slots = station.SlotTime{CoveredMS: length, ChargingMS: length, Total: 12 * length, Ready: 6 * length, Charging: 3 * length, ByReady: map[int]int64{6: length}, Reports: 96}
		d.Meter = station.Meter{MilliWh: 50_000_000, KnownMS: length}
		d.Charges = station.Charges{Count: swaps, Told: swaps, MilliWh: int64(swaps) * 1_000_000}
		one, none, took := 1, 0, 120.0
		for n := range swaps {
			at := w.From + 8*3600_000 + int64(n)*60_000
			d.Visits = append(d.Visits, station.Visit{At: at, Came: at - 60_000, Outcome: station.Done, SwapS: &took, Charged: &one})
			d.Charges.ReturnS = append(d.Charges.ReturnS, 5400)
		}
		d.Visits = append(d.Visits, station.Visit{At: w.From + 9*3600_000, Outcome: station.Failed, Reason: "no_battery_ready", Charged: &none})
		out = append(out, ledger.StationDay{Day: d, Totals: d.Totals(c, station.ForStation())})
	}
	return out
}

// serveStations starts a server with three stations: two with data in Bangkok
// and Berlin, one that never said a word.
func serveStations(t *testing.T) *server {
	t.Helper()
	s := start(t)
	ctx := t.Context()
	for id, zone := range map[string]string{"bkk-1": "Asia/Bangkok", "ber-1": "Europe/Berlin"} {
		if _, err := s.registry.CreateSite(ctx, devices.Site{ID: id, Name: id, TimeZone: zone}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.registry.CreateOwner(ctx, devices.Owner{ID: "o", Name: "Owner"}); err != nil {
		t.Fatal(err)
	}
	for _, x := range []devices.Station{
		{Asset: devices.Asset{ID: "st-a", SiteID: "bkk-1", OwnerID: "o"}, Slots: 12},
		{Asset: devices.Asset{ID: "st-b", SiteID: "ber-1"}, Slots: 30},
		{Asset: devices.Asset{ID: "st-c"}},
	} {
		if _, err := s.registry.CreateStation(ctx, x); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.registry.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: "b-1", SiteID: "bkk-1"}}); err != nil {
		t.Fatal(err)
	}
	commit := func(id, zone string, days, swaps int) {
		loc, err := time.LoadLocation(zone)
		if err != nil {
			t.Fatal(err)
		}
		c := station.CalendarOf(loc)
		r := ledger.StationResults{Station: id, Rules: "r", Days: swapDays(t, c, days, swaps)}
		last := r.Days[len(r.Days)-1]
		r.Faults = []station.Fault{{From: last.From, To: last.From + 2*3600_000, Code: "x"}, {From: last.From, To: 0, Slot: 3, Code: "y"}}
		if err := s.ledger.Commit(ctx, ledger.Changes{Job: "stations", Parts: []ledger.Part{r}}); err != nil {
			t.Fatal(err)
		}
	}
	commit("st-a", "Asia/Bangkok", 40, 20)
	commit("st-b", "Europe/Berlin", 5, 10)
	return s
}

func near(t *testing.T, what string, got *float64, want float64) {
	t.Helper()
	if got == nil {
		t.Errorf("%s: got null, want %v", what, want)
	} else if d := *got - want; d > 1e-9 || d < -1e-9 {
		t.Errorf("%s: got %v, want %v", what, *got, want)
	}
}

func TestStationResults(t *testing.T) {
	s := serveStations(t)
	path := prefix + "/stations/st-a"

	service := must[StationServiceAnswer](s, http.StatusOK, http.MethodGet, path+"/service", "")
	if v := service.Service; *v.Swaps != 600 || *v.Failures != 30 || *v.Reneged != 0 || v.Reasons["no_battery_ready"] != 30 || v.Status != "ok" || v.Version == "" {
		t.Errorf("service: got %+v", v)
	}
	if service.Days != 30 || service.Known != 30 || service.TimeZone != "Asia/Bangkok" {
		t.Errorf("head: got %+v", service.StationHead)
	}
	near(t, "completion", service.Service.Completion, 20.0/21)
	near(t, "swaps per day", service.Service.SwapsPerDay, 20)
	near(t, "pack availability", service.Service.PackAvailability, 20.0/21)
	near(t, "swap time", service.Service.SwapP50S, 120)
	near(t, "energy", service.Energy.GridWh, 30*50_000)
	near(t, "energy per swap", service.Energy.PerSwap, 2500)
	near(t, "utilization", service.Load.Utilization, 20.0*120/86400)
	if service.Load.Method != "measured" || service.Wait.Method != "erlang_c" {
		t.Errorf("got a load by %s, a wait by %s", service.Load.Method, service.Wait.Method)
	}

	slots := must[StationSlotsAnswer](s, http.StatusOK, http.MethodGet, path+"/slots?days=7", "")
	near(t, "ready", slots.Slots.Ready, 0.5)
	near(t, "occupied", slots.Slots.Occupied, 0.75)
	near(t, "availability", slots.Use.Availability, 1)
	if slots.Days != 7 {
		t.Errorf("got %d days, want 7", slots.Days)
	}

	up := must[StationReliabilityAnswer](s, http.StatusOK, http.MethodGet, path+"/reliability?days=1", "")
	near(t, "uptime", up.Uptime.StationUp, 22.0/24)
	near(t, "time to repair", up.Uptime.MTTRHours, 2)
	if *up.Uptime.Faults != 2 || *up.Uptime.OpenFaults != 1 || len(up.Faults) != 2 || up.Faults[1].To != nil {
		t.Errorf("reliability: got %+v", up)
	}

	demand := must[StationDemandAnswer](s, http.StatusOK, http.MethodGet, path+"/demand", "")
	if *demand.Demand.PeakHour != 8 || len(demand.Forecast.Days) != 14 || demand.Forecast.Status != "ok" {
		t.Errorf("demand: got %+v", demand)
	}
	near(t, "riders at eight", &demand.Demand.PerHour[8], 19)
	near(t, "tomorrow", &demand.Forecast.Days[0].Mean, 21)
	today := clock.In(time.FixedZone("Bangkok", 7*3600)).Format(time.DateOnly)
	if got := demand.Forecast.Days[0].Date; got != today {
		t.Errorf("the forecast begins on %s, want %s, the day after the last whole one", got, today)
	}

	stock := must[StationInventoryAnswer](s, http.StatusOK, http.MethodGet, path+"/inventory", "")
	near(t, "held", stock.Inventory.Held, 9)
	near(t, "recharge", stock.Inventory.RechargeS, 5400)
	if stock.Inventory.RechargeMethod != "measured" || *stock.Inventory.Short != *stock.Inventory.Needed-9 {
		t.Errorf("inventory: got %+v", stock.Inventory)
	}

	days := must[items[StationDayRow]](s, http.StatusOK, http.MethodGet, path+"/days?sort=-date&limit=2", "").Items
	if len(days) != 2 || days[0].Swaps != 20 || !days[0].Complete || days[0].Hours[8] != 20-1 || days[0].Hours[7] != 1 {
		t.Errorf("days: got %+v", days)
	}
}

// As of an earlier day the window ends there; before the first data there is
// nothing, and that is said.
func TestStationResultsAsOf(t *testing.T) {
	s := serveStations(t)
	early := clock.AddDate(0, 0, -35).Format(time.DateOnly)
	a := must[StationServiceAnswer](s, http.StatusOK, http.MethodGet, prefix+"/stations/st-a/service?as_of="+early, "")
	if a.Known < 4 || a.Known > 6 || a.Days != a.Known || *a.Service.Swaps != 20*a.Known {
		t.Errorf("as of %s: got %+v with %d swaps", early, a.StationHead, *a.Service.Swaps)
	}
	for name, path := range map[string]string{
		"before the first data":    "/stations/st-a/service?as_of=2001-01-01",
		"of a station without any": "/stations/st-c/service",
	} {
		a := must[StationServiceAnswer](s, http.StatusOK, http.MethodGet, prefix+path, "")
		if a.Service.Status != "insufficient_data" || a.Service.Reason == "" || a.Service.Swaps != nil || a.Service.Completion != nil || a.Energy.GridWh != nil || a.Load.Utilization != nil {
			t.Errorf("%s: got %+v", name, a)
		}
	}
	for _, part := range []string{"service", "slots", "reliability", "demand", "inventory", "days"} {
		refused(t, s.get(prefix+"/stations/none/"+part), http.StatusNotFound)
	}
	for _, bad := range []string{"service?days=0", "service?days=367", "service?as_of=soon", "days?from=soon", "service?what=1"} {
		refused(t, s.get(prefix+"/stations/st-a/"+bad), http.StatusUnprocessableEntity)
	}
}

func TestStationFleet(t *testing.T) {
	s := serveStations(t)
	list := func(query string) []StationFleetRow {
		t.Helper()
		return must[items[StationFleetRow]](s, http.StatusOK, http.MethodGet, prefix+"/fleet/stations"+query, "").Items
	}
	ids := func(rows []StationFleetRow) string {
		var out []string
		for _, r := range rows {
			out = append(out, r.ID)
		}
		return strings.Join(out, " ")
	}
	for query, want := range map[string]string{
		"": "st-a st-b st-c", "?sort=-swaps_per_day": "st-a st-b st-c", "?sort=swaps_per_day": "st-b st-a st-c", "?swaps_lt=100": "st-b",
		"?status=insufficient_data": "st-c", "?owner_id=o": "st-a", "?size=20-39%20slots": "st-b", "?open_faults_gte=1&sort=-id": "st-b st-a",
	} {
		if got := ids(list(query)); got != want {
			t.Errorf("%s: got %s, want %s", query, got, want)
		}
	}
	// What the list says of a station is what the station's own answers say.
	for _, days := range []int{1, 7, 30, 90} {
		row := list(fmt.Sprintf("?days=%d", days))[0]
		at := func(part string) string { return fmt.Sprintf("%s/stations/st-a/%s?days=%d", prefix, part, days) }
		service := must[StationServiceAnswer](s, http.StatusOK, http.MethodGet, at("service"), "")
		up := must[StationReliabilityAnswer](s, http.StatusOK, http.MethodGet, at("reliability"), "")
		slots := must[StationSlotsAnswer](s, http.StatusOK, http.MethodGet, at("slots"), "")
		stock := must[StationInventoryAnswer](s, http.StatusOK, http.MethodGet, at("inventory"), "")
		got := []any{row.Swaps, row.Failures, row.Completion, row.SwapsPerDay, row.PackAvailability, row.GridWh, row.PerSwap, row.Utilization, row.PeakUtilization,
			row.Uptime, row.MTBFHours, row.MTTRHours, row.Occupied, row.PackInService, row.Availability, row.PacksNeeded, row.PacksShort, row.PacksIdle, row.From, row.To}
		want := []any{service.Service.Swaps, service.Service.Failures, service.Service.Completion, service.Service.SwapsPerDay, service.Service.PackAvailability,
			service.Energy.GridWh, service.Energy.PerSwap, service.Load.Utilization, service.Load.Peak, up.Uptime.StationUp, up.Uptime.MTBFHours, up.Uptime.MTTRHours,
			slots.Slots.Occupied, slots.Slots.Service, slots.Use.Availability, stock.Inventory.Needed, stock.Inventory.Short, stock.Inventory.Idle, service.Service.From, service.Service.To}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%d days (-station +list):\n%s", days, diff)
		}
	}
	a := s.get(prefix + "/fleet/stations?format=csv")
	lines, err := csv.NewReader(strings.NewReader(a.body)).ReadAll()
	if err != nil || len(lines) != 4 || lines[1][0] != "st-a" {
		t.Errorf("CSV: got %v, %v", lines, err)
	}
}

func TestStationBenchmarksAndGeography(t *testing.T) {
	s := serveStations(t)
	b := must[StationBenchmarks](s, http.StatusOK, http.MethodGet, prefix+"/fleet/stations/benchmarks?measure=swaps_per_day&by=size", "")
	if len(b.Groups) != 2 || b.Groups[0].Group != "10-19 slots" || b.Groups[0].P50 != 20 || len(b.Ranks) != 2 || len(b.Lacking) != 1 || b.Lacking[0].Reason == "" {
		t.Errorf("benchmarks: got %+v", b)
	}
	for _, by := range []string{"fleet", "owner", "site", "city"} {
		for measure := range stationMeasures() {
			if b := must[StationBenchmarks](s, http.StatusOK, http.MethodGet, prefix+"/fleet/stations/benchmarks?by="+by+"&measure="+measure, ""); len(b.Ranks)+len(b.Lacking) != 3 {
				t.Errorf("%s by %s: got %+v", measure, by, b)
			}
		}
	}
	refused(t, s.get(prefix+"/fleet/stations/benchmarks?measure=luck"), http.StatusUnprocessableEntity)

	rows := must[items[GeographyRow]](s, http.StatusOK, http.MethodGet, prefix+"/fleet/geography?by=site&sort=-swaps", "").Items
	if len(rows) != 3 || rows[0].Place != "bkk-1" || *rows[0].Swaps != 600 || rows[0].Batteries != 1 || rows[2].Status != "insufficient_data" || rows[2].Swaps != nil {
		t.Errorf("geography: got %+v", rows)
	}
	near(t, "completion at the site", rows[0].Completion, 20.0/21)
}
