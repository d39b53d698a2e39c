package publish_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"maps"
	"math/rand/v2"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func battery(id string) devices.Ref { return devices.Ref{Kind: devices.KindBattery, ID: id} }

// someReadings are n readings of a device, a second apart.
func someReadings(t *testing.T, ref devices.Ref, n int) []telemetry.Reading {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	field := schema.Field(ref.Kind, "voltage_v")
	out := make([]telemetry.Reading, n)
	for i := range out {
		out[i] = telemetry.Reading{
			Kind: ref.Kind, Device: ref.ID, TS: start.UnixMilli() + int64(i)*1000,
			Values: []telemetry.Value{{Field: field, Num: float64(i % 1000)}},
		}
	}
	return out
}

func newFleet(t *testing.T, addr string, change func(*publish.Options)) *publish.Fleet {
	t.Helper()
	o := publish.Options{Broker: "tcp://" + addr, MaxBackoff: 200 * time.Millisecond}
	if change != nil {
		change(&o)
	}
	f, err := publish.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return f
}

func flush(t *testing.T, f *publish.Fleet) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := f.Flush(ctx); err != nil {
		t.Fatalf("flush: %v; %+v", err, f.Stats())
	}
}

// ledgerLines reads a ledger, with times as the broker's record writes them.
func ledgerLines(t *testing.T, ledger string) map[string]int {
	t.Helper()
	lines := map[string]int{}
	for line := range strings.Lines(ledger) {
		f := strings.Fields(line)
		if len(f) != 3 {
			t.Fatalf("ledger line %q", line)
		}
		if f[0] == "reading" {
			ms, err := strconv.ParseInt(f[2], 10, 64)
			if err != nil {
				t.Fatal(err)
			}
			f[2] = time.UnixMilli(ms).UTC().Format(time.RFC3339Nano)
		}
		lines[strings.Join(f, " ")]++
	}
	return lines
}

func TestOptionsAreChecked(t *testing.T) {
	_, err := publish.New(publish.Options{Broker: "nowhere", Connections: -1, MaxBytes: 1, MaxInflight: -1, KeepAlive: time.Millisecond, MaxBackoff: -1})
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"broker", "connections", "max bytes", "max inflight", "keep alive", "max backoff"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to name %q", err, want)
		}
	}
}

func TestPublishPacksReadings(t *testing.T) {
	for _, c := range []struct {
		name        string
		readings    int
		connections int
		messages    int64
		largest     int
	}{
		{"one is an object", 1, 0, 1, 1},
		{"an array", 500, 0, 1, 500},
		{"one more than an array", 501, 0, 2, 500},
		{"many over a shared connection", 1234, 2, 3, 500},
		{"none", 0, 0, 0, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := startBroker(t)
			f := newFleet(t, b.addr, func(o *publish.Options) { o.Connections = c.connections })
			ref := battery("B1")
			if err := f.Publish(t.Context(), ref, someReadings(t, ref, c.readings)); err != nil {
				t.Fatal(err)
			}
			flush(t, f)
			n := int64(c.readings)
			want := publish.Stats{Published: c.messages, Acked: c.messages, Readings: n, ReadingsAcked: n}
			if diff := cmp.Diff(want, f.Stats()); diff != "" {
				t.Error(diff)
			}
			if err := f.Close(); err != nil {
				t.Error(err)
			}
			b.checkFaults(t)
			if b.largest != c.largest || len(b.readings) != c.readings {
				t.Errorf("got %d readings, up to %d a message; want %d and %d", len(b.readings), b.largest, c.readings, c.largest)
			}
		})
	}
}

// Connections that break after any number of bytes cost doubled messages, never
// a lost one, and what counts as acknowledged was.
func TestNothingIsLostWhenConnectionsBreak(t *testing.T) {
	for _, connections := range []int{0, 2} {
		t.Run(fmt.Sprintf("connections=%d", connections), func(t *testing.T) {
			b := startBroker(t)
			p := startProxy(t, b.addr)
			rng := rand.New(rand.NewPCG(1, uint64(connections)))
			cuts := make([]int, 30)
			for i := range cuts {
				cuts[i] = rng.IntN(60_000)
			}
			p.set(false, cuts...)
			var ledger bytes.Buffer
			f := newFleet(t, p.addr, func(o *publish.Options) {
				o.Connections, o.Ledger, o.MaxInflight, o.MaxBackoff = connections, &ledger, 4, 20*time.Millisecond
			})
			const perDevice = 20_000
			want := map[string]int{}
			backlog := f.Backlog()
			refs := []devices.Ref{battery("B1"), battery("B2"), battery("B3")}
			sent := map[devices.Ref][]telemetry.Reading{}
			for _, ref := range refs {
				sent[ref] = someReadings(t, ref, perDevice)
			}
			for i := range perDevice {
				for _, ref := range refs {
					r := sent[ref][i]
					want[readingLine(&r)] = 1
					if err := backlog.Reading(t.Context(), r); err != nil {
						t.Fatal(err)
					}
				}
			}
			if err := backlog.Send(t.Context()); err != nil {
				t.Fatal(err)
			}
			flush(t, f)
			got := f.Stats()
			t.Logf("%+v", got)
			if got.Lost == 0 || got.Resent == 0 {
				t.Error("no connection broke with messages on their way: the test shows nothing")
			}
			if n := int64(len(want)); got.ReadingsAcked != n || got.Readings != n || got.Acked != got.Published {
				t.Errorf("got %+v want %d readings", got, n)
			}
			if got := ledgerLines(t, ledger.String()); !maps.Equal(got, want) {
				t.Errorf("the ledger has %d lines that differ from the %d sent", len(got), len(want))
			}
			b.checkFaults(t)
			b.mu.Lock()
			defer b.mu.Unlock()
			for line := range want {
				if b.readings[line] == 0 {
					t.Fatalf("the broker never had %s", line)
				}
			}
		})
	}
}

// A broker that takes messages and acknowledges none: nothing may count, also
// not after the connection is made anew, and memory stays bounded.
func TestUnacknowledgedDoesNotCount(t *testing.T) {
	b := startBroker(t)
	p := startProxy(t, b.addr)
	p.set(true)
	const inflight = 3
	f := newFleet(t, p.addr, func(o *publish.Options) { o.Connections, o.MaxInflight = 1, inflight })
	ref := battery("B1")
	readings := someReadings(t, ref, 100)

	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	blocked := make(chan int, 1)
	go func() {
		n := 0
		for i := range readings {
			if f.Publish(ctx, ref, readings[i:i+1]) != nil {
				break
			}
			n++
		}
		blocked <- n
	}()
	topic := "fleet/v1/battery/B1/telemetry"
	arrived := func() int {
		b.mu.Lock()
		defer b.mu.Unlock()
		return b.payloads[topic]
	}
	eventually(t, "all that may be in flight arrives", func() bool { return arrived() == inflight })
	eventually(t, "the queue fills", func() bool { return f.Stats().Published >= 2*inflight })
	p.cut()
	eventually(t, "it arrives again", func() bool { return arrived() == 2*inflight })
	if got := f.Stats(); got.Acked != 0 || got.ReadingsAcked != 0 || got.Lost != 1 {
		t.Errorf("got %+v, want nothing acknowledged and one lost connection", got)
	}
	short, stop := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer stop()
	if err := f.Flush(short); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("flush: got %v want a deadline", err)
	}
	p.set(false)
	p.cut()
	if n := <-blocked; n != len(readings) {
		t.Errorf("published %d of %d", n, len(readings))
	}
	flush(t, f)
	if got := f.Stats(); got.ReadingsAcked != 100 {
		t.Errorf("got %+v want 100 readings acknowledged", got)
	}
}

func TestStatusAndLastWill(t *testing.T) {
	b := startBroker(t)
	p := startProxy(t, b.addr)
	f := newFleet(t, p.addr, nil)
	ref := battery("B1")
	if err := f.Connect(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	status := func() []string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return append([]string(nil), b.status["fleet/v1/battery/B1/status"]...)
	}
	eventually(t, "online", func() bool { return len(status()) == 1 })
	p.cut()
	eventually(t, "the will, and online again", func() bool { return len(status()) >= 3 })
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "offline", func() bool { s := status(); return s[len(s)-1] == "offline" })
	got := status()
	want := []string{"online", "offline", "online", "offline"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestCredentials(t *testing.T) {
	b := startBroker(t)
	f := newFleet(t, b.addr, func(o *publish.Options) {
		o.Credentials = func(ref devices.Ref) (string, string) {
			if ref.ID == "B2" {
				return "nobody", "x"
			}
			return ref.String(), "secret"
		}
	})
	if err := f.Connect(t.Context(), battery("B1")); err != nil {
		t.Errorf("B1: %v", err)
	}
	if err := f.Connect(t.Context(), battery("B1"), battery("B2")); err == nil {
		t.Error("B2 may not connect, got no error")
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.users["battery/B1"] || !b.users["nobody"] {
		t.Errorf("users %v", b.users)
	}
}

func TestCloseGivesUpAndSaysSo(t *testing.T) {
	b := startBroker(t)
	p := startProxy(t, b.addr)
	p.set(true)
	f := newFleet(t, p.addr, nil)
	ref := battery("B1")
	if err := f.Publish(t.Context(), ref, someReadings(t, ref, 1)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err == nil || !strings.Contains(err.Error(), "1 messages") {
		t.Errorf("got %v, want it to tell of one message", err)
	}
	if err := f.Close(); err != nil {
		t.Errorf("closing again: %v", err)
	}
	if err := f.Publish(t.Context(), ref, someReadings(t, ref, 1)); !errors.Is(err, publish.ErrClosed) {
		t.Errorf("publish after close: got %v", err)
	}
	if err := f.Flush(t.Context()); !errors.Is(err, publish.ErrClosed) {
		t.Errorf("flush after close: got %v", err)
	}
}

// The demo's fleet over a day as a backlog, then some live seconds: what the
// simulation said is what the broker has.
func TestSimulationArrivesWhole(t *testing.T) {
	b := startBroker(t)
	sim, err := simulator.New(simulator.Demo(1, start))
	if err != nil {
		t.Fatal(err)
	}
	calls := 0
	f := newFleet(t, b.addr, func(o *publish.Options) {
		o.Connections = 2
		o.Progress = func(publish.Stats) { calls++ }
	})
	if err := f.Backfill(t.Context(), sim, start.Add(24*time.Hour)); err != nil {
		t.Fatal(err)
	}
	const devicesInDemo = 66
	if got := f.Stats(); got.ReadingsAcked != 96*devicesInDemo || got.EventsAcked == 0 || got.EventsAcked != got.Events {
		t.Errorf("backlog: got %+v", got)
	}
	if err := sim.SetStep(time.Second); err != nil {
		t.Fatal(err)
	}
	ticks := make(chan time.Time, 3)
	for i := range 3 {
		ticks <- start.Add(24*time.Hour + time.Duration(i+1)*time.Second)
	}
	close(ticks)
	if err := f.Live(t.Context(), sim, ticks); err != nil {
		t.Fatal(err)
	}
	flush(t, f)
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	b.checkFaults(t)
	got := f.Stats()
	if want := int64((96 + 3) * devicesInDemo); got.ReadingsAcked != want || int64(len(b.readings)) != want {
		t.Errorf("acknowledged %d, at the broker %d, want %d", got.ReadingsAcked, len(b.readings), want)
	}
	if int64(len(b.events)) != got.EventsAcked {
		t.Errorf("acknowledged %d events, at the broker %d", got.EventsAcked, len(b.events))
	}
	if calls == 0 {
		t.Error("progress was never told")
	}
}
