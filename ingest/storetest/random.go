package storetest

import (
	"fmt"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// randomCases compare the store with the model on data and queries drawn from
// fixed seeds, so that a failure comes back.
func randomCases() []testCase {
	var out []testCase
	for seed := range uint64(4) {
		out = append(out, testCase{fmt.Sprintf("seed %d", seed), func(t *testing.T, f *fixture) {
			randomRun(t, f, rand.New(rand.NewPCG(seed, 0)))
		}})
	}
	return out
}

func randomRun(t *testing.T, f *fixture, rnd *rand.Rand) {
	m := newModel(f.schema)
	for range 6 {
		batch := make([]telemetry.Reading, 1+rnd.IntN(400))
		for i := range batch {
			batch[i] = f.randomReading(rnd)
		}
		f.append(t, batch...)
		if _, err := m.Append(t.Context(), batch); err != nil {
			t.Fatal(err)
		}
	}
	f.sameAsModel(t, m)
	for range 40 {
		f.randomQuery(t, m, rnd)
	}
}

// randomReading draws from few devices and instants, so that identities and
// instants collide, and from few values, so that there are ties.
func (f *fixture) randomReading(rnd *rand.Rand) telemetry.Reading {
	kind := devices.Kinds()[rnd.IntN(3)]
	vs := make(values)
	fields := f.schema.Measurement(kind).Fields
	for len(vs) == 0 || rnd.IntN(3) > 0 {
		switch field := fields[rnd.IntN(len(fields))]; field.Type {
		case devices.Text:
			vs[field.Name] = []string{"idle", "charging", "", `q"\`}[rnd.IntN(4)]
		case devices.Integer:
			vs[field.Name] = rnd.IntN(20)
		default:
			low := max(field.Min, -1000)
			v := low + rnd.Float64()*(min(field.Max, 1000)-low)
			if rnd.IntN(2) == 0 {
				v = float64(int(v/10) * 10)
			}
			vs[field.Name] = v
		}
	}
	ts := t0 + rnd.Int64N(300)*10*60*second
	if rnd.IntN(10) == 0 {
		ts += rnd.Int64N(40 * telemetry.Day)
	}
	return f.reading(kind, f.randomDevice(rnd), ts, vs)
}

func (f *fixture) randomDevice(rnd *rand.Rand) string {
	ids := []string{"a", "A", "b", "a.1", "a:1", "a-1", "Z_9"}
	return ids[rnd.IntN(len(ids))]
}

// randomQuery asks store and model the same three questions.
func (f *fixture) randomQuery(t *testing.T, m *model, rnd *rand.Rand) {
	q := telemetry.RangeQuery{Kind: devices.Kinds()[rnd.IntN(3)]}
	q.Window.From = t0 - telemetry.Hour + rnd.Int64N(3*telemetry.Day)
	q.Window.To = q.Window.From + rnd.Int64N(3*telemetry.Day)
	for range rnd.IntN(4) {
		q.Devices = append(q.Devices, f.randomDevice(rnd))
	}
	named := q
	fields := f.schema.Measurement(q.Kind).Fields
	for range rnd.IntN(5) {
		field := fields[rnd.IntN(len(fields))]
		named.Fields = append(named.Fields, field.Name)
		if field.Numeric() {
			q.Fields = append(q.Fields, field.Name)
		}
	}
	want, err := collectRows(t, m, named)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(f.rows(t, named), want); d != "" {
		t.Errorf("range %+v (-want +got):\n%s", named, d)
	}
	if d := diff(f.latest(t, named), collectLatest(t, m, named)); d != "" {
		t.Errorf("latest %+v (-want +got):\n%s", named, d)
	}
	steps := []time.Duration{10 * time.Minute, 15 * time.Minute, hour, 7 * hour, day, 7 * day, 12345678 * time.Millisecond}
	agg := telemetry.AggregateQuery{
		RangeQuery: q,
		Every:      steps[rnd.IntN(len(steps))],
		Fleet:      rnd.IntN(2) == 0,
	}
	for _, agg.Func = range telemetry.Funcs() {
		if d := diffRounded(f.aggregate(t, agg), collectBuckets(t, m, agg)); d != "" {
			t.Errorf("aggregate %+v (-want +got):\n%s", agg, d)
		}
	}
}
