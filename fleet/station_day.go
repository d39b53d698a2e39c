package fleet

import (
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

func stationFields() []string {
	return []string{"state", "slots_total", "slots_ready", "slots_charging", "slots_empty", "slots_fault", "queue", "energy_wh"}
}

// day makes a local day of readings and events, which ascend and reach over the
// day and the margin on both sides at least. What lies further out is not looked
// at, so that a day is the same whatever was read with it.
func (j stations) day(c station.Calendar, day int64, readings []telemetry.Reading, events []telemetry.Event) station.Day {
	d := station.Day{Day: day, Window: c.Window(day)}
	wide := telemetry.Window{From: d.From - stationMargin, To: d.To + stationMargin}
	hold := int64(j.rules.HoldS * 1000)
	said := reportsOf(telemetry.Within(readings, wide), hold)
	d.States = station.TimeInState(said.states, d.Window, j.rules.HoldS)
	d.Slots = station.TimeOfSlots(said.slots, d.Window, j.rules.HoldS)
	d.Heard = station.TimeInState(said.signs, d.Window, j.rules.HoldS).Known()
	d.Readings = len(telemetry.Within(readings, telemetry.Window(d.Window)))
	for _, part := range rollup.Deltas(said.meter, telemetry.Window(d.Window), telemetry.Hour) {
		d.Meter.MilliWh += station.MilliWh(part.Value)
		from, to := max(part.Start, d.From), min(part.Start+telemetry.Hour, d.To)
		d.Meter.KnownMS += int64(math.Round(part.Coverage * float64(to-from)))
		d.Meter.Resets += part.Resets
	}
	returned := map[string]int64{} // packs that wait or charge, since when
	for i := range events {
		e := &events[i]
		today := e.TS >= d.From && e.TS < d.To
		switch {
		case e.TS < wide.From || e.TS >= d.To:
		case e.Type == "charge.completed":
			battery, wh, told := chargeOf(e)
			since, known := returned[battery]
			delete(returned, battery)
			if !today {
				continue
			}
			d.Charges.Count++
			if told {
				d.Charges.Told++
				d.Charges.MilliWh += station.MilliWh(wh)
			}
			if known && battery != "" {
				d.Charges.ReturnS = append(d.Charges.ReturnS, float64(e.TS-since)/1000)
			}
		case slices.Contains(swapEvents(), e.Type):
			if e.Type == "swap.completed" {
				returned[batteryIn(e)] = e.TS
			}
			if today {
				v := visitOf(e)
				said.ready(&v, hold)
				d.Visits = append(d.Visits, v)
			}
		}
	}
	return d
}

// reports are the readings of a station by what they tell.
type reports struct {
	states []station.StateSample
	slots  []station.SlotSample
	signs  []station.StateSample // that it was heard of
	meter  []rollup.Point
}

func reportsOf(readings []telemetry.Reading, holdMS int64) reports {
	var r reports
	var total, ready, charging, empty, faulty count
	for i := range readings {
		x := station.SlotSample{TS: readings[i].TS}
		for _, v := range readings[i].Values {
			switch v.Field.Name {
			case "state":
				r.states = append(r.states, station.StateSample{TS: x.TS, State: v.Text})
			case "slots_total":
				total = count{x.TS, v.Num}
			case "slots_ready":
				ready = count{x.TS, v.Num}
			case "slots_charging":
				charging = count{x.TS, v.Num}
			case "slots_empty":
				empty = count{x.TS, v.Num}
			case "slots_fault":
				faulty = count{x.TS, v.Num}
			case "energy_wh":
				r.meter = append(r.meter, rollup.Point{TS: x.TS, Value: v.Num})
			}
		}
		r.signs = append(r.signs, station.StateSample{TS: x.TS, State: "heard"})
		x.Total, x.Ready, x.Charging = total.at(x.TS, holdMS), ready.at(x.TS, holdMS), charging.at(x.TS, holdMS)
		x.Empty, x.Faulty = empty.at(x.TS, holdMS), faulty.at(x.TS, holdMS)
		if x.Total > 0 && x.Ready >= 0 && x.Ready <= x.Total {
			r.slots = append(r.slots, x)
		}
	}
	r.slots = plausible(r.slots)
	r.meter = withoutSpikes(r.meter)
	return r
}

// count is a number of slots and when it was reported; zero: never. A reading that
// lacks it leaves it as it was.
type count struct {
	ts    int64
	value float64
}

func (c count) at(ts, holdMS int64) int {
	if c.ts == 0 || ts-c.ts >= holdMS {
		return -1
	}
	return int(c.value)
}

// withoutSpikes leaves out single points of a register that are beyond the next
// one, where that goes on from the one before: the register has not counted there
// and back. One that was reset starts below.
func withoutSpikes(meter []rollup.Point) []rollup.Point {
	out := meter[:0:0]
	for i, p := range meter {
		if len(out) > 0 && i+1 < len(meter) && p.Value > meter[i+1].Value && meter[i+1].Value >= out[len(out)-1].Value {
			continue
		}
		out = append(out, p)
	}
	return out
}

// plausible leaves out reports of more than twice as many slots as there usually
// are: stations grow, but not for one reading.
func plausible(slots []station.SlotSample) []station.SlotSample {
	if len(slots) == 0 {
		return slots
	}
	totals := make([]int, len(slots))
	for i, s := range slots {
		totals[i] = s.Total
	}
	slices.Sort(totals)
	usual := totals[len(totals)/2]
	return slices.DeleteFunc(slots, func(s station.SlotSample) bool { return s.Total > 2*usual })
}

// ready tells how many packs were ready when the rider came, by the newest report
// before that, where the event does not say it.
func (r *reports) ready(v *station.Visit, holdMS int64) {
	if v.Charged != nil {
		return
	}
	at := v.Arrival()
	if v.Came == 0 {
		at-- // a report at the end of the visit may be of after it
	}
	i, found := slices.BinarySearchFunc(r.slots, at, func(s station.SlotSample, ts int64) int {
		return int(min(max(s.TS-ts, -1), 1))
	})
	if !found {
		i--
	}
	if i >= 0 && at-r.slots[i].TS < holdMS {
		n := r.slots[i].Ready
		v.Charged = &n
	}
}
