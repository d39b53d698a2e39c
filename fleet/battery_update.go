package fleet

import (
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// update brings what is known of one battery up to date.
type update struct {
	id    string
	sheet dossier.Sheet
	rules dossier.Rules
	basis int64 // fingerprint of both

	dossier *dossier.Dossier // nil: there is none
	fresh   []dossier.Day    // to be saved
	points  []battery.HealthPoint
	pointed bool // points have changed
	since   int64
	history []dossier.Record
	anew    bool // all days are to be measured again
	handed  int  // see Dossier.Handed
}

// goOn adds days that come after all that the dossier knows; nil is that of a new
// battery. points and findings are those of before.
func (u *update) goOn(x *dossier.Dossier, days []dossier.Day, points []battery.HealthPoint, findings []dossier.Finding) {
	if u.dossier = x; x == nil {
		if len(days) == 0 {
			return
		}
		u.dossier = dossier.New(u.id)
	}
	u.fresh, u.points = days, points
	u.add(days, findings, u.dossier.LastDue(days), 0)
}

// again makes the dossier anew from all days; the records of weeks that ended
// before the first day that changed stay.
func (u *update) again(all, fresh []dossier.Day, changed int64) {
	u.fresh, u.since = fresh, changed
	if !slices.ContainsFunc(all, func(d dossier.Day) bool { return !d.Unread }) {
		return
	}
	u.dossier, u.pointed = dossier.New(u.id), true
	u.add(all, nil, u.dossier.LastDue(all), changed)
}

// add adds days; findings are those of before. Health is told wherever a week
// ends on a day from since on, and after the last-th day; negative: not at all.
func (u *update) add(days []dossier.Day, findings []dossier.Finding, last int, since int64) {
	x := u.dossier
	for k, d := range days {
		closes := !d.Unread && x.Closes(d.Day)
		if p := x.Add(d, u.sheet, u.rules); p != nil {
			u.points, u.pointed = append(u.points, *p), true
		}
		findings = append(findings, dossier.Finding{Day: d.Day, Found: d.Found, Unread: d.Unread})
		record := closes && d.Day >= since
		if record || k == last {
			x.Report(findings, u.points, u.sheet, u.rules)
		}
		if record {
			s := x.Standing(u.id, -1, u.sheet, u.rules)
			u.history = append(u.history, s.Record())
		}
	}
}

// parts are what there is to save.
func (u *update) parts() []ledger.Part {
	if u.dossier == nil {
		return nil
	}
	x := u.dossier
	x.Basis = u.basis
	standing := x.Standing(u.id, u.handed, u.sheet, u.rules)
	r := ledger.BatteryResult{Device: u.id, Days: u.fresh, State: x.Append(nil), Since: u.since, History: u.history, Standing: &standing}
	if u.pointed {
		r.Points = dossier.AppendPoints(nil, u.points)
	}
	r.Anew = u.anew
	return []ledger.Part{ledger.BatteryResults{r}}
}
