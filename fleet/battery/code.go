package battery

import "math"

// Coder walks over the parts of a value in a fixed order, and either writes each
// or fills it in. What is stored is written and read by the same walk, so the
// two can't differ.
type Coder interface {
	Int(v *int64)
	Float(v *float64)
	// Floats is a list of fixed length, most of which may be 0.
	Floats(v []float64)
	Text(v *string)
	// Len writes n and returns it, or returns the length that was written, which
	// is never more than what follows can hold.
	Len(n int) int
}

// codeSlice walks over a list.
func codeSlice[T any](c Coder, list *[]T, each func(*T)) {
	n := c.Len(len(*list))
	if n != len(*list) {
		*list = make([]T, n)
	}
	for k := range *list {
		each(&(*list)[k])
	}
}

// codeOptional walks over a number that may not be there; NaN stands for that.
func codeOptional(c Coder, p **float64) {
	v := math.NaN()
	if *p != nil {
		v = **p
	}
	c.Float(&v)
	*p = known(v)
}

func codeInt(c Coder, v *int) {
	x := int64(*v)
	c.Int(&x)
	*v = int(x)
}

// Code walks over the usage.
func (u *Usage) Code(c Coder) {
	codeInt(c, &u.Samples)
	sums := u.sums()
	c.Floats(sums)
	u.setSums(sums)
	for _, h := range [][]float64{u.ChargeRateS[:], u.DischargeRateS[:], u.TemperatureS[:], u.SoCS[:], u.Depths[:]} {
		c.Floats(h)
	}
	u.Open.Code(c)
	u.First.code(c)
	u.Last.code(c)
	u.codeEvents(c)
}

func (u *Usage) sums() []float64 {
	return []float64{u.CoveredS, u.ChargingS, u.DischargingS, u.RestingS, u.InAh, u.OutAh, u.InWh, u.OutWh, u.TemperatureKS, u.SoCPctS}
}

func (u *Usage) setSums(v []float64) {
	for k, to := range []*float64{
		&u.CoveredS, &u.ChargingS, &u.DischargingS, &u.RestingS, &u.InAh, &u.OutAh, &u.InWh, &u.OutWh, &u.TemperatureKS, &u.SoCPctS,
	} {
		*to = v[k]
	}
}

// codeEvents walks over the kinds of event in their order, for the order of a map
// is none.
func (u *Usage) codeEvents(c Coder) {
	kinds := Negatives()
	var set int64
	for k, kind := range kinds {
		if _, ok := u.Events[kind]; ok {
			set |= 1 << k
		}
	}
	c.Int(&set)
	for k, kind := range kinds {
		if set>>k&1 == 0 {
			continue
		}
		e := u.Events[kind]
		codeInt(c, &e.Count)
		c.Float(&e.Seconds)
		c.Int(&e.FirstAt)
		c.Int(&e.LastAt)
		c.Float(&e.Worst)
		u.event(kind, e)
	}
}

func (e *edge) code(c Coder) {
	c.Int(&e.TS)
	for _, v := range []*float64{&e.V, &e.I, (*float64)(&e.SoC), (*float64)(&e.T)} {
		c.Float(v)
	}
	beyond := int64(e.Beyond)
	c.Int(&beyond)
	e.Beyond = uint8(beyond)
}

// Code walks over the open turns.
func (r *Rainflow) Code(c Coder) {
	codeSlice(c, &r.Turns, func(t *Turn) {
		c.Int(&t.At)
		c.Float(&t.Value)
	})
}

// Code walks over the measurement.
func (m *Capacity) Code(c Coder) {
	c.Text((*string)(&m.Method))
	c.Int(&m.From)
	c.Int(&m.To)
	for _, v := range []*float64{&m.CapacityAh, &m.StdErrAh, &m.ChargeAh, &m.EnergyWh, &m.MeanCurrentA, &m.MaxGapSeconds} {
		c.Float(v)
	}
	for _, p := range []**float64{&m.SoCFrom, &m.SoCTo, &m.TemperatureC} {
		codeOptional(c, p)
	}
	codeInt(c, &m.Samples)
}

// Code walks over the loop.
func (l *Loop) Code(c Coder) {
	c.Int(&l.From)
	c.Int(&l.To)
	for _, v := range []*float64{&l.SoCPct, &l.DepthPct, &l.InWh, &l.OutWh, &l.InAh, &l.OutAh} {
		c.Float(v)
	}
}

// Code walks over the step.
func (s *ResistanceStep) Code(c Coder) {
	c.Int(&s.At)
	c.Float(&s.MOhm)
	codeOptional(c, &s.TemperatureC)
	codeOptional(c, &s.SoCPct)
	c.Float(&s.StepA)
}

// Code walks over the sample.
func (s *CellSample) Code(c Coder) {
	c.Int(&s.TS)
	for _, v := range []*float64{&s.MinV, &s.MaxV, &s.CurrentA, &s.SoCPct} {
		c.Float(v)
	}
}

// Code walks over the rest.
func (r *Rest) Code(c Coder) {
	c.Int(&r.From)
	c.Int(&r.To)
	c.Float(&r.FromPct)
	c.Float(&r.ToPct)
}

// Code walks over the loss.
func (a *Ageing) Code(c Coder) {
	for _, v := range []*float64{&a.Calendar, &a.Cyclic, &a.Days, &a.Cycles} {
		c.Float(v)
	}
}

// Code walks over the point.
func (p *HealthPoint) Code(c Coder) {
	c.Int(&p.At)
	c.Float(&p.SoH)
	c.Float(&p.StdErr)
	p.Expected.Code(c)
}
