package api

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

// fakeReader is a telemetry store in a slice.
type fakeReader struct {
	schema *devices.Schema

	mu       sync.Mutex
	readings []telemetry.Reading // sorted
	err      error               // of every call
	panics   bool
}

// put adds a reading; values are name, value pairs.
func (f *fakeReader) put(kind devices.Kind, device string, ts int64, values ...any) {
	r := telemetry.Reading{Kind: kind, Device: device, TS: ts}
	for i := 0; i < len(values); i += 2 {
		field := f.schema.Field(kind, values[i].(string))
		v := telemetry.Value{Field: field}
		if field.Numeric() {
			v.Num = values[i+1].(float64)
		} else {
			v.Text = values[i+1].(string)
		}
		r.Set(v)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.readings = append(f.readings, r)
	slices.SortFunc(f.readings, telemetry.Compare)
}

func (f *fakeReader) fail(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.err = err
}

func (f *fakeReader) selected(q telemetry.RangeQuery) ([]telemetry.Reading, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.panics {
		panic("reader: secret detail")
	}
	if f.err != nil {
		return nil, f.err
	}
	fields, err := q.Resolve(f.schema)
	if err != nil {
		return nil, err
	}
	var out []telemetry.Reading
	for _, r := range f.readings {
		if r.Kind != q.Kind || !q.Window.Contains(r.TS) || (len(q.Devices) > 0 && !slices.Contains(q.Devices, r.Device)) {
			continue
		}
		kept := r
		kept.Values = slices.DeleteFunc(slices.Clone(r.Values), func(v telemetry.Value) bool { return !slices.Contains(fields, v.Field) })
		if len(kept.Values) > 0 {
			out = append(out, kept)
		}
	}
	return out, nil
}

func (f *fakeReader) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	found, err := f.selected(q)
	if err != nil {
		return err
	}
	for _, r := range found {
		if err := ctx.Err(); err != nil {
			return err
		}
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}

func (f *fakeReader) Latest(_ context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error) {
	found, err := f.selected(q)
	if err != nil {
		return nil, err
	}
	type series struct {
		device string
		field  *devices.Field
	}
	newest := map[series]telemetry.Sample{}
	for _, r := range found {
		for _, v := range r.Values {
			newest[series{r.Device, v.Field}] = telemetry.Sample{Device: r.Device, TS: r.TS, Value: v}
		}
	}
	return slices.SortedFunc(maps.Values(newest), func(x, y telemetry.Sample) int {
		return cmp.Or(cmp.Compare(x.Device, y.Device), cmp.Compare(x.Value.Field.Index, y.Value.Field.Index))
	}), nil
}

// Aggregate folds what lies in each window.
func (f *fakeReader) Aggregate(_ context.Context, q telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	fields, err := q.Resolve(f.schema)
	if err != nil {
		return nil, err
	}
	found, err := f.selected(q.RangeQuery)
	if err != nil {
		return nil, err
	}
	var out []telemetry.Bucket
	for len(found) > 0 {
		start := telemetry.Floor(found[0].TS, q.Every.Milliseconds())
		n := slices.IndexFunc(found, func(r telemetry.Reading) bool { return r.TS >= start+q.Every.Milliseconds() })
		if n < 0 {
			n = len(found)
		}
		b := telemetry.Bucket{Start: start}
		for _, field := range fields {
			if v, ok := fold(found[:n], field, q.Func); ok {
				b.Values = append(b.Values, telemetry.Value{Field: field, Num: v})
			}
		}
		if len(b.Values) > 0 {
			out = append(out, b)
		}
		found = found[n:]
	}
	return out, nil
}

func fold(readings []telemetry.Reading, field *devices.Field, fn telemetry.Func) (float64, bool) {
	var nums []float64
	for _, r := range readings {
		if v, ok := r.Num(field.Name); ok {
			nums = append(nums, v)
		}
	}
	if len(nums) == 0 {
		return 0, false
	}
	sum := 0.0
	for _, v := range nums {
		sum += v
	}
	switch fn {
	case telemetry.Mean:
		return sum / float64(len(nums)), true
	case telemetry.Max:
		return slices.Max(nums), true
	case telemetry.Min:
		return slices.Min(nums), true
	case telemetry.Count:
		return float64(len(nums)), true
	case telemetry.Sum:
		return sum, true
	case telemetry.First:
		return nums[0], true
	case telemetry.Last:
		return nums[len(nums)-1], true
	}
	panic(fmt.Sprintf("the fake does not know %s", fn))
}

// fakeJobs is one job, rollup, and one that is always running, busy.
type fakeJobs struct {
	mu   sync.Mutex
	runs int64
	held chan struct{} // a wait for busy ends with it
}

func newFakeJobs() *fakeJobs { return &fakeJobs{held: make(chan struct{})} }

func (f *fakeJobs) Jobs(context.Context) ([]Job, error) {
	last := ledger.Run{
		ID: 7, Job: "rollup", Trigger: "schedule", Start: clock.Add(-10 * 60e9), End: clock.Add(-9 * 60e9), Rows: 12,
		Window: telemetry.Window{From: 0, To: telemetry.Day},
	}
	return []Job{
		{Name: "rollup", Schedule: "*/5 * * * *", Next: clock.Add(5 * 60e9), Last: &last},
		{Name: "busy", Schedule: "0 * * * *"},
	}, nil
}

func (f *fakeJobs) Trigger(ctx context.Context, name string, wait bool) (ledger.Run, error) {
	f.mu.Lock()
	f.runs++
	run := ledger.Run{ID: f.runs, Job: name, Trigger: "request", Start: clock}
	f.mu.Unlock()
	switch {
	case name == "busy" && !wait:
		return ledger.Run{}, fmt.Errorf("%w: %s", ErrJobRunning, name)
	case name == "busy":
		select {
		case <-f.held:
		case <-ctx.Done():
			return ledger.Run{}, ctx.Err()
		}
	case name != "rollup":
		return ledger.Run{}, fmt.Errorf("%w: %s", ErrUnknownJob, name)
	}
	if wait {
		run.End = clock.Add(1500e6)
		run.Err = "battery/B1: no luck"
	}
	return run, nil
}

type fakeHealth struct {
	mu     sync.Mutex
	broken string
}

func (f *fakeHealth) breaks(detail string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.broken = detail
}

func (f *fakeHealth) Ready(context.Context) []Check {
	f.mu.Lock()
	defer f.mu.Unlock()
	return []Check{{Name: "registry", OK: true}, {Name: "store", OK: f.broken == "", Detail: f.broken}}
}

type fakeIngest struct{}

func (fakeIngest) Accounting() Accounting {
	return Accounting{Received: 10, Stored: 5, Duplicate: 2, Quarantined: 2, Pending: 1}
}

// Replay stores what is JSON.
func (fakeIngest) Replay(_ context.Context, e quarantine.Entry) (records, quarantined int, err error) {
	if e.Reason == wire.ReasonForeign {
		return 0, 0, ErrNotReplayable
	}
	if !json.Valid(e.Payload) {
		return 1, 1, nil
	}
	return 1, 0, nil
}

// recorder keeps which devices changed, and fails while err is set.
type recorder struct {
	mu   sync.Mutex
	refs []devices.Ref
	err  error
}

func (r *recorder) call(_ context.Context, ref devices.Ref) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.err != nil {
		return r.err
	}
	r.refs = append(r.refs, ref)
	return nil
}

// taken returns what was recorded since the last call.
func (r *recorder) taken() []devices.Ref {
	r.mu.Lock()
	defer r.mu.Unlock()
	refs := r.refs
	r.refs = nil
	return refs
}

// logBuffer collects the log.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

func (l *logBuffer) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.String()
}
