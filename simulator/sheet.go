package simulator

// DataSheet is what the maker of simulated packs declares of all of a chemistry
// when they are new, beside the ratings in the inventory. What a pack shows of
// itself later follows from the same cells.
type DataSheet struct {
	MaxV             float64
	MinC, MaxC       float64 // °C, when idle
	ResistanceOhm    float64 // of the pack at 25 °C, after minutes of current
	MaxPowerW        float64
	Power            []PowerAt // when new
	SelfDischargePct float64   // a month
	RoundTripPct     float64   // when new
	HalfLifePct      float64   // the same after half of the cycles
	Cycles, Years    float64   // that it is made for
	LifeTestRateC    float64   // at which the cycles were tested
	ExhaustionPct    float64   // of its first energy, at which it is worn out
	LifeTest         string    // URI
}

// PowerAt is the power that a pack can give at a state of charge.
type PowerAt struct{ SoCPct, Watts float64 }

// SheetOf is the data sheet of a chemistry as the inventory names it; false:
// there is none.
func SheetOf(name string) (DataSheet, bool) {
	for _, c := range []*chemistry{lfp(), nmc()} {
		if c.name == name {
			return c.sheet(), true
		}
	}
	return DataSheet{}, false
}

func (c *chemistry) sheet() DataSheet {
	s := DataSheet{
		MaxV: round(c.maximum(), 1000), MinC: -20, MaxC: 60, ResistanceOhm: round((c.r0+c.r1)*float64(c.series), 1e6),
		MaxPowerW:        round(2*c.ratedAh*c.ratedV(), 1), // 2 C
		SelfDischargePct: 2, RoundTripPct: 97, HalfLifePct: 95, Cycles: c.cycles, Years: c.years, LifeTestRateC: 0.5, ExhaustionPct: 70,
		LifeTest: "https://example.com/cycle-life/" + c.name,
	}
	for _, soc := range []float64{80, 50, 20} {
		// Down to its lowest voltage (FreedomCAR Battery Test Manual, DOE/ID-11069, §4.3).
		watts := c.cutoff() * (c.openCircuit(soc/100) - c.cutoff()) / s.ResistanceOhm
		s.Power = append(s.Power, PowerAt{soc, round(watts, 1)})
	}
	return s
}
