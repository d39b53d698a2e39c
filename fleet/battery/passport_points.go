package battery

import "fmt"

// negativeEvents is one line for each kind that occurred, and each incident.
func (f PassportFacts) negativeEvents() []any {
	list := []any{}
	for _, k := range Negatives() {
		if e := f.Events[k]; e.Count > 0 {
			list = append(list, map[string]any{
				"negativeEvent": fmt.Sprintf("%s: %d times, %.0f minutes in all, first %s, worst %g", k, e.Count, e.Seconds/60, stamp(e.FirstAt), e.Worst),
				"lastUpdate":    stamp(e.LastAt),
			})
		}
	}
	for _, i := range f.Incidents {
		list = append(list, map[string]any{"negativeEvent": i.Text, "lastUpdate": stamp(i.At)})
	}
	return list
}

// point adds one of the Commission's data points.
func (b *passportBuilder) point(nr int, name, unit string, r Reported) {
	p := PassportPoint{Nr: nr, Name: name, Unit: unit}
	if r.Value == nil {
		p.Reason = r.why()
	} else {
		at := stamp(r.At)
		p.Value, p.LastUpdate = *r.Value, &at
	}
	b.list = append(b.list, p)
}

// other adds a data point that is no number.
func (b *passportBuilder) other(nr int, name string, value any, at int64, reason string) {
	p := PassportPoint{Nr: nr, Name: name, Reason: reason}
	if reason == "" {
		t := stamp(at)
		p.Value, p.LastUpdate = value, &t
	}
	b.list = append(b.list, p)
}

// points lists the Commission's guidance on dynamic data, nrs. 51–71.
func (b *passportBuilder) points(s PassportSheet, f PassportFacts) {
	power := Reported{Reason: noPower}
	if f.Power != nil {
		power = Reported{Value: &f.Power.Watts, At: f.PowerAt}
	}
	ohms := f.ResistanceMOhm.times(1e-3)
	b.point(51, "Rated capacity", "Ah", s.of(s.RatedCapacityAh, "ratedCapacity"))
	b.point(52, "Capacity fade", "%", s.capacityFade(f))
	b.point(53, "Power", "W", power)
	b.point(54, "Power fade", "%", s.powerFade(f))
	b.point(55, "Internal resistance", "Ω", ohms)
	b.point(56, "Internal resistance increase", "%", s.resistanceIncrease(f))
	b.point(57, "Energy round-trip efficiency", "%", s.of(s.RoundTripPct, "roundtripEfficiency"))
	b.point(58, "Energy round-trip efficiency fade", "%", s.efficiencyFade(f))
	b.point(59, "Expected lifetime under reference conditions", "cycles", s.of(s.ExpectedCycles, "expectedNumberOfCycles"))
	b.point(60, "Expected lifetime under reference conditions", "years", s.of(s.ExpectedYears, "expectedLifetime"))
	b.point(61, "State of certified energy", "%", f.EnergySoHPct)
	b.point(62, "Remaining capacity", "Ah", f.CapacityAh)
	b.point(63, "Remaining power capability", "W", power)
	b.point(64, "Remaining round-trip efficiency", "%", f.RoundTripPct)
	b.point(65, "Evolution of self-discharging rates", "%", s.selfDischarge(f))
	b.point(66, "Ohmic resistance", "Ω", ohms)
	status := ""
	if s.Status == "" {
		status = undeclared("battery status")
	}
	b.other(67, "Battery status", s.Status, s.At, status)
	b.point(68, "Number of charging and discharging cycles", "cycles", f.FullCycles.floor())
	seen := ""
	if f.EventsAt == 0 {
		seen = "no readings were counted yet"
	}
	b.other(69, "Negative events", f.negativeEvents(), f.EventsAt, seen)
	b.other(70, "Operating environment and temperature", b.doc.Condition["temperatureInformation"], f.EventsAt, seen)
	b.point(71, "State of charge", "%", f.SoCPct)
}
