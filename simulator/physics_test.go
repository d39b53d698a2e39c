package simulator

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/simulator/aging"
	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

func near(got, want, tolerance float64) bool { return math.Abs(got-want) <= tolerance }

func TestOpenCircuitAndItsInverse(t *testing.T) {
	for _, chem := range []*chemistry{lfp(), nmc()} {
		for i := range ocvSteps {
			if chem.ocv[i+1] <= chem.ocv[i] {
				t.Errorf("%s: ocv[%d] %v is not above ocv[%d] %v", chem.name, i+1, chem.ocv[i+1], i, chem.ocv[i])
			}
		}
		rapid.Check(t, func(t *rapid.T) {
			soc := rapid.Float64Range(0, 1).Draw(t, "soc")
			if got := chem.socAt(chem.openCircuit(soc)); !near(got, soc, 1e-9) {
				t.Fatalf("%s: socAt(openCircuit(%v)) = %v", chem.name, soc, got)
			}
		})
		if low, empty := chem.cutoff(), chem.openCircuit(0); low <= empty {
			t.Errorf("%s: the cut-off %v V must lie above the empty pack's %v V", chem.name, low, empty)
		}
	}
}

// The books of a pack balance whatever current is asked of it, for however
// long a step.
func TestPackBooksBalance(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		chem := lfp()
		if rapid.Bool().Draw(t, "nmc") {
			chem = nmc()
		}
		p := newPack("p", chem, draw.Source(rapid.Uint64().Draw(t, "seed"), "p"), 0)
		energy0 := chemicalWh(p)
		type leg struct{ amps, slope, dt, ambient float64 }
		legs := rapid.SliceOfN(rapid.Custom(func(t *rapid.T) leg {
			return leg{
				rapid.Float64Range(-3*chem.ratedAh, 3*chem.ratedAh).Draw(t, "amps"),
				rapid.Float64Range(-0.01, 0.01).Draw(t, "slope"),
				rapid.Float64Range(0.1, 60).Draw(t, "dt"),
				rapid.Float64Range(-20, 45).Draw(t, "ambient"),
			}
		}), 1, 400).Draw(t, "legs")
		aged := false
		for i, l := range legs {
			p.amps, p.slope = l.amps, l.slope
			p.flow(l.dt, l.ambient)
			if s := p.soc(); s < -1e-12 || s > 1+1e-12 {
				t.Fatalf("leg %d: state of charge %v", i, s)
			}
			if i == len(legs)/2 && rapid.Bool().Draw(t, "age") {
				p.age()
				aged = true
			}
		}
		b := p.books
		through := b.ChargeInAh + b.ChargeOutAh + 1e-3
		if want := b.StartAh + b.ChargeInAh*b.Efficiency - b.ChargeOutAh - b.FadedAh; !near(p.storedAh, want, 1e-6*through) {
			t.Fatalf("charge: stored %v Ah, the books say %v", p.storedAh, want)
		}
		moved := b.EnergyInWh + b.EnergyOutWh + 1e-3
		if got, want := b.EnergyInWh-b.EnergyOutWh, b.ChemicalWh+b.PolarisedWh+b.HeatWh; !near(got, want, 1e-6*moved) {
			t.Fatalf("energy: %v Wh at the terminals, the books say %v", got, want)
		}
		// The chemical energy is a function of the charge alone. Steps that cross
		// a point of the curve integrate it a little off.
		if got, want := b.ChemicalWh, chemicalWh(p)-energy0; !aged && !near(got, want, 2e-3*moved) {
			t.Fatalf("chemical energy: %v Wh moved, the curve says %v", got, want)
		}
		if b.HeatWh < 0 {
			t.Fatalf("heat %v Wh", b.HeatWh)
		}
	})
}

// chemicalWh is the integral of the open-circuit voltage up to the charge of
// the pack.
func chemicalWh(p *pack) float64 {
	const n = 20000
	soc, sum := p.soc(), 0.0
	for i := range n {
		sum += p.chem.openCircuit(soc * (float64(i) + 0.5) / n)
	}
	return sum / n * p.storedAh
}

func TestRestReturnsToAmbientAndOpenCircuit(t *testing.T) {
	p := newPack("p", lfp(), draw.Source(1, "p"), 0)
	p.amps = -20
	for range 30 {
		p.flow(60, 10)
	}
	loaded := p.volts()
	p.stop(stateParked)
	for range 3000 {
		p.flow(60, 10)
	}
	if open := p.chem.openCircuit(p.soc()); !near(p.volts(), open, 1e-6) || loaded >= open {
		t.Errorf("got %v V at rest and %v V under load, want %v V and less", p.volts(), loaded, open)
	}
	if !near(p.celsius, 10, 0.01) {
		t.Errorf("got %v °C after two days in 10 °C", p.celsius)
	}
}

// none is a law of cells that don't age.
type none struct{}

func (none) After(s aging.State, _ aging.Stress, _ float64) aging.State { return s }
