package main

import (
	"bytes"
	"math"
	"math/rand/v2"
	"strconv"
)

// pack is one device's state: ten fields that wander as a battery's do, rounded
// as its sensors round them.
type pack struct {
	topic string
	ts    int64
	rng   *rand.Rand

	soc, temperature, in, out float64
	discharging               bool
	cycles                    int

	rendered []byte
	stamps   []int // where the times stand in it
}

func newPack(n int, begin int64) *pack {
	id := strconv.Itoa(10_000 + n)
	return &pack{
		topic: "fleet/v1/battery/bench-" + id + "/telemetry",
		ts:    begin,
		rng:   rand.New(rand.NewPCG(uint64(n), 1)),
		soc:   20 + float64(n%70), temperature: 25, in: 1e5 + float64(n), out: 9e4, cycles: n % 800,
	}
}

// step moves the pack on by a second.
func (p *pack) step() (current, voltage float64) {
	current = 18 + 4*p.rng.Float64()
	if p.discharging {
		current = -25 + 10*p.rng.NormFloat64()
	}
	p.soc += current / 3600 / 40 * 100
	if p.soc <= 15 || p.soc >= 98 {
		p.discharging = p.soc >= 98
		p.cycles++
	}
	p.soc = min(max(p.soc, 0), 100)
	voltage = 48 + 6*p.soc/100 + 0.02*current
	p.temperature += 0.02 * (25 + math.Abs(current)/4 - p.temperature)
	if wh := current * voltage / 3600; wh > 0 {
		p.in += wh
	} else {
		p.out -= wh
	}
	p.ts += 1000
	return current, voltage
}

// appendReading appends the next reading as JSON, ten fields and a time.
func (p *pack) appendReading(dst []byte) []byte {
	current, voltage := p.step()
	field := func(name string, v float64, decimals int) {
		dst = append(append(dst, `,"`...), name...)
		dst = strconv.AppendFloat(append(dst, `":`...), v, 'f', decimals, 64)
	}
	dst = strconv.AppendInt(append(dst, `{"ts":`...), p.ts, 10)
	field("soc_pct", p.soc, 1)
	field("voltage_v", voltage, 2)
	field("current_a", current, 1)
	field("power_w", current*voltage, 0)
	field("temperature_c", p.temperature, 1)
	field("cell_voltage_min_v", voltage/15-0.004, 3)
	field("cell_voltage_max_v", voltage/15+0.005, 3)
	field("cycles", float64(p.cycles), 0)
	field("energy_in_wh", p.in, 0)
	field("energy_out_wh", p.out, 0)
	return append(dst, '}')
}

// message is the next publish of a pack: one reading, or an array of them.
func (p *pack) message(records int) []byte {
	if records == 1 {
		return p.appendReading(make([]byte, 0, 256))
	}
	return p.array(records)
}

// array renders its readings once; later arrays are the same readings at later
// times, so that the clients leave the processor to the servers.
func (p *pack) array(records int) []byte {
	if p.rendered == nil {
		p.rendered = append(p.rendered, '[')
		for i := range records {
			if i > 0 {
				p.rendered = append(p.rendered, ',')
			}
			p.stamps = append(p.stamps, len(p.rendered)+len(`{"ts":`))
			p.rendered = p.appendReading(p.rendered)
		}
		p.rendered = append(p.rendered, ']')
		p.ts -= int64(records) * 1000
	}
	out := bytes.Clone(p.rendered)
	for _, at := range p.stamps {
		p.ts += 1000
		strconv.AppendInt(out[at:at], p.ts, 10) // 13 digits until the year 2286
	}
	return out
}
