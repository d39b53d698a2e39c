package main

import (
	"bufio"
	"encoding/csv"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/battery/passporttest"
)

// makersSheet is what the maker of the demonstration's batteries declares.
const makersSheet = `{
	"status":"original","rated_maximum_power_kw":4,"power_capability_ratio":2,
	"original_power":[{"soc_pct":80,"power_w":9000},{"soc_pct":20,"power_w":7000}],"expected_cycles":2000,"expected_years":8,
	"exhaustion_pct":70,"initial_self_discharge_pct":2,"initial_resistance_ohm":0.04,"round_trip_pct":96,"round_trip_half_life_pct":94,
	"max_voltage_v":100,"life_test_c_rate":0.5,"idle_min_c":-20,"idle_max_c":60,"lifetime_reference_test":"https://example.org/test"}`

// The demonstration's batteries have results over HTTP: each its assessment, its
// passport, which the schema takes with what its maker declares of it,
// and its place in the lists of the fleet.
func TestBatteryResultsOfTheDemo(t *testing.T) {
	t.Parallel()
	schema := passporttest.Open(t)
	s := launch(t, 2*time.Minute, "demo", "--data", t.TempDir(), "--days", "45")
	s.eventually("history computed", 10*time.Minute, func() bool { return strings.Contains(s.log.String(), "goes on live") })
	type row struct {
		ID      string
		Results *struct {
			Status      string
			HealthScore *float64 `json:"health_score"`
			SoHPct      *float64 `json:"soh_pct"`
		}
	}
	list := get[struct{ Items []row }](s, "/api/v1/batteries?limit=100&sort=health").Items
	if len(list) != 60 {
		t.Fatalf("got %d batteries, want 60", len(list))
	}
	scored, complete := 0, 0
	for k, b := range list {
		if b.Results == nil {
			t.Errorf("%s: no results", b.ID)
			continue
		}
		if b.Results.HealthScore != nil {
			scored++
			if before := list[max(0, k-1)].Results.HealthScore; before == nil || *before > *b.Results.HealthScore {
				t.Errorf("%s comes after a better one", b.ID)
			}
		}
		s.call(http.StatusOK, http.MethodPut, "/api/v1/batteries/"+b.ID+"/passport/sheet", makersSheet)
		if checkPassport(t, s, schema, b.ID) {
			complete++
		}
	}
	if scored != 60 {
		t.Errorf("got %d batteries with a health score, want 60", scored)
	}
	if complete != 60 {
		t.Errorf("%d of 60 passports pass the schema", complete)
	}
	checkFleetResults(t, s)
	checkStream(t, s)
	s.stop()
}

// checkPassport reports whether the passport passes the schema whole.
func checkPassport(t *testing.T, s *server, schema passporttest.Schema, id string) bool {
	t.Helper()
	p := get[struct {
		Complete bool
		Document any
		Missing  []struct{ Path, Status, Reason string }
		Declared []struct{ Path, Status, Reason string }
		Points   []struct {
			Nr         int
			Value      any
			Status     string
			LastUpdate *string `json:"last_update"`
			Reason     string
		}
	}](s, "/api/v1/batteries/"+id+"/passport")
	var gaps []string
	for _, g := range p.Missing {
		gaps = append(gaps, g.Path)
		if g.Reason == "" || g.Status != "not available" {
			t.Errorf("%s: got gap %+v, want a reason", id, g)
		}
	}
	for _, d := range p.Declared {
		if d.Reason == "" || d.Status != "declared" {
			t.Errorf("%s: got %+v, want a reason", id, d)
		}
		t.Logf("%s: %s is as declared: %s", id, d.Path, d.Reason)
	}
	wrong := schema.Check(p.Document)
	for k := range wrong {
		wrong[k] = strings.TrimPrefix(strings.Replace(wrong[k], ": lacks ", ".", 1), ".")
	}
	slices.Sort(wrong)
	if !slices.Equal(wrong, gaps) || p.Complete != (len(wrong) == 0) {
		t.Errorf("%s: the schema misses %v, the passport says %v", id, wrong, gaps)
	}
	if len(p.Points) != 21 {
		t.Errorf("%s: got %d points, want those from 51 to 71", id, len(p.Points))
	}
	for _, x := range p.Points {
		if (x.Value == nil) != (x.Status == "not available") || (x.Value == nil) != (x.Reason != "") || (x.Value == nil) != (x.LastUpdate == nil) {
			t.Errorf("%s: got point %+v", id, x)
		}
	}
	if p.Complete {
		return true
	}
	t.Logf("%s lacks %v", id, gaps)
	return false
}

// checkFleetResults asks every result of the fleet, as JSON and as CSV.
func checkFleetResults(t *testing.T, s *server) {
	t.Helper()
	health := get[struct {
		Batteries int
		Statuses  struct{ OK int }
		Scores    []struct{ Value float64 }
	}](s, "/api/v1/fleet/health")
	counted := 0.0
	for _, b := range health.Scores {
		counted += b.Value
	}
	if health.Batteries != 60 || counted != float64(health.Statuses.OK) {
		t.Errorf("fleet health: got %+v", health)
	}
	for _, path := range []string{
		"batteries", "fleet/cohorts", "fleet/outliers", "fleet/replacements", "fleet/warranty", "fleet/benchmarks?by=chemistry",
		"fleet/benchmarks/batteries?by=owner&measure=utilization",
	} {
		whole := get[struct{ Items []json.RawMessage }](s, "/api/v1/"+path)
		sep := "?"
		if strings.Contains(path, "?") {
			sep = "&"
		}
		file := string(s.call(http.StatusOK, http.MethodGet, "/api/v1/"+path+sep+"format=csv", ""))
		records, err := csv.NewReader(strings.NewReader(file)).ReadAll()
		if err != nil || len(records) != len(whole.Items)+1 {
			t.Errorf("%s: got %d lines of CSV, %v; want %d and a header", path, len(records), err, len(whole.Items))
		}
	}
}

// checkStream hears the live readings of the demonstration and a run of a job,
// and that the stream ends with the server.
func checkStream(t *testing.T, s *server) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/stream?topics=telemetry,job", nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+adminKey)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = res.Body.Close() })
	heard := make(chan string, 8) // each kind once, of which there are five
	go func() {
		defer close(heard)
		seen := map[string]bool{}
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			if event, ok := strings.CutPrefix(lines.Text(), "event: "); ok && !seen[event] {
				seen[event] = true
				heard <- event
			}
		}
	}()
	await := func(what string) {
		t.Helper()
		deadline := time.After(time.Minute)
		for {
			select {
			case event, ok := <-heard:
				if !ok {
					t.Fatalf("the stream ended before %s", what)
				}
				if event == what {
					return
				}
			case <-deadline:
				t.Fatalf("%s: not heard within a minute", what)
			}
		}
	}
	await("telemetry")
	s.runJob("rollup")
	await("job")
}
