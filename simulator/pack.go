package simulator

import (
	"math"
	"math/rand/v2"
)

// pack is one battery: an equivalent circuit of an open-circuit voltage, an
// ohmic resistance and one RC element, with one thermal mass. Positive current
// charges it.
type pack struct {
	id   string
	chem *chemistry
	rng  *rand.Rand

	// What this pack was made with.
	freshAh   float64 // capacity before any ageing
	spreadR   float64 // its resistance against the typical one
	imbalance float64 // V between its best and worst cell when new
	bmsBias   float64 // error of its own estimate of its health
	wear      float64 // how fast it ages against the law
	madeMS    int64   // when it was commissioned
	usedFEC   float64 // full equivalent cycles before the simulation

	// The electrical and thermal state.
	storedAh   float64
	capacityAh float64
	rcV        float64
	celsius    float64
	amps       float64 // now
	slope      float64 // A/s, up to the end of the step

	// Ageing so far, and what happened since it was last brought up to date.
	calendarLoss, cyclicLoss float64
	since                    spell
	turnSoC                  float64 // where the present charge or discharge began
	depth                    float64 // of the last discharge

	books Books
	duty  duty
}

// spell sums up how a pack was treated over some time.
type spell struct {
	seconds, celsius, soc float64 // time, and integrals over it
	active, amps          float64 // time with a current, and its integral without sign
}

// Books is the account of one battery since its first day in the simulation.
// It balances:
//
//	StoredAh  = StartAh + ChargeInAh·η − ChargeOutAh − FadedAh
//	EnergyInWh − EnergyOutWh = ChemicalWh + PolarisedWh + HeatWh
//
// with η the coulombic efficiency.
type Books struct {
	StartAh     float64
	StoredAh    float64
	ChargeInAh  float64
	ChargeOutAh float64
	FadedAh     float64 // stored charge that went with the capacity that held it
	EnergyInWh  float64 // at the terminals
	EnergyOutWh float64 // at the terminals
	ChemicalWh  float64 // gained by the cells
	PolarisedWh float64 // held by the RC element
	HeatWh      float64 // in both resistances and in the coulombic loss
	Efficiency  float64 // η
}

func (p *pack) soc() float64 { return p.storedAh / p.capacityAh }
func (p *pack) soh() float64 { return p.capacityAh / p.chem.ratedAh }

// ohms is the ohmic resistance of the pack: higher in the cold by 15 kJ/mol,
// and by twice the share of capacity that is lost.
func (p *pack) ohms() float64 {
	cold := math.Exp(1800 * (1/(p.celsius+zeroC) - 1/referenceK))
	aged := 1 + 2*(p.calendarLoss+p.cyclicLoss)
	return p.chem.r0 * float64(p.chem.series) * p.spreadR * aged * cold
}

func (p *pack) rcOhms() float64 { return p.chem.r1 * float64(p.chem.series) * p.spreadR }

// volts is the voltage at the terminals now.
func (p *pack) volts() float64 {
	return p.chem.openCircuit(p.soc()) + p.amps*p.ohms() + p.rcV
}

// cycles is the number of full equivalent cycles in its life: half the charge
// moved, over the rated capacity.
func (p *pack) cycles() float64 {
	return p.usedFEC + (p.books.ChargeInAh+p.books.ChargeOutAh)/(2*p.chem.ratedAh)
}

// flow moves the pack on by dt seconds in surroundings of ambient °C. The
// current runs along its slope; its mean over dt is what moves the charge, so
// the account of charge holds for any length of step.
func (p *pack) flow(dt, ambient float64) {
	amps := p.permitted(p.amps+p.slope*dt/2, dt)
	r0, r1 := p.ohms(), p.rcOhms()

	// The RC element under a constant current, exactly.
	target := amps * r1
	fade := math.Exp(-dt / p.chem.tau)
	gap := p.rcV - target
	rcMean := target + gap*p.chem.tau/dt*(1-fade)
	rcHeat := (target*target*dt + 2*target*gap*p.chem.tau*(1-fade) + gap*gap*p.chem.tau/2*(1-fade*fade)) / r1
	rcBefore := p.rcV
	p.rcV = target + gap*fade

	moved := amps * dt / 3600
	kept := moved
	if moved > 0 {
		kept = moved * p.chem.coulomb
	}
	open := p.chem.openCircuit((p.storedAh + kept/2) / p.capacityAh)
	p.storedAh += kept
	energy := (open + amps*r0 + rcMean) * moved
	heat := (amps*amps*r0*dt+rcHeat)/3600 + open*(moved-kept)

	b := &p.books
	if moved > 0 {
		b.ChargeInAh += moved
		b.EnergyInWh += energy
	} else {
		b.ChargeOutAh -= moved
		b.EnergyOutWh -= energy
	}
	b.ChemicalWh += open * kept
	b.PolarisedWh += p.chem.tau / r1 / 2 * (p.rcV*p.rcV - rcBefore*rcBefore) / 3600
	b.HeatWh += heat

	// The thermal mass under a constant heat, exactly.
	settled := ambient + heat*3600/dt/p.chem.cooling
	p.celsius = settled + (p.celsius-settled)*math.Exp(-dt*p.chem.cooling/p.chem.heat)

	p.amps += p.slope * dt
	p.since.seconds += dt
	p.since.celsius += p.celsius * dt
	p.since.soc += p.soc() * dt
	if amps != 0 {
		p.since.active += dt
		p.since.amps += math.Abs(amps) * dt
	}
}

// permitted is the current that the battery management lets through: none
// that would charge a full pack or discharge an empty one.
func (p *pack) permitted(amps, dt float64) float64 {
	perAmp := dt / 3600
	most := (p.capacityAh - p.storedAh) / (perAmp * p.chem.coulomb)
	least := -p.storedAh / perAmp
	if amps <= most && amps >= least {
		return amps
	}
	p.amps, p.slope = clamp(amps, least, most), 0
	return p.amps
}

// age brings the capacity up to date with how the pack was treated since the
// last call.
func (p *pack) age() {
	s := p.since
	if s.seconds == 0 {
		return
	}
	k := p.wear * p.chem.ageing.calendar(s.celsius/s.seconds, s.soc/s.seconds)
	p.calendarLoss = advance(p.calendarLoss, k, s.seconds)
	if s.amps > 0 {
		rate := s.amps / s.active / p.chem.ratedAh
		k := p.wear * p.chem.ageing.cyclic(rate, p.depth)
		p.cyclicLoss = advance(p.cyclicLoss, k, s.amps/3600/(2*p.chem.ratedAh))
	}
	soc := p.soc()
	p.capacityAh = p.freshAh * (1 - p.calendarLoss - p.cyclicLoss)
	p.books.FadedAh += p.storedAh - soc*p.capacityAh
	p.storedAh = soc * p.capacityAh
	p.since = spell{}
}

// turn notes the end of a charge or discharge, for the depth of cycles.
func (p *pack) turn() {
	if d := p.turnSoC - p.soc(); d > 0 {
		p.depth = d
	}
	p.turnSoC = p.soc()
}
