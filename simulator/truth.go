package simulator

import "time"

// Truth is what an estimator would have to find out.
type Truth struct {
	Batteries []BatteryTruth
	Stations  []StationTruth
	Buildings []BuildingTruth
}

// BatteryTruth is the state of one battery.
type BatteryTruth struct {
	ID             string
	Chemistry      string
	CapacityAh     float64 // between full and empty, now
	SoH            float64 // capacity against the rated one
	SoC            float64 // 0…1
	Cycles         float64 // full equivalent cycles in its life
	ResistanceMOhm float64 // ohmic, at its present temperature
	Resistance25   float64 // the same at 25 °C
	CalendarLoss   float64 // share of the first capacity
	CyclicLoss     float64 // share of the first capacity
	KneeLoss       float64 // share of the first capacity, beyond the knee
	Books          Books
}

// StationTruth is what happened at one station.
type StationTruth struct {
	ID       string
	Swaps    int
	Refusals int           // riders sent away
	Nobody   int           // arrivals of the process when no rider wanted a pack
	EnergyWh float64       // what the meter shows
	DrawnWh  float64       // since the start
	Cost     float64       // of that, in minor units
	Down     time.Duration // out of service
}

// BuildingTruth is the account of one building. What it saved is the plain use
// less the real one.
type BuildingTruth struct {
	ID         string
	ImportWh   float64
	ExportWh   float64
	PVWh       float64
	GasWh      float64
	PlainWh    float64 // ImportWh as it would be without any retrofit
	PlainGasWh float64 // GasWh, likewise
	Cost       float64 // of ImportWh, in minor units
	KeptOfUse  float64 // share of its use that the retrofits leave, now
	SavedWh    float64 // of ImportWh
	SavedGasWh float64
}

// Truth is the present state, to measure estimates against, in the order of the
// inventory.
func (f *Fleet) Truth() Truth {
	var t Truth
	for _, p := range f.packs {
		t.Batteries = append(t.Batteries, p.truth())
	}
	for _, s := range f.stations {
		t.Stations = append(t.Stations, s.truth())
	}
	for _, b := range f.buildings {
		t.Buildings = append(t.Buildings, b.truth())
	}
	return t
}

// Truth is the present state of the shard alone.
func (h *Shard) Truth() Truth {
	var t Truth
	for _, p := range h.packs {
		t.Batteries = append(t.Batteries, p.truth())
	}
	for _, s := range h.stations {
		t.Stations = append(t.Stations, s.truth())
	}
	for _, b := range h.buildings {
		t.Buildings = append(t.Buildings, b.truth())
	}
	return t
}

func (p *pack) truth() BatteryTruth {
	b := p.books
	b.StoredAh = p.storedAh
	return BatteryTruth{
		ID: p.id, Chemistry: p.chem.name, CapacityAh: p.capacityAh, SoH: p.soh(), SoC: p.soc(), Cycles: p.cycles(),
		ResistanceMOhm: 1000 * p.ohms(), Resistance25: 1000 * p.ohms25(),
		CalendarLoss: p.aged.CalendarLoss, CyclicLoss: p.aged.CyclicLoss, KneeLoss: p.kneeLoss, Books: b,
	}
}

func (s *station) truth() StationTruth {
	return StationTruth{
		ID: s.id, Swaps: s.swaps, Refusals: s.refusals, Nobody: s.nobody, EnergyWh: s.energyWh,
		DrawnWh: s.energyWh - s.metered, Cost: s.cost, Down: time.Duration(s.downMS) * time.Millisecond,
	}
}

func (b *building) truth() BuildingTruth {
	return BuildingTruth{
		ID: b.id, ImportWh: b.energyWh, ExportWh: b.exportWh, PVWh: b.pvWh, GasWh: b.gasWh,
		PlainWh: b.plainWh, PlainGasWh: b.plainGasWh, Cost: b.cost, KeptOfUse: b.kept(b.shard.nowMS),
		SavedWh: b.plainWh - b.energyWh, SavedGasWh: b.plainGasWh - b.gasWh,
	}
}
