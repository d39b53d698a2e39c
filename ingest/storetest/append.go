package storetest

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func appendCases() []testCase {
	return []testCase{
		{"nothing", appendNothing},
		{"account of one call", accountOfOneCall},
		{"fields merge within a call", mergeWithinCall},
		{"fields merge across calls in both orders", mergeAcrossCalls},
		{"the later value wins", laterWins},
		{"doubled data", doubled},
		{"late data", late},
		{"unsorted data", unsorted},
		{"a big batch", bigBatch},
		{"readings are neither kept nor changed", notKept},
	}
}

func appendNothing(t *testing.T, f *fixture) {
	for _, in := range [][]telemetry.Reading{nil, {}} {
		got, err := f.store.Append(t.Context(), in)
		if err != nil || got.New != 0 || got.Merged != 0 || len(got.Rejected) != 0 {
			t.Errorf("append nothing: got %+v, error %v, want zeros", got, err)
		}
	}
	if rows := f.rows(t, batteries()); len(rows) != 0 {
		t.Errorf("got %v, want no rows", rows)
	}
}

func accountOfOneCall(t *testing.T, f *fixture) {
	a := f.battery("a", t0, values{"soc_pct": 1.0})
	b := f.battery("a", t0+1, values{"soc_pct": 2.0})
	c := f.reading(devices.KindStation, "a", t0, values{"queue": 3})
	got := f.append(t, a, b, a, c, a)
	if got.New != 3 || got.Merged != 2 {
		t.Errorf("got %d new and %d merged, want 3 and 2", got.New, got.Merged)
	}
	if got = f.append(t, a, a); got.Merged < 1 {
		t.Errorf("again: got %d merged, want 1 or more", got.Merged)
	}
}

func mergeWithinCall(t *testing.T, f *fixture) {
	f.append(t,
		f.battery("b", t0, values{"soc_pct": 1.0, "state": "idle"}),
		f.battery("c", t0, values{"soc_pct": 9.0}),
		f.battery("b", t0, values{"voltage_v": 50.0, "state": "charging"}),
		f.battery("b", t0, values{"soc_pct": 2.0}))
	want := []row{
		{devices.KindBattery, "b", t0, values{"soc_pct": 2.0, "voltage_v": 50.0, "state": "charging"}},
		{devices.KindBattery, "c", t0, values{"soc_pct": 9.0}},
	}
	if d := diff(f.rows(t, batteries()), want); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func mergeAcrossCalls(t *testing.T, f *fixture) {
	one := values{"soc_pct": 1.0, "temperature_c": 20.0}
	two := values{"voltage_v": 50.0, "state": "idle"}
	f.append(t, f.battery("forth", t0, one))
	f.append(t, f.battery("forth", t0, two))
	f.append(t, f.battery("back", t0, two))
	f.append(t, f.battery("back", t0, one))
	all := values{"soc_pct": 1.0, "temperature_c": 20.0, "voltage_v": 50.0, "state": "idle"}
	want := []row{{devices.KindBattery, "back", t0, all}, {devices.KindBattery, "forth", t0, all}}
	if d := diff(f.rows(t, batteries()), want); d != "" {
		t.Errorf("(-want +got):\n%s", d)
	}
}

func laterWins(t *testing.T, f *fixture) {
	var want values
	for i := range 5 {
		want = values{"soc_pct": float64(10 - 2*i), "state": fmt.Sprint("s", i)}
		f.append(t, f.battery("b", t0, want))
	}
	if d := diff(f.rows(t, batteries()), []row{{devices.KindBattery, "b", t0, want}}); d != "" {
		t.Errorf("range (-want +got):\n%s", d)
	}
	got := f.aggregate(t, aggregateOf(batteries("soc_pct"), telemetry.Sum, hour))
	if d := diff(got, []bucket{{"b", t0, values{"soc_pct": 2.0}}}); d != "" {
		t.Errorf("sum of one rewritten reading (-want +got):\n%s", d)
	}
}

// stream is n readings of several devices and fields, one every minute.
func (f *fixture) stream(n int) []telemetry.Reading {
	out := make([]telemetry.Reading, 0, n)
	for i := range n {
		vs := values{"soc_pct": float64(i % 101), "current_a": float64(i%7) - 3.5}
		if i%3 == 0 {
			vs["state"] = fmt.Sprint("state ", i%5)
		}
		out = append(out, f.battery(fmt.Sprintf("d%02d", i%11), t0+int64(i/11)*60*second, vs))
	}
	return out
}

// sameAs compares all that the store shows with a store in memory that was
// given want.
func (f *fixture) sameAs(t *testing.T, want []telemetry.Reading) {
	t.Helper()
	m := newModel(f.schema)
	if _, err := m.Append(t.Context(), want); err != nil {
		t.Fatal(err)
	}
	f.sameAsModel(t, m)
}

func (f *fixture) sameAsModel(t *testing.T, m *model) {
	t.Helper()
	for _, kind := range devices.Kinds() {
		q := telemetry.RangeQuery{Kind: kind, Window: always}
		want, err := collectRows(t, m, q)
		if err != nil {
			t.Fatal(err)
		}
		if d := diff(f.rows(t, q), want); d != "" {
			t.Errorf("range of %s (-want +got):\n%s", kind, d)
		}
		if d := diff(f.latest(t, q), collectLatest(t, m, q)); d != "" {
			t.Errorf("latest of %s (-want +got):\n%s", kind, d)
		}
		for _, fleet := range []bool{false, true} {
			agg := telemetry.AggregateQuery{RangeQuery: q, Func: telemetry.Sum, Every: hour, Fleet: fleet}
			if d := diffRounded(f.aggregate(t, agg), collectBuckets(t, m, agg)); d != "" {
				t.Errorf("sum of %s, fleet %v (-want +got):\n%s", kind, fleet, d)
			}
		}
	}
}

func doubled(t *testing.T, f *fixture) {
	in := f.stream(400)
	f.append(t, slices.Concat(in, in)...)
	f.append(t, in...)
	f.append(t, in[100:200]...)
	f.sameAs(t, in)
}

func late(t *testing.T, f *fixture) {
	in := f.stream(400)
	f.append(t, in[200:]...)
	f.sameAs(t, in[200:])
	f.append(t, in[:200]...)
	f.sameAs(t, in)
	old := f.battery("d00", t0-30*telemetry.Day, values{"soc_pct": 3.0})
	f.append(t, old)
	f.sameAs(t, append(in, old))
}

func unsorted(t *testing.T, f *fixture) {
	in := f.stream(600)
	mixed := slices.Clone(in)
	rnd := rand.New(rand.NewPCG(1, 2))
	rnd.Shuffle(len(mixed), func(i, j int) { mixed[i], mixed[j] = mixed[j], mixed[i] })
	for part := range slices.Chunk(mixed, 70) {
		f.append(t, part...)
	}
	f.sameAs(t, in)
}

func bigBatch(t *testing.T, f *fixture) {
	const n = 20_000
	in := f.stream(n)
	if got := f.append(t, in...); got.New != n {
		t.Errorf("got %d new, want %d", got.New, n)
	}
	f.sameAs(t, in)
}

func notKept(t *testing.T, f *fixture) {
	in := []telemetry.Reading{
		f.battery("a", t0, values{"soc_pct": 1.0, "state": "idle"}),
		f.battery("a", t0, values{"soc_pct": 2.0, "voltage_v": 48.0}),
		f.battery("a", t0+1, values{"soc_pct": 3.0}),
	}
	before := make([]telemetry.Reading, len(in))
	for i, r := range in {
		before[i] = r
		before[i].Values = slices.Clone(r.Values)
	}
	f.append(t, in...)
	if d := cmp.Diff(before, in, cmp.Comparer(func(a, b *devices.Field) bool { return a == b })); d != "" {
		t.Errorf("append changed the readings (-before +after):\n%s", d)
	}
	for i := range in {
		for j := range in[i].Values {
			in[i].Values[j].Num, in[i].Values[j].Text = -99, "scribble"
		}
		in[i].Device, in[i].TS = "scribble", 0
	}
	want := []row{
		{devices.KindBattery, "a", t0, values{"soc_pct": 2.0, "voltage_v": 48.0, "state": "idle"}},
		{devices.KindBattery, "a", t0 + 1, values{"soc_pct": 3.0}},
	}
	if d := diff(f.rows(t, batteries()), want); d != "" {
		t.Errorf("after the caller reused its slice (-want +got):\n%s", d)
	}
}
