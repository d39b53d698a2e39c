package faults_test

import (
	"fmt"
	"hash/fnv"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
)

func start() time.Time { return time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC) }

// testing.T and rapid.T.
type tb interface {
	Helper()
	Fatal(...any)
	Fatalf(string, ...any)
}

// fleet has 6 batteries, a station and a building.
func fleet(t tb, seed uint64) *simulator.Fleet {
	t.Helper()
	cfg := simulator.Demo(seed, start())
	cfg.Owners, cfg.Sites, cfg.Stations, cfg.Slots, cfg.Batteries, cfg.Buildings = 1, 1, 1, 4, 6, 1
	f, err := simulator.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// outcome is what a fleet measured and what came of it.
type outcome struct {
	clean   map[string]bool // kind/id ts of every reading, as measured
	events  map[string]bool
	actions []faults.Action
	hits    map[string][]faults.Hit
}

func run(t tb, cfg faults.Config, seed uint64, batch, steps int) outcome {
	t.Helper()
	f := fleet(t, seed)
	o := outcome{clean: map[string]bool{}, events: map[string]bool{}, hits: map[string][]faults.Hit{}}
	stage, err := faults.New(cfg, seed, batch, func(a faults.Action) {
		if a.Act == faults.Note {
			o.hits[a.Hit.Fault] = append(o.hits[a.Hit.Fault], a.Hit)
			return
		}
		o.actions = append(o.actions, a)
	})
	if err != nil {
		t.Fatal(err)
	}
	for range steps {
		f.Step(
			func(r telemetry.Reading) {
				o.clean[fmt.Sprintf("%s %d", r.Ref(), r.TS)] = true
				stage.Reading(r)
			},
			func(e telemetry.Event) {
				o.events[e.Ref().String()+" "+e.ID] = true
				stage.Event(e)
			})
		stage.Tick(f.Now().UnixMilli())
	}
	stage.Flush()
	return o
}

// sent are the identities of what the messages hold, with how often each comes.
func (o outcome) sent() (readings, events map[string]int, refused int) {
	readings, events = map[string]int{}, map[string]int{}
	for _, a := range o.actions {
		for _, ts := range a.Message.Stamps {
			readings[fmt.Sprintf("%s %d", a.Ref, ts)]++
		}
		for _, id := range a.Message.Events {
			events[a.Ref.String()+" "+id]++
		}
		refused += a.Message.Refused
	}
	return readings, events, refused
}

func decoder(t tb) *wire.Decoder {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	return wire.NewDecoder(schema, wire.DefaultLimits())
}

func anything(t *rapid.T) faults.Config {
	share := func(name string) faults.Share {
		return faults.Share{Share: rapid.Float64Range(0, 0.3).Draw(t, name)}
	}
	rate := func(name string) float64 { return rapid.Float64Range(0, 1000).Draw(t, name) }
	return faults.Config{
		Offline:          faults.Spell{PerYear: rate("offline"), Hours: rapid.Float64Range(0, 24).Draw(t, "hours")},
		ReconnectStorms:  faults.Storm{PerYear: rate("storms"), Share: 0.5},
		WrongCredentials: faults.Rate{PerYear: rate("intrusions")},
		Doubled:          share("doubled"), Shuffled: share("shuffled"), Malformed: share("malformed"), Missing: share("missing"),
		ClockOffset:     faults.Offset{Devices: 0.5, Seconds: rapid.Float64Range(0, 540).Draw(t, "offset")},
		ClockDrift:      faults.Drift{Devices: 0.5, PPM: rapid.Float64Range(0, 1000).Draw(t, "ppm")},
		CounterReset:    faults.Rate{PerYear: rate("resets")},
		CounterRollover: faults.Rollover{Devices: 0.5, At: rapid.Float64Range(1, 1e6).Draw(t, "at")},
		Stuck:           faults.Spell{PerYear: rate("stuck"), Hours: 6},
		DriftingSensor:  faults.Creep{Devices: 0.5, PerYear: 1},
		Spike:           faults.Spike{Share: rapid.Float64Range(0, 0.1).Draw(t, "spike"), Factor: rapid.Float64Range(0, 1000).Draw(t, "factor")},
	}
}

// Whatever goes wrong, every message says truly what a server will find in it,
// and nothing that was measured is lost.
func TestMessagesAreWhatTheySay(t *testing.T) {
	d := decoder(t)
	rapid.Check(t, func(t *rapid.T) {
		batch := rapid.SampledFrom([]int{1, 2, 24, 500}).Draw(t, "batch")
		o := run(t, anything(t), rapid.Uint64().Draw(t, "seed"), batch, 48)
		good := 0
		for _, a := range o.actions {
			if a.Act != faults.Send {
				continue
			}
			m := a.Message
			var got wire.Decoded
			if m.Channel == wire.Event {
				got = d.Events(a.Ref, m.Payload, start().AddDate(1, 0, 0).UnixMilli())
			} else {
				got = d.Telemetry(a.Ref, m.Payload, start().AddDate(1, 0, 0).UnixMilli(), false)
			}
			if len(got.Faults) != m.Refused || got.Records() != m.Records || len(got.Readings)+len(got.Events) != len(m.Stamps)+len(m.Events) {
				t.Fatalf("%s: says %d records of which %d refused, is %d and %d: %v\n%q", a.Ref, m.Records, m.Refused, got.Records(), len(got.Faults), got.Faults, m.Payload)
			}
			for i, r := range got.Readings {
				if r.TS != m.Stamps[i] {
					t.Fatalf("%s: reading %d is of %d, says %d", a.Ref, i, r.TS, m.Stamps[i])
				}
			}
			good += len(got.Readings) + len(got.Faults)
		}
		if good < len(o.clean) {
			t.Fatalf("%d readings were sent of %d", good, len(o.clean))
		}
		_, events, _ := o.sent()
		if diff := cmp.Diff(o.events, keys(events)); diff != "" {
			t.Fatalf("events: %s", diff)
		}
	})
}

func keys(m map[string]int) map[string]bool {
	out := map[string]bool{}
	for k := range m {
		out[k] = true
	}
	return out
}

// Faults of the network alone change no reading: each is sent at least once as
// it was measured.
func TestNetworkFaultsLoseNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := anything(t)
		cfg := faults.Config{Offline: all.Offline, Doubled: all.Doubled, Shuffled: all.Shuffled, ReconnectStorms: all.ReconnectStorms}
		o := run(t, cfg, rapid.Uint64().Draw(t, "seed"), rapid.IntRange(1, 50).Draw(t, "batch"), 64)
		readings, _, refused := o.sent()
		if diff := cmp.Diff(o.clean, keys(readings)); diff != "" || refused != 0 {
			t.Fatalf("%d refused; %s", refused, diff)
		}
	})
}

func TestWithoutFaultsOnlyMessages(t *testing.T) {
	o := run(t, faults.Config{}, 1, 1, 50)
	for _, a := range o.actions {
		if a.Act != faults.Send || a.Message.Records != 1 || a.Message.Refused != 0 {
			t.Fatalf("got %+v", a)
		}
	}
	readings, events, _ := o.sent()
	for k, n := range readings {
		if n != 1 {
			t.Errorf("%s came %d times", k, n)
		}
	}
	if len(readings) != 50*8 || len(events) == 0 || len(o.hits) != 0 {
		t.Errorf("got %d readings, %d events, faults %v", len(readings), len(events), o.hits)
	}
}

func digest(o outcome) uint64 {
	h := fnv.New64a()
	for _, a := range o.actions {
		fmt.Fprintf(h, "%d %s %s\n", a.Act, a.Ref, a.Message.Payload)
	}
	return h.Sum64()
}

// every is a fleet with every fault, each often enough to be seen within days.
func every() faults.Config {
	return faults.Config{
		Offline:          faults.Spell{PerYear: 200, Hours: 5},
		ReconnectStorms:  faults.Storm{PerYear: 300, Share: 0.7},
		WrongCredentials: faults.Rate{PerYear: 200},
		Doubled:          faults.Share{Share: 0.1}, Shuffled: faults.Share{Share: 0.1}, Malformed: faults.Share{Share: 0.1}, Missing: faults.Share{Share: 0.05},
		ClockOffset:     faults.Offset{Devices: 0.5, Seconds: 100},
		ClockDrift:      faults.Drift{Devices: 0.5, PPM: 50},
		CounterReset:    faults.Rate{PerYear: 100},
		CounterRollover: faults.Rollover{Devices: 0.5, At: 1000},
		Stuck:           faults.Spell{PerYear: 200, Hours: 5},
		DriftingSensor:  faults.Creep{Devices: 0.5, PerYear: 1},
		Spike:           faults.Spike{Share: 0.01, Factor: 50},
	}
}

func TestEveryFaultHappensAndIsTold(t *testing.T) {
	o := run(t, every(), 4, 8, 10*96)
	for _, name := range []string{
		"offline", "reconnect_storm", "wrong_credentials", "doubled", "shuffled", "malformed", "missing", "clock_offset",
		"clock_drift", "counter_reset", "counter_rollover", "stuck", "drifting_sensor", "spike",
	} {
		if len(o.hits[name]) == 0 {
			t.Errorf("no %s", name)
		}
		delete(o.hits, name)
	}
	for name := range o.hits {
		t.Errorf("the test does not know %s", name)
	}
	acts := map[faults.Act]int{}
	for _, a := range o.actions {
		acts[a.Act]++
	}
	if acts[faults.Cut] == 0 || acts[faults.Intrude] == 0 {
		t.Errorf("got %v acts", acts)
	}
}

func TestSameSeedSameFaults(t *testing.T) {
	of := func(seed uint64) uint64 { return digest(run(t, every(), seed, 8, 4*96)) }
	if a, b := of(3), of(3); a != b {
		t.Errorf("seed 3 gave %x and %x", a, b)
	}
	if a, b := of(3), of(5); a == b {
		t.Errorf("seeds 3 and 5 both gave %x", a)
	}
}

// A backlog comes in arrays, after the device was silent.
func TestOfflineThenBacklog(t *testing.T) {
	o := run(t, faults.Config{Offline: faults.Spell{PerYear: 100, Hours: 12}}, 2, 1, 20*96)
	arrays := 0
	for _, a := range o.actions {
		if a.Act == faults.Send && a.Message.Records > 1 {
			arrays++
			if a.Message.Payload[0] != '[' || !slices.IsSorted(a.Message.Stamps) {
				t.Fatalf("got %q", a.Message.Payload)
			}
		}
	}
	if n := len(o.hits["offline"]); arrays == 0 || arrays > n {
		t.Errorf("got %d arrays of %d times offline", arrays, n)
	}
}

// Counters that reset or roll over still tell what was consumed: the falls are
// the only steps down, and each is told or due to the rollover.
func TestCountersFallOnlyWhenTold(t *testing.T) {
	for _, c := range []struct {
		name string
		cfg  faults.Config
		max  float64
	}{
		{"reset", faults.Config{CounterReset: faults.Rate{PerYear: 100}}, 1e15},
		{"rollover", faults.Config{CounterRollover: faults.Rollover{Devices: 1, At: 500}}, 500},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := decoder(t)
			o := run(t, c.cfg, 6, 1, 20*96)
			last := map[string]float64{}
			falls := 0
			for _, a := range o.actions {
				if a.Act != faults.Send || a.Message.Channel != wire.Telemetry || a.Ref.Kind != devices.KindBattery {
					continue
				}
				for _, r := range d.Telemetry(a.Ref, a.Message.Payload, start().AddDate(1, 0, 0).UnixMilli(), false).Readings {
					x, _ := r.Num("energy_in_wh")
					if x < last[r.Device] {
						falls++
					}
					if x < 0 || x >= c.max {
						t.Fatalf("%s shows %v", r.Device, x)
					}
					last[r.Device] = x
				}
			}
			if told := len(o.hits["counter_reset"]); falls == 0 || c.name == "reset" && falls > told {
				t.Errorf("got %d falls, told %d", falls, told)
			}
		})
	}
}

func TestValidateReportsEverything(t *testing.T) {
	_, err := faults.New(faults.Config{
		Doubled: faults.Share{Share: 2}, Offline: faults.Spell{PerYear: -1}, CounterRollover: faults.Rollover{Devices: 0.5},
	}, 1, 1, nil)
	if err == nil {
		t.Fatal("got no error")
	}
	for _, want := range []string{"doubled.share", "offline.per_year", "counter_rollover.at"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("got %q, want it to name %s", err, want)
		}
	}
	if _, err := faults.New(faults.Config{}, 1, 0, nil); err == nil {
		t.Error("took a batch of 0")
	}
}
