package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func lifecycleCases() []testCase {
	return []testCase{
		{"cancelled before", cancelledBefore},
		{"cancelled during a range", cancelledDuring},
		{"appends and reads at once", concurrent},
		{"closed", closed},
	}
}

func cancelledBefore(t *testing.T, f *fixture) {
	f.append(t, f.battery("a", t0, values{"soc_pct": 1.0}))
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	late := f.battery("a", t0+1, values{"soc_pct": 2.0})
	calls := map[string]func() error{
		"append": func() error {
			_, err := f.store.Append(ctx, []telemetry.Reading{late})
			return err
		},
		"range": func() error {
			return f.store.Range(ctx, batteries(), func(telemetry.Reading) error { return nil })
		},
		"latest": func() error {
			_, err := f.store.Latest(ctx, batteries())
			return err
		},
		"aggregate": func() error {
			_, err := f.store.Aggregate(ctx, aggregateOf(batteries(), telemetry.Mean, hour))
			return err
		},
	}
	for name, call := range calls {
		err := call()
		if !errors.Is(err, context.Canceled) {
			t.Errorf("%s: got error %v, want %v", name, err, context.Canceled)
		}
		if errors.Is(err, telemetry.ErrUnavailable) {
			t.Errorf("%s: got error %v, but the store is available", name, err)
		}
	}
	f.append(t, late)
	if got := f.rows(t, batteries()); len(got) != 2 {
		t.Errorf("appended again: got %d rows, want 2", len(got))
	}
}

func cancelledDuring(t *testing.T, f *fixture) {
	const n = 30_000
	f.large(t, n)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	seen := 0
	err := f.store.Range(ctx, batteries(), func(telemetry.Reading) error {
		seen++
		cancel()
		return nil
	})
	if !errors.Is(err, context.Canceled) || errors.Is(err, telemetry.ErrUnavailable) {
		t.Errorf("got error %v, want %v", err, context.Canceled)
	}
	if seen == 0 || seen == n {
		t.Errorf("got %d readings, want some and not all %d", seen, n)
	}
	if got := len(f.rows(t, batteries("soc_pct"))); got != n {
		t.Errorf("afterwards: got %d readings, want %d", got, n)
	}
}

// concurrent has writers that each read back what they were told is stored,
// and readers that must never see fewer readings than before.
func concurrent(t *testing.T, f *fixture) {
	const writers, batches, size = 4, 6, 50
	writing, ctx := errgroup.WithContext(t.Context())
	for w := range writers {
		writing.Go(func() error { return f.writeAndCheck(ctx, fmt.Sprint("w", w), batches, size) })
	}
	done := make(chan struct{})
	var reading errgroup.Group
	for range 2 {
		reading.Go(func() error {
			least := 0
			for {
				seen, err := f.countReadings(t.Context(), batteries())
				if err != nil {
					return err
				}
				if seen < least {
					return fmt.Errorf("got %d readings, saw %d before", seen, least)
				}
				least = seen
				q := aggregateOf(batteries("soc_pct"), telemetry.Count, day)
				q.Fleet = true
				got, err := f.store.Aggregate(t.Context(), q)
				if err != nil {
					return err
				}
				if n := total(got); n < least {
					return fmt.Errorf("counted %d readings, saw %d before", n, least)
				}
				select {
				case <-done:
					return nil
				default:
				}
			}
		})
	}
	err := writing.Wait()
	close(done)
	if err := errors.Join(err, reading.Wait()); err != nil {
		t.Fatal(err)
	}
	if got := len(f.rows(t, batteries())); got != writers*batches*size {
		t.Errorf("got %d readings, want %d", got, writers*batches*size)
	}
}

func (f *fixture) writeAndCheck(ctx context.Context, device string, batches, size int) error {
	q := batteries()
	q.Devices = []string{device}
	for b := range batches {
		in := make([]telemetry.Reading, size)
		for i := range in {
			in[i] = f.battery(device, t0+int64(b*size+i)*second, values{"soc_pct": float64(i)})
		}
		got, err := f.store.Append(ctx, in)
		if err != nil {
			return err
		}
		if got.New != size {
			return fmt.Errorf("device %s: got %+v, want %d new", device, got, size)
		}
		seen, err := f.countReadings(ctx, q)
		if err != nil {
			return err
		}
		if want := (b + 1) * size; seen != want {
			return fmt.Errorf("device %s: got %d readings after append, want %d", device, seen, want)
		}
		newest, err := f.store.Latest(ctx, q)
		if err != nil {
			return err
		}
		if want := in[size-1].TS; len(newest) != 1 || newest[0].TS != want {
			return fmt.Errorf("device %s: got latest %+v, want one at %d", device, newest, want)
		}
	}
	return nil
}

func (f *fixture) countReadings(ctx context.Context, q telemetry.RangeQuery) (int, error) {
	n := 0
	err := f.store.Range(ctx, q, func(telemetry.Reading) error {
		n++
		return nil
	})
	return n, err
}

func total(counts []telemetry.Bucket) int {
	n := 0
	for _, b := range counts {
		for _, v := range b.Values {
			n += int(v.Num)
		}
	}
	return n
}

func closed(t *testing.T, f *fixture) {
	c, ok := f.store.(io.Closer)
	if !ok {
		t.Skipf("%T has no Close", f.store)
	}
	f.append(t, f.battery("a", t0, values{"soc_pct": 1.0}))
	for range 2 {
		if err := c.Close(); err != nil {
			t.Errorf("close: %v", err)
		}
	}
	r := f.reading(devices.KindStation, "s", t0, values{"queue": 1})
	if _, err := f.store.Append(t.Context(), []telemetry.Reading{r}); !errors.Is(err, telemetry.ErrClosed) {
		t.Errorf("append: got error %v, want %v", err, telemetry.ErrClosed)
	}
	if err := f.store.Range(t.Context(), batteries(), func(telemetry.Reading) error { return nil }); !errors.Is(err, telemetry.ErrClosed) {
		t.Errorf("range: got error %v, want %v", err, telemetry.ErrClosed)
	}
	if _, err := f.store.Latest(t.Context(), batteries()); !errors.Is(err, telemetry.ErrClosed) {
		t.Errorf("latest: got error %v, want %v", err, telemetry.ErrClosed)
	}
	if _, err := f.store.Aggregate(t.Context(), aggregateOf(batteries(), telemetry.Mean, hour)); !errors.Is(err, telemetry.ErrClosed) {
		t.Errorf("aggregate: got error %v, want %v", err, telemetry.ErrClosed)
	}
}
