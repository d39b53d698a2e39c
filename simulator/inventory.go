package simulator

import (
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Inventory is the fleet as a registry knows it.
type Inventory struct {
	Owners    []devices.Owner
	Sites     []devices.Site
	Stations  []devices.Station
	Batteries []devices.Battery
	Buildings []devices.Building
}

// Inventory lists what exists, for a registry to hold. No device has a gateway.
func (f *Fleet) Inventory() Inventory {
	var inv Inventory
	for i := range f.networks {
		inv.Owners = append(inv.Owners, devices.Owner{ID: ownerID(i), Name: fmt.Sprintf("Simulated owner %d", i+1)})
	}
	for i, s := range f.sites {
		lat, lon := s.latitude, s.longitude
		inv.Sites = append(inv.Sites, devices.Site{
			ID: s.name, OwnerID: ownerID(f.ownerOf(i)), Name: s.place.name, TimeZone: s.zone, Latitude: &lat, Longitude: &lon,
		})
	}
	began := f.cfg.Start.Truncate(24*time.Hour).AddDate(-4, 0, 0)
	for i, s := range f.stations {
		a := f.assetAt(s.id, "Station", i, &began)
		inv.Stations = append(inv.Stations, devices.Station{Asset: a, Slots: len(s.slots)})
	}
	for i, p := range f.packs {
		made := time.UnixMilli(p.madeMS).UTC()
		inv.Batteries = append(inv.Batteries, devices.Battery{
			Asset: devices.Asset{
				ID: p.id, OwnerID: ownerID(i % f.cfg.Owners), Name: fmt.Sprintf("Battery %d", i+1),
				Serial: fmt.Sprintf("SIM-%s-%06d", p.chem.name, i+1), Status: devices.StatusActive, Commissioned: &made,
			},
			Chemistry: p.chem.name, RatedCapacityAh: p.chem.ratedAh,
			RatedVoltageV: round(p.chem.ratedV(), 1000), CutoffVoltageV: round(p.chem.cutoff(), 1000),
		})
	}
	for i, b := range f.buildings {
		a := f.assetAt(b.id, "Building", i, &began)
		inv.Buildings = append(inv.Buildings, devices.Building{Asset: a, FloorAreaM2: round(b.areaM2, 1)})
	}
	return inv
}

func ownerID(i int) string { return fmt.Sprintf("owner-%02d", i+1) }

// assetAt is the i-th station or building.
func (f *Fleet) assetAt(id, what string, i int, commissioned *time.Time) devices.Asset {
	site := i % len(f.sites)
	return devices.Asset{
		ID: id, OwnerID: ownerID(f.ownerOf(site)), SiteID: f.sites[site].name,
		Name: fmt.Sprintf("%s %d", what, i+1), Status: devices.StatusActive, Commissioned: commissioned,
	}
}

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
	CalendarLoss   float64 // share of the first capacity
	CyclicLoss     float64 // share of the first capacity
	Books          Books
}

// StationTruth is what happened at one station.
type StationTruth struct {
	ID       string
	Swaps    int
	Refusals int // riders sent away
	Nobody   int // arrivals of the process when no rider wanted a pack
	EnergyWh float64
}

// BuildingTruth is the account of one building.
type BuildingTruth struct {
	ID                              string
	ImportWh, ExportWh, PVWh, GasWh float64
}

// Truth is the present state, to measure estimates against.
func (f *Fleet) Truth() Truth {
	var t Truth
	for _, p := range f.packs {
		b := p.books
		b.StoredAh = p.storedAh
		t.Batteries = append(t.Batteries, BatteryTruth{
			ID: p.id, Chemistry: p.chem.name, CapacityAh: p.capacityAh, SoH: p.soh(), SoC: p.soc(), Cycles: p.cycles(),
			ResistanceMOhm: 1000 * p.ohms(), CalendarLoss: p.calendarLoss, CyclicLoss: p.cyclicLoss, Books: b,
		})
	}
	for _, s := range f.stations {
		t.Stations = append(t.Stations, StationTruth{s.id, s.swaps, s.refusals, s.nobody, s.energyWh})
	}
	for _, b := range f.buildings {
		t.Buildings = append(t.Buildings, BuildingTruth{b.id, b.energyWh, b.exportWh, b.pvWh, b.gasWh})
	}
	return t
}
