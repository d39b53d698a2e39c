package fleet

import (
	"context"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// maxDaysAtOnce bounds how many days of one device are held in memory.
const maxDaysAtOnce = 31

// eachDay calls compute for every day, which ascend, with the device's readings
// of that day and the margin of one day before and after it. Neighbouring days
// are read together. It returns how many readings were read.
//
// compute gets the same readings for a day whatever other days are computed
// with it, so its result can't depend on them.
func eachDay(ctx context.Context, r telemetry.Reader, ref devices.Ref, fields []string, days []int64,
	compute func(day int64, readings []telemetry.Reading)) (rows int, err error) {
	for len(days) > 0 {
		n := 1
		for n < len(days) && n < maxDaysAtOnce && days[n]-days[n-1] <= 2 {
			n++
		}
		w := telemetry.Window{From: (days[0] - 1) * telemetry.Day, To: (days[n-1] + 2) * telemetry.Day}
		readings, err := load(ctx, r, ref, fields, w)
		rows += len(readings)
		if err != nil {
			return rows, err
		}
		for _, day := range days[:n] {
			compute(day, around(readings, day))
		}
		days = days[n:]
	}
	return rows, nil
}

func load(ctx context.Context, r telemetry.Reader, ref devices.Ref, fields []string, w telemetry.Window) ([]telemetry.Reading, error) {
	var out []telemetry.Reading
	q := telemetry.RangeQuery{Kind: ref.Kind, Devices: []string{ref.ID}, Fields: fields, Window: w}
	err := r.Range(ctx, q, func(rd telemetry.Reading) error {
		rd.Values = append([]telemetry.Value(nil), rd.Values...)
		out = append(out, rd)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read telemetry of %s over %s: %w", ref, w, err)
	}
	return out, nil
}

// around cuts readings down to a day and one day on each side.
func around(readings []telemetry.Reading, day int64) []telemetry.Reading {
	from, to := (day-1)*telemetry.Day, (day+2)*telemetry.Day
	lo, hi := 0, len(readings)
	for lo < hi && readings[lo].TS < from {
		lo++
	}
	for hi > lo && readings[hi-1].TS >= to {
		hi--
	}
	return readings[lo:hi]
}
