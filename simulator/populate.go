package simulator

import (
	"fmt"
	"math"
	"math/rand/v2"
)

// populate makes the entities of the configuration.
func (f *Fleet) populate() {
	all := places()
	for i := range f.cfg.Sites {
		name := fmt.Sprintf("site-%02d", i+1)
		f.sites = append(f.sites, &sky{place: all[i%len(all)], seed: f.cfg.Seed, name: name})
	}
	f.weather = make([]weather, len(f.sites))
	for i, s := range f.sites {
		f.weather[i] = s.at(f.nowMS)
	}
	for i := range f.cfg.Owners {
		n := &network{chem: lfp(), home: i}
		if i%2 == 1 {
			n.chem = nmc()
		}
		f.networks = append(f.networks, n)
	}
	for i := range f.cfg.Stations {
		f.stations = append(f.stations, f.newStation(i))
	}
	for i := range f.cfg.Batteries {
		id := fmt.Sprintf("bat-%04d", i+1)
		n := f.networks[i%f.cfg.Owners]
		f.packs = append(f.packs, newPack(id, n.chem, source(f.cfg.Seed, "battery/"+id), f.nowMS))
	}
	for i, n := range f.networks {
		n.deal(f.packsOf(i))
	}
	for i := range f.cfg.Buildings {
		id := fmt.Sprintf("bld-%02d", i+1)
		f.buildings = append(f.buildings, newBuilding(id, f.sites[i%len(f.sites)], source(f.cfg.Seed, "building/"+id)))
	}
}

func (f *Fleet) packsOf(owner int) []*pack {
	var own []*pack
	for i := owner; i < len(f.packs); i += f.cfg.Owners {
		own = append(own, f.packs[i])
	}
	return own
}

// ownerOf is the index of the owner of a site.
func (f *Fleet) ownerOf(site int) int { return site % f.cfg.Owners }

func (f *Fleet) newStation(i int) *station {
	id := fmt.Sprintf("st-%02d", i+1)
	rng := source(f.cfg.Seed, "station/"+id)
	site := i % f.cfg.Sites
	n := f.networks[f.ownerOf(site)]
	charger := n.chem.ratedAh * n.chem.ratedV() * 0.4 // W, about C/2.5
	s := &station{
		id: id, network: n, site: f.sites[site],
		slots:    make([]*pack, f.cfg.Slots),
		startWh:  make([]float64, f.cfg.Slots),
		chargerW: charger,
		// The connection carries a third of the chargers at once.
		gridW:    auxiliaryW + charger/chargerEfficiency*(math.Ceil(float64(f.cfg.Slots)/3)+0.5),
		energyWh: between(rng, 0, 50e6),
	}
	s.arrive = newArrivals(f.cfg.SwapsPerDay*between(rng, 0.6, 1.4), rng)
	n.stations = append(n.stations, s)
	return s
}

// deal shares the packs of an owner out: up to three quarters of the slots and
// two fifths of the packs to the stations, the others to riders.
func (n *network) deal(packs []*pack) {
	if len(packs) == 0 {
		return
	}
	each := min(len(n.stations[0].slots)*3/4, max(1, len(packs)*2/5/len(n.stations)))
	for _, s := range n.stations {
		for range min(each, len(packs)) {
			p := packs[0]
			packs = packs[1:]
			s.put(p)
			s.startWh[p.duty.slot-1] = p.books.EnergyInWh
		}
	}
	for _, p := range packs {
		p.hand()
		n.riding = append(n.riding, p)
	}
}

// newPack makes a pack of up to four years of age, with the losses that its
// law of ageing gives it for rest at 22 °C and 70 % and half a cycle a day.
func newPack(id string, chem *chemistry, rng *rand.Rand, nowMS int64) *pack {
	p := &pack{
		id: id, chem: chem, rng: rng,
		freshAh:   chem.ratedAh * normal(rng, 1.01, 0.012),
		spreadR:   normal(rng, 1, 0.05),
		imbalance: between(rng, 0.002, 0.010),
		bmsBias:   normal(rng, 0, 0.01),
		wear:      math.Exp(normal(rng, 0, 0.15)),
		celsius:   22,
		depth:     0.7,
	}
	seconds := between(rng, 0, 4*yearSeconds)
	p.madeMS = nowMS - int64(seconds*1000)
	p.usedFEC = seconds / 86400 * 0.5
	p.calendarLoss = p.wear * chem.ageing.calendar(22, 0.7) * math.Sqrt(seconds)
	p.cyclicLoss = p.wear * chem.ageing.cyclic(0.3, p.depth) * math.Sqrt(p.usedFEC)
	p.capacityAh = p.freshAh * (1 - p.calendarLoss - p.cyclicLoss)
	p.storedAh = p.capacityAh * between(rng, 0.4, 0.98)
	p.turnSoC = p.soc()
	p.books = Books{StartAh: p.storedAh, Efficiency: chem.coulomb}
	p.duty.maintenance.dueMS = nowMS + int64(between(rng, 1*86400e3, maintenanceEvery))
	return p
}
