package sparkplug

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// A run of waiting messages is unpacked and handed on one at a time, with the
// state free to be read meanwhile.
func TestWaitingIsHandedOnOneByOne(t *testing.T) {
	for _, tc := range []struct {
		name  string
		begin func(r *rig, e *edge) // messages 4 to 13 wait
		end   func(r *rig, e *edge)
	}{
		{"the missing one comes", func(*rig, *edge) {}, func(r *rig, e *edge) {
			e.seq = 3
			e.ddata("b1", 0)
		}},
		{"it is given up", func(*rig, *edge) {}, func(r *rig, e *edge) { r.pass(time.Minute) }},
		{"the end", func(*rig, *edge) {}, func(r *rig, e *edge) { _ = r.host.Drain(r.t.Context()) }},
		{"the connection is lost", func(*rig, *edge) {}, func(r *rig, e *edge) { _ = r.host.Lost(r.t.Context()) }},
		{"the birth comes", func(r *rig, e *edge) {
			e.send(DDeath, &tahu.Payload{Timestamp: proto.Uint64(uint64(t0)), Seq: proto.Uint64(3)}, "b1")
		}, func(r *rig, e *edge) { e.dbirth("b1") }},
	} {
		t.Run(tc.name, func(t *testing.T) {
			const n = 10
			r := newRig(t)
			e := r.edge()
			e.online()
			tc.begin(r, e)
			r.forget()
			e.seq = 4
			for i := range n {
				kept, transient := double("voltage_v", float64(i)), double("soc_pct", 1)
				transient.IsTransient = proto.Bool(true) // counted when it is read
				e.send(DData, e.next(kept, transient), "b1")
			}
			if len(r.submitted) != 0 {
				t.Fatalf("handed on: got %d messages want none yet", len(r.submitted))
			}
			handedOn, submit := 0, r.host.opts.Submit
			r.host.opts.Submit = func(ctx context.Context, m ingest.Message, tr ingest.Translated) error {
				if _, has := first(tr); has {
					if handedOn++; r.host.Status().Counts.Transient > uint64(handedOn) {
						t.Errorf("at message %d: %d are read already", handedOn, r.host.Status().Counts.Transient)
					}
				}
				return submit(ctx, m, tr)
			}
			tc.end(r, e)
			if got := r.host.Status().Counts.Transient; got != n {
				t.Errorf("read: got %d want %d", got, n)
			}
		})
	}
}

// first is the voltage of a message that had waited.
func first(tr ingest.Translated) (v float64, has bool) {
	if len(tr.Decoded.Readings) != 1 || len(tr.Decoded.Readings[0].Values) != 1 || len(tr.Decoded.Events) > 0 {
		return 0, false
	}
	return tr.Decoded.Readings[0].Num("voltage_v")
}

// What waits counts for what it unpacks to: few kilobytes may be a hundred
// thousand readings.
func TestWaitingCountsUnpacked(t *testing.T) {
	const messages, readings = 20, 10_000
	r := newRig(t)
	e := r.edge()
	e.online()
	e.seq++
	bound := r.host.opts.Bounds.WaitingPerNode
	packed, handedOn := 0, 0
	r.host.opts.Submit = func(_ context.Context, _ ingest.Message, tr ingest.Translated) error {
		handedOn += len(tr.Decoded.Readings)
		return nil
	}
	for range messages {
		p := e.next()
		for i := range readings {
			p.Metrics = append(p.Metrics, at(aliased(aliasVoltage, 51), t0+int64(i)))
		}
		body := zip(t, "DEFLATE", encode(t, p))
		packed += len(body)
		e.send(DData, squeezed("DEFLATE", body), "b1")
		if got := r.host.Status().WaitingBytes; got > bound {
			t.Fatalf("waiting: got %d want at most %d", got, bound)
		}
	}
	if int64(packed) > bound {
		t.Fatalf("the messages are %d bytes: want fewer than may wait", packed)
	}
	if waiting := messages*readings - handedOn; int64(waiting)*100 > bound {
		t.Errorf("%d readings wait, want no more than %d bytes' worth", waiting, bound)
	}
	r.pass(time.Minute)
	if want := messages * readings; handedOn != want {
		t.Errorf("handed on: got %d readings want %d", handedOn, want)
	}
}

// Whoever waits for a turn waits no longer than its context lasts.
func TestTurnEndsWithTheContext(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	m := ingest.Message{Topic: e.topic(DData, "b1"), Payload: encode(t, e.voltage(1))}
	for name, call := range map[string]func(context.Context) error{
		"receive": func(ctx context.Context) error { return r.host.Receive(ctx, m) },
		"replay":  func(ctx context.Context) error { return r.host.Replay(ctx, m) },
		"lost":    r.host.Lost,
		"drain":   r.host.Drain,
		"expire":  func(ctx context.Context) error { _, err := r.host.expire(ctx); return err },
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				r.host.turn, r.host.opening = make(turn, 1), make(chan struct{}, 2)
				if err := r.host.turn.take(t.Context()); err != nil {
					t.Fatal(err)
				}
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if err := call(ctx); !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v want %v", err, context.DeadlineExceeded)
				}
			})
		})
	}
}

// As many messages are unpacked at once as there are slots; the rest waits
// packed.
func TestUnpackedAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.host.opening = make(chan struct{}, 2)
		if err := r.host.turn.take(t.Context()); err != nil {
			t.Fatal(err)
		}
		done := make(chan error)
		for range 10 {
			m := ingest.Message{Topic: "spBv1.0/plant/NDEATH/station1", Payload: []byte("?")}
			go func() { done <- r.host.Receive(t.Context(), m) }()
		}
		synctest.Wait()
		if got := len(r.host.opening); got != 2 {
			t.Errorf("unpacked: got %d want 2", got)
		}
		r.host.turn.give()
		for range 10 {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
		if got := len(r.submitted); got != 10 {
			t.Errorf("handed on: got %d want 10", got)
		}
	})
}

// While the store is down, Run holds the turn inside Submit, and its end gives it
// back.
func TestEndWhileTheStoreIsDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.host.opts.Now = time.Now
		r.now = time.Now()
		e := r.edge()
		e.online()
		r.forget()
		e.seq++
		e.ddata("b1", 51)
		submit, down := r.host.opts.Submit, true
		r.host.opts.Submit = func(ctx context.Context, m ingest.Message, tr ingest.Translated) error {
			if down {
				<-ctx.Done()
				return ctx.Err()
			}
			return submit(ctx, m, tr)
		}
		running, cancel := context.WithCancel(t.Context())
		done := make(chan error, 1)
		go func() { done <- r.host.Run(running) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		ctx, end := context.WithTimeout(t.Context(), time.Second)
		defer end()
		if err := r.host.Drain(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("drain while Run waits for the store: got %v want %v", err, context.DeadlineExceeded)
		}
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		down = false // too late for the message that Run had
		if err := r.host.Drain(t.Context()); err != nil {
			t.Errorf("drain: %v", err)
		}
		if got := len(r.done); got != 0 {
			t.Errorf("acknowledged: got %d messages want none, for none was stored", got)
		}
	})
}
