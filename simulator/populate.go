package simulator

import (
	"fmt"
	"math"
	"math/rand/v2"

	"github.com/fleetwatt/fleetwatt/simulator/aging"
	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// populate makes the entities of the configuration.
func (f *Fleet) populate() error {
	nowMS := f.cfg.Start.UnixMilli()
	for i := range f.cfg.Owners {
		h := &Shard{cfg: &f.cfg, owner: i, nowMS: nowMS, agedMS: nowMS, step: f.cfg.Step, chem: lfp()}
		if i%2 == 1 {
			h.chem = nmc()
		}
		var err error
		if h.readings, err = newReadings(f.cfg.Schema); err != nil {
			return err
		}
		f.shards = append(f.shards, h)
	}
	all := places()
	for i := range f.cfg.Sites {
		s := &sky{place: all[i%len(all)], seed: f.cfg.Seed, name: fmt.Sprintf("site-%02d", i+1), file: f.cfg.Weather}
		h := f.shards[f.ownerOf(i)]
		h.sites = append(h.sites, s)
		h.weather = append(h.weather, s.at(nowMS))
		f.sites = append(f.sites, s)
	}
	for i := range f.cfg.Stations {
		s := f.newStation(i)
		s.shard.stations = append(s.shard.stations, s)
		f.stations = append(f.stations, s)
	}
	for i := range f.cfg.Batteries {
		h := f.shards[i%f.cfg.Owners]
		p := f.newPack(fmt.Sprintf("bat-%04d", i+1), h.chem)
		h.packs = append(h.packs, p)
		f.packs = append(f.packs, p)
	}
	for i := range f.cfg.Buildings {
		b := f.newBuilding(i)
		b.shard.buildings = append(b.shard.buildings, b)
		f.buildings = append(f.buildings, b)
	}
	for _, h := range f.shards {
		h.deal()
	}
	return nil
}

// ownerOf is the index of the owner of a site.
func (f *Fleet) ownerOf(site int) int { return site % f.cfg.Owners }

// place is the shard of the i-th station or building, and the index of its site
// in it.
func (f *Fleet) place(i int) (h *Shard, site int) {
	site = i % f.cfg.Sites
	return f.shards[f.ownerOf(site)], site / f.cfg.Owners
}

func (f *Fleet) newStation(i int) *station {
	id := fmt.Sprintf("st-%02d", i+1)
	rng := draw.Source(f.cfg.Seed, "station/"+id)
	h, site := f.place(i)
	charger := h.chem.ratedAh * h.chem.ratedV() * 0.4 // W, about C/2.5
	s := &station{
		id: id, shard: h, site: site,
		rng:      draw.Source(f.cfg.Seed, "breakdown/"+id),
		slots:    make([]slot, f.cfg.Slots),
		chargerW: charger,
		// The connection carries a third of the chargers at once.
		gridW:    auxiliaryW + charger/chargerEfficiency*(math.Ceil(float64(f.cfg.Slots)/3)+0.5),
		energyWh: draw.Between(rng, 0, 50e6),
	}
	s.metered = s.energyWh
	s.arrive = newArrivals(f.cfg.SwapsPerDay*draw.Between(rng, 0.6, 1.4), f.cfg.Dispersion, rng)
	return s
}

func (f *Fleet) newBuilding(i int) *building {
	id := fmt.Sprintf("bld-%02d", i+1)
	b := newBuilding(id, draw.Source(f.cfg.Seed, "building/"+id))
	b.shard, b.site = f.place(i)
	for _, r := range f.cfg.Retrofits {
		if r.Building == 0 || r.Building == i+1 {
			b.retrofits = append(b.retrofits, retrofit{r.At.UnixMilli(), r.Share})
		}
	}
	return b
}

// deal shares the packs out: up to three quarters of the slots and two fifths
// of the packs to the stations, the others to riders.
func (h *Shard) deal() {
	packs := h.packs
	if len(packs) == 0 {
		return
	}
	each := min(h.cfg.Slots*3/4, max(1, len(packs)*2/5/len(h.stations)))
	for _, s := range h.stations {
		for range min(each, len(packs)) {
			s.put(packs[0])
			packs = packs[1:]
		}
	}
	for _, p := range packs {
		p.hand()
		h.riding = append(h.riding, p)
	}
}

func (f *Fleet) newPack(id string, chem *chemistry) *pack {
	nowMS := f.cfg.Start.UnixMilli()
	p := newPack(id, chem, draw.Source(f.cfg.Seed, "battery/"+id), nowMS)
	// Draws of their own, so that a knee or a sensor changes nothing else.
	knee := draw.Source(f.cfg.Seed, "knee/"+id)
	if knee.Float64() < f.cfg.KneeShare {
		p.kneeAt = p.loss() + draw.Between(knee, 0.005, 0.08)
	}
	p.sensors = f.cfg.Sensors.install(draw.Source(f.cfg.Seed, "sensors/"+id), nowMS)
	return p
}

// newPack makes a pack of up to four years of age, with the losses that its
// law of ageing gives it for rest at 22 °C and 70 % and half a cycle a day.
func newPack(id string, chem *chemistry, rng *rand.Rand, nowMS int64) *pack {
	p := &pack{
		id: id, chem: chem, rng: rng, atMS: nowMS,
		freshAh:   chem.ratedAh * draw.Normal(rng, 1.01, 0.012),
		spreadR:   draw.Normal(rng, 1, 0.05),
		imbalance: draw.Between(rng, 0.002, 0.010),
		bmsBias:   draw.Normal(rng, 0, 0.01),
		wear:      chem.wear * math.Exp(draw.Normal(rng, 0, 0.15)),
		depth:     0.7,
	}
	p.warm(22)
	seconds := draw.Between(rng, 0, 4*yearSeconds)
	p.madeMS = nowMS - int64(seconds*1000)
	p.usedFEC = seconds / 86400 * 0.5
	volts := chem.openCircuit(0.7) / float64(chem.series)
	p.aged = chem.law.After(aging.State{}, aging.Stress{
		Seconds: seconds, Celsius: 22, SoC: 0.7, Volts: volts, RMS: volts, FEC: p.usedFEC, Rate: 0.3, Depth: p.depth,
	}, p.wear)
	p.capacityAh = p.remaining()
	p.storedAh = p.capacityAh * draw.Between(rng, 0.4, 0.98)
	p.turnSoC = p.soc()
	p.books = Books{StartAh: p.storedAh, Efficiency: chem.coulomb}
	p.duty.maintenance.dueMS = nowMS + int64(draw.Between(rng, 1*86400e3, maintenanceEvery))
	return p
}
