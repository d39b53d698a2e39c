package generate_test

import (
	"bytes"
	"context"
	"errors"
	"hash/fnv"
	"io"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
	"github.com/fleetwatt/fleetwatt/simulator/generate"
	"github.com/fleetwatt/fleetwatt/simulator/truth"
)

func start() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

func fleet(tb testing.TB, seed uint64, owners, batteries int) *simulator.Fleet {
	tb.Helper()
	cfg := simulator.Demo(seed, start())
	cfg.Owners, cfg.Sites, cfg.Stations, cfg.Batteries = owners, owners, owners, batteries
	f, err := simulator.New(cfg)
	if err != nil {
		tb.Fatal(err)
	}
	return f
}

func everything() faults.Config {
	return faults.Config{
		Offline: faults.Spell{PerYear: 100, Hours: 6}, ReconnectStorms: faults.Storm{PerYear: 100, Share: 0.5},
		Doubled: faults.Share{Share: 0.1}, Shuffled: faults.Share{Share: 0.1}, Malformed: faults.Share{Share: 0.1},
		Spike: faults.Spike{Share: 0.01, Factor: 10},
	}
}

// written is what a run writes: the messages and the truth.
func written(t *testing.T, seed uint64, workers int) (lines, truths string) {
	t.Helper()
	g, err := generate.New(fleet(t, seed, 3, 12), generate.Plan{
		Faults: everything(), Seed: seed, Batch: 24, Truth: 24 * time.Hour, Workers: workers,
	})
	if err != nil {
		t.Fatal(err)
	}
	var out, csv bytes.Buffer
	l := generate.NewLines(&out)
	c, err := truth.NewCSV(&csv)
	if err != nil {
		t.Fatal(err)
	}
	take := func(b generate.Block) error {
		for _, a := range b.Actions {
			if err := l.Write(a); err != nil {
				return err
			}
		}
		for _, r := range b.Truth {
			if err := c.Write(r); err != nil {
				return err
			}
		}
		return nil
	}
	if err := g.Run(t.Context(), start().AddDate(0, 0, 5), take); err != nil {
		t.Fatal(err)
	}
	if err := take(g.Flush()); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(l.Flush(), c.Flush()); err != nil {
		t.Fatal(err)
	}
	return out.String(), csv.String()
}

// The same seed gives the same bytes, however many parts run at once.
func TestSameSeedSameBytes(t *testing.T) {
	lines, truths := written(t, 7, 1)
	for _, workers := range []int{1, 2, 3} {
		l, c := written(t, 7, workers)
		if l != lines || c != truths {
			t.Errorf("with %d at once the bytes differ", workers)
		}
	}
	if other, _ := written(t, 8, 1); other == lines {
		t.Error("seeds 7 and 8 gave the same")
	}
	for _, want := range []string{"fleet/v1/battery/bat-0001/telemetry\t[{\"ts\":", "#cut ", "base64:", "/event\t{\"id\":"} {
		if !strings.Contains(lines, want) {
			t.Errorf("there is no %q", want)
		}
	}
	for _, want := range []string{"time,until,kind,id,quantity,value,detail\n", ",capacity_ah,", ",fault.offline,", ",swaps,", ",saved_wh,"} {
		if !strings.Contains(truths, want) {
			t.Errorf("the truth has no %q", want)
		}
	}
}

// Step by step the fleet says the same as block by block, but for the order of
// its parts.
func TestStepsSayTheSame(t *testing.T) {
	count := func(run func(g *generate.Generator, take func(generate.Block) error)) map[string]uint64 {
		g, err := generate.New(fleet(t, 2, 2, 8), generate.Plan{Faults: everything(), Batch: 1})
		if err != nil {
			t.Fatal(err)
		}
		sums := map[string]uint64{}
		take := func(b generate.Block) error {
			for _, a := range b.Actions {
				h := fnv.New64a()
				_, _ = h.Write(a.Message.Payload)
				sums[a.Ref.String()] = sums[a.Ref.String()]*31 + h.Sum64()
			}
			return nil
		}
		run(g, take)
		return sums
	}
	end := start().Add(12 * time.Hour)
	blocks := count(func(g *generate.Generator, take func(generate.Block) error) {
		if err := g.Run(t.Context(), end, take); err != nil {
			t.Fatal(err)
		}
	})
	steps := count(func(g *generate.Generator, take func(generate.Block) error) {
		for g.Now().Before(end) {
			_ = take(g.Step())
		}
	})
	if diff := cmp.Diff(blocks, steps); diff != "" {
		t.Error(diff)
	}
}

func TestRunEndsEarly(t *testing.T) {
	broken := errors.New("full")
	g, err := generate.New(fleet(t, 1, 3, 12), generate.Plan{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	n := 0
	err = g.Run(t.Context(), start().AddDate(1, 0, 0), func(generate.Block) error {
		if n++; n == 4 {
			return broken
		}
		return nil
	})
	if !errors.Is(err, broken) || n != 4 {
		t.Errorf("got %v after %d blocks", err, n)
	}
	g, err = generate.New(fleet(t, 1, 3, 12), generate.Plan{Batch: 1})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if err := g.Run(ctx, start().AddDate(1, 0, 0), func(generate.Block) error { cancel(); return nil }); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// BenchmarkCity generates a day of 50 stations and 3,000 batteries, every 15
// minutes, per iteration: as readings, and as messages written to nowhere.
func BenchmarkCity(b *testing.B) {
	for name, batch := range map[string]int{"out=readings": 0, "out=messages": 96} {
		b.Run(name, func(b *testing.B) {
			cfg := simulator.Demo(1, start())
			cfg.Owners, cfg.Sites, cfg.Stations, cfg.Slots, cfg.Batteries, cfg.Buildings, cfg.SwapsPerDay = 5, 25, 50, 20, 3000, 10, 45
			f, err := simulator.New(cfg)
			if err != nil {
				b.Fatal(err)
			}
			g, err := generate.New(f, generate.Plan{Batch: batch})
			if err != nil {
				b.Fatal(err)
			}
			lines := generate.NewLines(io.Discard)
			readings := 0
			take := func(block generate.Block) error {
				readings += block.Readings
				for _, a := range block.Actions {
					if err := lines.Write(a); err != nil {
						return err
					}
				}
				return nil
			}
			for b.Loop() {
				if err := g.Run(b.Context(), g.Now().AddDate(0, 0, 1), take); err != nil {
					b.Fatal(err)
				}
			}
			var m runtime.MemStats
			runtime.ReadMemStats(&m)
			b.ReportMetric(float64(readings)/b.Elapsed().Seconds(), "readings/s")
			b.ReportMetric(float64(m.Sys)/1e6, "MB")
		})
	}
}
