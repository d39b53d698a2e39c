package fleet

import (
	"context"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// BatteryLedger is what the jobs of batteries go on from.
type BatteryLedger interface {
	// Dossiers returns those of the batteries that have one. One that can't be read is
	// a new one, without a basis.
	Dossiers(ctx context.Context, ids []string) (map[string]*dossier.Dossier, error)
	// HealthPoints returns the points of health of the batteries that have any.
	HealthPoints(ctx context.Context, ids []string) (map[string][]battery.HealthPoint, error)
	// BatteryDays returns the days of the battery in [fromDay, toDay), ascending.
	BatteryDays(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Day, error)
	// BatteryFindings returns what was found of each battery on these days.
	BatteryFindings(ctx context.Context, ids []string, fromDay, toDay int64) (map[string][]dossier.Finding, error)
	// SwapsByDay returns the swaps of each battery on these days, ascending.
	SwapsByDay(ctx context.Context, ids []string, fromDay, toDay int64) (map[string][]dossier.Swaps, error)
	// SwappedBefore returns which of the batteries were swapped before the day.
	SwappedBefore(ctx context.Context, ids []string, day int64) (map[string]bool, error)
	// BatterySwaps returns the swaps of one battery on these days, ascending.
	BatterySwaps(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Swaps, error)
	// BatteriesToday returns the use of those batteries that were seen on the day.
	BatteriesToday(ctx context.Context, ids []string, day int64) (map[string]*dossier.Today, error)
}

type batteryJob struct {
	reader    batteryReader
	ledger    BatteryLedger
	batteries Batteries
	rules     dossier.Rules
	basis     uint64 // fingerprint of the rules
}

// Battery is the job that settles the days of batteries that have ended: what was
// found on each, and what all of them say of health, outlook and use. A day needs
// some hours of the day before, so one that changes changes its successor too.
func Battery(r telemetry.Reader, schema *devices.Schema, l BatteryLedger, batteries Batteries, rules dossier.Rules, schedule string) Job {
	j := batteryJob{batteryReader{r, fieldTable(schema)}, l, batteries, rules, rules.Fingerprint()}
	return Job{
		Name: "battery", Schedule: schedule, Kinds: []devices.Kind{devices.KindBattery}, After: 1, Ended: true,
		Begin: func(ctx context.Context, n int) (Batch, error) {
			run, err := j.knowing(ctx, n)
			return run.batch, err
		},
	}
}

// EveryBattery gives all registered batteries at once, for runs over many.
type EveryBattery interface {
	EveryBattery(ctx context.Context) (map[string]devices.Battery, error)
}

// many is from how many batteries on it is cheaper to read all of them at once.
const many = 200

// knowing is the job with the registered batteries at hand, where it is worth it.
func (j *batteryJob) knowing(ctx context.Context, n int) (*batteryJob, error) {
	every, ok := j.batteries.(EveryBattery)
	if !ok || n < many {
		return j, nil
	}
	all, err := every.EveryBattery(ctx)
	if err != nil {
		return nil, err
	}
	with := *j
	with.batteries = atHand{all, j.batteries}
	return &with, nil
}

// atHand is what was read of the registry at the beginning of a run.
type atHand struct {
	all    map[string]devices.Battery
	others Batteries // for those that were registered since
}

func (a atHand) GetBattery(ctx context.Context, id string) (devices.Battery, error) {
	if b, ok := a.all[id]; ok {
		return b, nil
	}
	return a.others.GetBattery(ctx, id)
}

func (j *batteryJob) batch(ctx context.Context, work []Work) ([]Outcome, error) {
	read, err := j.measure(ctx, work)
	if err != nil {
		return nil, err
	}
	known, err := j.known(ctx, work, read)
	if err != nil {
		return nil, err
	}
	updates := make([]update, len(work))
	first := int64(math.MaxInt64) // day that recent use is told from
	for k, w := range work {
		m := &read[k]
		if m.err != nil {
			continue
		}
		u := &updates[k]
		*u = update{id: w.Ref.ID, sheet: m.sheet, rules: j.rules, basis: m.sheet.Fingerprint(j.basis)}
		if known.goesOn[k] {
			u.goOn(known.dossiers[u.id], m.days, known.points[u.id], known.findings[u.id])
		} else if err := j.anew(ctx, u, known.dossiers[u.id], w, m.days); err != nil {
			return nil, err
		}
		if u.dossier != nil {
			first = min(first, u.dossier.RecentFrom())
		}
	}
	if err := j.handed(ctx, updates, first); err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(work))
	for k := range work {
		o := &outcomes[k]
		if o.Rows, o.Err = read[k].rows, read[k].err; o.Err == nil {
			o.Changes.Parts = updates[k].parts()
		}
	}
	return outcomes, nil
}

// handed has each of the updates know how often its battery was handed out, by the
// swaps from the day on, or by those before it that there were any.
func (j *batteryJob) handed(ctx context.Context, updates []update, from int64) error {
	var ids []string
	for k := range updates {
		if updates[k].dossier != nil {
			ids = append(ids, updates[k].id)
		}
	}
	swaps, err := j.ledger.SwapsByDay(ctx, ids, from, math.MaxInt64)
	if err != nil {
		return err
	}
	ids = ids[:0]
	for k := range updates {
		u := &updates[k]
		if u.dossier == nil {
			continue
		}
		if u.handed = u.dossier.Handed(swaps[u.id]); u.handed < 0 {
			ids = append(ids, u.id)
		}
	}
	before, err := j.ledger.SwappedBefore(ctx, ids, from)
	if err != nil {
		return err
	}
	for k := range updates {
		if u := &updates[k]; before[u.id] && u.handed < 0 {
			u.handed = 0
		}
	}
	return nil
}

func idsOf(work []Work) []string {
	ids := make([]string, len(work))
	for k, w := range work {
		ids[k] = w.Ref.ID
	}
	return ids
}

// known is what is stored of the batteries of a batch.
type known struct {
	dossiers map[string]*dossier.Dossier
	goesOn   []bool                           // of each of the batch: the dossier has but to be added to
	points   map[string][]battery.HealthPoint // of those whose health is to be told
	findings map[string][]dossier.Finding     // of these, on the days before
}

// known drops the days from read that a dossier has in it as they are.
func (j *batteryJob) known(ctx context.Context, work []Work, read []measured) (n known, err error) {
	if n.dossiers, err = j.ledger.Dossiers(ctx, idsOf(work)); err != nil {
		return n, err
	}
	n.goesOn = make([]bool, len(work))
	var due []string
	from, to := int64(math.MaxInt64), int64(math.MinInt64)
	for k, w := range work {
		m, x := &read[k], n.dossiers[w.Ref.ID]
		if n.goesOn[k], err = j.goesOn(ctx, x, w, m); err != nil {
			return n, err
		}
		if x == nil || !n.goesOn[k] || !anyDue(x, m.days) {
			continue
		}
		due = append(due, w.Ref.ID)
		from, to = min(from, m.days[0].Day-dossier.Window), max(to, m.days[len(m.days)-1].Day)
	}
	if len(due) == 0 {
		return n, nil
	}
	if n.points, err = j.ledger.HealthPoints(ctx, due); err != nil {
		return n, err
	}
	if n.findings, err = j.ledger.BatteryFindings(ctx, due, from, to); err != nil {
		return n, err
	}
	return n, j.unread(ctx, work, n)
}

// unread has those dossiers made anew of which a day can't be read that is to be
// looked back on, if its readings are still stored: without, what the dossier has
// of the day would be lost.
func (j *batteryJob) unread(ctx context.Context, work []Work, n known) error {
	for k, w := range work {
		var days []int64
		for _, f := range n.findings[w.Ref.ID] {
			if f.Unread {
				days = append(days, f.Day)
			}
		}
		if len(days) == 0 {
			continue
		}
		made, err := j.measure(ctx, []Work{{Ref: w.Ref, Days: days}})
		if err != nil {
			return err
		}
		n.goesOn[k] = len(made[0].days) == 0
	}
	return nil
}

// goesOn reports whether the dossier has but to be added to: there is none, or it
// was made by the same sheet and rules, and of the days before its end none has
// changed. Those that have not are dropped, as after a run that was cut short.
func (j *batteryJob) goesOn(ctx context.Context, x *dossier.Dossier, w Work, m *measured) (bool, error) {
	switch {
	case m.err != nil || x == nil:
		return true, nil
	case x.Basis != m.sheet.Fingerprint(j.basis):
		return false, nil
	case w.Days[0] > x.Through:
		return true, nil
	}
	stored, err := j.ledger.BatteryDays(ctx, w.Ref.ID, w.Days[0], x.Through+1)
	if err != nil {
		return false, err
	}
	later := 0
	for later < len(m.days) && m.days[later].Day <= x.Through {
		if d := &m.days[later]; !d.StandsIn(stored) {
			return false, nil
		}
		later++
	}
	m.days = m.days[later:]
	return true, nil
}

// anyDue reports whether health is to be told on one of the days.
func anyDue(x *dossier.Dossier, days []dossier.Day) bool {
	return slices.ContainsFunc(days, func(d dossier.Day) bool { return x.Due(d.Day) })
}

// anew has the dossier made again from all days, of which some have changed. A day
// of which fewer readings are left than it was made of stays as it is stored.
// Where the sheet or the rules have changed, all days are to be measured by the
// new ones, of which a run that has few of them at hand leaves the others to the
// next.
func (j *batteryJob) anew(ctx context.Context, u *update, x *dossier.Dossier, w Work, fresh []dossier.Day) error {
	stored, err := j.ledger.BatteryDays(ctx, u.id, math.MinInt64, math.MaxInt64)
	if err != nil {
		return err
	}
	if fresh, err = j.again(ctx, w, fresh, stored); err != nil {
		return err
	}
	since := w.Days[0]
	if len(fresh) > 0 {
		since = min(since, fresh[0].Day)
	}
	if x.Basis != u.basis {
		// Where the dossier can't be read, days may be missing that can't either.
		u.anew = x.Basis == 0 || slices.ContainsFunc(stored, func(d dossier.Day) bool {
			_, found := slices.BinarySearch(w.Days, d.Day)
			return !found
		})
		if len(stored) > 0 {
			since = min(since, stored[0].Day)
		}
	}
	all := stored
	var changed []dossier.Day
	for _, d := range fresh {
		k, found := slices.BinarySearchFunc(all, d.Day, func(s dossier.Day, day int64) int { return int(s.Day - day) })
		switch {
		case !found:
			all = slices.Insert(all, k, d)
		case d.Readings >= all[k].Readings:
			all[k] = d
		default:
			continue
		}
		changed = append(changed, d)
	}
	u.again(all, changed, since)
	return nil
}

// again adds to the days of the work those stored that can't be read, made of their
// readings where these are still there.
func (j *batteryJob) again(ctx context.Context, w Work, fresh, stored []dossier.Day) ([]dossier.Day, error) {
	var days []int64
	for _, d := range stored {
		if _, found := slices.BinarySearch(w.Days, d.Day); d.Unread && !found {
			days = append(days, d.Day)
		}
	}
	if len(days) == 0 {
		return fresh, nil
	}
	made, err := j.measure(ctx, []Work{{Ref: w.Ref, Days: days}})
	if err != nil {
		return nil, err
	}
	fresh = append(slices.Clone(fresh), made[0].days...)
	slices.SortFunc(fresh, func(a, b dossier.Day) int { return int(a.Day - b.Day) })
	return fresh, nil
}
