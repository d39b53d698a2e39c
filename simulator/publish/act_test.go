package publish_test

import (
	"bytes"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
	"github.com/fleetwatt/fleetwatt/simulator/generate"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

// everyFault is what a fleet of a few days can't escape.
func everyFault() faults.Config {
	return faults.Config{
		Offline:          faults.Spell{PerYear: 200, Hours: 6},
		ReconnectStorms:  faults.Storm{PerYear: 300, Share: 0.5},
		WrongCredentials: faults.Rate{PerYear: 100},
		Doubled:          faults.Share{Share: 0.1}, Shuffled: faults.Share{Share: 0.1}, Malformed: faults.Share{Share: 0.1},
		Missing: faults.Share{Share: 0.05}, Spike: faults.Spike{Share: 0.01, Factor: 100},
		ClockOffset: faults.Offset{Devices: 0.5, Seconds: 60}, CounterReset: faults.Rate{PerYear: 100},
	}
}

// With everything going wrong the ledger still says exactly what the broker
// has, with a connection for each device and with shared ones.
func TestLedgerOfAFaultyFleet(t *testing.T) {
	for name, connections := range map[string]int{"direct": 0, "gateway": 2} {
		t.Run(name, func(t *testing.T) {
			b := startBroker(t)
			b.secret = "right"
			var ledger bytes.Buffer
			p := newFleet(t, b.addr, func(o *publish.Options) {
				o.Ledger, o.Connections = &ledger, connections
				o.Credentials = func(ref devices.Ref) (string, string) { return "u" + ref.ID, "right" }
			})
			cfg := simulator.Demo(4, start)
			cfg.Owners, cfg.Sites, cfg.Stations, cfg.Batteries, cfg.Buildings = 1, 1, 1, 8, 1
			f, err := simulator.New(cfg)
			if err != nil {
				t.Fatal(err)
			}
			g, err := generate.New(f, generate.Plan{Faults: everyFault(), Seed: 4, Batch: 8})
			if err != nil {
				t.Fatal(err)
			}
			acts := map[faults.Act]int{}
			take := func(block generate.Block) error {
				for _, a := range block.Actions {
					acts[a.Act]++
					if err := p.Do(t.Context(), a); err != nil {
						return err
					}
				}
				return nil
			}
			if err := g.Run(t.Context(), start.AddDate(0, 0, 8), take); err != nil {
				t.Fatal(err)
			}
			if err := take(g.Flush()); err != nil {
				t.Fatal(err)
			}
			flush(t, p)
			compareLedger(t, b, ledger.String())
			s := p.Stats()
			if acts[faults.Cut] == 0 || s.Lost == 0 || acts[faults.Intrude] == 0 || s.SignInRefused != int64(acts[faults.Intrude]) || s.SignInLetIn != 0 {
				t.Errorf("acts %v, stats %+v", acts, s)
			}
		})
	}
}

func compareLedger(t *testing.T, b *broker, ledger string) {
	t.Helper()
	refused := strings.Count(ledger, "refused ")
	listed := normal(t, ledger)
	b.mu.Lock()
	defer b.mu.Unlock()
	has := map[string]bool{}
	for line := range b.readings {
		has[line] = true
	}
	for line := range b.events {
		has[line] = true
	}
	if diff := cmp.Diff(listed, has); diff != "" {
		t.Errorf("ledger and broker: %s", diff)
	}
	// What was sent again after a lost connection was refused again.
	if refused == 0 || len(b.faults) < refused {
		t.Errorf("the ledger has %d refused records, the broker refused %d", refused, len(b.faults))
	}
	if len(listed) < 8*96*8 {
		t.Errorf("only %d records in the ledger", len(listed))
	}
}

// normal are the readings and events of a ledger as the broker records them.
func normal(t *testing.T, ledger string) map[string]bool {
	t.Helper()
	var sound strings.Builder
	for line := range strings.Lines(ledger) {
		if !strings.HasPrefix(line, "refused ") {
			sound.WriteString(line)
		}
	}
	out := map[string]bool{}
	for line := range ledgerLines(t, sound.String()) {
		out[line] = true
	}
	return out
}

// A connection that is cut says nothing: the broker publishes the last will,
// and the device comes back.
func TestCutLeavesTheLastWill(t *testing.T) {
	b := startBroker(t)
	p := newFleet(t, b.addr, nil)
	ref := battery("b1")
	if err := p.Connect(t.Context(), ref); err != nil {
		t.Fatal(err)
	}
	topic := wire.Topic{Device: ref, Channel: wire.Status}.String()
	status := func() []string {
		b.mu.Lock()
		defer b.mu.Unlock()
		return slices.Clone(b.status[topic])
	}
	eventually(t, "the device is online", func() bool { return len(status()) == 1 })
	if err := p.Do(t.Context(), faults.Action{Act: faults.Cut, Ref: ref}); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the last will and the return", func() bool { return len(status()) >= 3 })
	if got := status(); !slices.Contains(got[1:], "offline") {
		t.Errorf("got %v", got)
	}
	if err := p.Publish(t.Context(), ref, someReadings(t, ref, 3)); err != nil {
		t.Fatal(err)
	}
	flush(t, p)
	// Nobody is there whose connection could be cut.
	if err := p.Do(t.Context(), faults.Action{Act: faults.Cut, Ref: battery("b2")}); err != nil {
		t.Error(err)
	}
}

// A broker that lets everybody in is found out.
func TestIntruderLetIn(t *testing.T) {
	b := startBroker(t)
	p := newFleet(t, b.addr, nil)
	if err := p.Do(t.Context(), faults.Action{Act: faults.Intrude, Ref: battery("b1")}); err != nil {
		t.Fatal(err)
	}
	if s := p.Stats(); s.SignInLetIn != 1 || s.SignInRefused != 0 {
		t.Errorf("got %+v", s)
	}
}

// Spread sends everything, in order, within its time.
func TestSpread(t *testing.T) {
	b := startBroker(t)
	p := newFleet(t, b.addr, func(o *publish.Options) { o.Connections = 1 })
	var all []faults.Action
	for i, r := range someReadings(t, battery("b1"), 120) {
		all = append(all, faults.Action{Ref: battery("b1"), Message: faults.Message{
			Channel: wire.Telemetry, Payload: wire.AppendReading(nil, &r), Records: 1, Stamps: []int64{start.UnixMilli() + int64(i)*1000},
		}})
	}
	began := time.Now()
	if err := p.Spread(t.Context(), all, 200*time.Millisecond); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(began); took < 180*time.Millisecond {
		t.Errorf("took %s, want about 200ms", took)
	}
	flush(t, p)
	if s := p.Stats(); s.ReadingsAcked != 120 {
		t.Errorf("got %+v", s)
	}
}
