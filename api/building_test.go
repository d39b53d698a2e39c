package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// withBuildings is a server with two buildings, of which one has a result.
func withBuildings(t *testing.T) *server {
	t.Helper()
	s := start(t, func(o *Options) { o.BuildingReports = noReports{} })
	for _, id := range []string{"b1", "b2"} {
		if _, err := s.registry.CreateBuilding(t.Context(), devices.Building{Asset: devices.Asset{ID: id, Name: "=B"}, FloorAreaM2: 100}); err != nil {
			t.Fatal(err)
		}
	}
	r, err := building.Evaluate(building.Input{Plan: &building.Plan{
		Building: "b1", Zone: "UTC", Rules: building.DefaultRules(),
		Interventions: []building.Intervention{{ID: "i", Title: "LED", Concerns: []building.Meter{building.Electricity}, Start: "2026-01-01"}},
	}, Series: building.Series{First: clock.Add(-time.Hour).UnixMilli(), Last: clock.UnixMilli()}})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.ledger.Commit(t.Context(), ledger.Changes{Job: "buildings", Parts: []ledger.Part{&ledger.BuildingChange{Building: "b1", Result: r}}}); err != nil {
		t.Fatal(err)
	}
	return s
}

func authorized() map[string]string {
	return map[string]string{"Authorization": "Bearer " + testKey, "Content-Type": "application/json"}
}

type noReports struct{}

func (noReports) Report(_ context.Context, id string, made time.Time) (report.Report, error) {
	if id == "b2" {
		return report.Report{}, ErrNoReport
	}
	in := building.Input{Plan: &building.Plan{Building: id, Rules: building.DefaultRules()}}
	r, err := building.Evaluate(in)
	if err != nil {
		return report.Report{}, err
	}
	return building.Report(in, r, report.Building{ID: id, Name: "<script>", TimeZone: "UTC"}, made)
}

// Every route of a building's results answers, with its verdict and without a
// zero, before the first result and after one that lacks everything.
func TestBuildingWithoutData(t *testing.T) {
	s := withBuildings(t)
	for _, id := range []string{"b1", "b2"} {
		for _, part := range []string{"savings", "model", "demand", "carbon", "cost", "anomalies", "forecast", "targets", "usage"} {
			a := s.get("/api/v1/buildings/" + id + "/" + part)
			if a.status != http.StatusOK || !strings.Contains(a.body, `"status":"insufficient_data"`) || !strings.Contains(a.body, `"reason":"`) {
				t.Errorf("%s of %s: got %d %s", part, id, a.status, a.body)
			}
		}
	}
	if a := s.get("/api/v1/buildings/b1/savings"); !strings.Contains(a.body, building.NoReadings) || !strings.Contains(a.body, `"saving":null`) {
		t.Errorf("got %s, want a named reason and no number", a.body)
	}
	if a := s.get("/api/v1/buildings/none/savings"); a.status != http.StatusNotFound {
		t.Errorf("an unknown building: got %d", a.status)
	}
	if a := s.get("/api/v1/buildings/b1/savings?as_of=2001-01-01"); a.status != http.StatusOK || !strings.Contains(a.body, "by then") {
		t.Errorf("before the first: got %s", a.body)
	}
	for path, want := range map[string]string{
		"/api/v1/fleet/buildings":            `"id":"b2"`,
		"/api/v1/fleet/buildings?format=csv": "\nb1,'=B,",
		"/api/v1/fleet/savings":              `"left_out":[{"id":"b1"`,
		"/api/v1/fleet/targets":              `"energy_savings"`,
		"/api/v1/buildings/b1/history":       `"id":"b1"`,
	} {
		if a := s.get(path); a.status != http.StatusOK || !strings.Contains(strings.ReplaceAll(a.body, "\r", ""), want) {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
		}
	}
	for format, want := range map[string]string{"html": "<!doctype html>", "md": "# "} {
		a := s.get("/api/v1/buildings/b1/savings/report?format=" + format)
		if a.status != http.StatusOK || !strings.HasPrefix(strings.ToLower(a.body), want) || strings.Contains(a.body, "<script>") {
			t.Errorf("%s: got %d %.200s", format, a.status, a.body)
		}
	}
	if a := s.get("/api/v1/buildings/b2/savings/report"); a.status != http.StatusNotFound {
		t.Errorf("a report of nothing: got %d", a.status)
	}
}

// What owners enter is kept, changed and removed, and what makes no sense is
// named.
func TestBuildingEntries(t *testing.T) {
	s := withBuildings(t)
	const at = "/api/v1/buildings/b1/interventions"
	made := must[building.Intervention](s, http.StatusCreated, http.MethodPost, at,
		`{"title":"LED","concerns":["electricity"],"start":"2026-03-01","cost":{"minor":100,"currency":"EUR"},"expected_saving":0.1}`)
	if made.ID == "" || made.Title != "LED" {
		t.Fatalf("got %+v", made)
	}
	must[building.Intervention](s, http.StatusOK, http.MethodPut, at+"/boiler", `{"title":"Boiler","concerns":["gas"],"start":"2026-04-01","end":"2026-04-20"}`)
	if all := must[items[building.Intervention]](s, http.StatusOK, http.MethodGet, at, "").Items; len(all) != 2 {
		t.Errorf("got %+v, want two", all)
	}
	must[building.Adjustment](s, http.StatusCreated, http.MethodPost, "/api/v1/buildings/b1/adjustments",
		`{"meter":"electricity","from":"2026-05-01","to":"2026-05-08","amount":-120,"reason":"closed for a flood"}`)
	if a := s.send(http.MethodDelete, at+"/boiler", "", authorized()); a.status != http.StatusNoContent {
		t.Errorf("delete: got %d %s", a.status, a.body)
	}
	if a := s.send(http.MethodDelete, at+"/boiler", "", authorized()); a.status != http.StatusNotFound {
		t.Errorf("delete again: got %d", a.status)
	}
	for _, c := range []struct {
		name, method, path, body, want string
	}{
		{"no such day", http.MethodPost, at, `{"title":"x","concerns":["gas"],"start":"2026-02-30"}`, "body.start"},
		{"done before it began", http.MethodPost, at, `{"title":"x","concerns":["gas"],"start":"2026-03-02","end":"2026-03-01"}`, "body.start"},
		{"a meter that saves nothing", http.MethodPost, at, `{"title":"x","concerns":["solar"],"start":"2026-03-02"}`, "body.concerns"},
		{"money without a currency", http.MethodPost, at, `{"title":"x","concerns":["gas"],"start":"2026-03-02","cost":{"minor":1,"currency":"euro"}}`, "body.cost.currency"},
		{"no reason", http.MethodPost, "/api/v1/buildings/b1/adjustments", `{"meter":"gas","from":"2026-05-01","to":"2026-05-02","amount":1,"reason":" "}`, "body.reason"},
		{"a span of nothing", http.MethodPost, "/api/v1/buildings/b1/adjustments", `{"meter":"gas","from":"2026-05-01","to":"2026-05-01","amount":1,"reason":"x"}`, "body.to"},
		{"an unknown model", http.MethodPut, "/api/v1/buildings/b1/settings", `{"meters":{"gas":{"model":"oracle"}}}`, "body.meters.gas.model"},
		{"an unknown meter", http.MethodPut, "/api/v1/buildings/b1/settings", `{"meters":{"steam":{}}}`, "body.meters.steam"},
		{"weather of nobody", http.MethodPut, "/api/v1/buildings/b1/settings", `{"weather":"building/nobody"}`, "body.weather"},
		{"a tariff of nobody", http.MethodPut, "/api/v1/buildings/b1/settings", `{"meters":{"gas":{"tariff":"none"}}}`, "body.meters.gas.tariff"},
		{"a grid of nobody", http.MethodPut, "/api/v1/buildings/b1/settings", `{"meters":{"gas":{"grid":"none"}}}`, "body.meters.gas.grid"},
		{"no price", http.MethodPut, "/api/v1/tariffs/t", `{"version":"1","currency":"EUR","per_day":5}`, "body.bands"},
		{"no such month", http.MethodPut, "/api/v1/tariffs/t", `{"version":"1","currency":"EUR","bands":[{"name":"x","price":1,"months":[13]}]}`, "body.bands[0].months"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := s.send(c.method, c.path, c.body, authorized())
			if locations := refused(t, a, http.StatusUnprocessableEntity).locations(); !slices.Contains(locations, c.want) {
				t.Errorf("got %v, want %s", locations, c.want)
			}
		})
	}
	must[Tariff](s, http.StatusOK, http.MethodPut, "/api/v1/tariffs/t", `{"version":"1","currency":"EUR","dynamic":true}`)
	settings := must[building.Settings](s, http.StatusOK, http.MethodPut, "/api/v1/buildings/b1/settings",
		`{"weather":"building/b2","meters":{"electricity":{"model":"towt-daily","tariff":"t","confidence":0.8}}}`)
	if settings.Meters[building.Electricity].Confidence != 0.8 {
		t.Errorf("got %+v", settings)
	}
	if users, err := s.ledger.WeatherUsers(t.Context(), devices.Ref{Kind: devices.KindBuilding, ID: "b2"}); err != nil || !slices.Equal(users, []string{"b1"}) {
		t.Errorf("got %v, %v, want b1", users, err)
	}
}

// Tariffs, factors and weather come in as files.
func TestBuildingImports(t *testing.T) {
	s := withBuildings(t)
	send := func(path, body string) answer {
		return s.send(http.MethodPost, "/api/v1"+path, body, map[string]string{"Content-Type": "text/csv", "Authorization": "Bearer " + testKey})
	}
	if a := send("/tariffs/t/prices", "time,p\n2026-01-01 00:00,1\n2026-01-01 00:30,2\n"); a.status != http.StatusNotFound {
		t.Errorf("prices of no tariff: got %d", a.status)
	}
	must[Tariff](s, http.StatusOK, http.MethodPut, "/api/v1/tariffs/t",
		`{"version":"2026","currency":"GBP","per_day":30,"bands":[{"name":"night","from":"23:00","to":"07:00","price":10},{"name":"day","price":30}],"demand":[{"name":"peak","price":500}]}`)
	if a := send("/tariffs/t/prices?scale=100&time_zone=Europe/London", "time,p\n2026-01-01 00:00,0.11\n2026-01-01 00:30,0.12\n"); a.status != http.StatusOK {
		t.Errorf("got %d %s", a.status, a.body)
	}
	got := must[Tariff](s, http.StatusOK, http.MethodGet, "/api/v1/tariffs/t", "")
	if got.Prices == nil || got.Prices.Points != 2 || len(got.Bands) != 2 || got.Bands[0].From != "23:00" {
		t.Errorf("got %+v", got)
	}
	must[Grid](s, http.StatusOK, http.MethodPut, "/api/v1/grids/gb", `{"version":"2026","constant_kg_per_unit":0.2}`)

	var packed bytes.Buffer
	w := gzip.NewWriter(&packed)
	_, _ = w.Write([]byte("time,temp_f\n2026-01-01 00:00,50\n2026-01-01 01:00,41\n"))
	_ = w.Close()
	if a := send("/buildings/b1/weather", packed.String()); a.status != http.StatusOK || !strings.Contains(a.body, `"points":2`) {
		t.Errorf("gzip: got %d %s", a.status, a.body)
	}
	for name, c := range map[string]struct{ path, body string }{
		"another unit":     {"/buildings/b1/weather", "time,temp_c\n2026-01-01 00:00,98\n"},
		"no temperature":   {"/buildings/b1/weather", "time,rain\n2026-01-01 00:00,9\n"},
		"nothing":          {"/buildings/b1/weather", "time,temp_c\n"},
		"not a number":     {"/grids/gb/factors", "time,kg\n2026-01-01 00:00,x\n2026-01-02 00:00,1\n"},
		"a decimal comma":  {"/grids/gb/factors", "time,kg\n2026-01-01 00:00,0,5\n2026-01-02 00:00,0,6\n"},
		"a part of a year": {"/buildings/b1/weather?format=epw", epw(100)},
		"one value":        {"/grids/gb/factors", "time,kg\n2026-01-01 00:00,1\n"},
		"no EPW":           {"/buildings/b1/weather?format=epw", "LOCATION\n"},
		"a zone of nobody": {"/grids/gb/factors?time_zone=Moon/Sea", "time,kg\n2026-01-01 00:00,1\n"},
	} {
		if a := send(c.path, c.body); a.status != http.StatusUnprocessableEntity {
			t.Errorf("%s: got %d %s", name, a.status, a.body)
		}
	}
	if a := send("/buildings/b1/weather", "time,Temp (F)\n2026-01-01 00:00,50\n2026-01-01 01:00,41\n"); !strings.Contains(a.body, `"unit":"°F","min_c":5,"max_c":10`) {
		t.Errorf("°F: got %d %s", a.status, a.body)
	}
	info := must[WeatherInfo](s, http.StatusOK, http.MethodGet, "/api/v1/buildings/b1/weather", "")
	if info.Measured == nil || info.Measured.Points != 2 || info.Typical != nil {
		t.Errorf("got %+v", info)
	}
	if a := s.send(http.MethodDelete, "/api/v1/buildings/b1/weather", "", authorized()); a.status != http.StatusNoContent {
		t.Errorf("delete: got %d", a.status)
	}
}

// epw is a file of so many hours from New Year, as long as EnergyPlus writes them.
func epw(hours int) string {
	var b strings.Builder
	b.WriteString("LOCATION,Nowhere,-,XXX,Test,1,52,13,1.0,30\n" + strings.Repeat("-\n", 7))
	for at := time.Date(2021, 1, 1, 0, 0, 0, 0, time.UTC); hours > 0; at, hours = at.Add(time.Hour), hours-1 {
		fmt.Fprintf(&b, "%d,%d,%d,%d,60,%s,7.5,%s\n", at.Year(), at.Month(), at.Day(), at.Hour()+1, strings.Repeat("A7", 30), strings.Repeat("9,", 40))
	}
	return b.String()
}

// A weather file of a whole year is taken, though it is longer than other bodies
// may be.
func TestWholeYearOfWeather(t *testing.T) {
	s := withBuildings(t)
	file := epw(8760)
	if len(file) < maxBody*5/4 {
		t.Fatalf("got a file of %d bytes, want one beyond the limit of other bodies", len(file))
	}
	headers := map[string]string{"Content-Type": "text/csv", "Authorization": "Bearer " + testKey}
	const at = "/api/v1/buildings/b1/weather?format=epw"
	for range 2 { // the second takes the place of the first
		if a := s.send(http.MethodPost, at, file, headers); a.status != http.StatusOK || !strings.Contains(a.body, `"points":8760`) {
			t.Fatalf("got %d %.300s", a.status, a.body)
		}
	}
	too := fmt.Sprintf("POST %s HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer %s\r\nContent-Length: %d\r\n\r\n", at, testKey, maxImport+1)
	if a := s.raw(too); a.status != http.StatusRequestEntityTooLarge || !strings.Contains(a.body, "gzip") {
		t.Errorf("beyond the limit: got %d %s, want it to name gzip", a.status, a.body)
	}
}

// A zone, a floor and a site that change have the results worked out again.
func TestRegistryChangesMarkBuildings(t *testing.T) {
	s := withBuildings(t)
	must[Site](s, http.StatusCreated, http.MethodPost, "/api/v1/sites", `{"id":"s","name":"S","time_zone":"Europe/Berlin"}`)
	b1 := []devices.Ref{{Kind: devices.KindBuilding, ID: "b1"}}
	for _, c := range []struct {
		path, body string
		want       []devices.Ref
	}{
		{"/buildings/b1", `{"site_id":"s"}`, b1},
		{"/buildings/b1", `{"floor_area_m2":50}`, b1},
		{"/buildings/b1", `{"name":"N"}`, nil},
		{"/sites/s", `{"time_zone":"Europe/Paris"}`, b1},
		{"/sites/s", `{"name":"T"}`, nil},
	} {
		if a := s.send(http.MethodPatch, "/api/v1"+c.path, c.body, authorized()); a.status != http.StatusOK {
			t.Fatalf("%s: got %d %s", c.body, a.status, a.body)
		}
		if got := s.changed.taken(); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %v, want %v", c.body, got, c.want)
		}
	}
}
