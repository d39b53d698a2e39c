package aging

import (
	"encoding/json"
	"math"
	"os"
	"slices"
	"strconv"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/measured"
)

// profile is a course of state of charge and temperature.
type profile struct{ seconds, soc, celsius []float64 }

func readProfile(t *testing.T) profile {
	t.Helper()
	var p profile
	for _, row := range measured.Table(t, "battery", "blast_lite", "profile.csv")[1:] {
		for i, into := range []*[]float64{&p.seconds, &p.soc, &p.celsius} {
			x, err := strconv.ParseFloat(row[i], 64)
			if err != nil {
				t.Fatal(err)
			}
			*into = append(*into, x)
		}
	}
	return p
}

// stretch is what happened between two points of a profile.
type stretch struct {
	profile
	days, efc, rate, depth float64
}

// mean is the mean over time of a function of the profile, by the trapezoid.
func (s stretch) mean(of func(soc, celsius float64) float64) float64 {
	var sum float64
	for i := 1; i < len(s.soc); i++ {
		sum += (of(s.soc[i], s.celsius[i]) + of(s.soc[i-1], s.celsius[i-1])) / 2 * (s.seconds[i] - s.seconds[i-1])
	}
	return sum / (s.days * daySeconds)
}

// blastModel is a model driven as BLAST-Lite drives its own.
type blastModel interface {
	apply(s stretch)
	health() float64
}

// drive runs a model over the profile again and again until more than days have
// passed, as BLAST-Lite 1.1 does: from one break to the next, with less charge
// moved the less capacity is left. It returns the time in days and the full
// equivalent cycles.
func drive(m blastModel, p profile, days float64) (passed, efc float64, steps int) {
	ends := breaks(p)
	for {
		from := 0
		for _, end := range ends {
			s := stretch{profile: profile{p.seconds[from : end+1], p.soc[from : end+1], p.celsius[from : end+1]}}
			s.measure(m.health())
			m.apply(s)
			passed, efc, steps, from = passed+s.days, efc+s.efc, steps+1, end+1
			if passed > days {
				return passed, efc, steps
			}
		}
	}
}

// measure derives what BLAST-Lite calls the stressors.
func (s *stretch) measure(health float64) {
	n := len(s.soc)
	s.days = (s.seconds[n-1] - s.seconds[0]) / daySeconds
	s.depth = slices.Max(s.soc) - slices.Min(s.soc)
	rates := make([]float64, n-1)
	for i := 1; i < n; i++ {
		step := math.Abs(s.soc[i] - s.soc[i-1])
		s.efc += step / 2 * health
		rates[i-1] = step / ((s.seconds[i] - s.seconds[i-1]) / 3600)
		if rates[i-1] < 1e-2 {
			rates[i-1] = 0
		}
	}
	for i := 1; i < len(rates); i++ {
		s.rate += (rates[i] + rates[i-1]) / 2 * (s.seconds[i+1] - s.seconds[i])
	}
	s.rate *= health / (s.days * daySeconds)
}

// breaks are where BLAST-Lite brings a model up to date: at a turn of the state
// of charge after more than one full equivalent cycle, or after a day.
func breaks(p profile) []int {
	efc := make([]float64, len(p.soc))
	for i := 1; i < len(efc); i++ {
		efc[i] = efc[i-1] + math.Abs(p.soc[i]-p.soc[i-1])/2
	}
	var out []int
	last := 0
	for _, i := range turns(p.soc) {
		if p.seconds[i]-p.seconds[last] > daySeconds {
			for j := last; j < i; j++ {
				if p.seconds[j]-p.seconds[last] > daySeconds {
					out = append(out, j)
					last = j
				}
			}
			continue
		}
		if efc[i]-efc[last] > 1 {
			out = append(out, i)
			last = i
		}
	}
	if end := len(p.soc) - 1; len(out) == 0 || out[len(out)-1] != end {
		out = append(out, end)
	}
	return out
}

// turns are the ends of the cycles that rainflow counting finds (ASTM E1049-85,
// 5.4.4), in order.
func turns(soc []float64) []int {
	points := []int{0}
	var ends []int
	count := func(next int) {
		points = append(points, next)
		for n := len(points); n >= 3; n = len(points) {
			x := math.Abs(soc[points[n-1]] - soc[points[n-2]])
			y := math.Abs(soc[points[n-2]] - soc[points[n-3]])
			if x < y {
				return
			}
			if n == 3 {
				ends = append(ends, points[1])
				points = points[1:]
				continue
			}
			ends = append(ends, points[n-2])
			points = append(points[:n-3], points[n-1])
		}
	}
	before := soc[1] - soc[0]
	for i := 2; i < len(soc); i++ {
		step := soc[i] - soc[i-1]
		if step == 0 {
			continue
		}
		if before*step < 0 {
			count(i - 1)
		}
		before = step
	}
	count(len(soc) - 1)
	ends = append(ends, points[1:]...)
	slices.Sort(ends)
	return slices.Compact(ends)
}

// euler advances y = k·x^power as BLAST-Lite does: by the slope at the old y.
func euler(y, k, power, dx float64) float64 {
	if dx == 0 {
		return y
	}
	if y == 0 {
		return k * math.Pow(dx, power)
	}
	return y + k*power*math.Pow(y/k, (power-1)/power)*dx
}

// sanyo is BLAST-Lite's Nmc111_Gr_Sanyo2Ah_Battery: Schmalstieg's law with the
// open-circuit voltage of the cell it was fitted to.
type sanyo struct {
	State
	exact bool // by virtual time instead of by slopes
}

func (m *sanyo) health() float64 { return 1 - m.Loss() }

func (m *sanyo) apply(s stretch) {
	step := euler
	if m.exact {
		step = Advance
	}
	var square float64
	for _, z := range s.soc {
		square += sanyoVolts(z) * sanyoVolts(z)
	}
	rms := math.Sqrt(square / float64(len(s.soc)))
	loss := s.mean(func(soc, c float64) float64 { return SchmalstiegCalendar(sanyoVolts(soc), c) })
	gain := s.mean(func(soc, c float64) float64 { return SchmalstiegResistanceCalendar(sanyoVolts(soc), c) })
	ah := s.efc * 2 * SchmalstiegAh
	m.CalendarLoss = step(m.CalendarLoss, loss, 0.75, s.days)
	m.CyclicLoss = step(m.CyclicLoss, SchmalstiegCyclic(rms, s.depth), 0.5, ah)
	m.CalendarGain = step(m.CalendarGain, gain, 0.75, s.days)
	m.CyclicGain += SchmalstiegResistanceCyclic(rms, s.depth) * ah
}

// murata is BLAST-Lite's Lfp_Gr_SonyMurata3Ah_Battery as far as it is Naumann's:
// the resistance. Its capacity is a law of NREL's own, which scales the charge
// that is moved.
type murata struct {
	State
	q *gasper
}

func (m *murata) health() float64 { return m.q.health() }

func (m *murata) apply(s stretch) {
	heat := s.mean(func(_, c float64) float64 { return naumannHeat(c) })
	charge := s.mean(func(soc, _ float64) float64 { return naumannCharge(soc) })
	m.CalendarGain += heat * charge * s.days * daySeconds
	m.CyclicGain += NaumannResistanceCyclic(s.rate, s.depth) * s.efc
	m.q.apply(s)
}

// gasper is the capacity law of the same cell by Gasper et al., J. Electrochem.
// Soc. 169 (2022) 080518, without its break-in term, which needs more than
// three cycles a day.
type gasper struct{ calendar, cyclic float64 }

func (g *gasper) health() float64 { return 1 - g.calendar - g.cyclic - 1e-10 }

func (g *gasper) apply(s stretch) {
	const power, growth = 0.000130510034211874, 1.12847759334355
	extent := s.mean(func(soc, c float64) float64 {
		k, u := c+zeroC, anodeVolts(soc)
		return 0.989687151293590 * math.Exp(-2881067.56019324/(k*k)*math.Sqrt(u)+8742.06309157261/k*math.Sqrt(u))
	})
	speed := s.mean(func(soc, c float64) float64 {
		k, u := c+zeroC, anodeVolts(soc)
		third, fourth := math.Pow(u, 1.0/3), math.Pow(u, 0.25)
		return 0.000332850281062177 * math.Exp(734553185711.369/(k*k*k*k)*third-2.82161575620780e-06*k*k*k*fourth-
			3284991315.45121/(k*k*k)*third+0.00127227593657290*k*k*fourth)
	})
	wear := math.Abs(-6.81260579372875e-06 + 2.59615973160844e-05*s.depth +
		2.11559710307295e-06*math.Exp(s.depth*s.depth*s.rate*s.rate*s.rate))
	g.calendar += sigmoidStep(g.calendar, s.days, extent, power, speed)
	if g.cyclic == 0 {
		g.cyclic = math.Pow(wear*s.efc, growth)
		return
	}
	z := math.Pow(g.cyclic, 1/growth) / wear
	g.cyclic += growth * math.Pow(wear*z, growth) / z * s.efc
}

func sigmoidStep(y, dx, extent, k, p float64) float64 {
	if y == 0 {
		return 2 * extent * (0.5 - 1/(1+math.Exp(math.Pow(k*dx, p))))
	}
	x := math.Pow(math.Log(-(2*extent/(y-extent))-1), 1/p) / k
	z := math.Pow(k*x, p)
	e := math.Exp(z)
	return 2 * extent * p * e * z / (x * (e + 1) * (e + 1)) * dx
}

// anodeVolts is the potential of a graphite anode (Safari & Delacourt, J.
// Electrochem. Soc. 158 (2011) A562).
func anodeVolts(soc float64) float64 {
	x := 8.5e-3 + soc*(0.78-8.5e-3)
	return 0.6379 + 0.5416*math.Exp(-305.5309*x) + 0.044*math.Tanh(-(x-0.1958)/0.1088) -
		0.1978*math.Tanh((x-1.0571)/0.0854) - 0.6875*math.Tanh((x+0.0117)/0.0529) - 0.0175*math.Tanh((x-0.5692)/0.0875)
}

type blastResult struct {
	Outputs map[string]float64
	EFC     float64 `json:"efc"`
	Days    float64 `json:"t_days"`
	Steps   int     `json:"n_steps"`
}

func readBlast(t *testing.T, model string) (once, years blastResult) {
	t.Helper()
	b, err := os.ReadFile(measured.File(t, "battery", "blast_lite", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	var all map[string]json.RawMessage
	if err := json.Unmarshal(b, &all); err != nil {
		t.Fatal(err)
	}
	var m struct {
		Once  blastResult `json:"one_pass_28d"`
		Years blastResult `json:"repeat_3y"`
	}
	if err := json.Unmarshal(all[model], &m); err != nil {
		t.Fatal(err)
	}
	return m.Once, m.Years
}

// Where the equation is the same and the steps are too, the numbers are the
// same to 1e-6.
func TestLawsMatchBLAST(t *testing.T) {
	p := readProfile(t)
	end := p.seconds[len(p.seconds)-1]
	check := func(what string, got, want float64) {
		t.Helper()
		if !near(got, want, 1e-6*math.Abs(want)) {
			t.Errorf("%s: got %.9f want %.9f", what, got, want)
		}
	}
	for i, name := range []string{"28 days", "3 years"} {
		days := []float64{(end - 1) / daySeconds, 3 * 365}[i]
		once, years := readBlast(t, "Nmc111_Gr_Sanyo2Ah_Battery")
		want := []blastResult{once, years}[i]
		nmc := &sanyo{}
		passed, efc, steps := drive(nmc, p, days)
		t.Logf("%s: NMC capacity %.6f after %d steps", name, nmc.health(), steps)
		check("NMC days", passed, want.Days)
		check("NMC cycles", efc, want.EFC)
		check("NMC capacity, calendar", 1-nmc.CalendarLoss, want.Outputs["q_t"])
		check("NMC capacity, cycles", 1-nmc.CyclicLoss, want.Outputs["q_EFC"])
		check("NMC resistance, calendar", 1+nmc.CalendarGain, want.Outputs["r_t"])
		check("NMC resistance, cycles", 1+nmc.CyclicGain, want.Outputs["r_EFC"])

		once, years = readBlast(t, "Lfp_Gr_SonyMurata3Ah_Battery")
		want = []blastResult{once, years}[i]
		lfp := &murata{q: &gasper{}}
		_, efc, _ = drive(lfp, p, days)
		check("LFP cycles", efc, want.EFC)
		check("LFP capacity, by NREL's law", lfp.health(), want.Outputs["q"])
		check("LFP resistance, calendar", 1+lfp.CalendarGain, want.Outputs["r_LLI_t"])
		check("LFP resistance, cycles", 1+lfp.CyclicGain, want.Outputs["r_LLI_EFC"])
	}
}

// Virtual time instead of slopes changes BLAST-Lite's three years by less than
// 0.2 % of the capacity: what its first large step overshoots.
func TestVirtualTimeAgreesWithBLAST(t *testing.T) {
	p := readProfile(t)
	_, want := readBlast(t, "Nmc111_Gr_Sanyo2Ah_Battery")
	m := &sanyo{exact: true}
	drive(m, p, 3*365)
	if !near(m.health(), want.Outputs["q"], 0.002) {
		t.Errorf("got %.5f want %.5f", m.health(), want.Outputs["q"])
	}
}
