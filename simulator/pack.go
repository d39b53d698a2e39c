package simulator

import (
	"math"
	"math/rand/v2"

	"github.com/fleetwatt/fleetwatt/simulator/aging"
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
	kneeAt    float64 // loss from which it ages faster; 0: never
	madeMS    int64   // when it was commissioned
	usedFEC   float64 // full equivalent cycles before the simulation

	// The electrical and thermal state at atMS. What happens later follows from
	// amps and slope until one of them changes.
	atMS       int64
	storedAh   float64
	capacityAh float64
	rcV        float64
	celsius    float64
	cold       float64 // factor of the resistance at celsius
	amps       float64 // now
	slope      float64 // A/s, up to the end of the step
	decay      decay

	// Ageing so far, and what happened since it was last brought up to date.
	aged     aging.State
	kneeLoss float64 // what the knee cost on top
	since    spell
	turnSoC  float64 // where the present charge or discharge began
	depth    float64 // of the last discharge

	books   Books
	duty    duty
	sensors sensors
}

// decay keeps what the two exponentials of a step of dt seconds leave over, as
// most steps of a pack are as long as the one before.
type decay struct {
	dt, rc, heat float64
}

// spell sums up how a pack was treated over some time.
type spell struct {
	seconds, celsius, soc float64 // time, and integrals over it
	volts, square         float64 // integrals of a cell's voltage at rest and its square
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

// warm sets the temperature, and with it the ohmic resistance.
func (p *pack) warm(celsius float64) { p.celsius, p.cold = celsius, p.chem.coldAt(celsius) }

// ohms is the ohmic resistance of the pack at its temperature.
func (p *pack) ohms() float64 { return p.ohms25() * p.cold }

// ohms25 is the same at 25 °C.
func (p *pack) ohms25() float64 {
	return p.chem.r0 * float64(p.chem.series) * p.spreadR * (1 + p.aged.Gain())
}

func (p *pack) rcOhms() float64 { return p.chem.r1 * float64(p.chem.series) * p.spreadR }

// volts is the voltage at the terminals now.
func (p *pack) volts() float64 {
	return p.chem.openCircuit(p.soc()) + p.amps*p.ohms() + p.rcV
}

// spread is the voltage between the best and the worst cell. Weak cells run
// ahead of the others towards either end, and more so with age.
func (p *pack) spread(soc float64) float64 {
	return p.imbalance * (1 + 4*p.loss()) * (1 + 3*math.Abs(2*soc-1))
}

// cycles is the number of full equivalent cycles in its life: half the charge
// moved, over the rated capacity.
func (p *pack) cycles() float64 {
	return p.usedFEC + (p.books.ChargeInAh+p.books.ChargeOutAh)/(2*p.chem.ratedAh)
}

// longestFlow bounds the steps of integration under a current, in ms. The
// voltage at rest is taken at the middle of each.
const longestFlow = 15 * 60e3

// until moves the pack on to ms in surroundings of ambient °C.
func (p *pack) until(ms int64, ambient float64) {
	for p.atMS < ms {
		next := ms
		if p.amps != 0 || p.slope != 0 {
			next = min(next, p.atMS+longestFlow)
		}
		p.flow(float64(next-p.atMS)/1000, ambient)
		p.atMS = next
	}
}

// flow moves the pack on by dt seconds in surroundings of ambient °C. The
// current runs along its slope; its mean over dt is what moves the charge, so
// the account of charge holds for any length of step.
func (p *pack) flow(dt, ambient float64) {
	c := p.chem
	if p.decay.dt != dt {
		p.decay = decay{dt, math.Exp(-dt / c.tau), math.Exp(-dt * c.cooling / c.heat)}
	}
	amps := p.permitted(p.amps+p.slope*dt/2, dt)
	r0, r1 := p.ohms(), p.rcOhms()

	// The RC element under a constant current, exactly.
	target := amps * r1
	fade := p.decay.rc
	gap := p.rcV - target
	rcMean := target + gap*c.tau/dt*(1-fade)
	rcHeat := (target*target*dt + 2*target*gap*c.tau*(1-fade) + gap*gap*c.tau/2*(1-fade*fade)) / r1
	rcBefore := p.rcV
	p.rcV = target + gap*fade

	moved := amps * dt / 3600
	kept := moved
	if moved > 0 {
		kept = moved * c.coulomb
	}
	open := c.openCircuit((p.storedAh + kept/2) / p.capacityAh)
	p.storedAh = clamp(p.storedAh+kept, 0, p.capacityAh)
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
	b.PolarisedWh += c.tau / r1 / 2 * (p.rcV*p.rcV - rcBefore*rcBefore) / 3600
	b.HeatWh += heat

	p.since.add(dt, amps, p.soc(), open/float64(c.series), p.heatUp(dt, heat, ambient))
	p.amps += p.slope * dt
}

// heatUp moves the thermal mass on under a constant heat in Wh, exactly, and
// returns its mean temperature.
func (p *pack) heatUp(dt, heat, ambient float64) (mean float64) {
	settled := ambient + heat*3600/dt/p.chem.cooling
	gap := p.celsius - settled
	mean = settled + gap*p.chem.heat/p.chem.cooling/dt*(1-p.decay.heat)
	p.warm(settled + gap*p.decay.heat)
	return mean
}

func (s *spell) add(dt, amps, soc, volts, celsius float64) {
	s.seconds += dt
	s.celsius += celsius * dt
	s.soc += soc * dt
	s.volts += volts * dt
	s.square += volts * volts * dt
	if amps != 0 {
		s.active += dt
		s.amps += math.Abs(amps) * dt
	}
}

// permitted is the current that the battery management lets through: none
// that would charge a full pack or discharge an empty one.
func (p *pack) permitted(amps, dt float64) float64 {
	if amps == 0 {
		return 0
	}
	perAmp := dt / 3600
	most := (p.capacityAh - p.storedAh) / (perAmp * p.chem.coulomb)
	least := -p.storedAh / perAmp
	if amps <= most && amps >= least {
		return amps
	}
	p.amps, p.slope = clamp(amps, least, most), 0
	return p.amps
}

// kneeSpeed is how many times faster a pack loses capacity beyond its knee.
const kneeSpeed = 5

// loss is the share of the first capacity that is gone.
func (p *pack) loss() float64 { return p.aged.Loss() + p.kneeLoss }

// age brings the capacity up to date with how the pack was treated since the
// last call.
func (p *pack) age() {
	s := p.since
	if s.seconds == 0 {
		return
	}
	x := aging.Stress{
		Seconds: s.seconds, Celsius: s.celsius / s.seconds, SoC: s.soc / s.seconds,
		Volts: s.volts / s.seconds, RMS: math.Sqrt(s.square / s.seconds), Depth: p.depth,
	}
	if s.active > 0 {
		x.Rate = s.amps / s.active / p.chem.ratedAh
		x.FEC = s.amps / 3600 / (2 * p.chem.ratedAh)
	}
	before := p.aged.Loss()
	p.aged = p.chem.law.After(p.aged, x, p.wear)
	if p.kneeAt > 0 && p.loss() > p.kneeAt {
		p.kneeLoss += (kneeSpeed - 1) * (p.aged.Loss() - before)
	}
	soc := p.soc()
	p.capacityAh = p.remaining()
	p.books.FadedAh += p.storedAh - soc*p.capacityAh
	p.storedAh = soc * p.capacityAh
	p.since = spell{}
}

// remaining is the capacity that the losses leave, never less than a twentieth.
func (p *pack) remaining() float64 { return p.freshAh * max(0.05, 1-p.loss()) }

// turn notes the end of a charge or discharge, for the depth of cycles.
func (p *pack) turn() {
	if d := p.turnSoC - p.soc(); d > 0 {
		p.depth = d
	}
	p.turnSoC = p.soc()
}
