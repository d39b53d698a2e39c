package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/cmd/internal/process"
)

// row is a line of the table: one stack under one load.
type row struct {
	stack    string
	load     string
	rate     float64 // readings a second: acknowledged and stored
	messages int
	readings int
	cpu      time.Duration // of all servers
	own      time.Duration // of fleetwatt or Telegraf alone
	p50, p99 time.Duration // of an acknowledgement
	atRest   int64         // bytes of memory, all servers, before the load
	resident int64         // the highest seen under it
	disk     float64       // bytes for a reading, after the servers have ended
}

// measureAll runs every load on every stack, in rounds, so that a change in the
// machine's mood meets all stacks alike.
func measureAll(ctx context.Context, s settings) ([]row, error) {
	root, err := os.MkdirTemp("", "bench-ingest-")
	if err != nil {
		return nil, err
	}
	if s.Keep {
		fmt.Println("kept in", root)
	} else {
		defer func() { _ = os.RemoveAll(root) }()
	}
	var rows []row
	for round := range s.Rounds {
		for _, name := range s.Stacks {
			for _, l := range loadsOf(name, s.Load) {
				if !slices.Contains(s.Loads, l.name) {
					continue
				}
				dir := filepath.Join(root, fmt.Sprintf("%d-%s-%s", round, name, l.name))
				r, err := measure(ctx, s, name, l, dir)
				if err != nil {
					return rows, fmt.Errorf("%s, %s: %w", name, l.name, err)
				}
				rows = append(rows, r)
				fmt.Fprintf(os.Stderr, "round %d: %s, %s: %.0f readings/s\n", round+1, name, l.name, r.rate)
				if !s.Keep {
					_ = os.RemoveAll(dir)
				}
			}
		}
	}
	return rows, nil
}

// The loads. All stacks get the full one, the embedded one all.
const (
	loadFull   = "full"
	loadCalm   = "calm"
	loadArrays = "arrays"
	loadIdle   = "idle"
)

func allLoads() []string { return []string{loadFull, loadCalm, loadArrays, loadIdle} }

// idleConnections are open beside the full load in loadIdle.
const idleConnections = 10_000

// kind is a load by name.
type kind struct {
	name string
	load
	idle int // connections that say nothing
}

func loadsOf(stack string, full load) []kind {
	kinds := []kind{{name: loadFull, load: full}}
	if stack == stackEmbedded {
		calm := full
		calm.Rate = 1000
		arrays := full
		arrays.Records, arrays.Unacked = 1000, 4
		kinds = append(kinds, kind{name: loadCalm, load: calm}, kind{name: loadArrays, load: arrays},
			kind{name: loadIdle, load: full, idle: idleConnections})
	}
	return kinds
}

func measure(ctx context.Context, s settings, name string, l kind, dir string) (r row, err error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return r, err
	}
	st, err := open(ctx, s, name, dir)
	if err != nil {
		return r, err
	}
	stopped := false
	defer func() {
		if !stopped {
			st.stop()
		}
	}()
	idle, err := gather(ctx, st.addr, l.idle)
	defer func() { err = errors.Join(err, idle.leave()) }()
	if err != nil {
		return r, err
	}
	if r.atRest, err = st.resident(); err != nil {
		return r, err
	}
	limit, d := 0, s.Duration
	if st.stored != nil {
		limit, d = s.Messages, 0
	}
	begin := time.Now().Add(-6 * time.Hour).UnixMilli()
	before, err := st.times()
	if err != nil {
		return r, err
	}
	memory := process.Peak(st.resident)
	out, err := l.drive(ctx, st.addr, begin, limit, d)
	if err != nil {
		return r, errors.Join(err, ctx.Err())
	}
	took, err := st.settled(ctx, out, l.Records)
	if err != nil {
		return r, err
	}
	after, err := st.times()
	if err != nil {
		return r, err
	}
	r.stack, r.load, r.messages, r.readings = name, l.name, out.acked, out.acked*l.Records
	r.p50, r.p99, r.resident = out.quantile(0.5), out.quantile(0.99), memory()
	r.rate = float64(r.readings) / took.Seconds()
	for i, p := range st.procs {
		r.cpu += after[i] - before[i]
		if p.Name == "fleetwatt" || p.Name == "telegraf" {
			r.own = after[i] - before[i]
		}
	}
	st.stop()
	stopped = true
	if st.keeps {
		size, err := st.size()
		if err != nil {
			return r, err
		}
		r.disk = float64(size) / float64(r.readings)
	}
	return r, nil
}

func (s *stack) times() ([]time.Duration, error) {
	var times []time.Duration
	for _, p := range s.procs {
		t, err := p.CPU()
		if err != nil {
			return nil, err
		}
		times = append(times, t)
	}
	return times, nil
}

// settled waits until everything acknowledged can be queried, and returns the
// time since the first publish.
func (s *stack) settled(ctx context.Context, out *outcome, records int) (time.Duration, error) {
	if s.stored == nil {
		return out.took, nil
	}
	want, last, progress := int64(out.acked*records), int64(-1), time.Now()
	for {
		n, err := s.stored(ctx)
		if err != nil {
			return 0, err
		}
		if n >= want {
			return time.Since(out.began), nil
		}
		if n > last {
			last, progress = n, time.Now()
		}
		if time.Since(progress) > time.Minute {
			return 0, fmt.Errorf("%d of %d readings are stored, and no more come", n, want)
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return 0, ctx.Err()
		}
	}
}

// resident is the memory of all servers in bytes.
func (s *stack) resident() (int64, error) {
	var sum int64
	for _, p := range s.procs {
		n, err := p.Resident()
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// size is what the stores hold on disk, in bytes.
func (s *stack) size() (int64, error) {
	var sum int64
	for _, sub := range []string{"data", "tsm", "wal"} {
		dir := filepath.Join(s.dir, sub)
		if _, err := os.Stat(dir); err != nil {
			continue
		}
		n, err := bytesBelow(dir)
		if err != nil {
			return 0, err
		}
		sum += n
	}
	return sum, nil
}

// bytesBelow is the size of all files in dir.
func bytesBelow(dir string) (int64, error) {
	var sum int64
	err := filepath.WalkDir(dir, func(_ string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		info, err := d.Info()
		if errors.Is(err, fs.ErrNotExist) {
			return nil // gone since it was listed
		}
		sum += info.Size()
		return err
	})
	return sum, err
}
