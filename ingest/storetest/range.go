package storetest

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func rangeCases() []testCase {
	return []testCase{
		{"empty store", rangeEmptyStore},
		{"half-open to the millisecond", rangeWindow},
		{"fields asked for", rangeFields},
		{"devices asked for", rangeDevices},
		{"ordered by device, then time", rangeOrder},
		{"five hundred devices in the list", rangeManyDevices},
		{"a large range streams and stops", rangeLarge},
	}
}

func rangeEmptyStore(t *testing.T, f *fixture) {
	for _, kind := range devices.Kinds() {
		q := telemetry.RangeQuery{Kind: kind, Window: always}
		if got := f.rows(t, q); len(got) != 0 {
			t.Errorf("range of %s: got %v, want nothing", kind, got)
		}
		if got := f.latest(t, q); len(got) != 0 {
			t.Errorf("latest of %s: got %v, want nothing", kind, got)
		}
		for _, fn := range telemetry.Funcs() {
			for _, fleet := range []bool{false, true} {
				agg := telemetry.AggregateQuery{RangeQuery: q, Func: fn, Every: hour, Fleet: fleet}
				if got := f.aggregate(t, agg); len(got) != 0 {
					t.Errorf("%s of %s, fleet %v: got %v, want nothing", fn, kind, fleet, got)
				}
			}
		}
	}
}

func rangeWindow(t *testing.T, f *fixture) {
	const from, to = t0 + 12345, t0 + 67890
	stamps := []int64{t0, from - 1, from, from + 1, (from + to) / 2, to - 1, to, to + 1}
	for _, ts := range stamps {
		f.append(t, f.battery("b", ts, values{"soc_pct": 50.0}))
	}
	tests := []struct {
		name   string
		window telemetry.Window
		want   []int64
	}{
		{"both ends", telemetry.Window{From: from, To: to}, []int64{from, from + 1, (from + to) / 2, to - 1}},
		{"one millisecond", telemetry.Window{From: from, To: from + 1}, []int64{from}},
		{"empty", telemetry.Window{From: from, To: from}, nil},
		{"backwards", telemetry.Window{From: to, To: from}, nil},
		{"before all", telemetry.Window{From: t0 - 1000, To: t0}, nil},
		{"after all", telemetry.Window{From: to + 2, To: to + 1000}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := batteries()
			q.Window = tt.window
			var got []int64
			for _, r := range f.rows(t, q) {
				got = append(got, r.TS)
			}
			if !slices.Equal(got, tt.want) {
				t.Errorf("range: got %v, want %v", got, tt.want)
			}
			var newest []sample
			if n := len(tt.want); n > 0 {
				newest = []sample{{"b", tt.want[n-1], "soc_pct", 50.0}}
			}
			if d := diff(f.latest(t, q), newest); d != "" {
				t.Errorf("latest (-want +got):\n%s", d)
			}
			count := 0.0
			for _, b := range f.aggregate(t, aggregateOf(q, telemetry.Count, hour)) {
				count += b.Values["soc_pct"].(float64)
			}
			if count != float64(len(tt.want)) {
				t.Errorf("aggregate: counted %v samples, want %d", count, len(tt.want))
			}
		})
	}
}

func rangeFields(t *testing.T, f *fixture) {
	f.append(t,
		f.battery("a", t0, values{"soc_pct": 1.0, "voltage_v": 50.0, "state": "idle"}),
		f.battery("a", t0+1, values{"voltage_v": 51.0}),
		f.battery("a", t0+2, values{"state": ""}),
		f.battery("b", t0, values{"temperature_c": 20.0}))
	kind := devices.KindBattery
	tests := []struct {
		name   string
		fields []string
		want   []row
	}{
		{"one number", []string{"soc_pct"}, []row{{kind, "a", t0, values{"soc_pct": 1.0}}}},
		{"one text", []string{"state"}, []row{{kind, "a", t0, values{"state": "idle"}}, {kind, "a", t0 + 2, values{"state": ""}}}},
		{"two, not in the schema's order, one twice", []string{"voltage_v", "soc_pct", "voltage_v"}, []row{
			{kind, "a", t0, values{"soc_pct": 1.0, "voltage_v": 50.0}}, {kind, "a", t0 + 1, values{"voltage_v": 51.0}},
		}},
		{"a field that nobody has sent", []string{"cycles"}, nil},
		{"one that nobody has sent and one that is there", []string{"cycles", "temperature_c"}, []row{
			{kind, "b", t0, values{"temperature_c": 20.0}},
		}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if d := diff(f.rows(t, batteries(tt.fields...)), tt.want); d != "" {
				t.Errorf("(-want +got):\n%s", d)
			}
		})
	}
}

func rangeDevices(t *testing.T, f *fixture) {
	for _, id := range []string{"a", "b", "c", "a.b", "a:b"} {
		f.append(t, f.battery(id, t0, values{"soc_pct": 1.0}))
	}
	tests := []struct {
		name    string
		devices []string
		want    []string
	}{
		{"all", nil, []string{"a", "a.b", "a:b", "b", "c"}},
		{"one", []string{"b"}, []string{"b"}},
		{"a dot is no wildcard", []string{"a.b"}, []string{"a.b"}},
		{"a prefix is not a match", []string{"a"}, []string{"a"}},
		{"not in order, one twice", []string{"c", "a", "c"}, []string{"a", "c"}},
		{"unknown", []string{"nobody"}, nil},
		{"unknown among known", []string{"nobody", "b"}, []string{"b"}},
		{"never a device", []string{"", "x' OR 1=1 --", `x" OR "device" != '`, `\`, "a|b", ".*", "a\nb"}, nil},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := batteries()
			q.Devices = tt.devices
			var ranged, newest, folded []string
			for _, r := range f.rows(t, q) {
				ranged = append(ranged, r.Device)
			}
			for _, s := range f.latest(t, q) {
				newest = append(newest, s.Device)
			}
			for _, b := range f.aggregate(t, aggregateOf(q, telemetry.Mean, hour)) {
				folded = append(folded, b.Device)
			}
			for from, got := range map[string][]string{"range": ranged, "latest": newest, "aggregate": folded} {
				if !slices.Equal(got, tt.want) {
					t.Errorf("%s: got devices %q, want %q", from, got, tt.want)
				}
			}
		})
	}
}

// rangeOrder spreads devices over years, so that an engine that keeps time in
// partitions has to put devices together again.
func rangeOrder(t *testing.T, f *fixture) {
	var in []telemetry.Reading
	for _, ts := range []int64{t0 + 300*telemetry.Day, oldest, t0, t0 + 7*telemetry.Day, t0 - 365*telemetry.Day, t0 + 1} {
		for _, id := range []string{"b", "B", "a-", "a", "Z", "_", "0", "a.", "A"} {
			in = append(in, f.battery(id, ts, values{"soc_pct": 5.0}))
		}
	}
	f.append(t, in...)
	got := f.rows(t, batteries()) // which checks the order
	if len(got) != len(in) {
		t.Errorf("got %d rows, want %d", len(got), len(in))
	}
	f.sameAs(t, in)
}

func rangeManyDevices(t *testing.T, f *fixture) {
	var in []telemetry.Reading
	var asked []string
	for i := range 600 {
		id := fmt.Sprintf("device-with-a-rather-long-name:%04d", i)
		in = append(in, f.battery(id, t0+int64(i), values{"soc_pct": float64(i % 100), "state": "on"}))
		if i >= 50 && i < 550 {
			asked = append(asked, id)
		}
	}
	f.append(t, in...)
	slices.Reverse(asked)
	q := batteries()
	q.Devices = asked
	m := newModel(f.schema)
	if _, err := m.Append(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	want, err := collectRows(t, m, q)
	if err != nil {
		t.Fatal(err)
	}
	if d := diff(f.rows(t, q), want); d != "" {
		t.Errorf("range (-want +got):\n%s", d)
	}
	if d := diff(f.latest(t, q), collectLatest(t, m, q)); d != "" {
		t.Errorf("latest (-want +got):\n%s", d)
	}
	for _, fn := range telemetry.Funcs() {
		for _, fleet := range []bool{false, true} {
			agg := aggregateOf(q, fn, hour)
			agg.Fleet = fleet
			if d := diffRounded(f.aggregate(t, agg), collectBuckets(t, m, agg)); d != "" {
				t.Errorf("%s, fleet %v (-want +got):\n%s", fn, fleet, d)
			}
		}
	}
}

func rangeLarge(t *testing.T, f *fixture) {
	const n = 50_000
	f.large(t, n)
	seen := 0
	last := int64(-1)
	if err := f.store.Range(t.Context(), batteries("soc_pct", "voltage_v"), func(r telemetry.Reading) error {
		if r.TS <= last {
			return fmt.Errorf("reading at %d after one at %d", r.TS, last)
		}
		if soc, _ := r.Num("soc_pct"); soc != float64(seen%100) {
			return fmt.Errorf("reading %d: got %v %%, want %d", seen, soc, seen%100)
		}
		last = r.TS
		seen++
		return nil
	}); err != nil || seen != n {
		t.Errorf("got %d readings, error %v, want %d", seen, err, n)
	}

	stop := errors.New("enough")
	seen = 0
	err := f.store.Range(t.Context(), batteries(), func(telemetry.Reading) error {
		if seen++; seen == 10 {
			return stop
		}
		return nil
	})
	if !errors.Is(err, stop) || seen != 10 {
		t.Errorf("stopped: got error %v after %d readings, want %v after 10", err, seen, stop)
	}
	if got := f.latest(t, batteries("soc_pct")); len(got) != 1 || got[0].TS != last {
		t.Errorf("after the stop: latest got %v, want one at %d", got, last)
	}
}

// large appends n readings of one device, ten seconds apart.
func (f *fixture) large(t *testing.T, n int) {
	t.Helper()
	in := make([]telemetry.Reading, n)
	for i := range in {
		in[i] = f.battery("b", t0+int64(i)*10*second, values{"soc_pct": float64(i % 100), "voltage_v": 48 + float64(i%10)/10})
	}
	for part := range slices.Chunk(in, 10_000) {
		f.append(t, part...)
	}
}
