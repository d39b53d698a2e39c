package fleet

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// measured is what a run has read of one battery.
type measured struct {
	sheet dossier.Sheet
	days  []dossier.Day // those with readings
	rows  int
	err   error
}

// collector makes days of the readings of one battery, which ascend by time. It
// holds no more than a day of them, and what is looked back on.
type collector struct {
	into    *measured
	rules   dossier.Rules
	wanted  []int64 // still to be made, ascending
	pending []dossier.Reading
}

func (c *collector) add(x dossier.Reading) {
	for len(c.wanted) > 0 && x.TS >= (c.wanted[0]+1)*telemetry.Day {
		c.make()
	}
	if len(c.wanted) > 0 && x.TS >= c.wanted[0]*telemetry.Day-dossier.Lookback {
		c.pending = append(c.pending, x)
	}
}

// make makes the first of the days wanted.
func (c *collector) make() {
	d := dossier.Measure(c.wanted[0], c.pending, c.into.sheet, c.rules)
	if !d.Empty() {
		c.into.days = append(c.into.days, d)
	}
	c.wanted = c.wanted[1:]
	keep := len(c.pending)
	if len(c.wanted) > 0 {
		for keep > 0 && c.pending[keep-1].TS >= c.wanted[0]*telemetry.Day-dossier.Lookback {
			keep--
		}
	}
	c.pending = append(c.pending[:0], c.pending[keep:]...)
}

func (c *collector) finish() {
	for len(c.wanted) > 0 {
		c.make()
	}
}

// stretch is some days on end that batteries are read over together.
type stretch struct {
	from, to int64 // days, half-open
}

// stretches cuts ascending days where nothing of what lies between them is
// needed.
func stretches(days []int64) []stretch {
	var out []stretch
	for _, d := range days {
		if n := len(out); n > 0 && d <= out[n-1].to+1 {
			out[n-1].to = d + 1
			continue
		}
		out = append(out, stretch{d, d + 1})
	}
	return out
}

// measure reads the days of the work and makes their facts; those with the same
// days are read together. What it returns is in the order of the work.
func (j *batteryJob) measure(ctx context.Context, work []Work) ([]measured, error) {
	out := make([]measured, len(work))
	groups, order := map[stretch][]int{}, []stretch{} // of indices into work
	for k, w := range work {
		b, err := j.batteries.GetBattery(ctx, w.Ref.ID)
		if err != nil {
			out[k].err = err
			continue
		}
		out[k].sheet = dossier.SheetOf(b)
		for _, s := range stretches(w.Days) {
			if groups[s] == nil {
				order = append(order, s)
			}
			groups[s] = append(groups[s], k)
		}
	}
	for _, s := range order {
		if err := j.read(ctx, s, groups[s], work, out); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// read reads one stretch of the batteries at the indices, which ascend.
func (j *batteryJob) read(ctx context.Context, s stretch, indices []int, work []Work, out []measured) error {
	ids, at := make([]string, len(indices)), make(map[string]int, len(indices))
	for i, k := range indices {
		ids[i] = work[k].Ref.ID
		at[ids[i]] = k
	}
	var c collector
	current := ""
	w := telemetry.Window{From: s.from*telemetry.Day - dossier.Lookback, To: s.to * telemetry.Day}
	err := j.reader.each(ctx, ids, w, func(id string, x dossier.Reading) {
		if id != current {
			c.finish()
			k := at[id]
			current = id
			c = collector{into: &out[k], rules: j.rules, wanted: within(work[k].Days, s), pending: c.pending[:0]}
		}
		c.into.rows++
		c.add(x)
	})
	if err != nil {
		return err
	}
	c.finish()
	return nil
}

// within are the days of a stretch.
func within(days []int64, s stretch) []int64 {
	var out []int64
	for _, d := range days {
		if d >= s.from && d < s.to {
			out = append(out, d)
		}
	}
	return out
}
