package app

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/broker"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

var (
	mallory = devices.Ref{Kind: devices.KindStation, ID: "A"}
	gateway = devices.Ref{Kind: devices.KindStation, ID: "G"}
	victim  = devices.Ref{Kind: devices.KindBattery, ID: "victim"}
)

// stored is what the pipeline writes to. It knows two stations, and a battery
// behind one of them.
type stored struct {
	mu       sync.Mutex
	readings []telemetry.Reading
}

func (s *stored) Append(_ context.Context, rs []telemetry.Reading) (telemetry.Appended, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.readings = append(s.readings, rs...)
	return telemetry.Appended{New: len(rs)}, nil
}

func (s *stored) AppendEvents(_ context.Context, es []telemetry.Event) (int, error) {
	return len(es), nil
}

func (s *stored) MarkDirty(context.Context, []telemetry.DeviceDay) error { return nil }
func (s *stored) Enroll(context.Context, []devices.Ref) error            { return nil }

func (s *stored) Lookup(ref devices.Ref) (behind devices.Ref, known bool) {
	if ref == victim {
		behind = gateway
	}
	return behind, ref == victim || ref == gateway || ref == mallory
}

func (s *stored) volts() []float64 {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := []float64{}
	for i := range s.readings {
		if v, ok := s.readings[i].Num("voltage_v"); ok {
			out = append(out, v)
		}
	}
	return out
}

// take is an App that can take messages in and replay them.
func take(t *testing.T) (*App, *stored) {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	s := &stored{}
	a := &App{cfg: config.Config{SparkplugHost: "host", MaxAhead: time.Minute}, schema: schema, now: time.Now}
	a.cfg.Sparkplug.Rules = []sparkplug.Rule{{Name: "battery", Kind: "battery"}}
	if a.quarantine, err = quarantine.Open(t.Context(), filepath.Join(t.TempDir(), "quarantine.db"), quarantine.Options{}); err != nil {
		t.Fatal(err)
	}
	a.pipeline = ingest.New(ingest.Options{
		Decoder: wire.NewDecoder(schema, wire.DefaultLimits()), Store: s, Directory: s, Journal: s,
		Quarantine: toQuarantine{q: a.quarantine}, Now: time.Now,
	})
	if err := a.openSparkplug(func(context.Context, sparkplug.Publication) error { return nil }); err != nil {
		t.Fatal(err)
	}
	running := make(chan error, 1)
	go func() { running <- a.pipeline.Run(context.Background()) }()
	t.Cleanup(func() {
		a.pipeline.Close()
		if err := errors.Join(<-running, a.quarantine.Close()); err != nil {
			t.Error(err)
		}
	})
	return a, s
}

func (a *App) entries(t *testing.T) []quarantine.Entry {
	t.Helper()
	entries, _, err := a.quarantine.List(t.Context(), quarantine.Filter{OldestFirst: true})
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// message is one of sender's. done is closed when it is on disk.
func message(topic string, payload []byte, sender ingest.Principal) (m ingest.Message, done chan struct{}) {
	done = make(chan struct{})
	return ingest.Message{
		Topic: topic, Payload: payload, ReceivedMS: time.Now().UnixMilli(), Principal: sender,
		Done: func(ingest.Outcome) { close(done) },
	}, done
}

func metrics(t *testing.T, seq uint64, volts float64) []byte {
	t.Helper()
	b, err := proto.Marshal(&tahu.Payload{Seq: &seq, Metrics: []*tahu.Payload_Metric{{
		Name: proto.String("voltage_v"), Datatype: proto.Uint32(uint32(tahu.DataType_Double)),
		Value: &tahu.Payload_Metric_DoubleValue{DoubleValue: volts},
	}}})
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// A replay stores nothing in the name of a device that its sender may not speak
// for, whatever the entry was refused for; and what its gateway sent, it does.
func TestReplayAsksWhoMaySpeak(t *testing.T) {
	signedIn := func(ref devices.Ref) ingest.Principal { return ingest.Principal{Name: ref.String(), Device: ref} }
	tests := []struct {
		name   string
		sender ingest.Principal
		volts  []float64
		err    error
	}{
		{name: "another station", sender: signedIn(mallory), volts: []float64{}},
		{name: "its gateway", sender: signedIn(gateway), volts: []float64{50}},
		{name: "itself", sender: signedIn(victim), volts: []float64{50}},
		{name: "trusted", sender: ingest.Principal{Name: "broker", Trusted: true}, volts: []float64{50}},
		{name: "nobody", sender: ingest.Principal{Name: "station/G"}, volts: []float64{}, err: api.ErrNotReplayable},
	}
	ways := []struct {
		name   string
		reason wire.Reason
		submit func(t *testing.T, a *App, m ingest.Message) error
	}{
		{"a topic that was not its to publish to", wire.ReasonUnknownTopic, func(t *testing.T, a *App, m ingest.Message) error {
			return a.pipeline.Submit(t.Context(), m) // as the broker does
		}},
		{"data without a birth", wire.ReasonUnknownDevice, func(t *testing.T, a *App, m ingest.Message) error {
			return errors.Join(a.sparkplug.Receive(t.Context(), m), a.sparkplug.Drain(t.Context()))
		}},
	}
	for _, way := range ways {
		for _, tt := range tests {
			t.Run(way.name+"/"+tt.name, func(t *testing.T) {
				a, s := take(t)
				m, done := message("spBv1.0/g/DDATA/g/victim", metrics(t, 1, 50), tt.sender)
				if err := way.submit(t, a, m); err != nil {
					t.Fatal(err)
				}
				<-done
				entries := a.entries(t)
				if len(entries) != 1 || entries[0].Reason != way.reason {
					t.Fatalf("quarantine: got %+v, want one %s", entries, way.reason)
				}
				_, again, err := intake{a}.Replay(t.Context(), entries[0])
				if !errors.Is(err, tt.err) {
					t.Errorf("replay: got error %v, want %v", err, tt.err)
				}
				if diff := cmp.Diff(tt.volts, s.volts()); diff != "" {
					t.Errorf("stored: want − got +\n%s", diff)
				}
				if refused := len(tt.volts) == 0 && tt.err == nil; refused && (again != 1 || a.entries(t)[1].Reason != wire.ReasonForeign) {
					t.Errorf("got %+v, want a new entry for foreign_device", a.entries(t))
				}
			})
		}
	}
}

// The stop goes on though the Sparkplug host waits for the store in its turn.
func TestEmbeddedEndsWhileTheStoreIsDown(t *testing.T) {
	stuck := make(chan struct{}, 1)
	e := &embedded{}
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	var stopping context.Context
	e.sparkplug, err = sparkplug.New(sparkplug.Options{
		HostID: "host", Schema: schema, Mapping: sparkplug.DefaultMapping(), Now: time.Now, Publish: e.publish,
		BirthTimeout: time.Millisecond,
		MaySpeak:     func(ingest.Principal, devices.Ref) bool { return true },
		Submit: func(ctx context.Context, _ ingest.Message, _ ingest.Translated) error {
			if stopping.Err() == nil { // the store is down
				stuck <- struct{}{}
				<-ctx.Done()
				return ctx.Err()
			}
			return nil
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	e.b, err = broker.New(broker.Options{
		Listen: "127.0.0.1:0", Anonymous: true, Now: time.Now,
		Submit: func(context.Context, ingest.Message) error { return nil }, SubmitSparkplug: e.sparkplug.Receive,
	})
	if err != nil {
		t.Fatal(err)
	}
	defer e.Close()
	running, stop := context.WithCancel(context.Background())
	stopping = running
	for node := range 2 { // each waits for its birth
		m, _ := message(fmt.Sprintf("spBv1.0/g/NDATA/n%d", node), metrics(t, 1, 50), ingest.Principal{})
		if err := e.sparkplug.Receive(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	ended := make(chan error, 1)
	go func() { ended <- e.Run(running) }()
	within := func(what string, done <-chan struct{}) {
		t.Helper()
		select {
		case <-done:
		case <-time.After(30 * time.Second):
			t.Fatalf("not within 30 s: %s", what)
		}
	}
	within("the host waits for the store", stuck)
	// A third comes when the other two were taken out already.
	late := make(chan struct{})
	go func() {
		defer close(late)
		m, _ := message("spBv1.0/g/NDATA/late", metrics(t, 1, 50), ingest.Principal{})
		if err := e.sparkplug.Receive(t.Context(), m); err != nil {
			t.Errorf("receive: %v", err)
		}
	}()
	quiet := make(chan struct{})
	go func() { defer close(quiet); e.Quiesce() }()
	within("the end of the intake", quiet)
	stop()
	within("the message that came last", late)
	select {
	case err := <-ended:
		if err != nil && !errors.Is(err, context.Canceled) {
			t.Errorf("run: %v", err)
		}
	case <-time.After(30 * time.Second):
		t.Fatal("Run did not end")
	}
}

// The host's birth is on its way before there is anybody to be served.
func TestBirthBeforeClients(t *testing.T) {
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	e := &embedded{}
	refused := errors.New("the birth is not taken")
	e.sparkplug, err = sparkplug.New(sparkplug.Options{
		HostID: "host", Schema: schema, Mapping: sparkplug.DefaultMapping(), Now: time.Now,
		MaySpeak: func(ingest.Principal, devices.Ref) bool { return true },
		Submit:   func(context.Context, ingest.Message, ingest.Translated) error { return nil },
		Publish:  func(context.Context, sparkplug.Publication) error { return refused },
	})
	if err != nil {
		t.Fatal(err)
	}
	// With a broker that is not there, only what comes before its start can go well
	// or wrong.
	if err := e.Run(t.Context()); !errors.Is(err, refused) {
		t.Errorf("got %v, want the error of the birth", err)
	}
}
