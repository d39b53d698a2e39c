package fleet

import (
	"context"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// What is held in memory of one device at once.
const (
	maxDaysAtOnce = 31
	maxRowsAtOnce = 500_000
)

// span is what a job reads of one device.
type span struct {
	ref    devices.Ref
	fields []string // empty: all
	margin int64    // ms before and after a day that belong to it
}

// eachDay calls compute for every day, which ascend, with the device's readings
// of that day and the margin on both sides. Neighbouring days are read together,
// as many as fit in memory by the density of those before. It returns how many
// readings were read.
//
// compute gets the same readings for a day whatever other days are computed
// with it, so its result can't depend on them.
func (s span) eachDay(ctx context.Context, r telemetry.Reader, days []int64,
	compute func(day int64, readings []telemetry.Reading)) (rows int, err error) {
	near := 1 + 2*((s.margin+telemetry.Day-1)/telemetry.Day) // days this far apart share readings
	atOnce := 1
	for len(days) > 0 {
		n := 1
		for n < min(len(days), atOnce) && days[n]-days[n-1] <= near {
			n++
		}
		w := telemetry.Window{From: days[0]*telemetry.Day - s.margin, To: (days[n-1]+1)*telemetry.Day + s.margin}
		readings, err := s.load(ctx, r, w)
		rows += len(readings)
		if err != nil {
			return rows, err
		}
		for _, day := range days[:n] {
			compute(day, telemetry.Within(readings, telemetry.Window{From: day*telemetry.Day - s.margin, To: (day+1)*telemetry.Day + s.margin}))
		}
		days = days[n:]
		perDay := int64(len(readings))*telemetry.Day/(w.To-w.From) + 1
		atOnce = min(int(max(maxRowsAtOnce/perDay, 1)), 2*n, maxDaysAtOnce) // doubling, in case it gets denser
	}
	return rows, nil
}

func (s span) load(ctx context.Context, r telemetry.Reader, w telemetry.Window) ([]telemetry.Reading, error) {
	var out []telemetry.Reading
	q := telemetry.RangeQuery{Kind: s.ref.Kind, Devices: []string{s.ref.ID}, Fields: s.fields, Window: w}
	err := r.Range(ctx, q, func(rd telemetry.Reading) error {
		rd.Values = append([]telemetry.Value(nil), rd.Values...)
		out = append(out, rd)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read telemetry of %s over %s: %w", s.ref, w, err)
	}
	return out, nil
}
