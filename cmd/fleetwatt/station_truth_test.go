package main

import (
	"encoding/json"
	"fmt"
	"math"
	"net/http"
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

// stationsOnly is a simulation of which only the stations are heard, and that
// remembers their swaps.
type stationsOnly struct {
	*simulator.Fleet
	swaps map[string]int // by station, local date and type
	zones map[string]*time.Location
}

func (s *stationsOnly) Step(emit func(telemetry.Reading), event func(telemetry.Event)) {
	s.Fleet.Step(func(r telemetry.Reading) {
		if r.Kind == devices.KindStation {
			emit(r)
		}
	}, func(e telemetry.Event) {
		if e.Kind != devices.KindStation {
			return
		}
		if strings.HasPrefix(e.Type, "swap.") {
			s.swaps[e.Device+" "+time.UnixMilli(e.TS).In(s.zones[e.Device]).Format(time.DateOnly)+" "+e.Type]++
		}
		event(e)
	})
}

// cityOf is the city scenario with so many stations, and the batteries for them.
func cityOf(stations int, start time.Time) simulator.Config {
	c := simulator.Demo(5, start)
	c.Owners, c.Sites, c.Stations, c.Slots = min(5, stations), max(min(5, stations), stations/2), stations, 20
	c.Batteries, c.Buildings = 60*stations, 0
	c.SwapsPerDay, c.Dispersion, c.KneeShare = 45, 1.5, 0.02
	c.Breakdowns = simulator.Breakdowns{StationPerYear: 4, StationHours: 6, SlotPerYear: 1, SlotHours: 24}
	return c
}

// registerStations makes the registry hold where the stations stand.
func (s *server) registerStations(inv simulator.Inventory) {
	s.t.Helper()
	post := func(path string, body any) {
		b, err := json.Marshal(body)
		if err != nil {
			s.t.Fatal(err)
		}
		s.call(http.StatusCreated, http.MethodPost, path, string(b))
	}
	for _, o := range inv.Owners {
		post("/api/v1/owners", map[string]any{"id": o.ID, "name": o.Name})
	}
	for _, x := range inv.Sites {
		post("/api/v1/sites", map[string]any{"id": x.ID, "owner_id": x.OwnerID, "name": x.Name, "time_zone": x.TimeZone})
	}
	for _, x := range inv.Stations {
		post("/api/v1/stations", map[string]any{"id": x.ID, "owner_id": x.OwnerID, "site_id": x.SiteID, "slots": x.Slots})
	}
}

func number(t *testing.T, name string, preset int) int {
	t.Helper()
	text := os.Getenv(name)
	if text == "" {
		return preset
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

type stationRow struct {
	ID               string   `json:"id"`
	Status           string   `json:"status"`
	Swaps            int      `json:"swaps"`
	Failures         int      `json:"failures"`
	Reneged          int      `json:"reneged"`
	Completion       *float64 `json:"completion"`
	PackAvailability *float64 `json:"charged_pack_availability"`
	GridWh           *float64 `json:"grid_wh"`
	Uptime           *float64 `json:"station_uptime"`
	Occupied         *float64 `json:"occupied_share"`
	PackInService    *float64 `json:"pack_in_service"`
	PacksNeeded      *int     `json:"packs_needed"`
	Availability     *float64 `json:"availability"`
	Coverage         *float64 `json:"coverage"`
}

type rowsOf[T any] struct {
	Items []T `json:"items"`
}

// A city over MQTT through ingest, store, job and API: every swap and refusal on
// its local day, completion, energy and the time out of service are those of the
// simulator. FLEETWATT_CITY_STATIONS=50 and FLEETWATT_CITY_DAYS=365 are the city
// scenario in full.
func TestStationsOverMQTTAgainstTruth(t *testing.T) {
	t.Parallel()
	stations, days := number(t, "FLEETWATT_CITY_STATIONS", 4), number(t, "FLEETWATT_CITY_DAYS", 70)
	end := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -2)
	fleet, err := simulator.New(cityOf(stations, end.AddDate(0, 0, -days)))
	if err != nil {
		t.Fatal(err)
	}
	inv := fleet.Inventory()
	s := serve(t)
	s.registerStations(inv)
	source := &stationsOnly{fleet, map[string]int{}, map[string]*time.Location{}}
	zoneOf := map[string]string{}
	for _, site := range inv.Sites {
		zoneOf[site.ID] = site.TimeZone
	}
	for _, x := range inv.Stations {
		if source.zones[x.ID], err = time.LoadLocation(zoneOf[x.SiteID]); err != nil {
			t.Fatal(err)
		}
	}
	p, err := publish.New(publish.Options{Broker: "tcp://" + s.mqtt, Connections: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	if err := p.Backfill(t.Context(), source, end); err != nil {
		t.Fatal(err)
	}
	began := time.Now()
	s.runJob("stations")
	took := time.Since(began)

	truths := map[string]simulator.StationTruth{}
	for _, x := range fleet.Truth().Stations {
		truths[x.ID] = x
	}
	// The last day of stations ahead of UTC has not ended where the simulation
	// does, and holds what there is of it.
	asked := lastDays(days, end)
	rows := get[rowsOf[stationRow]](s, "/api/v1/fleet/stations?limit=1000&"+asked).Items
	if len(rows) != stations {
		t.Fatalf("got %d stations, want %d", len(rows), stations)
	}
	swaps, refusals := 0, 0
	for _, row := range rows {
		truth := truths[row.ID]
		swaps, refusals = swaps+row.Swaps, refusals+row.Failures
		if row.Swaps != truth.Swaps || row.Failures != truth.Refusals || row.Reneged != 0 {
			t.Errorf("%s: got %d swaps, %d refusals, %d reneged, want %d and %d", row.ID, row.Swaps, row.Failures, row.Reneged, truth.Swaps, truth.Refusals)
		}
		if want := float64(truth.Swaps) / float64(truth.Swaps+truth.Refusals); row.Completion == nil || *row.Completion != want {
			t.Errorf("%s: got a completion of %v, want %v", row.ID, row.Completion, want)
		}
		if row.GridWh == nil || math.Abs(*row.GridWh/truth.DrawnWh-1) > 0.001 {
			t.Errorf("%s: got %v Wh, want %v", row.ID, row.GridWh, truth.DrawnWh)
		}
		got := map[string]int{}
		for _, d := range get[rowsOf[struct {
			Date                     string
			Swaps, Failures, Reneged int
		}]](s, "/api/v1/stations/"+row.ID+"/days?limit=1000").Items {
			for kind, n := range map[string]int{"completed": d.Swaps, "failed": d.Failures, "timeout": d.Reneged} {
				if n > 0 {
					got[row.ID+" "+d.Date+" swap."+kind] = n
				}
			}
		}
		for key, n := range source.swaps {
			if strings.HasPrefix(key, row.ID+" ") && got[key] != n {
				t.Errorf("%s: got %d, want %d", key, got[key], n)
			}
			delete(got, key)
		}
		for key, n := range got {
			if strings.HasPrefix(key, row.ID+" ") {
				t.Errorf("%s: got %d, want none", key, n)
			}
		}
		type window struct{ From, To time.Time }
		up := get[struct {
			Uptime struct {
				window
				Up *float64 `json:"station_uptime"`
			}
			Faults []struct {
				From time.Time
				To   *time.Time
				Slot int
			}
		}](s, "/api/v1/stations/"+row.ID+"/reliability?"+asked)
		down, open := 0.0, false
		for _, f := range up.Faults {
			to := fleet.Now()
			if open = open || f.To == nil && f.Slot == 0; f.To != nil {
				to = *f.To
			}
			if f.Slot == 0 {
				down += to.Sub(f.From).Hours()
			}
		}
		if math.Abs(down-truth.Down.Hours()) > 1e-6 {
			t.Errorf("%s: got %v h out of service, want %v", row.ID, down, truth.Down.Hours())
		}
		if hours := up.Uptime.To.Sub(up.Uptime.From).Hours(); !open && (up.Uptime.Up == nil || math.Abs((1-*up.Uptime.Up)*hours-truth.Down.Hours()) > 1e-6) {
			t.Errorf("%s: got an uptime of %v over %v h, want %v h down", row.ID, up.Uptime.Up, hours, truth.Down.Hours())
		}
	}
	t.Logf("%d stations, %d days: %d swaps and %d refusals exact by local day, completion and downtime too; the job took %.1f s", stations, days, swaps, refusals, took.Seconds())
	s.foretold(rows, days, end)
}

func lastDays(days int, end time.Time) string {
	return fmt.Sprintf("days=%d&as_of=%s", min(days+2, 366), end.AddDate(0, 0, 1).Format(time.DateOnly))
}
