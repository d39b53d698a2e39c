//go:build linux || darwin

package duckdb

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"syscall"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const crashBatch = 100

// crashReading is the i-th reading of batch n. Every third batch comes late,
// and half of each fourth rewrites the batch before.
func crashReading(s *Store, n, i int) telemetry.Reading {
	ts := t0 + int64(n)*1000
	switch {
	case n%3 == 2:
		ts -= telemetry.Day
	case n%4 == 3 && i%2 == 0:
		ts -= 1000
	}
	return reading(s.schema, fmt.Sprint("d", i), ts, map[string]any{"cycles": float64(n), "state": "running"})
}

// childAppends appends batches until it is killed, from the one after the last
// stored, and says the number of each once it is acknowledged.
func childAppends(dir string) error {
	s, err := openChild(dir)
	if err != nil {
		return err
	}
	stats, err := s.Stats(context.Background())
	if err != nil {
		return err
	}
	var rows int64
	for _, n := range stats.Rows {
		rows += n
	}
	for n := int(rows/crashBatch) * 2; ; n++ {
		batch := make([]telemetry.Reading, crashBatch)
		for i := range batch {
			batch[i] = crashReading(s, n, i)
		}
		if _, err := s.Append(context.Background(), batch); err != nil {
			return err
		}
		fmt.Println(n)
	}
}

// TestKill kills a process that appends, at a random moment, and finds every
// reading that was acknowledged before, round after round in one directory.
func TestKill(t *testing.T) {
	const rounds = 5
	dir := t.TempDir()
	var acknowledged []int
	for round := range rounds {
		acknowledged = append(acknowledged, killRound(t, dir, 20+rand.IntN(150))...)
		s := open(t, dir, standard(t))
		got := contentOf(t, s)
		for _, n := range acknowledged {
			for i := range crashBatch {
				r := crashReading(s, n, i)
				have := got[key{r.Device, r.TS}]
				if have["state"] != "running" || have["cycles"] == nil || have["cycles"].(float64) < float64(n) {
					t.Fatalf("round %d: acknowledged batch %d: got %v for %s at %d", round, n, have, r.Device, r.TS)
				}
			}
		}
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
	}
}

// killRound lets a child append, kills it without waiting for anything once it
// acknowledged n batches, and returns the numbers of all that it acknowledged.
func killRound(t *testing.T, dir string, n int) []int {
	t.Helper()
	cmd := child(t, "append", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	var numbers []int
	for lines := bufio.NewScanner(out); lines.Scan(); {
		number, err := strconv.Atoi(lines.Text())
		if err != nil {
			t.Fatalf("child said %q", lines.Text())
		}
		if numbers = append(numbers, number); len(numbers) == n {
			if err := cmd.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.Sys().(syscall.WaitStatus).Signal() != syscall.SIGKILL {
		t.Fatalf("child ended by itself: %v", err)
	}
	return numbers
}

// TestFull runs out of space and gets it back.
func TestFull(t *testing.T) {
	out, err := child(t, "full", t.TempDir()).CombinedOutput()
	if err != nil {
		t.Errorf("child: %v\n%s", err, out)
	}
}

// childRunsFull bounds the size of its files, which for the store is a full
// disk, until an append fails; lifts the bound; and looks that the store works
// again and has just what was acknowledged.
func childRunsFull(dir string, maxBytes uint64, rows int) error {
	s, err := openChild(dir)
	if err != nil {
		return err
	}
	signal.Ignore(syscall.SIGXFSZ)
	var before, bound syscall.Rlimit
	if err := syscall.Getrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	bound = before
	bound.Cur = maxBytes
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &bound); err != nil {
		return err
	}
	ctx := context.Background()
	batch := func(n int) []telemetry.Reading {
		out := make([]telemetry.Reading, rows)
		for i := range out {
			out[i] = reading(s.schema, "d", t0+int64(n*len(out)+i), map[string]any{"soc_pct": rand.Float64(), "voltage_v": rand.Float64()})
		}
		return out
	}
	n, stored := 0, 0
	for ; err == nil; n++ {
		var done telemetry.Appended
		done, err = s.Append(ctx, batch(n))
		stored += done.New
		if n == 1000 {
			return errors.New("the disk does not get full")
		}
	}
	for range 3 { // at first it must fail; opened anew, the log may hold some more
		if err != nil && !errors.Is(err, telemetry.ErrUnavailable) {
			return fmt.Errorf("append on a full disk: got error %w, want %w", err, telemetry.ErrUnavailable)
		}
		if stats, err := s.Stats(ctx); err == nil && stats.Rows["battery"] < int64(stored) {
			return fmt.Errorf("on a full disk: read %v rows of %d acknowledged", stats.Rows, stored)
		}
		_, err = s.Append(ctx, batch(n-1))
	}
	if err := syscall.Setrlimit(syscall.RLIMIT_FSIZE, &before); err != nil {
		return err
	}
	done, err := s.Append(ctx, batch(n-1))
	if err != nil {
		return fmt.Errorf("append when there is space again: %w", err)
	}
	if err := s.Close(); err != nil {
		return err
	}
	if s, err = openChild(dir); err != nil {
		return err
	}
	defer s.Close()
	stats, err := s.Stats(ctx)
	if err != nil {
		return err
	}
	if got := stats.Rows["battery"]; got != int64(n*rows) || done.New+done.Merged != rows {
		return fmt.Errorf("got %d rows after %d acknowledged and %+v, want %d", got, stored, done, n*rows)
	}
	return nil
}
