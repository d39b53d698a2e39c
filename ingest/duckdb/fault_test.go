package duckdb

import (
	"context"
	"errors"
	"fmt"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

var errInjected = errors.New("injected")

// TestFailedSteps lets each step of a compaction fail, finds everything there,
// and has the next compaction go through.
func TestFailedSteps(t *testing.T) {
	for _, step := range compactionStepNames {
		t.Run(step, func(t *testing.T) {
			t.Parallel()
			schema, dir := standard(t), t.TempDir()
			armed := false
			s := openWith(t, dir, schema, Options{fault: func(at string) error {
				if armed && at == step {
					armed = false
					return errInjected
				}
				return nil
			}})
			fillForSteps(t, s)
			want := readEverything(t, s)
			armed = true
			if err := s.Compact(t.Context()); !errors.Is(err, errInjected) {
				t.Fatalf("got error %v, want %v", err, errInjected)
			}
			stats, err := s.Stats(t.Context())
			if err != nil || stats.Compaction.Failed == 0 {
				t.Errorf("got %+v, error %v, want the failure counted", stats.Compaction, err)
			}
			if d := diffEverything(want, readEverything(t, s)); d != "" {
				t.Errorf("after the failure (-want +got):\n%s", d)
			}
			if files := partFiles(t, dir); step != "unlink" && step != "merged" && len(files) > stats.Parts {
				t.Errorf("after the failure there are %d files of %d parts", len(files), stats.Parts)
			}
			mustCompact(t, s)
			if d := diffEverything(want, readEverything(t, s)); d != "" {
				t.Errorf("after the next compaction (-want +got):\n%s", d)
			}
			if err := s.Close(); err != nil {
				t.Fatal(err)
			}
			s = openWith(t, dir, schema, Options{})
			if d := diffEverything(want, readEverything(t, s)); d != "" {
				t.Errorf("opened again (-want +got):\n%s", d)
			}
			stats, err = s.Stats(t.Context())
			if files := partFiles(t, dir); err != nil || len(files) != stats.Parts {
				t.Errorf("got files %v and %+v, error %v", files, stats, err)
			}
		})
	}
}

// compactionStepNames are the steps at which the package calls a fault; all
// but expired are passed on the way of fillForSteps and a Compact.
var compactionStepNames = []string{
	"freeze", "frozen", "copy", "sync", "rename", "written", "commit", "trim", "sealed", "merged", "unlink",
}

// fillForSteps leaves sealed parts, and hot rows of the same days, some of
// which override.
func fillForSteps(t testing.TB, s *Store) {
	t.Helper()
	if err := fillStore(s); err != nil {
		t.Fatal(err)
	}
}

func fillStore(s *Store) error {
	for i := range 3 {
		var batch []telemetry.Reading
		for k := range 20 {
			values := map[string]any{"soc_pct": float64(i * k), "current_a": float64(k)}
			batch = append(batch, reading(s.schema, fmt.Sprint("d", k%3), t0+int64(k*(i+1))*telemetry.Hour, values))
		}
		// A second kind, so that each step comes more than once.
		batch = append(batch, telemetry.Reading{Kind: devices.KindStation, Device: "s", TS: t0 + int64(i), Values: []telemetry.Value{
			{Field: s.schema.Field(devices.KindStation, "power_w"), Num: 1},
		}})
		if _, err := s.Append(context.Background(), batch); err != nil {
			return err
		}
		if i == 0 {
			if err := s.Compact(context.Background()); err != nil {
				return err
			}
		}
	}
	return nil
}
