package api

import (
	"fmt"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// at is an instant on the day before the clock's.
func at(offset time.Duration) int64 {
	return time.Date(2026, 3, 1, 0, 0, 0, 0, time.UTC).Add(offset).UnixMilli()
}

// measured is a server with a battery of four readings, a quarter of an hour
// apart from midnight on.
func measured(t *testing.T) *server {
	s := start(t)
	s.must("battery", `{"id":"B1"}`)
	s.must("building", `{"id":"b1"}`)
	s.must("station", `{"id":"st1"}`)
	for i := range 4 {
		s.readings.put(devices.KindBattery, "B1", at(time.Duration(i)*15*time.Minute),
			"soc_pct", 80-float64(i), "voltage_v", 48.5, "state", `in "use"`)
	}
	s.readings.put(devices.KindBattery, "B1", at(time.Hour), "soc_pct", 1e-7)
	s.readings.put(devices.KindBattery, "B2", at(0), "soc_pct", 1.0)
	return s
}

const dayQuery = "from=2026-03-01T00:00:00Z&to=2026-03-02T00:00:00Z"

func (s *server) telemetry(path string) (items []object, next string, a answer) {
	s.t.Helper()
	a = s.get("/api/v1/" + path)
	if a.status != http.StatusOK {
		s.t.Fatalf("%s: got %d %s", path, a.status, a.body)
	}
	var body struct {
		Items []object `json:"items"`
		Next  string   `json:"next"`
	}
	a.into(s.t, &body)
	if body.Items == nil {
		s.t.Errorf("%s: items is null, want an array", path)
	}
	return body.Items, body.Next, a
}

func TestTelemetry(t *testing.T) {
	s := measured(t)
	for _, tt := range []struct {
		name, query string
		want        []object
	}{
		{
			"raw, one field", dayQuery + "&fields=soc_pct&limit=2",
			[]object{{"ts": "2026-03-01T00:00:00.000Z", "soc_pct": 80.0}, {"ts": "2026-03-01T00:15:00.000Z", "soc_pct": 79.0}},
		},
		{
			"raw, all fields", "from=2026-03-01T00:45:00Z&to=2026-03-01T01:00:00.001Z",
			[]object{
				{"ts": "2026-03-01T00:45:00.000Z", "soc_pct": 77.0, "voltage_v": 48.5, "state": `in "use"`},
				{"ts": "2026-03-01T01:00:00.000Z", "soc_pct": 1e-7},
			},
		},
		{
			"half open, in another zone", "from=2026-03-01T01:15:00%2B01:00&to=2026-03-01T00:30:00Z&fields=soc_pct",
			[]object{{"ts": "2026-03-01T00:15:00.000Z", "soc_pct": 79.0}},
		},
		{"default is the last 24 hours", "fields=soc_pct", []object{}},
		{
			"mean by default", dayQuery + "&every=30m&fields=soc_pct,voltage_v",
			[]object{
				{"ts": "2026-03-01T00:00:00.000Z", "soc_pct": 79.5, "voltage_v": 48.5},
				{"ts": "2026-03-01T00:30:00.000Z", "soc_pct": 77.5, "voltage_v": 48.5},
				{"ts": "2026-03-01T01:00:00.000Z", "soc_pct": 1e-7},
			},
		},
		{
			"every numeric field by default", dayQuery + "&every=1d&aggregate=count",
			[]object{{"ts": "2026-03-01T00:00:00.000Z", "soc_pct": 5.0, "voltage_v": 4.0}},
		},
		{
			"first window starts before from", "from=2026-03-01T00:15:00Z&to=2026-03-01T01:00:00Z&every=1h&aggregate=max&fields=soc_pct",
			[]object{{"ts": "2026-03-01T00:00:00.000Z", "soc_pct": 79.0}},
		},
		{"nothing", "from=2020-01-01T00:00:00Z&to=2020-01-02T00:00:00Z&every=1h", []object{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, _, _ := s.telemetry("batteries/B1/telemetry?" + tt.query)
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}

func TestTelemetryRefusals(t *testing.T) {
	s := measured(t)
	long := "from=2020-01-01T00:00:00Z&to=2026-01-01T00:00:00Z"
	for _, tt := range []struct {
		name, query, where string
	}{
		{"from after to", "from=2026-03-02T00:00:00Z&to=2026-03-01T00:00:00Z", "query.from"},
		{"from is to", "from=2026-03-02T00:00:00Z&to=2026-03-02T00:00:00Z", "query.from"},
		{"from after now", "from=2027-01-01T00:00:00Z", "query.from"},
		{"from is no time", "from=yesterday", "query.from"},
		{"to is no time", "to=1767225600000", "query.to"},
		{"from long ago", "from=1066-10-14T00:00:00Z", "query.from"},
		{"to far ahead", "to=3000-01-01T00:00:00Z", "query.to"},
		{"unknown field", "fields=soc_pct,speed", "query.fields"},
		{"empty field", "fields=soc_pct,", "query.fields"},
		{"field of another kind", "fields=humidity_pct", "query.fields"},
		{"text in an aggregate", "every=1h&fields=state", "query.fields"},
		{"gauge in a delta", "every=1h&aggregate=delta&fields=soc_pct", "query.fields"},
		{"aggregate without every", "aggregate=max", "query.every"},
		{"unknown aggregate", "every=1h&aggregate=median", "query.aggregate"},
		{"every of nothing", "every=0s", "query.every"},
		{"every is no duration", "every=hourly", "query.every"},
		{"too many windows", long + "&every=1m", "query.every"},
		{"too many windows to be counted", long + "&every=1ms", "query.every"},
		{"limit of nothing", "limit=0", "query.limit"},
		{"limit too high", "limit=100001", "query.limit"},
		{"limit is no number", "limit=many", "query.limit"},
		{"unknown parameter", "form=2026-03-01T00:00:00Z", "query.form"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			p := refused(t, s.get("/api/v1/batteries/B1/telemetry?"+tt.query), http.StatusUnprocessableEntity)
			if got := p.locations(); len(got) != 1 || got[0] != tt.where {
				t.Errorf("locations: got %v, want %s", got, tt.where)
			}
		})
	}
	for _, path := range []string{"latest", "telemetry", "rollups", "events"} {
		refused(t, s.get("/api/v1/batteries/absent/"+path), http.StatusNotFound)
	}
}

// Following next gives every reading once and in order, whatever the page.
func TestTelemetryPagesWalk(t *testing.T) {
	s := measured(t)
	for _, tt := range []struct {
		query string
		want  int
	}{
		{dayQuery + "&fields=soc_pct", 5},
		{dayQuery + "&every=30m&fields=soc_pct", 3},
		{dayQuery + "&every=15m&aggregate=max&fields=soc_pct", 5},
	} {
		whole, _, _ := s.telemetry("batteries/B1/telemetry?" + tt.query)
		if len(whole) != tt.want {
			t.Fatalf("%s: got %d items, want %d", tt.query, len(whole), tt.want)
		}
		for limit := 1; limit <= tt.want+1; limit++ {
			var got []object
			next := fmt.Sprintf("/api/v1/batteries/B1/telemetry?%s&limit=%d", tt.query, limit)
			for pages := 0; next != ""; pages++ {
				if pages > tt.want {
					t.Fatalf("limit %d: the pages don't end", limit)
				}
				items, from, a := s.telemetry(strings.TrimPrefix(next, "/api/v1/"))
				got = append(got, items...)
				next = linkTo(t, a.header.Get("Link"), "next")
				if u, err := url.Parse(next); err != nil || u.Query().Get("from") != from {
					t.Errorf("link %s and next %s differ", next, from)
				}
			}
			if diff := cmp.Diff(whole, got); diff != "" {
				t.Errorf("limit %d (-whole +pages):\n%s", limit, diff)
			}
		}
	}
}

func TestDeltaBooksNoReset(t *testing.T) {
	s := measured(t)
	// A register that is read on the hour, loses its count at 03:00 and grows
	// by 100 Wh an hour otherwise.
	for i, v := range []float64{1000, 1100, 1200, 50, 150, 250} {
		s.readings.put(devices.KindBuilding, "b1", at(time.Duration(i)*time.Hour), "energy_wh", v)
	}
	got, _, _ := s.telemetry("buildings/b1/telemetry?from=2026-03-01T00:30:00Z&to=2026-03-01T05:00:00Z&every=1h&aggregate=delta&fields=energy_wh")
	sum := 0.0
	for _, item := range got {
		v, known := item["energy_wh"].(float64)
		if !known {
			if item["ts"] != "2026-03-01T02:00:00.000Z" || item["energy_wh_coverage"] != 0.0 || item["energy_wh_resets"] != 1.0 {
				t.Errorf("got %v, want one window without consumption, where the register fell", item)
			}
			continue
		}
		if item["energy_wh_coverage"] != 1.0 {
			t.Errorf("got %v, want it covered", item)
		}
		if v < 0 || v > 100 {
			t.Errorf("%s: got %v Wh, want 0 to 100", item["ts"], v)
		}
		sum += v
	}
	// Half of the first hour, the second, and the two after the reset; what was
	// used over the reset is at most what the register shows since.
	if sum < 350 || sum > 400 {
		t.Errorf("sum: got %v Wh, want 350 to 400: %v", sum, got)
	}
	if first := got[0]; first["ts"] != "2026-03-01T00:00:00.000Z" || first["energy_wh"] != 50.0 {
		t.Errorf("first window: got %v, want half an hour at 100 Wh/h", first)
	}

	paged, next, _ := s.telemetry("buildings/b1/telemetry?" + dayQuery + "&every=1h&aggregate=delta&limit=2")
	if len(paged) != 2 || next != "2026-03-01T02:00:00.000Z" {
		t.Errorf("page: got %v, next %s; want two windows and the third", paged, next)
	}
}

func TestLatest(t *testing.T) {
	s := measured(t)
	want := object{"items": []any{
		object{"field": "soc_pct", "unit": "%", "ts": "2026-03-01T01:00:00.000Z", "value": 1e-7},
		object{"field": "voltage_v", "unit": "V", "ts": "2026-03-01T00:45:00.000Z", "value": 48.5},
		object{"field": "state", "unit": "", "ts": "2026-03-01T00:45:00.000Z", "value": `in "use"`},
	}}
	if diff := cmp.Diff(want, must[object](s, http.StatusOK, http.MethodGet, "/api/v1/batteries/B1/latest", "")); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	none := must[object](s, http.StatusOK, http.MethodGet, "/api/v1/stations/st1/latest", "")
	if diff := cmp.Diff(object{"items": []any{}}, none); diff != "" {
		t.Errorf("without readings (-want +got):\n%s", diff)
	}
}

func TestRawReadingsAreBounded(t *testing.T) {
	s := measured(t)
	start := at(0)
	s.readings.mu.Lock()
	field := s.readings.schema.Field(devices.KindStation, "queue")
	for i := range defaultReadings + 1 {
		s.readings.readings = append(s.readings.readings, telemetry.Reading{
			Kind: devices.KindStation, Device: "st1", TS: start + int64(i), Values: []telemetry.Value{{Field: field, Num: 1}},
		})
	}
	s.readings.mu.Unlock()
	items, next, _ := s.telemetry("stations/st1/telemetry?" + dayQuery)
	if want := Time(start + defaultReadings).String(); len(items) != defaultReadings || next != want {
		t.Errorf("got %d items and next %q, want %d and %q", len(items), next, defaultReadings, want)
	}
	items, next, _ = s.telemetry("stations/st1/telemetry?" + dayQuery + "&limit=100000")
	if len(items) != defaultReadings+1 || next != "" {
		t.Errorf("got %d items and next %q, want all", len(items), next)
	}
}
