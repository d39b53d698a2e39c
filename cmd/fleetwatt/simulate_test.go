package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Twice the same seed gives the same bytes, of messages and of truth.
func TestSimulateTwiceSameBytes(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	write := func(name, seed string) (messages, truth string) {
		out, truths := filepath.Join(dir, name), filepath.Join(dir, name+".csv")
		stdout, stderr, code := program(t, "simulate", "--scenario", "faulty", "--seed", seed, "--days", "3", "--out", out, "--truth", truths)
		if code != 0 || stdout != fmt.Sprintf("%d readings generated\n", 3*96*66) {
			t.Fatalf("got %q %q, exit code %d", stdout, stderr, code)
		}
		a, err := os.ReadFile(out)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(truths)
		if err != nil {
			t.Fatal(err)
		}
		return string(a), string(b)
	}
	messages, truth := write("a", "5")
	if m, tr := write("b", "5"); m != messages || tr != truth {
		t.Error("seed 5 gave two different files")
	}
	if m, tr := write("c", "6"); m == messages || tr == truth {
		t.Error("seeds 5 and 6 gave the same file")
	}
	for _, want := range []string{",fault.offline,", ",capacity_ah,", ",swaps,", ",saved_wh,"} {
		if !strings.Contains(truth, want) {
			t.Errorf("the truth has no %q", want)
		}
	}
}

func TestSimulateRefusesNonsense(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	if err := os.WriteFile(bad, []byte("name: x\nbateries: 3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		args []string
		want string
	}{
		{"unknown key", []string{"--scenario", bad, "--dry-run"}, "line 2: field bateries not found"},
		{"unknown scenario", []string{"--scenario", "nope", "--dry-run"}, "faulty"},
		{"no such file", []string{"--scenario", "./nope.yaml", "--dry-run"}, "nope.yaml"},
		{"nothing to do", []string{"--dry-run"}, "--days"},
		{"live into a file", []string{"--live", "--out", "x"}, "live"},
		{"slower than nothing", []string{"--days", "1", "--speed", "-1"}, "speed"},
		{"start", []string{"--days", "1", "--start", "yesterday", "--dry-run"}, "start"},
		{"too few slots", []string{"--days", "1", "--slots", "1", "--dry-run"}, "slots 1"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, stderr, code := program(t, append([]string{"simulate"}, c.args...)...)
			if code == 0 || !strings.Contains(stderr, c.want) {
				t.Errorf("got exit code %d and %q, want it to say %q", code, stderr, c.want)
			}
		})
	}
}

// A fleet with every fault publishes to a server that is killed again and again:
// the ledger of what was acknowledged and the store agree exactly.
func TestFaultyFleetAgainstAKilledServer(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ledger := filepath.Join(t.TempDir(), "acknowledged")
	cmd := command(t, "simulate", "--scenario", "faulty", "--seed", "3", "--start", "2026-02-01T00:00:00Z", "--days", "4",
		"--speed", "60000", "--broker", "tcp://"+s.mqtt, "--ledger", ledger)
	var log lockedBuffer
	cmd.Stdout, cmd.Stderr = &log, &log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- cmd.Wait() }()
	for round := range uint64(3) {
		s.eventually("readings", time.Minute, func() bool { return s.accounting().Received > 500*(round+1) })
		s.kill()
		s.start(30 * time.Second)
	}
	select {
	case err := <-done:
		if err != nil {
			t.Fatalf("simulate: %v\n%s", err, log.String())
		}
	case <-time.After(3 * time.Minute):
		_ = cmd.Process.Kill()
		t.Fatalf("simulate did not end: %s", log.String())
	}
	want, refused := listed(t, ledger)
	got := map[string]bool{}
	known := map[devices.Ref]bool{}
	for line := range want {
		ref, _, _ := strings.Cut(line, " ")
		kind, id, _ := strings.Cut(ref, "/")
		known[devices.Ref{Kind: devices.Kind(kind), ID: id}] = true
	}
	for ref := range known {
		for _, ts := range s.stampsIn(ref, date(2026, 1), date(2026, 4)) {
			got[fmt.Sprintf("%s %d", ref, ts)] = true
		}
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("ledger and store: %s", diff)
	}
	if len(known) != 66 || len(want) < 4*96*66*9/10 || refused == 0 {
		t.Errorf("the ledger has %d readings of %d devices, and %d refused", len(want), len(known), refused)
	}
	if t.Failed() {
		t.Logf("simulate: %s", log.String())
	}
	t.Logf("%d readings of %d devices agree, %d records were refused", len(want), len(known), refused)
}

// listed are the readings of a ledger, as "kind/id ts", and how many records
// were refused.
func listed(t *testing.T, path string) (readings map[string]bool, refused int) {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	readings = map[string]bool{}
	for line := range strings.Lines(string(b)) {
		switch f := strings.Fields(line); f[0] {
		case "reading":
			if _, err := strconv.ParseInt(f[2], 10, 64); err != nil {
				t.Fatal(err)
			}
			readings[f[1]+" "+f[2]] = true
		case "refused":
			refused++
		}
	}
	return readings, refused
}

func date(year int, month time.Month) time.Time {
	return time.Date(year, month, 1, 0, 0, 0, 0, time.UTC)
}

// stampsIn are the times of the readings of a device in the store, Unix ms.
func (s *server) stampsIn(ref devices.Ref, from, to time.Time) []int64 {
	s.t.Helper()
	var out []int64
	for at := from.UTC().Format(time.RFC3339); at != ""; {
		page := get[struct {
			Items []struct{ TS time.Time }
			Next  string
		}](s, "/api/v1/"+ref.Kind.Plural()+"/"+ref.ID+"/telemetry?limit=100000&to="+to.UTC().Format(time.RFC3339)+"&from="+at)
		for _, it := range page.Items {
			out = append(out, it.TS.UnixMilli())
		}
		at = page.Next
	}
	return out
}

// The file that credential create --from writes is good as it is.
func TestReadSecretsOfBulk(t *testing.T) {
	path := filepath.Join(t.TempDir(), "secrets.csv")
	b1 := devices.Ref{Kind: devices.KindBattery, ID: "b1"}
	for text, want := range map[string]map[devices.Ref][2]string{
		"device,username,secret\nbattery/b1,one,x\n": {b1: {"one", "x"}},
		"battery/b1,one,x\n":                         {b1: {"one", "x"}},
		"device,username,secret\n":                   {},
		"":                                           {},
		"battery/b1,one,x\ndevice,username,secret\n": nil,
		"device,name,secret\nbattery/b1,one,x\n":     nil,
	} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		s := simulation{secrets: path}
		err := s.readSecrets()
		if (err == nil) != (want != nil) || err == nil && !cmp.Equal(want, s.signIn) {
			t.Errorf("%q: got %v, %v, want %v", text, s.signIn, err, want)
		}
	}
}

// Many connections that find the same say it once.
func TestSimulateWithoutBroker(t *testing.T) {
	t.Parallel()
	_, errs, code := program(t, "simulate", "--days", "1", "--connections", "16", "--broker", "tcp://127.0.0.1:1")
	if n := strings.Count(errs, "refused"); code != 1 || n != 1 {
		t.Errorf("got exit code %d and %d times the same:\n%s", code, n, errs)
	}
}
