package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Devices of one process, each with a connection of its own, publish live every
// 10 seconds to a server beside it: what the ledger says was acknowledged and what
// the store has are the same. With FLEETWATT_STRESS these are the 10,000 of the
// scenario for so many seconds, which make bench-stress runs for a minute.
func TestStress(t *testing.T) {
	t.Parallel()
	seconds, fleet, size := 2, []string{"--stations", "10", "--batteries", "180", "--buildings", "10"}, 200
	if full, err := strconv.Atoi(os.Getenv("FLEETWATT_STRESS")); err == nil {
		seconds, fleet, size = full, nil, 10_000
	}
	s := serve(t)
	ledger := filepath.Join(t.TempDir(), "acknowledged")
	cmd := command(t, append([]string{"simulate", "--scenario", "stress", "--live", "--connections", "0",
		"--broker", "tcp://" + s.mqtt, "--ledger", ledger}, fleet...)...)
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill(); _ = cmd.Wait() })
	start := time.Now()
	s.eventually("two readings of each device", 5*time.Minute, func() bool { return s.accounting().Stored >= uint64(2*size) })
	connected := time.Since(start)
	before, began := s.accounting(), time.Now()
	<-time.After(time.Duration(seconds) * time.Second)
	after, took := s.accounting(), time.Since(began)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("simulate: %v\n%s", err, log.String())
	}
	want, refused := listed(t, ledger)
	known := map[string]bool{}
	got := map[string]bool{}
	for line := range want {
		ref, _, _ := strings.Cut(line, " ")
		if known[ref] {
			continue
		}
		known[ref] = true
		kind, id, _ := strings.Cut(ref, "/")
		now := time.Now()
		for _, ts := range s.stampsIn(devices.Ref{Kind: devices.Kind(kind), ID: id}, now.Add(-time.Hour), now.Add(time.Hour)) {
			got[fmt.Sprintf("%s %d", ref, ts)] = true
		}
	}
	missing := 0
	for line := range want {
		if !got[line] {
			missing++
		}
	}
	if missing > 0 || len(known) != size || refused > 0 {
		t.Errorf("%d acknowledged readings are missing of %d; %d devices, %d refused", missing, len(want), len(known), refused)
	}
	if extra := len(got) - len(want); extra > size {
		t.Errorf("the store has %d readings that were not acknowledged, want no more than one a device, cut off at the end", extra)
	}
	t.Logf("%d devices, all publishing after %s; %.0f readings/s for %s; %d acknowledged, %d of them missing, %d in the store beside them",
		len(known), connected.Round(time.Second), float64(after.Stored-before.Stored)/took.Seconds(), took.Round(time.Second),
		len(want), missing, len(got)-len(want))
	if diff := cmp.Diff(uint64(0), s.accounting().Quarantined); diff != "" {
		t.Errorf("quarantined: %s", diff)
	}
}
