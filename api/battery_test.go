package api

import (
	"math"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/battery/passporttest"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// batteryRules are the default ones, with a warranty.
func batteryRules() dossier.Rules {
	r := dossier.DefaultRules()
	r.Warranty = battery.WarrantyTerms{Years: 8, Cycles: 38, GuaranteedSoH: 85}
	return r
}

// pack is a battery of 40 Ah and 48 V whose true capacity is known. Once a day
// it is ridden from 90 % down to 20 % and charged again.
type pack struct {
	id         string
	capacityAh float64
	hot        bool // charged in extreme heat
}

// reading is the pack at so many seconds of a day. Riding takes the morning,
// charging the afternoon; in between and at night it rests.
func (p pack) reading(day int64, second int) dossier.Reading {
	const rest, stretch = 2 * 3600, 7 * 3600 // seconds of rest before riding; of riding
	soc, current, state := 90.0, 0.0, "idle"
	ampere := 0.7 * p.capacityAh / (stretch / 3600)
	switch at := second - rest; {
	case at >= 0 && at < stretch:
		soc, current, state = 90-70*float64(at)/stretch, -ampere, "riding"
	case at >= stretch && at < stretch+rest:
		soc = 20
	case at >= stretch+rest && at < 2*stretch+rest:
		soc, current, state = 20+70*float64(at-stretch-rest)/stretch, ampere, "charging"
	}
	r := dossier.Reading{State: state, CellMinV: math.NaN(), CellMaxV: math.NaN(), ResistanceMOhm: math.NaN(), Cycles: math.NaN()}
	r.TS = day*telemetry.Day + int64(second)*1000
	r.SoCPct, r.CurrentA, r.VoltageV, r.TemperatureC = soc, current, 44+8*soc/100+0.05*current, 25
	if p.hot && current > 0 {
		r.TemperatureC = 50
	}
	return r
}

// work commits what the jobs make of so many days of the pack from the day on.
func (s *server) work(p pack, from int64, days int) {
	s.t.Helper()
	b, err := s.registry.GetBattery(s.t.Context(), p.id)
	if err != nil {
		s.t.Fatal(err)
	}
	sheet, rules := dossier.SheetOf(b), batteryRules()
	x := dossier.New(p.id)
	result := ledger.BatteryResult{Device: p.id}
	var (
		readings []dossier.Reading
		points   []battery.HealthPoint
		seen     []dossier.Day
	)
	for day := from; day < from+int64(days); day++ {
		readings = slices.DeleteFunc(readings, func(r dossier.Reading) bool { return r.TS < day*telemetry.Day-dossier.Lookback })
		for second := 0; second < 86400; second += 300 {
			readings = append(readings, p.reading(day, second))
		}
		d := dossier.Measure(day, readings, sheet, rules)
		closes, due := x.Closes(day), x.Due(day)
		if point := x.Add(d, sheet, rules); point != nil {
			points = append(points, *point)
		}
		seen = append(seen, d)
		if due {
			x.Report(dossier.Findings(seen), points, sheet, rules)
		}
		if closes {
			result.History = append(result.History, x.Standing(p.id, 0, sheet, rules).Record())
		}
	}
	standing := x.Standing(p.id, 0, sheet, rules)
	result.Days, result.Standing = seen, &standing
	result.State, result.Points = x.Append(nil), dossier.AppendPoints(nil, points)
	s.commit(ledger.Changes{Parts: []ledger.Part{ledger.BatteryResults{result}}})
}

// firstDay is the first of the days with data of startPacks, daysOfPacks later is
// the day of the clock.
const daysOfPacks = 60

func firstDay() int64 { return telemetry.DayOf(clock.UnixMilli()) - daysOfPacks }

// startPacks serves three batteries with 60 days of data, one without any, and
// one whose ratings are not known.
func startPacks(t *testing.T) *server {
	s := start(t)
	s.must("owner", `{"id":"o1","name":"One"}`)
	s.must("site", `{"id":"s1","name":"Here","time_zone":"Europe/Berlin","city":"Berlin"}`)
	ratings := `"rated_capacity_ah":40,"rated_voltage_v":48,"cutoff_voltage_v":40,"commissioned":"2026-01-01T00:00:00Z"`
	s.must("battery", `{"id":"good","owner_id":"o1","site_id":"s1","chemistry":"NMC",`+ratings+`}`)
	s.must("battery", `{"id":"worn","owner_id":"o1","chemistry":"LFP",`+ratings+`}`)
	s.must("battery", `{"id":"hot","chemistry":"NMC",`+ratings+`}`)
	s.must("battery", `{"id":"unseen","chemistry":"NMC",`+ratings+`}`)
	s.must("battery", `{"id":"plain"}`)
	s.work(pack{id: "good", capacityAh: 39}, firstDay(), daysOfPacks)
	s.work(pack{id: "worn", capacityAh: 33}, firstDay(), daysOfPacks)
	s.work(pack{id: "hot", capacityAh: 38, hot: true}, firstDay(), daysOfPacks)
	s.work(pack{id: "plain", capacityAh: 38}, firstDay(), daysOfPacks)
	return s
}

func (s *server) batteries(query string) (ids []string) {
	s.t.Helper()
	for _, b := range must[items[Battery]](s, http.StatusOK, http.MethodGet, prefix+"/batteries"+query, "").Items {
		ids = append(ids, b.ID)
	}
	return ids
}

func TestBatteriesAreNarrowedByResults(t *testing.T) {
	s := startPacks(t)
	for _, test := range []struct {
		query string
		want  []string
	}{
		{"", []string{"good", "hot", "plain", "unseen", "worn"}},
		{"?sort=-id", []string{"worn", "unseen", "plain", "hot", "good"}},
		{"?sort=soh", []string{"worn", "hot", "good", "plain", "unseen"}},
		{"?sort=-soh&limit=2", []string{"good", "hot"}},
		{"?soh_lt=90", []string{"worn"}},
		{"?soh_gte=90&sort=id", []string{"good", "hot"}},
		{"?health_lt=70", []string{"worn"}},
		{"?health_status=insufficient_data", []string{"plain"}},
		{"?chemistry=NMC&soh_gt=0", []string{"good", "hot"}},
		{"?owner_id=o1&sort=health", []string{"worn", "good"}},
		{"?site_id=s1", []string{"good"}},
		{"?negative_events_gt=0", []string{"hot"}},
		{"?warranty=exceeded", []string{"good", "hot"}},
		{"?warranty=near,within&claim=true", []string{"worn"}},
		{"?replace_before=1999-01-01", nil},
	} {
		if got := s.batteries(test.query); !slices.Equal(got, test.want) {
			t.Errorf("%s: got %v, want %v", test.query, got, test.want)
		}
	}
	refused(t, s.get(prefix+"/batteries?sort=health.soh_pct"), http.StatusUnprocessableEntity)
	one := must[Battery](s, http.StatusOK, http.MethodGet, prefix+"/batteries/worn", "")
	if got := *one.Results.SoHPct; math.Abs(got-82.5) > 0.5 {
		t.Errorf("state of health: got %v, want 82.5", got)
	}
	file := s.get(prefix + "/batteries?format=csv&sort=soh").body
	if lines := strings.Split(strings.TrimSpace(file), "\r\n"); len(lines) != 6 || !strings.HasPrefix(lines[1], "worn,") || !strings.Contains(lines[0], "results.replace_at.median") {
		t.Errorf("CSV: got\n%s", file)
	}
}

func TestBatteryAssessment(t *testing.T) {
	s := startPacks(t)
	a := must[BatteryAssessment](s, http.StatusOK, http.MethodGet, prefix+"/batteries/worn/assessment", "")
	if a.Capacity.Status != "ok" || math.Abs(*a.Capacity.CapacityAh-33) > 0.2 {
		t.Errorf("capacity: got %+v, want 33 Ah", a.Capacity)
	}
	if a.Score.Status != "ok" || *a.Score.Score <= 0 || len(a.Score.Parts) == 0 {
		t.Errorf("score: got %+v", a.Score)
	}
	if !slices.ContainsFunc(a.Warranty.Items, func(i WarrantyItem) bool { return i.Name == "cycles" && i.State != "within" }) {
		t.Errorf("warranty: got %+v, want the cycles nearly used up", a.Warranty)
	}
	if want := Time((firstDay() + daysOfPacks) * telemetry.Day); a.AsOf == nil || *a.AsOf != want {
		t.Errorf("as_of: got %v, want %v", a.AsOf, want)
	}
	if a.Imbalance.Status != "insufficient_data" || a.Imbalance.Reason == "" || a.Imbalance.MedianMV != nil {
		t.Errorf("imbalance: got %+v, want insufficient data", a.Imbalance)
	}

	then := Time((firstDay() + 20) * telemetry.Day)
	old := must[BatteryAssessment](s, http.StatusOK, http.MethodGet, prefix+"/batteries/worn/assessment?as_of="+then.String(), "")
	if old.AsOf == nil || *old.AsOf != then || old.DaysWithData != 20 {
		t.Errorf("as_of %s: got %v with %d days", then, old.AsOf, old.DaysWithData)
	}
	dated := must[BatteryAssessment](s, http.StatusOK, http.MethodGet, prefix+"/batteries/worn/assessment?as_of="+(then-1).date(), "")
	if *dated.AsOf != then {
		t.Errorf("as_of a date: got %v, want its end %v", dated.AsOf, then)
	}
	before := must[BatteryAssessment](s, http.StatusOK, http.MethodGet, prefix+"/batteries/worn/assessment?as_of=2020-01-01", "")
	if before.AsOf != nil || before.Score.Status != "insufficient_data" || before.Score.Score != nil {
		t.Errorf("before the first day: got %+v", before)
	}
	refused(t, s.get(prefix+"/batteries/nobody/assessment"), http.StatusNotFound)
	if got := refused(t, s.get(prefix+"/batteries/worn/assessment?as_of=soon"), http.StatusUnprocessableEntity).locations(); !slices.Equal(got, []string{"query.as_of"}) {
		t.Errorf("got %v, want query.as_of", got)
	}
}

// A battery without data is told of with reasons, and nowhere with a number.
func TestBatteryWithoutData(t *testing.T) {
	s := startPacks(t)
	for _, path := range []string{"assessment", "outlook", "utilization", "usage", "passport"} {
		a := s.get(prefix + "/batteries/unseen/" + path)
		if a.status != http.StatusOK {
			t.Errorf("%s: got %d %s", path, a.status, a.body)
			continue
		}
		for name, part := range decode(t, a.body).(map[string]any) {
			object, ok := part.(map[string]any)
			if _, is := object["status"]; !ok || !is {
				continue
			}
			if object["status"] != "insufficient_data" || object["reason"] == nil && name != "health" {
				t.Errorf("%s %s: got %v, want insufficient data and a reason", path, name, object)
			}
		}
	}
}

func TestBatteryUsage(t *testing.T) {
	s := startPacks(t)
	whole := must[BatteryUsage](s, http.StatusOK, http.MethodGet, prefix+"/batteries/hot/usage", "")
	if got := *whole.Throughput.EquivalentFullCycles; math.Abs(got-0.7*38/40*daysOfPacks) > 0.5 {
		t.Errorf("cycles: got %v, want %v", got, 0.7*38/40*daysOfPacks)
	}
	if got := *whole.Throughput.Coverage; got < 0.99 || got > 1 {
		t.Errorf("coverage: got %v, want 1", got)
	}
	if len(whole.NegativeEvents) != 1 || whole.NegativeEvents[0].Kind != string(battery.ChargingInHeat) || whole.NegativeEvents[0].Count != daysOfPacks {
		t.Errorf("negative events: got %+v, want one a day of charging in heat", whole.NegativeEvents)
	}
	seconds := 0.0
	for _, b := range whole.Histograms.Temperature {
		seconds += b.Value
	}
	if math.Abs(seconds-86400*daysOfPacks) > 600 {
		t.Errorf("temperature: got %v s in all, want all of the time", seconds)
	}
	from, to := Time((firstDay()+10)*telemetry.Day), Time((firstDay()+20)*telemetry.Day)
	part := must[BatteryUsage](s, http.StatusOK, http.MethodGet, prefix+"/batteries/hot/usage?from="+from.String()+"&to="+to.date(), "")
	if got := part.NegativeEvents[0].Count; got != 10 {
		t.Errorf("negative events of ten days: got %d, want 10", got)
	}
	days := must[items[BatteryDay]](s, http.StatusOK, http.MethodGet, prefix+"/batteries/hot/days?from="+from.date()+"&to="+to.date(), "").Items
	if len(days) != 10 || days[0].Date != from.date() || days[0].NegativeEvents != 1 || *days[3].Coverage < 0.99 {
		t.Errorf("days: got %d, first %+v", len(days), days[0])
	}
	use := must[BatteryUseReport](s, http.StatusOK, http.MethodGet, prefix+"/batteries/hot/utilization", "")
	if got := *use.Utilization.EarningShare; math.Abs(got-7.0/24) > 0.01 {
		t.Errorf("utilization: got %v, want %v", got, 7.0/24)
	}
	records := must[items[HealthRecord]](s, http.StatusOK, http.MethodGet, prefix+"/batteries/hot/assessments?soh_gt=0", "").Items
	if len(records) < 6 || !slices.IsSortedFunc(records, func(x, y HealthRecord) int { return int(x.AsOf - y.AsOf) }) {
		t.Errorf("assessments: got %d records, want one a week", len(records))
	}
	cycles := must[items[Partial]](s, http.StatusOK, http.MethodGet, prefix+"/batteries/hot/cycles?method=soc_window", "")
	if len(cycles.Items) < daysOfPacks || math.Abs(*cycles.Items[5].SoHPct-95) > 1 {
		t.Errorf("cycles: got %d, want two a day of 95 %%", len(cycles.Items))
	}
}

func TestFleetOfBatteries(t *testing.T) {
	s := startPacks(t)
	h := must[FleetHealth](s, http.StatusOK, http.MethodGet, prefix+"/fleet/health", "")
	if h.Batteries != 5 || h.Statuses != (HealthStatuses{OK: 3, Insufficient: 1, Unseen: 1}) {
		t.Errorf("health: got %d batteries, %+v", h.Batteries, h.Statuses)
	}
	counted := 0.0
	for _, b := range h.Scores {
		counted += b.Value
	}
	if counted != 3 {
		t.Errorf("scores: got %v batteries in the histogram, want 3", counted)
	}
	then := must[FleetHealth](s, http.StatusOK, http.MethodGet, prefix+"/fleet/health?chemistry=NMC&as_of="+Time((firstDay()+30)*telemetry.Day).date(), "")
	if then.Batteries != 3 || then.Statuses.OK != 2 || then.Statuses.Unseen != 1 {
		t.Errorf("health as of then: got %d batteries, %+v", then.Batteries, then.Statuses)
	}
	if then.AsOf == nil || *then.AsOf > Time((firstDay()+31)*telemetry.Day) {
		t.Errorf("health as of then: got %v", then.AsOf)
	}
	by := must[BatteryBenchmarks](s, http.StatusOK, http.MethodGet, prefix+"/fleet/benchmarks?by=chemistry&measure=soh_pct", "")
	if len(by.Items) != 2 || by.Items[0].Group != "LFP" || by.Items[1].Count != 2 || by.Unknown != 2 || math.Abs(by.Items[0].P50-82.5) > 0.5 {
		t.Errorf("benchmarks: got %+v", by)
	}
	for _, group := range []struct{ by, want string }{{"model", "NMC 40 Ah 48 V"}, {"owner", "o1"}, {"site", "s1"}, {"city", "Berlin"}, {"fleet", "fleet"}} {
		all := must[BatteryBenchmarks](s, http.StatusOK, http.MethodGet, prefix+"/fleet/benchmarks?by="+group.by, "").Items
		if !slices.ContainsFunc(all, func(g BatteryGroup) bool { return g.Group == group.want }) {
			t.Errorf("by %s: got %+v, want %s among them", group.by, all, group.want)
		}
	}
	ranks := must[items[BatteryRank]](s, http.StatusOK, http.MethodGet, prefix+"/fleet/benchmarks/batteries?by=fleet&measure=soh_pct&sort=-percentile", "").Items
	if len(ranks) != 3 || ranks[0].ID != "good" || ranks[2].ID != "worn" {
		t.Errorf("ranks: got %+v", ranks)
	}
	cohorts := must[FleetCohorts](s, http.StatusOK, http.MethodGet, prefix+"/fleet/cohorts", "")
	if cohorts.Undated != 1 || len(cohorts.Items) == 0 || cohorts.Items[0].Month != "2026-01" || cohorts.Items[0].Batteries != 3 {
		t.Errorf("cohorts: got %+v", cohorts)
	}
	plan := must[FleetReplacements](s, http.StatusOK, http.MethodGet, prefix+"/fleet/replacements?months=12", "")
	expected := plan.Later + float64(plan.Unknown)
	for _, m := range plan.Items {
		expected += m.Expected
	}
	if len(plan.Items) != 12 || plan.Items[0].Month != "2026-03" || math.Abs(expected-5) > 1e-9 {
		t.Errorf("replacements: got %d months, %v batteries in all, want 12 and 5", len(plan.Items), expected)
	}
	w := must[FleetWarranty](s, http.StatusOK, http.MethodGet, prefix+"/fleet/warranty?warranty=exceeded,near", "")
	if w.Claims.Status != "ok" || len(w.Items) != 3 || w.Near != 1 || w.Exceeded != 2 || w.Open != 1 {
		t.Errorf("warranty: got %+v", w)
	}
}

// The outlier stands out of its cohort, and without it there is none.
func TestFleetOutliers(t *testing.T) {
	s := start(t)
	for k, id := range []string{"a", "b", "c", "d", "e", "odd"} {
		s.must("battery", `{"id":"`+id+`","rated_capacity_ah":40,"commissioned":"2026-01-01T00:00:00Z"}`)
		capacity := 39 - 0.1*float64(k)
		if id == "odd" {
			capacity = 32
		}
		s.work(pack{id: id, capacityAh: capacity}, firstDay(), 30)
	}
	found := must[FleetOutliers](s, http.StatusOK, http.MethodGet, prefix+"/fleet/outliers", "").Items
	if len(found) != 1 || found[0].ID != "odd" || found[0].Score > -3.5 {
		t.Errorf("got %+v, want odd alone", found)
	}
	if found := must[FleetOutliers](s, http.StatusOK, http.MethodGet, prefix+"/fleet/outliers?soh_pct_gt=90", "").Items; len(found) != 0 {
		t.Errorf("got %+v, want none", found)
	}
}

func TestBatteryPassport(t *testing.T) {
	schema := passporttest.Open(t)
	s := startPacks(t)
	path := prefix + "/batteries/hot/passport"
	bare := must[BatteryPassport](s, http.StatusOK, http.MethodGet, path, "")
	if bare.Complete || len(bare.Missing) == 0 || len(bare.Points) != 21 {
		t.Errorf("without a sheet: got complete %v, %d missing, %d points", bare.Complete, len(bare.Missing), len(bare.Points))
	}
	for _, g := range bare.Missing {
		if g.Status != notAvailable || g.Reason == "" {
			t.Errorf("missing: got %+v", g)
		}
	}
	if got := bare.Document.Technical["ratedEnergy"]; got != 1.92 {
		t.Errorf("rated energy: got %v, want that of the ratings, 1.92 kWh", got)
	}
	refused(t, s.get(path+"/sheet"), http.StatusNotFound)
	refused(t, s.do(http.MethodPut, prefix+"/batteries/nobody/passport/sheet", "{}"), http.StatusNotFound)
	refused(t, s.do(http.MethodPut, path+"/sheet", `{"min_voltage_v":50,"max_voltage_v":40}`), http.StatusUnprocessableEntity)
	stored := must[BatterySheet](s, http.StatusOK, http.MethodPut, path+"/sheet", fullSheet)
	if stored.UpdatedAt == nil || *stored.UpdatedAt != timeOf(clock) {
		t.Errorf("updated_at: got %v", stored.UpdatedAt)
	}
	p := must[BatteryPassport](s, http.StatusOK, http.MethodGet, path, "")
	var gaps []string
	for _, g := range p.Missing {
		gaps = append(gaps, g.Path)
	}
	wrong := schema.Check(decode(t, s.get(path).body).(map[string]any)["document"])
	for k := range wrong {
		wrong[k] = strings.TrimPrefix(strings.Replace(wrong[k], ": lacks ", ".", 1), ".")
	}
	slices.Sort(wrong)
	if !slices.Equal(wrong, gaps) {
		t.Errorf("the schema misses %v, the passport says %v", wrong, gaps)
	}
	events := p.Document.Condition["negativeEvents"].([]any)
	if len(events) != 2 {
		t.Errorf("negative events: got %v, want the heat and the incident", events)
	}
	if a := s.do(http.MethodDelete, path+"/sheet", ""); a.status != http.StatusNoContent {
		t.Errorf("delete: got %d", a.status)
	}
	refused(t, s.do(http.MethodDelete, path+"/sheet", ""), http.StatusNotFound)
}

// fullSheet is all that a maker may declare.
const fullSheet = `{
	"status":"original","declared_at":"2025-12-01T00:00:00Z","rated_capacity_ah":40,"rated_energy_kwh":1.92,"rated_maximum_power_kw":4,
	"power_capability_ratio":2,"original_power":[{"soc_pct":80,"power_w":9000},{"soc_pct":20,"power_w":7000}],"expected_cycles":2000,
	"expected_years":8,"exhaustion_pct":70,"initial_self_discharge_pct":2,"initial_resistance_ohm":0.04,"round_trip_pct":96,
	"round_trip_half_life_pct":94,"nominal_voltage_v":48,"min_voltage_v":40,"max_voltage_v":54,"c_rate":1,"life_test_c_rate":0.5,
	"idle_min_c":-20,"idle_max_c":60,"lifetime_reference_test":"https://example.org/test",
	"incidents":[{"at":"2026-02-01T10:00:00Z","text":"dropped"}]}`
