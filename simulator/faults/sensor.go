package faults

import (
	"math"
	"math/rand/v2"
	"strconv"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// broken is what is wrong with the clock and the sensors of one device.
type broken struct {
	beganMS  int64
	offsetMS int64
	ppm      float64
	rollAt   float64 // 0: never
	creep    float64 // a year, as a share of the value; 0: none
	creeping string  // field; "" until the first reading

	nextReset int64
	reset     bool      // at the next reading
	base      []float64 // of each counter, by index of its field

	nextStuck, stuckUntil int64
	stuckField            string
	stuckAt               float64
}

const (
	maxClockMS = 9 * 60e3 // below what a server refuses as the future
	yearMS     = 365 * 86400e3
)

// begin draws what a device has for good, and when the rest begins.
func (d *device) begin(s *Stage, now int64) {
	c, b := &s.cfg, &d.sensor
	b.beganMS = now
	trait := func(name string, share float64) (*rand.Rand, bool) {
		rng := draw.Source(s.seed, "fault/"+name+"/"+d.ref.String())
		return rng, chance(rng, share)
	}
	if rng, ok := trait("offset", c.ClockOffset.Devices); ok {
		b.offsetMS = int64(max(-maxClockMS, min(maxClockMS, draw.Normal(rng, 0, 1000*c.ClockOffset.Seconds))))
		s.note(d, Hit{Fault: "clock_offset", From: now, Detail: strconv.FormatInt(b.offsetMS, 10) + " ms"})
	}
	if rng, ok := trait("drift", c.ClockDrift.Devices); ok {
		b.ppm = draw.Normal(rng, 0, c.ClockDrift.PPM)
		s.note(d, Hit{Fault: "clock_drift", From: now, Detail: short(b.ppm) + " ppm"})
	}
	if _, ok := trait("rollover", c.CounterRollover.Devices); ok {
		b.rollAt = c.CounterRollover.At
		s.note(d, Hit{Fault: "counter_rollover", From: now, Detail: "at " + short(b.rollAt)})
	}
	if rng, ok := trait("creep", c.DriftingSensor.Devices); ok {
		b.creep = draw.Normal(rng, 0, c.DriftingSensor.PerYear)
	}
	b.nextReset = now + draw.Wait(d.rng, c.CounterReset.PerYear)
	b.nextStuck = now + draw.Wait(d.rng, c.Stuck.PerYear)
	d.net.nextOffline = now + draw.Wait(d.rng, c.Offline.PerYear)
	d.net.nextIntrusion = now + draw.Wait(d.rng, c.WrongCredentials.PerYear)
}

func short(x float64) string { return strconv.FormatFloat(x, 'g', 4, 64) }

// clock is what the device takes now for. It never goes back.
func (d *device) clock(now int64) int64 {
	b := &d.sensor
	off := float64(b.offsetMS) + b.ppm*1e-6*float64(now-b.beganMS)
	return now + int64(max(-maxClockMS, min(maxClockMS, off)))
}

// distort returns the values as the device reports them: the same slice where
// nothing is wrong, else one that is valid until the next call.
func (d *device) distort(s *Stage, now int64, values []telemetry.Value) []telemetry.Value {
	b := &d.sensor
	c := &s.cfg
	spike, missing := chance(d.rng, c.Spike.Share), chance(d.rng, c.Missing.Share)
	if now >= b.nextReset {
		b.reset = true
		b.nextReset = now + 1 + draw.Wait(d.rng, c.CounterReset.PerYear)
		s.note(d, Hit{Fault: "counter_reset", From: now, To: now})
	}
	counters := b.reset || b.base != nil || b.rollAt > 0
	stuck := now >= b.nextStuck || now < b.stuckUntil
	if !spike && !missing && !counters && !stuck && b.creep == 0 {
		return values
	}
	s.scratch = append(s.scratch[:0], values...)
	values = s.scratch
	if counters {
		b.count(values)
	}
	if b.creep != 0 {
		d.lean(s, now, values)
	}
	if stuck {
		d.stick(s, now, values)
	}
	if spike {
		d.jump(s, now, values)
	}
	if missing {
		values = d.forget(s, now, values)
	}
	return values
}

// count lets counters start again and roll over.
func (b *broken) count(values []telemetry.Value) {
	for i := range values {
		v := &values[i]
		if v.Field.Role != devices.Counter {
			continue
		}
		for len(b.base) <= v.Field.Index {
			b.base = append(b.base, 0)
		}
		if b.reset {
			b.base[v.Field.Index] = v.Num
		}
		v.Num -= b.base[v.Field.Index]
		if b.rollAt > 0 {
			v.Num = math.Mod(v.Num, b.rollAt)
		}
	}
	b.reset = false
}

// lean lets one gauge move away from the truth.
func (d *device) lean(s *Stage, now int64, values []telemetry.Value) {
	b := &d.sensor
	if b.creeping == "" {
		v := d.gauge(values)
		if v == nil {
			return
		}
		b.creeping = v.Field.Name
		s.note(d, Hit{Fault: "drifting_sensor", From: now, Detail: b.creeping + " by " + short(b.creep) + " a year"})
	}
	for i := range values {
		if v := &values[i]; v.Field.Name == b.creeping {
			v.Num = bounded(v.Field, v.Num*(1+b.creep*float64(now-b.beganMS)/yearMS))
		}
	}
}

// stick holds one gauge at what it showed when the fault began.
func (d *device) stick(s *Stage, now int64, values []telemetry.Value) {
	b := &d.sensor
	if now >= b.stuckUntil {
		v := d.gauge(values)
		if v == nil {
			return
		}
		b.stuckField, b.stuckAt = v.Field.Name, v.Num
		b.stuckUntil = now + 1 + int64(d.rng.ExpFloat64()*s.cfg.Stuck.Hours*3600e3)
		b.nextStuck = b.stuckUntil + draw.Wait(d.rng, s.cfg.Stuck.PerYear)
		s.note(d, Hit{Fault: "stuck", From: now, To: b.stuckUntil, Detail: b.stuckField + " at " + short(b.stuckAt)})
	}
	for i := range values {
		if v := &values[i]; v.Field.Name == b.stuckField {
			v.Num = b.stuckAt
		}
	}
}

// jump puts one gauge far off, perhaps beyond what the schema allows.
func (d *device) jump(s *Stage, now int64, values []telemetry.Value) {
	v := d.gauge(values)
	if v == nil {
		return
	}
	size := s.cfg.Spike.Factor * max(1, math.Abs(v.Num))
	if v.Field.Min < 0 && d.rng.IntN(2) == 0 {
		size = -size
	}
	v.Num = math.Round(size*100) / 100
	s.note(d, Hit{Fault: "spike", From: now, To: now, Detail: v.Field.Name + " to " + short(v.Num)})
}

// forget leaves one to three values out, but never all.
func (d *device) forget(s *Stage, now int64, values []telemetry.Value) []telemetry.Value {
	names := ""
	for n := 1 + d.rng.IntN(3); n > 0 && len(values) > 1; n-- {
		i := d.rng.IntN(len(values))
		if names != "" {
			names += " "
		}
		names += values[i].Field.Name
		values = values[:i+copy(values[i:], values[i+1:])]
	}
	s.note(d, Hit{Fault: "missing", From: now, To: now, Detail: names})
	return values
}

// gauge picks one of the gauges, or nil.
func (d *device) gauge(values []telemetry.Value) *telemetry.Value {
	var picked *telemetry.Value
	seen := 0
	for i := range values {
		if f := values[i].Field; f.Type == devices.Number && f.Role == devices.Gauge {
			seen++
			if d.rng.IntN(seen) == 0 {
				picked = &values[i]
			}
		}
	}
	return picked
}

func bounded(f *devices.Field, x float64) float64 {
	return math.Round(max(f.Min, min(f.Max, x))*1000)/1000 + 0
}

// storable reports whether a server has to take a reading of these values.
func storable(values []telemetry.Value) bool {
	for i := range values {
		v := &values[i]
		if v.Field.Numeric() && !(v.Num >= v.Field.Min && v.Num <= v.Field.Max) {
			return false
		}
	}
	return len(values) > 0
}
