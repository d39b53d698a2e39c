package simulator

import (
	"math/rand/v2"

	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// building is an office with a gas boiler, electric cooling and panels on the
// roof: one thermal mass behind one conductance to the outside, held between
// two set points by an ideal controller of limited power.
type building struct {
	id    string
	shard *Shard
	site  int // index of its sky in the shard
	rng   *rand.Rand

	areaM2  float64
	people  float64 // when full
	lossWK  float64 // to the outside, W/K
	massJK  float64
	baseW   float64 // always on
	plugW   float64 // when full
	lightW  float64 // when full
	peakPVW float64
	glassM2 float64 // that lets the sun in

	day     int64 // that busy belongs to
	busy    float64
	indoorC float64

	retrofits []retrofit

	energyWh, exportWh, pvWh, gasWh, waterL float64
	plainWh, plainGasWh                     float64 // what energyWh and gasWh would be without the retrofits
	cost                                    float64 // of energyWh, in minor units
	now                                     demand
	stepWh, stepHVACWh, stepLightWh         float64
}

// demand is the state of a building at one instant.
type demand struct {
	occupancy float64
	setpointC float64
	weather   weather
}

// retrofit saves a share of what the building uses, from a time on.
type retrofit struct {
	atMS  int64
	share float64
}

// kept is the share of its use that the retrofits leave at nowMS.
func (b *building) kept(nowMS int64) float64 {
	kept := 1.0
	for _, r := range b.retrofits {
		if nowMS > r.atMS {
			kept *= 1 - r.share
		}
	}
	return kept
}

const (
	coolingCOP       = 3.2
	boilerEfficiency = 0.90
	personW          = 75
	litresAnHour     = 5    // of water a person present
	controlWK        = 60.0 // W/K for a square metre
)

func newBuilding(id string, rng *rand.Rand) *building {
	area := draw.Between(rng, 1200, 4500)
	return &building{
		id: id, rng: rng, areaM2: area,
		people:  area / draw.Between(rng, 12, 20),
		lossWK:  area * draw.Between(rng, 1.0, 1.8),
		massJK:  area * 165e3,
		baseW:   area * draw.Between(rng, 2.5, 4.5),
		plugW:   area * draw.Between(rng, 5, 8),
		lightW:  area * draw.Between(rng, 5, 8),
		peakPVW: area * draw.Between(rng, 8, 20),
		glassM2: area * 0.02,
		indoorC: 21,
	}
}

// occupied is the share of people present at a local time.
func (b *building) occupied(c clock) float64 {
	if c.day != b.day || b.busy == 0 {
		b.day, b.busy = c.day, clamp(draw.Normal(b.rng, 0.85, 0.06), 0.5, 1)
	}
	if !b.shard.working(c) {
		if c.hour > 9 && c.hour < 15 {
			return 0.06
		}
		return 0
	}
	share := min(clamp((c.hour-7)/2, 0, 1), clamp((19.5-c.hour)/2.5, 0, 1))
	if c.hour > 12 && c.hour < 13 {
		share *= 0.75
	}
	return share * b.busy
}

// work runs the building for dt seconds up to nowMS.
func (b *building) work(w weather, nowMS int64, dt float64) {
	share := b.occupied(w.local)
	present := b.shard.working(w.local) && w.local.hour > 6 && w.local.hour < 19
	heatTo, coolTo := 16.0, 30.0
	if present {
		heatTo, coolTo = 21, 24.5
	}
	plugs, lights := b.baseW+b.plugW*share, b.lightW*share
	gains := plugs + lights + personW*b.people*share + w.sunW*b.glassM2

	capacity := b.areaM2 * 70 // W, of heating and of cooling
	control := b.areaM2 * controlWK
	heating := clamp(control*(heatTo-b.indoorC), 0, capacity)
	cooling := clamp(control*(b.indoorC-coolTo), 0, capacity)
	b.indoorC += (b.lossWK*(w.celsius-b.indoorC) + gains + heating - cooling) / b.massJK * dt

	hvac := cooling/coolingCOP + 0.05*heating
	if present {
		hvac += b.areaM2 // fans
	}
	pv := b.peakPVW * 0.85 * w.sunW / 1000
	kept := b.kept(nowMS)
	plain := plugs + lights + hvac - pv
	net := (plugs+lights+hvac)*kept - pv
	hours := dt / 3600
	b.energyWh += max(net, 0) * hours
	b.exportWh += max(-net, 0) * hours
	b.plainWh += max(plain, 0) * hours
	b.pvWh += pv * hours
	b.gasWh += heating / boilerEfficiency * hours * kept
	b.plainGasWh += heating / boilerEfficiency * hours
	b.cost += b.shard.cfg.Tariff.cost(w.local, max(net, 0)*hours)
	b.waterL += (litresAnHour*b.people*share + 2) * hours
	b.stepWh += net * hours
	b.stepHVACWh += hvac * hours * kept
	b.stepLightWh += lights * hours * kept

	b.now = demand{occupancy: share * b.people, setpointC: coolTo, weather: w}
	if w.celsius < 18 {
		b.now.setpointC = heatTo
	}
}
