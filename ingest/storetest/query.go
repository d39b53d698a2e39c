package storetest

import (
	"errors"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func queryCases() []testCase {
	return []testCase{
		{"errors of range and latest", rangeErrors},
		{"errors of aggregate", aggregateErrors},
	}
}

func rangeErrors(t *testing.T, f *fixture) {
	f.append(t, f.battery("a", t0, values{"soc_pct": 1.0}))
	tests := []struct {
		name string
		q    telemetry.RangeQuery
		want error
	}{
		{"unknown kind", telemetry.RangeQuery{Kind: "robot", Window: always}, telemetry.ErrBadQuery},
		{"no kind", telemetry.RangeQuery{Window: always}, telemetry.ErrBadQuery},
		{"unknown field", batteries("soc_pct", "altitude_m"), telemetry.ErrUnknownField},
		{"a field of another kind", batteries("co2_ppm"), telemetry.ErrUnknownField},
		{"a name that is no identifier", batteries(`soc_pct" FROM x; --`), telemetry.ErrUnknownField},
		{"the device is no field", batteries("device"), telemetry.ErrUnknownField},
		{"unknown field in an empty window", telemetry.RangeQuery{Kind: devices.KindBattery, Fields: []string{"nope"}}, telemetry.ErrUnknownField},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := f.store.Range(t.Context(), tt.q, func(r telemetry.Reading) error {
				t.Errorf("range: got reading %+v", r)
				return nil
			})
			if !errors.Is(err, tt.want) {
				t.Errorf("range: got error %v, want %v", err, tt.want)
			}
			if got, err := f.store.Latest(t.Context(), tt.q); !errors.Is(err, tt.want) || len(got) != 0 {
				t.Errorf("latest: got %v, error %v, want %v", got, err, tt.want)
			}
			agg := aggregateOf(tt.q, telemetry.Mean, hour)
			if got, err := f.store.Aggregate(t.Context(), agg); !errors.Is(err, tt.want) || len(got) != 0 {
				t.Errorf("aggregate: got %v, error %v, want %v", got, err, tt.want)
			}
		})
	}
}

func aggregateErrors(t *testing.T, f *fixture) {
	f.append(t, f.battery("a", t0, values{"soc_pct": 1.0, "state": "idle"}))
	tests := []struct {
		name string
		q    telemetry.AggregateQuery
		want error
	}{
		{"a text field", aggregateOf(batteries("state"), telemetry.Count, hour), telemetry.ErrNotNumeric},
		{"a text field among numbers", aggregateOf(batteries("soc_pct", "state"), telemetry.Mean, hour), telemetry.ErrNotNumeric},
		{"unknown function", aggregateOf(batteries("soc_pct"), "median", hour), telemetry.ErrBadQuery},
		{"no function", aggregateOf(batteries("soc_pct"), "", hour), telemetry.ErrBadQuery},
		{"no step", aggregateOf(batteries("soc_pct"), telemetry.Mean, 0), telemetry.ErrBadQuery},
		{"a step backwards", aggregateOf(batteries("soc_pct"), telemetry.Mean, -hour), telemetry.ErrBadQuery},
		{"a step below a millisecond", aggregateOf(batteries("soc_pct"), telemetry.Mean, 100*time.Microsecond), telemetry.ErrBadQuery},
		{"a step that is no whole milliseconds", aggregateOf(batteries("soc_pct"), telemetry.Mean, 1500*time.Microsecond), telemetry.ErrBadQuery},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := f.store.Aggregate(t.Context(), tt.q)
			if !errors.Is(err, tt.want) || len(got) != 0 {
				t.Errorf("got %v, error %v, want %v", got, err, tt.want)
			}
		})
	}
}
