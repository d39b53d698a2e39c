package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

func ptr[T any](v T) *T { return &v }

// commit saves results as the jobs do.
func (s *server) commit(c ledger.Changes) {
	s.t.Helper()
	c.Job = "test"
	if err := s.ledger.Commit(s.t.Context(), c); err != nil {
		s.t.Fatal(err)
	}
}

// mark says that there is telemetry on the days.
func (s *server) mark(kind devices.Kind, device string, days ...int64) {
	s.t.Helper()
	var dirty []telemetry.DeviceDay
	for _, d := range days {
		dirty = append(dirty, telemetry.DeviceDay{Kind: kind, Device: device, Day: d})
	}
	if err := s.ledger.MarkDirty(s.t.Context(), dirty); err != nil {
		s.t.Fatal(err)
	}
}

// capacities are three discharges, two of them full, and a charge.
func (s *server) capacities(id string) {
	s.t.Helper()
	day := telemetry.DayOf(at(0))
	s.mark(devices.KindBattery, id, day, day+1)
	first := battery.Capacity{
		Method: battery.FullDischarge, From: at(time.Hour), To: at(2 * time.Hour), CapacityAh: 1.8, StdErrAh: 0.01,
		ChargeAh: 1.8, EnergyWh: 6.5, MeanCurrentA: -1.8, TemperatureC: ptr(24.5), Samples: 180, MaxGapSeconds: 20,
	}
	window := battery.Capacity{
		Method: battery.SoCWindow, From: at(3 * time.Hour), To: at(4 * time.Hour), CapacityAh: 1.75, StdErrAh: 0.05,
		ChargeAh: 0.875, EnergyWh: 3.2, SoCFrom: ptr(20.0), SoCTo: ptr(70.0), MeanCurrentA: 0.875, Samples: 60, MaxGapSeconds: 60,
	}
	rest := first
	rest.Method, rest.From, rest.To, rest.CapacityAh = battery.DischargeToRest, at(5*time.Hour), at(6*time.Hour), 0.9
	second := first
	second.From, second.To, second.CapacityAh = at(25*time.Hour), at(26*time.Hour), 1.5
	x := dossier.New(id)
	x.Newest = []battery.Capacity{first, window, rest, second}
	s.commit(ledger.Changes{Parts: []ledger.Part{ledger.BatteryResults{{Device: id, State: x.Append(nil), Days: []dossier.Day{
		{Day: day, Readings: 1, Found: dossier.Found{Capacities: []battery.Capacity{first, window, rest}}},
		{Day: day + 1, Readings: 1, Found: dossier.Found{Capacities: []battery.Capacity{second}}},
	}}}}})
}

const goldenHealth = `{
  "battery": "B1",
  "status": "ok",
  "method": "full_discharge",
  "version": "capacity/1",
  "capacity_ah": 1.5,
  "standard_error_ah": 0.01,
  "rated_capacity_ah": 2,
  "cutoff_voltage_v": 2.7,
  "soh_pct": 75,
  "measured_at": "2026-03-02T02:00:00.000Z",
  "measurements": 1,
  "cycles": [
    {
      "cycle": 1,
      "from": "2026-03-01T01:00:00.000Z",
      "to": "2026-03-01T02:00:00.000Z",
      "method": "full_discharge",
      "capacity_ah": 1.8,
      "standard_error_ah": 0.01,
      "soh_pct": 90,
      "charge_ah": 1.8,
      "energy_wh": 6.5,
      "mean_current_a": -1.8,
      "temperature_c": 24.5,
      "samples": 180,
      "max_gap_s": 20
    },
    {
      "cycle": 2,
      "from": "2026-03-01T05:00:00.000Z",
      "to": "2026-03-01T06:00:00.000Z",
      "method": "discharge_to_rest",
      "capacity_ah": 0.9,
      "standard_error_ah": 0.01,
      "soh_pct": null,
      "charge_ah": 1.8,
      "energy_wh": 6.5,
      "mean_current_a": -1.8,
      "temperature_c": 24.5,
      "samples": 180,
      "max_gap_s": 20
    },
    {
      "cycle": 3,
      "from": "2026-03-02T01:00:00.000Z",
      "to": "2026-03-02T02:00:00.000Z",
      "method": "full_discharge",
      "capacity_ah": 1.5,
      "standard_error_ah": 0.01,
      "soh_pct": 75,
      "charge_ah": 1.8,
      "energy_wh": 6.5,
      "mean_current_a": -1.8,
      "temperature_c": 24.5,
      "samples": 180,
      "max_gap_s": 20
    }
  ],
  "partials": [
    {
      "from": "2026-03-01T03:00:00.000Z",
      "to": "2026-03-01T04:00:00.000Z",
      "method": "soc_window",
      "capacity_ah": 1.75,
      "standard_error_ah": 0.05,
      "soh_pct": 87.5,
      "charge_ah": 0.875,
      "energy_wh": 3.2,
      "soc_from_pct": 20,
      "soc_to_pct": 70,
      "mean_current_a": 0.875,
      "samples": 60,
      "max_gap_s": 60
    }
  ]
}`

func TestBatteryHealthGolden(t *testing.T) {
	moment := clock
	s := start(t, func(o *Options) { o.Now = func() time.Time { return moment } })
	s.must("battery", `{"id":"B1","rated_capacity_ah":2,"cutoff_voltage_v":2.7}`)
	s.capacities("B1")
	first := s.get("/api/v1/batteries/B1/health")
	var indented bytes.Buffer
	if err := json.Indent(&indented, bytes.TrimSpace([]byte(first.body)), "", "  "); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(goldenHealth, indented.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	moment = moment.Add(1000 * time.Hour)
	if again := s.get("/api/v1/batteries/B1/health"); again.body != first.body {
		t.Errorf("asked later: got %s, want the same bytes as %s", again.body, first.body)
	}
}

func TestBatteryHealthWithoutRatings(t *testing.T) {
	s := start(t)
	s.must("battery", `{"id":"B1"}`)
	s.capacities("B1")
	h := must[BatteryHealth](s, http.StatusOK, http.MethodGet, "/api/v1/batteries/B1/health", "")
	if h.Status != "insufficient_data" || h.Reason == "" || h.SoHPct != nil || h.CapacityAh == nil || *h.CapacityAh != 1.5 || h.RatedCapacityAh != nil {
		t.Errorf("got %+v, want a capacity, a reason and no state of health", h)
	}
	for _, c := range h.Cycles {
		if c.SoHPct != nil {
			t.Errorf("cycle %d: state of health %v without a rating", c.Cycle, *c.SoHPct)
		}
	}
	refused(t, s.get("/api/v1/batteries/absent/health"), http.StatusNotFound)
}

func TestListAndHealthAgree(t *testing.T) {
	s := start(t)
	s.must("battery", `{"id":"B1","rated_capacity_ah":2}`)
	s.capacities("B1")
	want := Extent{From: Time(at(0)), To: Time(at(48 * time.Hour))}
	b := must[Battery](s, http.StatusOK, http.MethodGet, "/api/v1/batteries/B1", "")
	h := must[BatteryHealth](s, http.StatusOK, http.MethodGet, "/api/v1/batteries/B1/health", "")
	if diff := cmp.Diff(HealthSummary{h.Status, h.CapacityAh, h.SoHPct, h.MeasuredAt}, b.Health); diff != "" {
		t.Errorf("health (-health +item):\n%s", diff)
	}
	if diff := cmp.Diff(&want, b.Telemetry); diff != "" {
		t.Errorf("telemetry (-want +got):\n%s", diff)
	}
	s.must("battery", `{"id":"B2"}`) // a list of one is read like an item
	list := must[struct{ Items []Battery }](s, http.StatusOK, http.MethodGet, "/api/v1/batteries", "")
	if diff := cmp.Diff(b, list.Items[0]); diff != "" {
		t.Errorf("list (-item +list):\n%s", diff)
	}
}

func TestRollups(t *testing.T) {
	s := start(t)
	s.must("building", `{"id":"b1"}`)
	day := telemetry.DayOf(at(0))
	bucket := func(ts int64, delta float64) rollup.Bucket {
		return rollup.Bucket{Start: ts, Stats: []rollup.Stat{
			{Field: "power_w", Samples: 4, Coverage: 1, Mean: ptr(10.0), Min: ptr(5.0), Max: ptr(15.0), Last: ptr(12.0)},
			{Field: "energy_wh", Samples: 4, Coverage: 1, Last: ptr(500.0), Delta: &delta},
		}}
	}
	var days []ledger.RollupDay
	for i := range int64(2) {
		start := at(0) + i*telemetry.Day
		days = append(days, ledger.RollupDay{
			DeviceDay: telemetry.DeviceDay{Kind: devices.KindBuilding, Device: "b1", Day: day + i},
			Day: rollup.Day{
				Hours: []rollup.Bucket{bucket(start, 1), bucket(start+telemetry.Hour, 2)},
				Total: bucket(start, 3),
			},
		})
	}
	s.mark(devices.KindBuilding, "b1", day, day+1)
	s.commit(ledger.Changes{Rollups: days})

	energy := func(ts string, delta float64) object {
		return object{"start": ts, "stats": []any{object{"field": "energy_wh", "samples": 4.0, "coverage": 1.0, "last": 500.0, "delta": delta}}}
	}
	for _, tt := range []struct {
		name, query string
		want        []any
	}{
		{"hours that start inside", "from=2026-03-01T00:30:00Z&to=2026-03-02T01:00:00Z&fields=energy_wh", []any{
			energy("2026-03-01T01:00:00.000Z", 2), energy("2026-03-02T00:00:00.000Z", 1),
		}},
		{"days", "from=2026-03-01T00:00:00Z&to=2026-03-03T00:00:00Z&every=1d&fields=energy_wh", []any{
			energy("2026-03-01T00:00:00.000Z", 3), energy("2026-03-02T00:00:00.000Z", 3),
		}},
		{"the end is exclusive", "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z&every=1d&fields=energy_wh", []any{
			energy("2026-03-01T00:00:00.000Z", 3),
		}},
		{"no data", "from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z", []any{}},
		{"a field without data", "from=2026-03-01T00:00:00Z&to=2026-03-03T00:00:00Z&fields=gas_wh", []any{}},
	} {
		got := must[object](s, http.StatusOK, http.MethodGet, "/api/v1/buildings/b1/rollups?"+tt.query, "")
		if diff := cmp.Diff(object{"items": tt.want}, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.name, diff)
		}
	}
	all := must[struct{ Items []Rollup }](s, http.StatusOK, http.MethodGet, "/api/v1/buildings/b1/rollups?from=2026-03-01T00:00:00Z&to=2026-03-01T01:00:00Z", "")
	if len(all.Items) != 1 || len(all.Items[0].Stats) != 2 || *all.Items[0].Stats[0].Mean != 10 {
		t.Errorf("all fields: got %+v", all.Items)
	}
	for _, tt := range []struct{ query, where string }{
		{"every=2h", "query.every"},
		{"fields=speed", "query.fields"},
		{"from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "query.from"},
		{"from=2000-01-01T00:00:00Z&to=2026-03-01T00:00:00Z", "query.every"},
	} {
		p := refused(t, s.get("/api/v1/buildings/b1/rollups?"+tt.query), http.StatusUnprocessableEntity)
		if got := p.locations(); len(got) != 1 || got[0] != tt.where {
			t.Errorf("%s: locations %v, want %s", tt.query, got, tt.where)
		}
	}
}

func TestEvents(t *testing.T) {
	s := start(t)
	s.must("station", `{"id":"st1"}`)
	var events []telemetry.Event
	for i := range 5 {
		id := fmt.Sprintf("e%d", i)
		kind := []string{"swap.completed", "fault.opened"}[i%2]
		data := fmt.Sprintf(`{"id":%q,"ts":%d,"type":%q}`, id, at(time.Duration(i)*time.Hour), kind)
		events = append(events, telemetry.Event{
			Kind: devices.KindStation, Device: "st1", ID: id, TS: at(time.Duration(i) * time.Hour), Type: kind, Data: []byte(data),
		})
	}
	events = append(events, telemetry.Event{Kind: devices.KindStation, Device: "st2", ID: "x", TS: at(0), Type: "swap.completed", Data: []byte(`{}`)})
	if _, err := s.ledger.AppendEvents(t.Context(), events); err != nil {
		t.Fatal(err)
	}
	for _, tt := range []struct {
		query string
		want  []string
		total string
	}{
		{"", []string{"e0", "e1", "e2", "e3", "e4"}, "5"},
		{"?type=fault.opened", []string{"e1", "e3"}, "2"},
		{"?type=fault.opened,swap.completed&limit=2&offset=1", []string{"e1", "e2"}, "5"},
		{"?from=2026-03-01T01:00:00Z&to=2026-03-01T03:00:00Z", []string{"e1", "e2"}, "2"},
		{"?from=2026-03-01T03:00:00Z", []string{"e3", "e4"}, "2"},
		{"?to=2026-03-01T01:00:00Z", []string{"e0"}, "1"},
		{"?type=swap.failed", nil, "0"},
	} {
		a := s.get("/api/v1/stations/st1/events" + tt.query)
		var body struct{ Items []Event }
		a.into(t, &body)
		var got []string
		for _, e := range body.Items {
			got = append(got, e.ID)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" || a.header.Get("X-Total-Count") != tt.total {
			t.Errorf("%s: total %s, want %s (-want +got):\n%s", tt.query, a.header.Get("X-Total-Count"), tt.total, diff)
		}
	}
	one := must[struct{ Items []object }](s, http.StatusOK, http.MethodGet, "/api/v1/stations/st1/events?limit=1", "")
	want := object{
		"id": "e0", "ts": "2026-03-01T00:00:00.000Z", "type": "swap.completed",
		"data": object{"id": "e0", "ts": float64(at(0)), "type": "swap.completed"},
	}
	if diff := cmp.Diff([]object{want}, one.Items); diff != "" {
		t.Errorf("event (-want +got):\n%s", diff)
	}
	refused(t, s.get("/api/v1/stations/st1/events?from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z"), http.StatusUnprocessableEntity)
}

func TestFleetSummary(t *testing.T) {
	s := start(t)
	s.must("owner", `{"id":"o1","name":"One"}`)
	s.must("site", `{"id":"s1","name":"Site","time_zone":"UTC"}`)
	s.must("station", `{"id":"st1","owner_id":"o1"}`)
	s.must("building", `{"id":"b1"}`)
	for id, rated := range map[string]string{"B1": "2", "B2": "3", "B3": "6"} {
		s.must("battery", `{"id":"`+id+`","owner_id":"o1","rated_capacity_ah":`+rated+`}`)
		s.capacities(id)
	}
	s.must("battery", `{"id":"B4","rated_capacity_ah":1}`)
	s.must("battery", `{"id":"B5","rated_capacity_ah":1,"status":"retired"}`)
	s.capacities("B5")
	s.mark(devices.KindBuilding, "b1", telemetry.DayOf(at(0))-10)

	want := FleetSummary{
		Owners: 1, Sites: 1,
		Stations:  StatusCounts{Total: 1, Active: 1},
		Batteries: StatusCounts{Total: 5, Active: 3, Unclaimed: 1, Retired: 1},
		Buildings: StatusCounts{Total: 1, Unclaimed: 1},
		SoH:       SoHSpread{Count: 3, Unknown: 1, MinPct: ptr(25.0), MedianPct: ptr(50.0), MaxPct: ptr(75.0)},
		Ingest:    ptr(fakeIngest{}.Accounting()),
		Telemetry: &Extent{From: Time(at(-240 * time.Hour)), To: Time(at(48 * time.Hour))},
	}
	if diff := cmp.Diff(want, must[FleetSummary](s, http.StatusOK, http.MethodGet, "/api/v1/fleet/summary", "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestEmptyFleetSummary(t *testing.T) {
	s := start(t)
	got := must[object](s, http.StatusOK, http.MethodGet, "/api/v1/fleet/summary", "")
	want := object{"count": 0.0, "unknown": 0.0, "min_pct": nil, "median_pct": nil, "max_pct": nil}
	if diff := cmp.Diff(want, got["soh"]); diff != "" || got["telemetry"] != nil {
		t.Errorf("telemetry %v, want none (-want +got):\n%s", got["telemetry"], diff)
	}
}
