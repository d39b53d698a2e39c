package broker

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/ingest"
)

// A connection that ends with a will leaves its place also while the pipeline
// takes nothing; the will is stored when it does again.
func TestWillDuringOutage(t *testing.T) {
	p := newPipe(true)
	outage := make(chan struct{})
	b := start(t, p, func(o *Options) {
		o.MaxPerDevice = 1
		o.Submit = func(ctx context.Context, m ingest.Message) error {
			select {
			case <-outage:
				return p.submit(ctx, m)
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	})
	for _, id := range []string{"a", "b", "c"} {
		c := dialRaw(t, b.Addr(), nil, 5)
		c.write(connectWith(cleanStart, nil, id))
		if body, ok := c.answer(packets.Connack); !ok || body[1] != 0 {
			t.Fatalf("%s: got CONNACK %x, up %v", id, body, ok)
		}
		connected(t, b, 1)
		c.conn.Close()
		connected(t, b, 0)
		until(t, "free", func() bool {
			b.hook.sessions.mu.Lock()
			defer b.hook.sessions.mu.Unlock()
			return len(b.hook.sessions.byDevice) == 0
		})
	}
	close(outage)
	for _, m := range p.wait(t, 3) {
		if m.Topic != "fleet/v1/station/s1/status" || string(m.Payload) != "offline" {
			t.Errorf("got %s %q", m.Topic, m.Payload)
		}
	}
}

// Subscribers get a will after its commit, retained if it asks for that, and not
// one that the pipeline refuses.
func TestWillIsPassedOn(t *testing.T) {
	var refused atomic.Bool
	b := start(t, newPipe(true), func(o *Options) {
		o.Anonymous = true
		o.Submit = func(_ context.Context, m ingest.Message) error {
			var out ingest.Outcome
			if refused.Load() {
				out.Refused = "foreign_device"
			}
			m.Done(out)
			return nil
		}
	})
	watcher := dialRaw(t, b.Addr(), nil, 5)
	if watcher.connect("w", "", "") != 0 || watcher.subscribe("#") != 0 {
		t.Fatal("no watcher")
	}
	for _, r := range []bool{true, false} {
		refused.Store(r)
		c := dialRaw(t, b.Addr(), nil, 5)
		c.write(connectWith(cleanStart|0x20, nil, "c"))
		if body, ok := c.answer(packets.Connack); !ok || body[1] != 0 {
			t.Fatalf("got %x, up %v", body, ok)
		}
		connected(t, b, 2)
		c.conn.Close()
		connected(t, b, 1)
		until(t, "handed on", func() bool { return b.hook.wills.bytes.used.Load() == 0 })
	}
	retained(t, b, "fleet/v1/station/s1/status")
	watcher.next()
	if want := []string{"fleet/v1/station/s1/status offline"}; !slices.Equal(watcher.got, want) {
		t.Errorf("got %q, want %q", watcher.got, want)
	}
}

func TestWillsAreBounded(t *testing.T) {
	small := bequest{message: ingest.Message{Payload: []byte("offline")}}
	large := bequest{message: ingest.Message{Payload: make([]byte, maxControl)}}
	for name, tt := range map[string]struct {
		one  bequest
		most int
	}{"many": {small, maxWills}, "large": {large, maxWillBytes / maxControl}} {
		w := newWills()
		left := 0
		for w.leave(tt.one) {
			left++
		}
		if left != tt.most {
			t.Errorf("%s: got %d, want %d", name, left, tt.most)
		}
	}
}
