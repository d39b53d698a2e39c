package fleet

import (
	"fmt"
	"math"
	"os"
	"slices"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// question is when a battery will have lost so much more than it has, and what was
// told of it.
type question struct {
	ahead     float64 // share of the rated capacity
	end       float64 // state of health
	day       int     // on which it was asked
	low, high float64 // days
}

// aged is a simulated battery, what is known of it by its readings, and its truth.
type aged struct {
	id       string
	sheet    dossier.Sheet
	dossier  *dossier.Dossier
	points   []battery.HealthPoint
	pending  []telemetry.Reading
	truth    []float64 // state of health at the end of each day
	asked    []question
	declined int
}

// outlookTrial is a fleet that is asked every so often how long its batteries will
// last, and followed until they show it.
type outlookTrial struct {
	cfg   simulator.Config
	asks  []int // days
	until int
	ahead []float64
}

// hotter has a fleet ride twice as much in a climate of 42 °C.
func hotter(cfg simulator.Config, days int) simulator.Config {
	cfg.SwapsPerDay *= 2
	cfg.Weather = &simulator.Series{Start: cfg.Start.Add(-24 * time.Hour), Step: 24 * time.Hour, Celsius: slices.Repeat([]float64{42}, days+3)}
	return cfg
}

// run simulates, and asks. The error that the measurements of a battery share is
// what its current sensor is declared to be off by, over the mean current.
func (x outlookTrial) run(t *testing.T) []*aged {
	t.Helper()
	sim, err := simulator.New(x.cfg)
	if err != nil {
		t.Fatal(err)
	}
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	rules, byID := dossier.DefaultRules(), map[string]*aged{}
	var all []*aged
	for _, b := range sim.Inventory().Batteries {
		a := &aged{id: b.ID, sheet: dossier.SheetOf(b), dossier: dossier.New(b.ID)}
		byID[b.ID], all = a, append(all, a)
	}
	first := telemetry.DayOf(x.cfg.Start.UnixMilli())
	for n := range x.until {
		asking := slices.Contains(x.asks, n)
		for range int(24 * time.Hour / x.cfg.Step) {
			sim.Step(func(r telemetry.Reading) {
				if r.Kind == devices.KindBattery && n <= slices.Max(x.asks) {
					r.Values = slices.Clone(r.Values)
					byID[r.Device].pending = append(byID[r.Device].pending, r)
				}
			}, nil)
		}
		for _, b := range sim.Truth().Batteries {
			byID[b.ID].truth = append(byID[b.ID].truth, b.SoH)
		}
		for _, a := range all {
			if n <= slices.Max(x.asks) {
				a.endDay(t, first+int64(n), schema, rules)
			}
			if asking {
				a.ask(n, x.ahead, x.cfg.Sensors.Amps.Offset, rules)
			}
		}
	}
	return all
}

func (a *aged) endDay(t *testing.T, day int64, schema *devices.Schema, rules dossier.Rules) {
	t.Helper()
	d, err := MeasureDay(day, a.pending, schema, a.sheet, rules)
	if err != nil {
		t.Fatal(err)
	}
	if p := a.dossier.Add(d, a.sheet, rules); p != nil {
		a.points = append(a.points, *p)
	}
	from := (day+1)*telemetry.Day - dossier.Lookback
	a.pending = slices.DeleteFunc(a.pending, func(r telemetry.Reading) bool { return r.TS < from })
}

func (a *aged) ask(n int, ahead []float64, offsetA float64, rules dossier.Rules) {
	u := a.dossier.Total
	rules.Degradation.BiasErr = offsetA / ((u.InAh + u.OutAh) / ((u.ChargingS + u.DischargingS) / 3600))
	for _, more := range ahead {
		q := question{more, a.truth[n] - more, n, 0, math.Inf(1)}
		rules.Outlook.Life.EndOfLife = q.end
		o := a.dossier.Report(nil, a.points, a.sheet, rules).Outlook
		if !o.OK() || o.Ended {
			a.declined++
			continue
		}
		if o.Days.Low != nil {
			q.low = *o.Days.Low
		}
		if o.Days.High != nil {
			q.high = *o.Days.High
		}
		a.asked = append(a.asked, q)
	}
}

// coverage counts questions that are decided, and intervals that hold the truth.
type coverage struct{ decided, inside, before, behind int }

func (c *coverage) add(q question, truth []float64) {
	days := slices.IndexFunc(truth[q.day:], func(soh float64) bool { return soh < q.end })
	switch {
	case days < 0 && q.high > float64(len(truth)-1-q.day):
		return // it may be right yet
	case days < 0 || float64(days) > q.high:
		c.behind++
	case float64(days) < q.low:
		c.before++
	default:
		c.inside++
	}
	c.decided++
}

func (c coverage) share() float64 { return float64(c.inside) / float64(max(1, c.decided)) }

// String has the standard error of a binomial share, as if no two questions went
// together.
func (c coverage) String() string {
	p := c.share()
	return fmt.Sprintf("%.1f ± %.1f %% of %d (%d earlier, %d later)", 100*p, 100*math.Sqrt(p*(1-p)/float64(max(1, c.decided))), c.decided, c.before, c.behind)
}

// The intervals of 90 % of the remaining life hold the truth 85 to 95 times in a
// hundred, be it near or far, in a city of seasons and in a hot climate, asked
// several times on the way, where the accuracy of the current sensors is declared.
// A small fleet can only show that they are not far too narrow; with
// FLEETWATT_TRUTH=full there are enough to show both.
func TestRemainingLifeOfAFleet(t *testing.T) {
	full := os.Getenv("FLEETWATT_TRUTH") == "full"
	size, asks, until, ahead := truthSize{stations: 2, batteries: 24}, []int{245, 365}, 600, []float64{0.004, 0.008, 0.015}
	if full {
		size, asks, until, ahead = truthSize{stations: 6, batteries: 120}, []int{245, 365, 485, 605, 725}, 1800, []float64{0.004, 0.008, 0.015, 0.025, 0.04, 0.06}
	}
	for _, tt := range []struct {
		name string
		cfg  simulator.Config
	}{
		{"seasons", city(size)},
		{"hot and busy", hotter(city(size), until)},
	} {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			all := outlookTrial{tt.cfg, asks, until, ahead}.run(t)
			var total coverage
			far, chemistry, declined := map[float64]*coverage{}, map[string]*coverage{}, 0
			for _, a := range all {
				declined += a.declined
				for _, q := range a.asked {
					if far[q.ahead] == nil {
						far[q.ahead] = &coverage{}
					}
					if chemistry[a.sheet.Chemistry] == nil {
						chemistry[a.sheet.Chemistry] = &coverage{}
					}
					total.add(q, a.truth)
					far[q.ahead].add(q, a.truth)
					chemistry[a.sheet.Chemistry].add(q, a.truth)
				}
			}
			for _, x := range ahead {
				if far[x] != nil {
					t.Logf("%.1f %% ahead: %s", 100*x, far[x])
				}
			}
			for name, c := range chemistry {
				t.Logf("%s: %s", name, c)
			}
			t.Logf("all: %s; %d not told", total, declined)
			// Questions of one battery go together, so it is batteries that count.
			slack := 2 * math.Sqrt(0.9*0.1/float64(len(all)))
			if total.decided < len(all) || total.share() < 0.85-slack || full && (total.share() < 0.85 || total.share() > 0.95) {
				t.Error("the intervals do not hold what they promise")
			}
		})
	}
}
