package fleet

import (
	"encoding/json"
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/battery/passporttest"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// makers is what a maker declares, beside the ratings.
func makers(b devices.Battery, at int64) battery.PassportSheet {
	is := func(v float64) *float64 { return &v }
	return battery.PassportSheet{
		Status: "original", At: at, RatedCapacityAh: &b.RatedCapacityAh, RatedEnergyKWh: is(b.RatedCapacityAh * b.RatedVoltageV / 1000),
		RatedMaximumPowerKW: is(4), PowerCapabilityRatioPct: is(2), OriginalPower: []battery.PowerAt{{SoCPct: 80, Watts: 9000}, {SoCPct: 20, Watts: 7000}},
		ExpectedCycles: is(2000), ExpectedYears: is(8), ExhaustionPct: is(70), InitialSelfDischargePct: is(2), InitialResistanceOhm: is(0.04),
		RoundTripPct: is(96), RoundTripHalfLifePct: is(94), NominalV: &b.RatedVoltageV, MinV: &b.CutoffVoltageV, MaxV: is(100), LifeTestRateC: is(0.5),
		IdleMinC: is(-20), IdleMaxC: is(60), LifetimeReferenceTestURI: "https://example.org/test",
	}
}

// Every battery of the demonstration has a passport that the schema takes, after 45
// days as after 90; what no long rest or deep loop has told yet is the maker's, and
// is labelled so.
func TestPassportOfEveryDemoBattery(t *testing.T) {
	schema, table := passporttest.Open(t), mustSchema(t)
	start := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	cfg := simulator.Demo(1, start)
	sim, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	rules, first := dossier.DefaultRules(), telemetry.DayOf(start.UnixMilli())
	pending, days := map[string][]telemetry.Reading{}, map[string][]dossier.Day{}
	for n := range 90 {
		for range int(24 * time.Hour / cfg.Step) {
			sim.Step(func(r telemetry.Reading) {
				if r.Kind == devices.KindBattery {
					r.Values = slices.Clone(r.Values)
					pending[r.Device] = append(pending[r.Device], r)
				}
			}, nil)
		}
		day := first + int64(n)
		valid, declared := 0, 0
		for _, b := range sim.Inventory().Batteries {
			d, err := MeasureDay(day, pending[b.ID], table, dossier.SheetOf(b), rules)
			if err != nil {
				t.Fatal(err)
			}
			days[b.ID] = append(days[b.ID], d)
			from := (day+1)*telemetry.Day - dossier.Lookback
			pending[b.ID] = slices.DeleteFunc(pending[b.ID], func(r telemetry.Reading) bool { return r.TS < from })
			if n != 44 && n != 89 {
				continue
			}
			a, _ := dossier.Replay(b.ID, days[b.ID], nil, dossier.SheetOf(b), rules, day)
			p := battery.NewPassport(makers(b, start.UnixMilli()), a.Passport)
			text, err := json.Marshal(p.Document)
			if err != nil {
				t.Fatal(err)
			}
			var doc any
			if err := json.Unmarshal(text, &doc); err != nil {
				t.Fatal(err)
			}
			if wrong := schema.Check(doc); len(wrong) > 0 || !p.Complete {
				t.Errorf("%s after %d days: %v", b.ID, n+1, wrong)
			} else {
				valid++
			}
			for _, x := range p.Declared {
				if x.Reason == "" {
					t.Errorf("%s: %s is declared without a reason", b.ID, x.Path)
				}
			}
			if len(p.Declared) > 0 {
				declared++
			}
		}
		if n == 44 || n == 89 {
			t.Logf("after %d days: %d of %d passports pass the schema, %d with values as declared", n+1, valid, len(days), declared)
		}
	}
}

func mustSchema(t *testing.T) *devices.Schema {
	t.Helper()
	s, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return s
}
