package ingest

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// world is everything a pipeline writes to, with a log of what happened in
// which order.
type world struct {
	mu       sync.Mutex
	readings map[string]telemetry.Reading
	events   map[string]bool
	rejected []Rejected
	dirty    map[telemetry.DeviceDay]bool
	known    map[devices.Ref]devices.Ref // → gateway
	log      []string
	fail     map[string]error // by step: store, journal, quarantine, registry
	poison   string           // device whose readings the store refuses, and id of an event that the journal does
	hold     chan struct{}    // non-nil: appends wait for it to close
}

func newWorld() *world {
	return &world{
		readings: map[string]telemetry.Reading{}, events: map[string]bool{},
		dirty: map[telemetry.DeviceDay]bool{}, known: map[devices.Ref]devices.Ref{}, fail: map[string]error{},
	}
}

// enter locks the world for a step, notes it, and returns the step's failure.
func (w *world) enter(step string) error {
	w.mu.Lock()
	w.log = append(w.log, step)
	return w.fail[step]
}

func (w *world) Append(ctx context.Context, rs []telemetry.Reading) (telemetry.Appended, error) {
	if w.hold != nil {
		select {
		case <-w.hold:
		case <-ctx.Done():
			return telemetry.Appended{}, ctx.Err()
		}
	}
	defer w.mu.Unlock()
	var a telemetry.Appended
	if err := w.enter("store"); err != nil {
		return a, err
	}
	for i, r := range rs {
		key := fmt.Sprint(r.Kind, r.Device, r.TS)
		_, there := w.readings[key]
		switch {
		case r.Device == w.poison:
			a.Rejected = append(a.Rejected, telemetry.Rejection{Index: i, Reason: "poison"})
			continue
		case there:
			a.Merged++
		default:
			a.New++
		}
		w.readings[key] = r
	}
	return a, nil
}

func (w *world) AppendEvents(_ context.Context, es []telemetry.Event) (int, error) {
	defer w.mu.Unlock()
	if err := w.enter("events"); err != nil {
		return 0, err
	}
	for _, e := range es {
		if w.poison != "" && e.ID == w.poison {
			return 0, fmt.Errorf("append events: %w", ErrRefused)
		}
	}
	n := 0
	for _, e := range es {
		if key := e.Device + e.ID; !w.events[key] {
			w.events[key] = true
			n++
		}
	}
	return n, nil
}

func (w *world) MarkDirty(_ context.Context, days []telemetry.DeviceDay) error {
	defer w.mu.Unlock()
	if err := w.enter("dirty"); err != nil {
		return err
	}
	for _, d := range days {
		w.dirty[d] = true
	}
	return nil
}

func (w *world) Put(_ context.Context, rs []Rejected) error {
	defer w.mu.Unlock()
	if err := w.enter("quarantine"); err != nil {
		return err
	}
	w.rejected = append(w.rejected, rs...)
	return nil
}

func (w *world) Lookup(ref devices.Ref) (devices.Ref, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	gw, ok := w.known[ref]
	return gw, ok
}

func (w *world) Enroll(_ context.Context, refs []devices.Ref) error {
	defer w.mu.Unlock()
	if err := w.enter("registry"); err != nil {
		return err
	}
	for _, r := range refs {
		if _, ok := w.known[r]; !ok {
			w.known[r] = devices.Ref{}
		}
	}
	return nil
}

func (w *world) setFail(step string, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.fail[step] = err
}

func (w *world) steps() []string {
	w.mu.Lock()
	defer w.mu.Unlock()
	return append([]string(nil), w.log...)
}

const nowMS = 1767225600000 // 2026-01-01

func newPipeline(t testing.TB, w *world, change func(*Options)) *Pipeline {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	o := Options{
		Decoder: wire.NewDecoder(schema, wire.DefaultLimits()), Store: w, Directory: w, Journal: w, Quarantine: w,
		Now: time.Now, AdmitUnknown: true,
	}
	if change != nil {
		change(&o)
	}
	return New(o)
}

// publish is a trusted message whose acknowledgement goes to acked.
func publish(topic, payload string, acked func(Outcome)) Message {
	return Message{Topic: topic, Payload: []byte(payload), ReceivedMS: nowMS, Principal: Principal{Name: "test", Trusted: true}, Done: acked}
}

func submit(t testing.TB, p *Pipeline, m Message) {
	t.Helper()
	if err := p.Submit(t.Context(), m); err != nil {
		t.Fatalf("submit %s: %v", m.Topic, err)
	}
}

// drain commits everything submitted.
func drain(t testing.TB, p *Pipeline) {
	t.Helper()
	p.Close()
	if err := p.Run(t.Context()); err != nil {
		t.Fatalf("run: %v", err)
	}
}

func TestCommitOrder(t *testing.T) {
	w := newWorld()
	p := newPipeline(t, w, nil)
	acked := func(Outcome) { w.mu.Lock(); w.log = append(w.log, "ack"); w.mu.Unlock() }
	submit(t, p, publish("fleet/v1/battery/b/telemetry", `[{"ts":1767225500000,"soc_pct":1},{"ts":1767225500000,"soc_pct":200}]`, acked))
	submit(t, p, publish("fleet/v1/battery/b/event", `{"id":"e","ts":1767225500000,"type":"swap.completed"}`, acked))
	drain(t, p)
	want := []string{"registry", "dirty", "store", "events", "dirty", "quarantine", "ack", "ack"}
	if diff := cmp.Diff(want, w.steps()); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	if got, want := p.Accounting(), (Accounting{Received: 3, Stored: 2, Quarantined: 1}); got != want {
		t.Errorf("got accounting %+v, want %+v", got, want)
	}
	if !w.dirty[telemetry.DeviceDay{Kind: "battery", Device: "b", Day: telemetry.DayOf(1767225500000)}] {
		t.Errorf("the day is not marked: %v", w.dirty)
	}
}

// The day of an event is marked before and after the event is committed, since
// results are made of it as of readings; a device that comes and goes changes
// none.
func TestEventsMarkTheirDay(t *testing.T) {
	w := newWorld()
	p := newPipeline(t, w, nil)
	submit(t, p, publish("fleet/v1/station/s/event", `{"id":"e","ts":1767225500000,"type":"swap.failed"}`, nil))
	submit(t, p, publish("fleet/v1/station/s/status", `{"status":"online","ts":1767000000000}`, nil))
	drain(t, p)
	if diff := cmp.Diff([]string{"registry", "dirty", "events", "dirty"}, w.steps()); diff != "" {
		t.Errorf("steps (-want +got):\n%s", diff)
	}
	want := map[telemetry.DeviceDay]bool{{Kind: "station", Device: "s", Day: telemetry.DayOf(1767225500000)}: true}
	if diff := cmp.Diff(want, w.dirty); diff != "" {
		t.Errorf("marked days (-want +got):\n%s", diff)
	}
}

func TestWhoMayPublish(t *testing.T) {
	own := devices.Ref{Kind: "station", ID: "s1"}
	tests := []struct {
		name   string
		from   Principal
		topic  string
		reason wire.Reason
	}{
		{"itself", Principal{Device: own}, "fleet/v1/station/s1/telemetry", ""},
		{"a device behind it", Principal{Device: own}, "fleet/v1/battery/behind/telemetry", ""},
		{"a stranger", Principal{Device: own}, "fleet/v1/battery/other/telemetry", wire.ReasonForeign},
		{"an unregistered device", Principal{Device: own}, "fleet/v1/battery/new/telemetry", wire.ReasonForeign},
		{"the same id of another kind", Principal{Device: own}, "fleet/v1/battery/s1/telemetry", wire.ReasonForeign},
		{"nobody", Principal{}, "fleet/v1/battery/free/telemetry", wire.ReasonForeign},
		{"trusted", Principal{Trusted: true}, "fleet/v1/battery/new/telemetry", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			w := newWorld()
			w.known[own] = devices.Ref{}
			w.known[devices.Ref{Kind: "battery", ID: "behind"}] = own
			w.known[devices.Ref{Kind: "battery", ID: "other"}] = devices.Ref{Kind: "station", ID: "s2"}
			w.known[devices.Ref{Kind: "battery", ID: "free"}] = devices.Ref{}
			p := newPipeline(t, w, nil)
			var got Outcome
			m := publish(tt.topic, `{"power_w":1}`, func(o Outcome) { got = o })
			m.Principal = tt.from
			submit(t, p, m)
			drain(t, p)
			if got.Refused != tt.reason {
				t.Errorf("got %q, want %q", got.Refused, tt.reason)
			}
			if stored := len(w.readings) == 1; stored != (tt.reason == "") {
				t.Errorf("stored: %v", stored)
			}
			if tt.reason != "" && (len(w.rejected) != 1 || w.rejected[0].Reason != tt.reason) {
				t.Errorf("got quarantine %+v, want one %s", w.rejected, tt.reason)
			}
		})
	}
}

func TestUnknownDevices(t *testing.T) {
	for _, admit := range []bool{true, false} {
		t.Run(fmt.Sprint("admit=", admit), func(t *testing.T) {
			w := newWorld()
			p := newPipeline(t, w, func(o *Options) { o.AdmitUnknown = admit })
			submit(t, p, publish("fleet/v1/battery/new/telemetry", `{"soc_pct":50}`, nil))
			submit(t, p, publish("fleet/v1/battery/nonsense/telemetry", `garbage`, nil))
			drain(t, p)
			_, known := w.known[devices.Ref{Kind: "battery", ID: "new"}]
			if known != admit {
				t.Errorf("registered: %v, want %v", known, admit)
			}
			if _, ok := w.known[devices.Ref{Kind: "battery", ID: "nonsense"}]; ok {
				t.Error("a device that only sent nonsense was registered")
			}
			if !admit && w.rejected[0].Reason != wire.ReasonUnknownDevice {
				t.Errorf("got reason %s, want %s", w.rejected[0].Reason, wire.ReasonUnknownDevice)
			}
		})
	}
}

// Each step in turn is down for a while: nothing is acknowledged, the reason is
// visible, and afterwards everything is there once.
func TestStepDown(t *testing.T) {
	for _, step := range []string{"registry", "store", "dirty", "events", "quarantine"} {
		t.Run(step, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w := newWorld()
				w.setFail(step, fmt.Errorf("%w: out of order", telemetry.ErrUnavailable))
				p := newPipeline(t, w, nil)
				acks := 0
				ack := func(Outcome) { acks++ }
				submit(t, p, publish("fleet/v1/battery/b/telemetry", `[{"ts":1767225500000,"soc_pct":1},{"soc_pct":"x"}]`, ack))
				submit(t, p, publish("fleet/v1/battery/b/event", `{"id":"e","type":"swap.completed"}`, ack))
				done := make(chan error, 1)
				go func() { done <- p.Run(t.Context()) }()

				time.Sleep(time.Minute)
				synctest.Wait()
				if acks != 0 {
					t.Errorf("got %d acknowledgements while %s is down", acks, step)
				}
				if what, since := p.Trouble(); what == "" || time.Since(since) < 50*time.Second {
					t.Errorf("got trouble %q since %v", what, since)
				}
				if a := p.Accounting(); a.Pending != 3 || !a.Balanced() {
					t.Errorf("got accounting %+v, want 3 pending", a)
				}
				w.setFail(step, nil)
				p.Close()
				if err := <-done; err != nil {
					t.Fatal(err)
				}
				if got, want := p.Accounting(), (Accounting{Received: 3, Stored: 2, Quarantined: 1}); got != want || acks != 2 {
					t.Errorf("got %+v and %d acknowledgements, want %+v and 2", got, acks, want)
				}
				if what, _ := p.Trouble(); what != "" {
					t.Errorf("got trouble %q after recovery", what)
				}
			})
		})
	}
}

func TestRefusedByStoreIsQuarantined(t *testing.T) {
	w := newWorld()
	w.poison = "bad"
	p := newPipeline(t, w, nil)
	acks := 0
	for _, id := range []string{"a", "bad", "c"} {
		submit(t, p, publish("fleet/v1/battery/"+id+"/telemetry", `{"ts":1767225500000,"soc_pct":5}`, func(Outcome) { acks++ }))
	}
	drain(t, p)
	if len(w.readings) != 2 || acks != 3 {
		t.Errorf("got %d readings and %d acknowledgements, want 2 and 3", len(w.readings), acks)
	}
	if len(w.rejected) != 1 || w.rejected[0].Device != "battery/bad" || w.rejected[0].Reason != wire.ReasonRefused {
		t.Errorf("got quarantine %+v", w.rejected)
	}
	if a := p.Accounting(); a.Quarantined != 1 || !a.Balanced() {
		t.Errorf("got accounting %+v", a)
	}
}

// One event that can't be stored is put aside, and keeps no other from it, nor
// the batches after it.
func TestRefusedByJournalIsQuarantined(t *testing.T) {
	w := newWorld()
	w.poison = "bad"
	p := newPipeline(t, w, nil)
	acks := 0
	for _, ids := range [][]string{{"a", "b"}, {"c", "bad", "d"}, {"e"}} {
		var events []string
		for _, id := range ids {
			events = append(events, fmt.Sprintf(`{"id":%q,"ts":1767225500000,"type":"swap.failed"}`, id))
		}
		submit(t, p, publish("fleet/v1/station/"+ids[0]+"/event", "["+strings.Join(events, ",")+"]", func(Outcome) { acks++ }))
	}
	drain(t, p)
	if len(w.events) != 5 || acks != 3 {
		t.Errorf("got %d events and %d acknowledgements, want 5 and 3", len(w.events), acks)
	}
	if len(w.rejected) != 1 || w.rejected[0].Device != "station/c" || w.rejected[0].Reason != wire.ReasonRefused ||
		!strings.Contains(string(w.rejected[0].Payload), `"bad"`) {
		t.Errorf("got quarantine %+v", w.rejected)
	}
	if a := p.Accounting(); a.Stored != 5 || a.Quarantined != 1 || !a.Balanced() {
		t.Errorf("got accounting %+v", a)
	}
}

// A store that hangs fills the budget; senders wait, memory does not grow.
func TestBackpressure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld()
		w.hold = make(chan struct{})
		const budget = 1 << 20
		p := newPipeline(t, w, func(o *Options) { o.MaxPendingBytes = budget })
		done := make(chan error, 1)
		go func() { done <- p.Run(t.Context()) }()

		const payload = `{"soc_pct":50,"state":"idle"}`
		taken := 0
		var mu sync.Mutex
		ctx, cancel := context.WithCancel(t.Context())
		var senders sync.WaitGroup
		for range 4 {
			senders.Go(func() {
				for {
					if err := p.Submit(ctx, publish("fleet/v1/battery/b/telemetry", payload, nil)); err != nil {
						return
					}
					mu.Lock()
					taken++
					mu.Unlock()
				}
			})
		}
		synctest.Wait() // all four are blocked
		stuck := taken
		if stuck == 0 || stuck > budget/256 {
			t.Errorf("took %d messages into a budget of %d bytes", stuck, budget)
		}
		if a := p.Accounting(); a.Pending != uint64(stuck) {
			t.Errorf("got %d pending, want %d", a.Pending, stuck)
		}
		cancel()
		senders.Wait()
		close(w.hold)
		p.Close()
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		if a := p.Accounting(); a.Pending != 0 || a.Received != uint64(taken) || !a.Balanced() {
			t.Errorf("got accounting %+v, want %d received", a, taken)
		}
	})
}

func TestClosedTakesNothing(t *testing.T) {
	p := newPipeline(t, newWorld(), nil)
	p.Close()
	err := p.Submit(t.Context(), publish("fleet/v1/battery/b/telemetry", `{"soc_pct":1}`, nil))
	if !errors.Is(err, ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if a := p.Accounting(); a.Received != 0 {
		t.Errorf("got %d received, want 0", a.Received)
	}
}

// Acknowledgements come in the order of submission, whatever the batches, and
// the books balance at every look.
func TestOrderAndBooks(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		w := newWorld()
		p := newPipeline(t, w, func(o *Options) { o.MaxBatch = rapid.IntRange(1, 20).Draw(rt, "batch") })
		ctx, cancel := context.WithCancel(context.Background())
		defer cancel()
		run := make(chan error, 1)
		go func() { run <- p.Run(ctx) }()
		n := rapid.IntRange(1, 100).Draw(rt, "messages")
		var order []int
		for i := range n {
			payload := rapid.SampledFrom([]string{
				`{"ts":1767225500000,"soc_pct":1}`, `{"ts":1767225500001,"soc_pct":1}`, `nonsense`,
				`[{"ts":1767225500002,"soc_pct":1},{"soc_pct":-1}]`, `[]`,
			}).Draw(rt, "payload")
			if err := p.Submit(ctx, publish("fleet/v1/battery/b/telemetry", payload, func(Outcome) { order = append(order, i) })); err != nil {
				rt.Fatal(err)
			}
			if a := p.Accounting(); !a.Balanced() {
				rt.Fatalf("unbalanced: %+v", a)
			}
		}
		p.Close()
		if err := <-run; err != nil {
			rt.Fatal(err)
		}
		if len(order) != n {
			rt.Fatalf("got %d acknowledgements, want %d", len(order), n)
		}
		for i, got := range order {
			if got != i {
				rt.Fatalf("acknowledgement %d was for message %d", i, got)
			}
		}
		if a := p.Accounting(); a.Pending != 0 || !a.Balanced() {
			rt.Fatalf("got accounting %+v", a)
		}
	})
}
