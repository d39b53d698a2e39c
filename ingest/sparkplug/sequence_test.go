package sparkplug

import (
	"context"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"google.golang.org/protobuf/proto"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// Whatever the order in which a session's messages arrive, the readings are
// those of the right order, and no rebirth is requested.
func TestAnyOrderIsTheSame(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		e := r.edge()
		e.online()
		r.forget()
		n := rapid.IntRange(1, 127).Draw(rt, "messages")
		msgs := make([][]byte, n)
		want := make([]float64, n)
		for i := range msgs {
			msgs[i] = encode(t, e.voltage(float64(i)))
			want[i] = float64(i)
		}
		for _, i := range rapid.Permutation(slices.Collect(indexes(n))).Draw(rt, "order") {
			r.raw(e.topic(DData, "b1"), msgs[i])
		}
		if got := r.volts("b1"); !slices.Equal(got, want) {
			rt.Fatalf("voltages: got %v want %v", got, want)
		}
		r.pass(time.Minute)
		if got := r.rebirths(e); got != 0 {
			rt.Fatalf("rebirth requests: got %d want 0", got)
		}
		if s := r.host.Status(); s.WaitingBytes != 0 || len(r.done) != n {
			rt.Fatalf("got %d bytes waiting and %d acknowledged want 0 and %d", s.WaitingBytes, len(r.done), n)
		}
	})
}

func indexes(n int) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		for i := range n {
			if !yield(i) {
				return
			}
		}
	}
}

// Whatever is lost, everything that did arrive is handed on once the timeouts
// are over, exactly once, and acknowledged.
func TestNothingThatArrivedIsLost(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		r := newRig(t)
		e := r.edge()
		e.online()
		r.forget()
		var sent []float64
		for i := range rapid.IntRange(1, 300).Draw(rt, "messages") {
			p := encode(t, e.voltage(float64(i)))
			if rapid.IntRange(0, 9).Draw(rt, "luck") == 0 {
				continue
			}
			sent = append(sent, float64(i))
			r.raw(e.topic(DData, "b1"), p)
			r.pass(time.Duration(rapid.IntRange(0, 2000).Draw(rt, "pause")) * time.Millisecond)
		}
		r.pass(time.Minute)
		got := r.volts("b1")
		slices.Sort(got)
		if !slices.Equal(got, sent) || len(r.done) != len(sent) {
			rt.Fatalf("voltages: got %v want %v; acknowledged %d", got, sent, len(r.done))
		}
	})
}

func TestRepeatedMessage(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	p := encode(t, e.voltage(51))
	for range 3 {
		r.raw(e.topic(DData, "b1"), p)
	}
	e.ddata("b1", 52)
	r.wantVolts("b1", 50, 51, 51, 51, 52)
	r.pass(time.Minute)
	r.wantRebirths(e, 0)
}

func TestRedeliveredMessageIsNotOutOfOrder(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	p := encode(t, e.voltage(51))
	r.raw(e.topic(DData, "b1"), p)
	e.ddata("b1", 52)
	r.send(ingest.Message{Topic: e.topic(DData, "b1"), Payload: p, Redelivered: true})
	r.pass(time.Minute)
	r.wantRebirths(e, 0)
}

func TestNodeCountsAnewWithoutABirth(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	e.seq = 200
	e.ddata("b1", 51)
	e.seq = 1
	e.ddata("b1", 52)
	r.pass(5 * time.Second)
	r.wantRebirths(e, 1)
	if got := len(r.volts("b1")); got != 3 {
		t.Errorf("got %d voltages want 3", got)
	}
}

// Births that overtake each other: what was published after the NBIRTH belongs
// to it, even if it came before.
func TestDataOvertakesItsBirth(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	nbirth := encode(t, &tahu.Payload{
		Timestamp: proto.Uint64(uint64(t0)), Seq: proto.Uint64(0),
		Metrics: []*tahu.Payload_Metric{long("bdSeq", tahu.DataType_Int64, 0)},
	})
	r.now = r.now.Add(10 * time.Millisecond)
	e.seq = 1
	e.dbirth("b1")
	e.ddata("b1", 51)
	r.raw(e.topic(NBirth), nbirth)
	r.wantVolts("b1", 50, 51)
	r.wantReasons()
	if n := r.node("station1"); n.Waiting != 0 || n.WantsBirth {
		t.Errorf("node: got %+v want nothing waiting, no birth wanted", n)
	}
}

// The same across two sessions: what is old is read by the old births.
func TestMessagesOfTwoSessions(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.online()
	e.seq++ // lost
	e.ddata("b1", 51)
	r.forget()
	r.now = r.now.Add(time.Second)
	nbirth := encode(t, &tahu.Payload{
		Timestamp: proto.Uint64(uint64(r.now.UnixMilli())), Seq: proto.Uint64(0),
		Metrics: []*tahu.Payload_Metric{long("bdSeq", tahu.DataType_Int64, 1)},
	})
	e.seq = 1
	soc := double("soc_pct", 33)
	soc.Alias = proto.Uint64(aliasVoltage) // means something else now
	e.send(DBirth, e.next(soc), "b1")
	r.raw(e.topic(NBirth), nbirth)
	r.wantVolts("b1", 51)
	if got := r.readings(); len(got) != 2 || got[1].Values[0].Field.Name != "soc_pct" {
		t.Errorf("readings: got %v want the voltage of the old session and the charge of the new", got)
	}
}

// Data before the birth is explained by the birth as far as names go.
func TestDataBeforeTheBirth(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.seq = 17
	e.send(DData, e.next(double("voltage_v", 48)), "b1")
	e.ddata("b1", 49) // an alias alone
	r.wantRebirths(e, 1)
	if len(r.submitted) != 0 {
		t.Fatalf("handed on: got %d messages want none before the birth", len(r.submitted))
	}
	r.now = r.now.Add(time.Second)
	e.online()
	r.wantVolts("b1", 50, 48)
	r.wantReasons(wire.ReasonUnknownField)
	if len(r.done) != 5 {
		t.Errorf("acknowledged: got %d want 5", len(r.done))
	}
}

func TestNoBirthComes(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	e.seq = 17
	e.ddata("b1", 49)
	r.pass(29 * time.Second)
	r.wantReasons()
	r.pass(time.Second)
	r.wantReasons(wire.ReasonUnknownDevice)
}

func TestRebirthRequestsAreFew(t *testing.T) {
	r := newRig(t)
	e := r.edge()
	for range 100 { // 100 s
		e.ddata("b1", 1)
		r.pass(time.Second)
	}
	// After 0, 5, 15, 35 and 75 seconds.
	r.wantRebirths(e, 5)
	e.nbirth()
	r.forget()
	e.ddata("b1", 1) // no DBIRTH
	e.ddata("b1", 1)
	r.wantRebirths(e, 0) // the birth was just now
	r.pass(time.Second)
	r.wantRebirths(e, 1)
}

func TestOverflowGivesUpTheGap(t *testing.T) {
	r := newRig(t, func(o *Options) { o.Bounds.WaitingPerNode = 2000 })
	e := r.edge()
	e.online()
	e.seq++
	var want []float64
	for i := range 30 {
		e.ddata("b1", float64(i))
		want = append(want, float64(i))
		if got := r.host.Status().WaitingBytes; got > 2000 {
			t.Fatalf("waiting: got %d bytes want at most 2000", got)
		}
	}
	r.wantVolts("b1", append([]float64{50}, want...)...)
	r.wantRebirths(e, 1)
}

// Timeouts happen by themselves, in Run.
func TestRun(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := newRig(t)
		r.host.opts.Now = time.Now
		r.now = time.Now()
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan error)
		go func() { done <- r.host.Run(ctx) }()
		e := r.edge()
		e.online()
		e.seq++
		e.ddata("b1", 51)
		check := func(want int) {
			if err := r.host.turn.take(t.Context()); err != nil { // Run may be handing on
				t.Fatal(err)
			}
			defer r.host.turn.give()
			r.wantRebirths(e, want)
		}
		time.Sleep(5*time.Second - time.Millisecond)
		synctest.Wait()
		check(0)
		time.Sleep(2 * time.Millisecond)
		synctest.Wait()
		check(1)
		cancel()
		if err := <-done; err != nil {
			t.Errorf("run: %v", err)
		}
		r.wantVolts("b1", 50, 51)
	})
}
