package broker

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Over the limit a device waits, over all its connections together, and is
// neither refused nor cut off.
func TestQuota(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		qs := newQuotas(&Options{MessagesPerSecond: 10, MessageBurst: 5, BytesPerSecond: 1000, ByteBurst: 4000})
		a, b := ref(t, "station/a"), ref(t, "station/b")
		first, second, other := qs.take(a), qs.take(a), qs.take(b)
		if first != second || first == other {
			t.Fatal("connections of a device must share a quota, and devices must not")
		}
		counts := &counts{}
		var since atomic.Int64
		began := time.Now()
		for i := range 25 { // 5 at once, 20 at 10 a second
			q := first
			if i%2 == 1 {
				q = second
			}
			if err := q.wait(t.Context(), 1, counts, &since); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(began); got < 1900*time.Millisecond || got > 2100*time.Millisecond {
			t.Errorf("25 messages took %v, want 2 s", got)
		}
		if got := counts.throttled.Load(); got != 20 {
			t.Errorf("got %d throttled, want 20", got)
		}
		began = time.Now()
		for range 2 { // 4,000 bytes at once, 4,000 at 1,000 a second
			if err := other.wait(t.Context(), 4000, counts, &since); err != nil {
				t.Fatal(err)
			}
		}
		if got := time.Since(began); got < 3900*time.Millisecond || got > 4100*time.Millisecond {
			t.Errorf("8,000 bytes took %v, want 4 s", got)
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := other.wait(ctx, 4000, counts, &since); err == nil {
			t.Error("the wait did not end with its context")
		}
	})
}

// Connections that end while they wait take nothing from the device.
func TestQuotaIsGivenBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		qs := newQuotas(&Options{MessagesPerSecond: 1, MessageBurst: 1, BytesPerSecond: 10, ByteBurst: 10})
		q := qs.take(ref(t, "station/a"))
		wait := func(ctx context.Context) error { return q.wait(ctx, 10, &counts{}, new(atomic.Int64)) }
		if err := wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		var ending sync.WaitGroup
		for i := range 20 {
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(i+1)*10*time.Millisecond)
			defer cancel()
			ending.Go(func() {
				if wait(ctx) == nil {
					t.Error("it did not wait")
				}
			})
		}
		ending.Wait()
		if err := wait(t.Context()); err != nil {
			t.Fatal(err)
		}
		if got := time.Since(began); got > 1100*time.Millisecond {
			t.Errorf("after 20 that did not wait to the end, the next took %v, want 1 s", got)
		}
	})
}

// A device gains nothing by connecting anew, and the unused are forgotten.
func TestQuotaIsRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		qs := newQuotas(&Options{MessagesPerSecond: 1, MessageBurst: 10})
		a := ref(t, "station/a")
		q := qs.take(a)
		_ = q.wait(t.Context(), 1, &counts{}, new(atomic.Int64))
		qs.give(a, q)
		if qs.take(a) != q {
			t.Error("a spent quota was forgotten")
		}
		qs.give(a, q)
		time.Sleep(time.Minute) // of the test's own time: the burst is whole again
		for i := range 1000 {
			r := devices.Ref{Kind: devices.KindStation, ID: fmt.Sprint(i)}
			q := qs.take(r)
			_ = q.wait(t.Context(), 1, &counts{}, new(atomic.Int64))
			qs.give(r, q)
			time.Sleep(time.Second)
		}
		if len(qs.byRef) > 2*minSweep {
			t.Errorf("got %d quotas of devices that are gone", len(qs.byRef))
		}
	})
	if newQuotas(&Options{}).take(ref(t, "station/a")) != nil {
		t.Error("got a quota without a limit")
	}
}

// On the wire: everything arrives, in order, and not faster than may be.
func TestThrottledLosesNothing(t *testing.T) {
	p := newPipe(true)
	b := start(t, p, func(o *Options) { o.MessagesPerSecond, o.MessageBurst = 200, 10 })
	c := rawSession(t, b, 4)
	began := time.Now()
	const n = 110
	for id := uint16(1); id <= n; id++ {
		c.write(publishPacketWith(4, own, id, fmt.Sprint(id)))
	}
	for id := uint16(1); id <= n; id++ {
		if body, ok := c.answer(packets.Puback); !ok || uint16(body[0])<<8|uint16(body[1]) != id {
			t.Fatalf("got %x, up %v; want PUBACK for %d", body, ok, id)
		}
	}
	if got := time.Since(began); got < 450*time.Millisecond {
		t.Errorf("100 messages over the burst took %v, want 500 ms", got)
	}
	// Counters of a connection are complete with its end.
	c.conn.Close()
	connected(t, b, 0)
	got := b.Counters()
	if got.Throttled == 0 || got.Publishes != n || got.Connects != 1 {
		t.Errorf("got %d throttled, %d published, %d connected; want some, %d, 1", got.Throttled, got.Publishes, got.Connects, n)
	}
}

func TestConnectionLimits(t *testing.T) {
	tests := []struct {
		name   string
		change func(*Options)
		cause  string
		code   byte // of the third
	}{
		{"overall", func(o *Options) { o.MaxClients = 2 }, "full", 0xff},
		{"from one address", func(o *Options) { o.MaxPerAddress = 2 }, "address", 0xff},
		{"of one device", func(o *Options) { o.MaxPerDevice = 2 }, "device", 0x97},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			b := start(t, newPipe(true), tt.change)
			var open []*raw
			for i, want := range []byte{0, 0, tt.code} {
				c := dialRaw(t, b.Addr(), nil, 5)
				if got := c.connect(fmt.Sprint("c", i), "s1", "one"); got != want {
					t.Fatalf("connection %d: got CONNACK %#x, want %#x", i, got, want)
				}
				open = append(open, c)
			}
			if got := b.Counters().Refused[tt.cause]; got != 1 {
				t.Errorf("got %d refused for %q, want 1", got, tt.cause)
			}
			open[0].conn.Close()
			connected(t, b, 1)
			eventuallyLetIn(t, b)
		})
	}
}

// eventuallyLetIn: the place of a closed connection is free a moment after its
// session has ended.
func eventuallyLetIn(t *testing.T, b *Broker) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); {
		if dialRaw(t, b.Addr(), nil, 5).connect("again", "s1", "one") == 0 {
			return
		}
	}
	t.Error("nobody is let in after one has left")
}

// A client that takes over its own session is not one more.
func TestTakeoverIsNotOneMore(t *testing.T) {
	b := start(t, newPipe(true), func(o *Options) { o.MaxPerDevice = 1 })
	for range 5 {
		if code := dialRaw(t, b.Addr(), nil, 5).connect("same", "s1", "one"); code != 0 {
			t.Fatalf("got CONNACK %#x, want 0", code)
		}
	}
}

func TestSubscriptionLimit(t *testing.T) {
	b := start(t, newPipe(true), func(o *Options) { o.MaxSubscriptions = 3 })
	c := rawSession(t, b, 5)
	for i, want := range []byte{0, 0, 0, 0x8f} {
		if code := c.subscribe(fmt.Sprint("fleet/v1/station/s1/command/", i)); code != want {
			t.Errorf("subscription %d: got %#x, want %#x", i, code, want)
		}
	}
}

func TestGuard(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	g := newGuard(func() time.Time { return now })
	home, away := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("198.51.100.1/32")
	note := func(from netip.Prefix, user string) time.Duration {
		pause, ok := g.note(from, user)
		if ok && pause > 0 {
			g.leave()
		}
		return pause
	}
	want := []time.Duration{0, 0, 0, firstPause, 2 * firstPause, 4 * firstPause, 8 * firstPause, maxPause, maxPause}
	for i, w := range want {
		if got := note(home, "s1"); got != w {
			t.Errorf("failure %d: got a pause of %v, want %v", i+1, got, w)
		}
	}
	if got := note(away, "s1"); got != maxPause {
		t.Errorf("the name from elsewhere: got %v, want %v", got, maxPause)
	}
	if got := note(away, "s2"); got != 0 {
		t.Errorf("another name from elsewhere: got %v, want none", got)
	}
	now = now.Add(forgetAfter + time.Second)
	if got := note(home, "s1"); got != 0 {
		t.Errorf("after %v: got %v, want none", forgetAfter, got)
	}
	for i := range 3 * maxSuspects {
		note(netip.PrefixFrom(netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}), 32), fmt.Sprint("u", i))
	}
	if len(g.addresses) > maxSuspects || len(g.users) > maxSuspects {
		t.Errorf("got %d addresses and %d names, want at most %d", len(g.addresses), len(g.users), maxSuspects)
	}
}

func TestGuardBoundsThePaused(t *testing.T) {
	g := newGuard(time.Now)
	from := netip.MustParsePrefix("192.0.2.1/32")
	for range freeFailures {
		g.note(from, "")
	}
	for i := range maxPaused + 10 {
		if pause, ok := g.note(from, ""); ok != (i < maxPaused) || (pause > 0) != ok {
			t.Fatalf("guess %d: got a pause of %v, a place %v", i, pause, ok)
		}
	}
	g.leave()
	if _, ok := g.note(from, ""); !ok {
		t.Error("a place that is free again is not given")
	}
}

// While somebody guesses from behind the same router, and for the same name,
// who knows the secret gets in at once.
func TestRightCredentialIsLetInWhileGuessed(t *testing.T) {
	b := start(t, newPipe(true), nil)
	var guessers sync.WaitGroup
	defer guessers.Wait()
	slow := make(chan struct{}, 1)
	for range 5 {
		c := dialRaw(t, b.Addr(), nil, 5)
		guessers.Go(func() {
			began := time.Now()
			if code := c.connect("guess", "s1", "wrong"); code == 0 {
				t.Error("a wrong password was let in")
			}
			if time.Since(began) >= firstPause {
				select {
				case slow <- struct{}{}:
				default:
				}
			}
			c.conn.Close()
		})
	}
	for deadline := time.Now().Add(time.Minute); b.Counters().Refused["credential"] < 5; runtime.Gosched() {
		if time.Now().After(deadline) {
			t.Fatal("the guesses were not refused")
		}
	}
	began := time.Now()
	if code := dialRaw(t, b.Addr(), nil, 5).connect("right", "s1", "one"); code != 0 {
		t.Errorf("got CONNACK %#x, want 0", code)
	}
	if got := time.Since(began); got > firstPause {
		t.Errorf("the right password took %v", got)
	}
	select {
	case <-slow:
	case <-time.After(20 * time.Second):
		t.Error("no guess was slowed")
	}
}

func TestNotices(t *testing.T) {
	var out bytes.Buffer
	now := time.Unix(1_800_000_000, 0)
	n := &notices{log: slog.New(slog.NewTextHandler(&out, nil)), now: func() time.Time { return now }}
	lines := func() int { return strings.Count(out.String(), "\n") }
	for range 1000 {
		n.note(refusedCredential, "user", "s1")
	}
	n.note(refusedFull)
	if lines() != 2 {
		t.Errorf("got %d lines, want one for each cause:\n%s", lines(), &out)
	}
	n.flush()
	if lines() != 2 {
		t.Errorf("within the minute: got %d lines, want 2", lines())
	}
	now = now.Add(quiet)
	n.note(refusedCredential, "user", "s2")
	if !strings.Contains(out.String(), "user=s2 more_before=999") {
		t.Errorf("got no count of the silent ones:\n%s", &out)
	}
	n.note(refusedCredential)
	now = now.Add(quiet)
	n.flush()
	if !strings.HasSuffix(strings.TrimSpace(out.String()), "more_before=1") {
		t.Errorf("the last silent one was not told:\n%s", &out)
	}
	for c := range causes {
		if c.label() == "" || c.line() == "" {
			t.Errorf("cause %d has no words", c)
		}
	}
}

func TestOrigin(t *testing.T) {
	tests := []struct{ addr, want string }{
		{"192.0.2.7:5", "192.0.2.7/32"},
		{"[::ffff:192.0.2.7]:5", "192.0.2.7/32"},
		{"[2001:db8:1:2:3:4:5:6]:5", "2001:db8:1:2::/64"},
		{"[fe80::1%eth0]:5", "fe80::/64"},
	}
	for _, tt := range tests {
		addr := net.TCPAddrFromAddrPort(netip.MustParseAddrPort(tt.addr))
		if got := origin(addr).String(); got != tt.want {
			t.Errorf("%s: got %s, want %s", tt.addr, got, tt.want)
		}
	}
}
