package main

import (
	"context"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
	"github.com/fleetwatt/fleetwatt/simulator"
)

const (
	tailDays = 3 // whose readings are stored
	farStep  = 15 * time.Minute
	tailStep = time.Minute // of the days whose readings are stored
)

// life is what a simulated battery went through until the morning of a day.
// Every battery of the fleet lives one of them.
type life struct {
	asset   devices.Battery
	days    []dossier.Day
	rollups []rollup.Day
	tail    []telemetry.Reading
}

// simulate returns the lives of a demo fleet's batteries over the days before
// the morning.
func simulate(schema *devices.Schema, s settings, morning time.Time) ([]life, error) {
	sim, err := simulator.New(simulator.Demo(1, morning.AddDate(0, 0, -s.Days)))
	if err != nil {
		return nil, err
	}
	inventory := sim.Inventory().Batteries
	lives, at := make([]life, len(inventory)), map[string]int{}
	for k, b := range inventory {
		lives[k].asset, at[b.ID] = b, k
	}
	today := make([][]telemetry.Reading, len(lives))
	fields, rules := schema.Measurement(devices.KindBattery).Fields, dossier.DefaultRules()
	first := telemetry.DayOf(morning.UnixMilli()) - int64(s.Days)
	for n := range s.Days {
		step, kept := farStep, n >= s.Days-tailDays
		if kept {
			step = tailStep
		}
		if err := sim.SetStep(step); err != nil {
			return nil, err
		}
		for range int(24 * time.Hour / step) {
			sim.Step(func(r telemetry.Reading) {
				if r.Kind != devices.KindBattery {
					return
				}
				r.Values = slices.Clone(r.Values)
				k := at[r.Device]
				today[k] = append(today[k], r)
				if kept {
					lives[k].tail = append(lives[k].tail, r)
				}
			}, nil)
		}
		for k := range lives {
			l, day := &lives[k], first+int64(n)
			made, err := fleet.MeasureDay(day, today[k], schema, dossier.SheetOf(l.asset), rules)
			if err != nil {
				return nil, err
			}
			l.days = append(l.days, made)
			l.rollups = append(l.rollups, rollup.Compute(day, fields, today[k]))
			today[k] = slices.Clone(telemetry.Within(today[k], telemetry.Window{From: (day+1)*telemetry.Day - dossier.Lookback, To: (day + 2) * telemetry.Day}))
		}
	}
	return lives, nil
}

// remember fills the ledger with what the nights have left. Batteries that are
// not followed have their last days only: lists and standings do not rest on
// the others.
func remember(ctx context.Context, s settings, led *ledger.Ledger, lives []life) error {
	const others = 3
	var (
		batch ledger.BatteryResults
		days  []ledger.RollupDay
		marks []telemetry.DeviceDay
	)
	flush := func() error {
		err := led.Commit(ctx, ledger.Changes{Job: "battery", Parts: []ledger.Part{batch}, Rollups: days})
		if err == nil {
			err = led.MarkDirty(ctx, marks)
		}
		batch, days, marks = nil, nil, nil
		return err
	}
	templates := make([]*past, len(lives))
	for k := range s.Batteries {
		n, id := k%len(lives), batteryID(k)
		if templates[n] == nil {
			templates[n] = recall(id, &lives[n])
		}
		result, l := templates[n].of(id, k/len(lives)), &lives[n]
		result.Days = l.days[max(0, len(l.days)-others):]
		if k < s.Followed {
			result.Days = l.days
			for i, d := range l.rollups {
				days = append(days, ledger.RollupDay{
					DeviceDay: telemetry.DeviceDay{Kind: devices.KindBattery, Device: id, Day: l.days[i].Day}, Day: d,
				})
			}
		}
		for _, d := range result.Days {
			marks = append(marks, telemetry.DeviceDay{Kind: devices.KindBattery, Device: id, Day: d.Day})
		}
		if batch = append(batch, result); len(batch) == 1000 {
			if err := flush(); err != nil {
				return fmt.Errorf("ledger: %w", err)
			}
		}
	}
	if err := flush(); err != nil {
		return fmt.Errorf("ledger: %w", err)
	}
	// As if the jobs had worked all of it off.
	_, upTo, err := led.Dirty(ctx, 0)
	for _, job := range []string{"battery", "battery-today", "rollup"} {
		if err == nil {
			err = led.Commit(ctx, ledger.Changes{Job: job, Watermark: &ledger.Watermark{Seq: upTo}})
		}
	}
	return err
}

// past is what the nights have left of a life.
type past struct {
	result   ledger.BatteryResult
	standing dossier.Standing
}

func recall(id string, l *life) *past {
	x, sheet, rules := dossier.New(id), dossier.SheetOf(l.asset), dossier.DefaultRules()
	last := x.LastDue(l.days)
	var points []battery.HealthPoint
	for i, d := range l.days {
		if p := x.Add(d, sheet, rules); p != nil {
			points = append(points, *p)
		}
		if i == last {
			x.Report(dossier.Findings(l.days[:i+1]), points, sheet, rules)
		}
	}
	return &past{
		result:   ledger.BatteryResult{State: x.Append(nil), Points: dossier.AppendPoints(nil, points)},
		standing: x.Standing(id, 20, sheet, rules),
	}
}

// of is the past of one more battery. The numbers that fleets are sorted by
// differ from one to the next.
func (p *past) of(id string, n int) ledger.BatteryResult {
	r, s := p.result, p.standing
	s.Device = id
	wander := 1 - 0.1*math.Abs(math.Sin(float64(n)))
	for _, v := range []**float64{&s.HealthScore, &s.SoHPct, &s.CapacityAh, &s.Utilization, &s.RULDays.Median, &s.EquivalentFullCycles} {
		if *v != nil {
			changed := **v * wander
			*v = &changed
		}
	}
	r.Device, r.Standing = id, &s
	return r
}
