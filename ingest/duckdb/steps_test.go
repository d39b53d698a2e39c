//go:build linux || darwin

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// TestKilledAtEachStep kills a process at each step of a compaction, the first
// and a later time it comes to it, and finds everything in the store that it
// leaves, and nothing that does not belong there.
func TestKilledAtEachStep(t *testing.T) {
	for _, step := range compactionStepNames {
		for _, pass := range []string{"1", "2"} {
			t.Run(step+" "+pass, func(t *testing.T) {
				t.Parallel()
				dir := t.TempDir()
				cmd := child(t, "killed at a step", dir)
				cmd.Env = append(cmd.Env, childStep+"="+step, childTime+"="+pass)
				out, err := cmd.CombinedOutput()
				var exit *exec.ExitError
				if !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
					t.Fatalf("child: %v, want it killed\n%s", err, out)
				}
				schema := standard(t)
				whole := openWith(t, t.TempDir(), schema, Options{})
				fillForSteps(t, whole)
				want := readEverything(t, whole)
				s := openWith(t, dir, schema, Options{})
				if d := diffEverything(want, readEverything(t, s)); d != "" {
					t.Errorf("(-want +got):\n%s", d)
				}
				stats, err := s.Stats(t.Context())
				if files := partFiles(t, dir); err != nil || len(files) != stats.Parts {
					t.Errorf("got files %v and %+v, error %v", files, stats, err)
				}
				mustCompact(t, s)
				if d := diffEverything(want, readEverything(t, s)); d != "" {
					t.Errorf("compacted again (-want +got):\n%s", d)
				}
			})
		}
	}
}

const (
	childStep = "FLEETWATT_DUCKDB_TEST_STEP"
	childTime = "FLEETWATT_DUCKDB_TEST_TIME"
)

// childDiesAtStep fills the store as fillForSteps does and compacts it until it
// is at the step that the environment names.
func childDiesAtStep(dir string) error {
	schema, err := devices.NewSchema()
	if err != nil {
		return err
	}
	armed, times := false, 0
	s, err := Open(context.Background(), dir, schema, Options{CompactEvery: time.Hour, tile: 10, fault: func(at string) error {
		if armed && at == os.Getenv(childStep) {
			if times++; fmt.Sprint(times) == os.Getenv(childTime) {
				if err := syscall.Kill(os.Getpid(), syscall.SIGKILL); err != nil {
					return err
				}
				select {}
			}
		}
		return nil
	}})
	if err != nil {
		return err
	}
	if err := fillStore(s); err != nil {
		return err
	}
	armed = true
	for range 2 {
		if err := s.Compact(context.Background()); err != nil {
			return err
		}
	}
	return errors.New("the step did not come")
}

// TestFullDuringCompaction lets the files of a compaction find no space.
func TestFullDuringCompaction(t *testing.T) {
	out, err := child(t, "full compaction", t.TempDir()).CombinedOutput()
	if err != nil {
		t.Errorf("child: %v\n%s", err, out)
	}
}

func childCompactsFull(dir string) error {
	s, err := openChild(dir)
	if err != nil {
		return err
	}
	defer s.Close()
	if err := fillStore(s); err != nil {
		return err
	}
	ctx := context.Background()
	before, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var free syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	// The manifest needs a little, a part more.
	err = s.use(ctx, func(ctx context.Context, e *engine) error {
		if err := s.exclusively(ctx, e, func() error { return e.freeze(devices.KindBattery) }); err != nil {
			return err
		}
		if _, err := execute(ctx, e.writer, "CHECKPOINT"); err != nil {
			return err
		}
		return syscall.Setrlimit(syscall.RLIMIT_FSIZE, &syscall.Rlimit{Cur: 700, Max: free.Max})
	})
	if err != nil {
		return err
	}
	err = s.compact(ctx, false)
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &free); err != nil {
		return err
	}
	if err == nil || !strings.Contains(err.Error(), ".parquet") {
		return fmt.Errorf("compaction on a full disk: got error %w, want one that names a part", err)
	}
	for range 2 {
		after, err := s.Stats(ctx)
		if err != nil {
			return fmt.Errorf("the store broke: %w", err)
		}
		if after.Rows[devices.KindBattery] != before.Rows[devices.KindBattery] {
			return fmt.Errorf("got %v rows, want %v", after.Rows, before.Rows)
		}
		if err := s.Compact(ctx); err != nil {
			return fmt.Errorf("compaction when there is space again: %w", err)
		}
	}
	return nil
}
