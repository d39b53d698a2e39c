package station

// Kept is a day worked out anew, where what was worked out before rests on more
// readings: retention has taken them since. What readings tell is then that of
// before; what events tell is new, for these are kept. A day of other bounds, as
// in another time zone, has other readings: it stays only where none are left.
func Kept(before, anew Day) Day {
	if before.Readings <= anew.Readings || before.Window != anew.Window && anew.Readings > 0 {
		return anew
	}
	out := anew
	out.Window, out.Readings, out.Heard = before.Window, before.Readings, before.Heard
	out.States, out.Slots, out.Meter = before.States, before.Slots, before.Meter
	type key struct {
		at      int64
		outcome Outcome
	}
	charged := map[key]*int{}
	for _, v := range before.Visits {
		charged[key{v.At, v.Outcome}] = v.Charged
	}
	out.Visits = append([]Visit(nil), anew.Visits...)
	for i := range out.Visits {
		if v := &out.Visits[i]; v.Charged == nil {
			v.Charged = charged[key{v.At, v.Outcome}]
		}
	}
	return out
}
