package fleet

import (
	"context"
	"slices"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// BatteryToday is the job that keeps the use of batteries on the present day up to
// date, by what has come since its last run. It is provisional: Battery settles
// the day from all of its readings.
func BatteryToday(r telemetry.Reader, schema *devices.Schema, l BatteryLedger, batteries Batteries, rules dossier.Rules, schedule string) Job {
	j := batteryJob{batteryReader{r, fieldTable(schema)}, l, batteries, rules, 0}
	return Job{
		Name: "battery-today", Schedule: schedule, Kinds: []devices.Kind{devices.KindBattery}, Today: true,
		Begin: func(ctx context.Context, n int) (Batch, error) {
			run, err := j.knowing(ctx, n)
			return run.today, err
		},
	}
}

func (j *batteryJob) today(ctx context.Context, work []Work) ([]Outcome, error) {
	day := work[0].Days[0] // that of all
	known, err := j.ledger.BatteriesToday(ctx, idsOf(work), day)
	if err != nil {
		return nil, err
	}
	outcomes := make([]Outcome, len(work))
	sheets := make(map[string]dossier.Sheet, len(work))
	at := make(map[string]*Outcome, len(work))
	hours := map[int64][]string{} // by the hour of the newest reading counted
	for k, w := range work {
		id := w.Ref.ID
		b, err := j.batteries.GetBattery(ctx, id)
		if err != nil {
			outcomes[k].Err = err
			continue
		}
		sheets[id], at[id] = dossier.SheetOf(b), &outcomes[k]
		if known[id] == nil {
			known[id] = dossier.NewToday(day)
		}
		hour := telemetry.Floor(known[id].Through, telemetry.Hour)
		hours[hour] = append(hours[hour], id)
	}
	for hour, ids := range hours {
		// A minute more, for the values that stand in for missing ones.
		w := telemetry.Window{From: max(hour-carryMS, day*telemetry.Day), To: (day + 1) * telemetry.Day}
		slices.Sort(ids)
		err := j.reader.each(ctx, ids, w, func(id string, x dossier.Reading) {
			at[id].Rows++
			known[id].Add(x, sheets[id], j.rules)
		})
		if err != nil {
			return nil, err
		}
	}
	for id, o := range at {
		o.Changes.Parts = []ledger.Part{ledger.BatteriesToday{id: known[id]}}
	}
	return outcomes, nil
}
