package battery

import (
	"encoding/json"
	"math"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/battery/passporttest"
)

func generic(t *testing.T, v any) any {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	var out any
	if err := json.Unmarshal(b, &out); err != nil {
		t.Fatal(err)
	}
	return out
}

func num(v float64) *float64 { return &v }

func fullSheet() PassportSheet {
	return PassportSheet{
		Status: "original", At: 1_700_000_000_000, RatedCapacityAh: num(40), RatedEnergyKWh: num(2.048), RatedMaximumPowerKW: num(4),
		PowerCapabilityRatioPct: num(195), OriginalPower: []PowerAt{{80, 9000}, {20, 7000}}, ExpectedCycles: num(2000), ExpectedYears: num(8),
		ExhaustionPct: num(70), InitialSelfDischargePct: num(2), InitialResistanceOhm: num(0.04), RoundTripPct: num(96), RoundTripHalfLifePct: num(94),
		NominalV: num(51.2), MinV: num(40), MaxV: num(57.6), LifeTestRateC: num(0.5), RateC: num(1), IdleMinC: num(-20), IdleMaxC: num(60),
		LifetimeReferenceTestURI: "https://example.org/test",
	}
}

func fullFacts() PassportFacts {
	const at = 1_790_000_000_000
	r := func(v float64) Reported { return Reported{Value: &v, At: at} }
	return PassportFacts{
		EnergyThroughputWh: r(1.5e6), ChargeThroughputAh: r(30000), FullCycles: r(375.9), CapacityAh: r(36), EnergySoHPct: r(89), UsableEnergyWh: r(1800),
		ResistanceMOhm: r(50), RoundTripPct: r(93), SelfDischargePct: r(3), SoCPct: r(71), Power: &PowerAt{80, 8100}, PowerAt: at, EventsAt: at,
		Events:    map[Negative]Exposure{ExtremeHeat: {Count: 2, Seconds: 7200, FirstAt: at - 9e9, LastAt: at - 8e9, Worst: 58}},
		Incidents: []Incident{{at - 1e9, "dropped"}},
	}
}

// A passport of which everything is known passes the schema, which takes the
// published sample and refuses what is broken.
func TestPassportValidates(t *testing.T) {
	schema := passporttest.Open(t)
	var sample any
	passporttest.Read(t, "PerformanceAndDurability-1.2.1-sample.json", &sample)
	if wrong := schema.Check(sample); len(wrong) > 0 {
		t.Errorf("the published sample: %v", wrong)
	}
	p := NewPassport(fullSheet(), fullFacts())
	if !p.Complete || len(p.Missing) != 0 {
		t.Errorf("got %v missing", p.Missing)
	}
	doc := generic(t, p.Document).(map[string]any)
	if wrong := schema.Check(doc); len(wrong) > 0 {
		t.Errorf("got %v", wrong)
	}
	doc["batteryCondition"].(map[string]any)["stateOfCharge"].(map[string]any)["stateOfChargeValue"] = "71"
	doc["batteryCondition"].(map[string]any)["energyThroughput"].(map[string]any)["lastUpdate"] = "yesterday"
	if wrong := schema.Check(doc); len(wrong) != 2 {
		t.Errorf("of a broken document: got %v, want two faults", wrong)
	}
}

// What is missing is listed, is what the schema misses, and is nowhere a number.
func TestPassportSaysWhatIsMissing(t *testing.T) {
	schema := passporttest.Open(t)
	tests := []struct {
		name  string
		sheet PassportSheet
		facts PassportFacts
	}{
		{"nothing known", PassportSheet{}, PassportFacts{}},
		{"no sheet", PassportSheet{}, fullFacts()},
		{"no telemetry", fullSheet(), PassportFacts{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			p := NewPassport(tt.sheet, tt.facts)
			var want, got []string
			for _, w := range schema.Check(generic(t, p.Document)) {
				want = append(want, strings.TrimPrefix(strings.Replace(w, ": lacks ", ".", 1), "."))
			}
			for _, g := range p.Missing {
				got = append(got, g.Path)
				if g.Reason == "" {
					t.Errorf("%s is missing without a reason", g.Path)
				}
			}
			slices.Sort(want)
			if diff := cmp.Diff(want, got); diff != "" || p.Complete {
				t.Errorf("complete %v (-schema +got):\n%s", p.Complete, diff)
			}
			for _, point := range p.Points {
				if (point.Value == nil) != (point.Reason != "") || (point.Value == nil) != (point.LastUpdate == nil) {
					t.Errorf("got %+v", point)
				}
			}
		})
	}
}

// What was not measured yet is as the maker declares it of the new battery, of the
// date of the declaration, and is labelled so; the data points say why it was not.
func TestPassportAsNew(t *testing.T) {
	schema, sheet, facts := passporttest.Open(t), fullSheet(), fullFacts()
	facts.SelfDischargePct, facts.RoundTripPct = Reported{Reason: "no rest"}, Reported{Reason: "no loop"}
	p := NewPassport(sheet, facts)
	want := []PassportGap{
		{"batteryCondition.currentSelfDischargingRate", "no rest"}, {"batteryCondition.evolutionOfSelfDischarge", "no rest"},
		{"batteryCondition.remainingRoundTripEnergyEfficiency", "no loop"}, {"batteryTechicalProperties.roundTripEfficiencyFade", "no loop"},
	}
	if diff := cmp.Diff(want, p.Declared); diff != "" || !p.Complete || len(p.Missing) != 0 {
		t.Errorf("complete %v, %v missing (-want +got):\n%s", p.Complete, p.Missing, diff)
	}
	if wrong := schema.Check(generic(t, p.Document)); len(wrong) > 0 {
		t.Errorf("got %v", wrong)
	}
	rate := map[string]any{"currentSelfDischargingRateValue": 2.0, "lastUpdate": stamp(sheet.At)}
	if diff := cmp.Diff(any(rate), p.Document.Condition["currentSelfDischargingRate"]); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	for _, x := range p.Points {
		if slices.Contains([]int{58, 64, 65}, x.Nr) && (x.Value != nil || x.Reason == "") {
			t.Errorf("got point %+v, want it not available", x)
		}
	}
	sheet.InitialSelfDischargePct = nil // then nobody knows
	if p = NewPassport(sheet, facts); p.Complete || len(p.Declared) != 2 {
		t.Errorf("complete %v with %v declared", p.Complete, p.Declared)
	}
}

func TestPassportValues(t *testing.T) {
	p := NewPassport(fullSheet(), fullFacts())
	want := map[int]any{
		51: 40.0, 52: 10.0, 53: 8100.0, 54: 10.0, 55: 0.05, 56: 25.0, 57: 96.0, 58: 3.125, 59: 2000.0, 60: 8.0, 61: 89.0,
		62: 36.0, 64: 93.0, 65: 50.0, 66: 0.05, 67: "original", 68: 375.0, 71: 71.0,
	}
	for _, point := range p.Points {
		w, ok := want[point.Nr]
		if !ok {
			continue
		}
		if f, isNum := w.(float64); isNum && math.Abs(point.Value.(float64)-f) > 1e-9 || !isNum && point.Value != w {
			t.Errorf("%d %s: got %v, want %v", point.Nr, point.Name, point.Value, w)
		}
	}
	c := p.Document.Condition
	if got := c["temperatureInformation"].(map[string]any)["timeExtremeHighTemp"]; got != 120.0 {
		t.Errorf("got %v minutes in heat, want 120", got)
	}
	if got := len(c["negativeEvents"].([]any)); got != 2 {
		t.Errorf("got %d negative events, want one kind and one incident", got)
	}
	if got := c["energyThroughput"].(map[string]any)["energyThroughputValue"]; got != 1500.0 {
		t.Errorf("got %v kWh, want 1500", got)
	}
	if got := PowerCapability(52, 42, 50); math.Abs(got-8400) > 1e-9 {
		t.Errorf("got %v W, want 8400", got)
	}
}

// The points are those of the Commission's guidance, all of them, in order.
func TestPassportPointsAreTheCommissions(t *testing.T) {
	rows := measured.Table(t, "battery", "passport", "ec_guidance_dynamic_datapoints_51_71.csv")
	points := NewPassport(PassportSheet{}, PassportFacts{}).Points
	if len(points) != len(rows)-1 {
		t.Fatalf("got %d points, want %d", len(points), len(rows)-1)
	}
	for k, row := range rows[1:] {
		if nr, _ := strconv.Atoi(row[0]); points[k].Nr != nr {
			t.Errorf("got point %d, want %s %s", points[k].Nr, row[0], row[1])
		}
	}
}
