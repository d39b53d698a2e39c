package presence

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"
)

const (
	second = int64(1000)
	minute = 60 * second

	epoch = int64(1_767_225_600_000) // 2026-01-01
)

// sample is one delivery of a message.
type sample struct {
	true, sent, received int64 // when it was sent: by the sun, and by the device's clock
	redelivered          bool
}

// ask is the corrected time of each delivery.
func ask(c *clock, in ...sample) []int64 {
	out := make([]int64, len(in))
	for i, s := range in {
		offset, _ := c.offset(s.sent, s.received, s.redelivered)
		out[i] = s.sent + offset
	}
	return out
}

// every makes n messages, one each step, of a clock that is ahead by so much,
// each under way for as long as delay says.
func every(from, step int64, n int, ahead int64, delay func(i int) int64) []sample {
	out := make([]sample, n)
	for i := range out {
		at := from + int64(i)*step
		out[i] = sample{true: at, sent: at + ahead, received: at + delay(i)}
	}
	return out
}

func prompt(int) int64 { return 80 }

func byArrival(s []sample) []sample {
	slices.SortStableFunc(s, func(a, b sample) int { return int(a.received - b.received) })
	return s
}

// What is worth an error of so many milliseconds, from the n-th message on.
func TestClock(t *testing.T) {
	late := func(base, from, until int64) func(i int) int64 { // a network that is down for a while
		return func(i int) int64 {
			if at := base + int64(i)*10*second; from <= at && at < until {
				return until - at + 50
			}
			return 80
		}
	}
	tests := []struct {
		name    string
		in      []sample
		settled int   // messages before, which keep the device's word or less
		within  int64 // milliseconds of the truth, after that
	}{
		{"right", every(epoch, 10*second, 500, 0, prompt), 0, 0},
		{"half a minute fast is right", every(epoch, 10*second, 500, 30*second, prompt), 0, 30 * second},
		{"half a minute slow is right", every(epoch, 10*second, 500, -30*second, prompt), 0, 30 * second},
		{"an hour fast, from the first message", every(epoch, 10*second, 500, hour, prompt), 0, 100},
		{"a year fast", every(epoch, 10*second, 500, 365*day, prompt), 0, 100},
		{"an hour slow, after five minutes", every(epoch, 10*second, 500, -hour, prompt), 30, 100},
		{"an hour slow, every quarter of an hour", every(epoch, 15*minute, 100, -hour, prompt), 4, 100},
		{"since 1970, from the first message", every(epoch, 10*second, 500, -epoch, prompt), 0, 100},
		{"an hour late, then on time", every(epoch, 10*second, 500, 0, late(epoch, epoch, epoch+hour)), 0, 0},
		{"out for half an hour, slow by two", append(every(epoch, 10*second, 40, -2*hour, prompt),
			byArrival(every(epoch+400*second, 10*second, 500, -2*hour, late(epoch+400*second, epoch+600*second, epoch+2400*second)))...), 30, 100},
		{"set right from an hour fast", append(every(epoch, 10*second, 100, hour, prompt), every(epoch+1000*second, 10*second, 500, 0, prompt)...), 0, 100},
		{"set right from an hour slow", append(every(epoch, 10*second, 100, -hour, prompt), every(epoch+1000*second, 10*second, 500, 0, prompt)...), 30, 100},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			for i, got := range ask(newClock(), tt.in...) {
				if off := got - tt.in[i].true; i >= tt.settled && abs(off) > tt.within {
					t.Fatalf("message %d: off by %d ms, want at most %d", i, off, tt.within)
				}
			}
		})
	}
}

// Nobody can tell the first message of a device from a late one by its sent_at
// an hour back, so it keeps its time; one from the future does not.
func TestFirstMessage(t *testing.T) {
	tests := []struct {
		name         string
		sent, offset int64
	}{
		{"an hour back", epoch - hour, 0},
		{"29 days back", epoch - 29*day, 0},
		{"31 days back", epoch - 31*day, 31*day - 1},
		{"59 s ahead", epoch + 59*second, 0},
		{"61 s ahead", epoch + 61*second, -61 * second},
		{"beyond all time", 1 << 53, epoch - 1<<53},
		{"before all time", -1 << 53, epoch + 1<<53},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			offset, _ := newClock().offset(tt.sent, epoch, false)
			if abs(offset-tt.offset) > 1 {
				t.Errorf("got %d, want %d", offset, tt.offset)
			}
		})
	}
}

// A clock that drifts is followed in steps of ten seconds once it is a minute
// off, and in no more steps than that takes.
func TestDrift(t *testing.T) {
	for _, perDay := range []int64{second, -second, 20 * second, -20 * second} {
		t.Run(fmt.Sprintf("drift_ms_per_day=%d", perDay), func(t *testing.T) {
			c := newClock()
			rng := rand.New(rand.NewPCG(1, uint64(perDay)))
			const days, settled = 200, 61
			worst, steps := int64(0), 0
			for at := epoch; at < epoch+days*day; at += 10 * minute {
				ahead := (at - epoch) * perDay / day
				offset, changed := c.offset(at+ahead, at+20+rng.Int64N(400), false)
				if changed {
					steps++
				}
				worst = max(worst, abs(ahead+offset))
			}
			if limit := tolerance + 2*second; worst > limit {
				t.Errorf("off by %d ms at worst, want at most %d", worst, limit)
			}
			end := abs((days*perDay - days) + c.present().Offset)
			if end > stride+2*second {
				t.Errorf("off by %d ms at the end, want at most %d", end, stride+2*second)
			}
			if most := int(abs(perDay)*days/stride) + 2; steps > most {
				t.Errorf("got %d steps, want at most %d", steps, most)
			}
		})
	}
}

// delays draws how long a message is under way: a network of some 100 ms, its
// tail, a minute's hiccup now and then, and outages that hold all until they end.
func delays(rng *rand.Rand) func(at int64) int64 {
	return func(at int64) int64 {
		d := 40 + int64(rng.ExpFloat64()*100)
		if rng.IntN(50) == 0 {
			d += rng.Int64N(minute)
		}
		if into := (at - epoch) % (8 * hour); into > 6*hour { // two hours in eight
			d += 8*hour - into + rng.Int64N(5*second)
		}
		return d
	}
}

// Scored against the truth: 100 devices, off by up to two hours either way, on a
// network with hiccups and long outages. Once a clock has settled a reading is
// within one stride of the truth, mostly within a second.
func TestScore(t *testing.T) {
	var errors []int64
	for device := range 100 {
		rng := rand.New(rand.NewPCG(7, uint64(device)))
		ahead := rng.Int64N(4*hour) - 2*hour
		if abs(ahead) < 2*tolerance {
			ahead += 4 * tolerance
		}
		delay := delays(rng)
		var in []sample
		for at := epoch; at < epoch+2*day; at += 30 * second {
			in = append(in, sample{true: at, sent: at + ahead, received: at + delay(at)})
		}
		in = byArrival(in)
		for i, got := range ask(newClock(), in...) {
			if in[i].received > epoch+hour {
				errors = append(errors, abs(got-in[i].true))
			}
		}
	}
	slices.Sort(errors)
	at := func(q float64) int64 { return errors[int(q*float64(len(errors)-1))] }
	t.Logf("error in ms: median %d, p99 %d, p99.9 %d, worst %d of %d", at(0.5), at(0.99), at(0.999), at(1), len(errors))
	if at(0.5) > second || at(0.99) > stride+second || at(1) > 2*stride {
		t.Errorf("error: median %d, p99 %d, worst %d ms", at(0.5), at(0.99), at(1))
	}
}

// drawnTraffic is what a device sends whose clock is off by the same amount all
// the time: messages under way for a while, some of them twice. No five of them
// are late by the same time, but by chance: that would be a slow clock.
func drawnTraffic(t *rapid.T, from, ahead int64) []sample {
	var in []sample
	at := from
	rng := rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "delays"), 0))
	for range rapid.IntRange(1, 60).Draw(t, "messages") {
		at += rapid.Int64Range(1, 10*minute).Draw(t, "pause")
		for copies := rapid.IntRange(1, 3).Draw(t, "copies"); copies > 0; copies-- {
			delay := rapid.Int64Range(0, 5*second).Draw(t, "delay")
			if rapid.Bool().Draw(t, "late") {
				delay = rng.Int64N(2 * day)
			}
			in = append(in, sample{true: at, sent: at + ahead, received: at + delay, redelivered: rapid.Bool().Draw(t, "redelivered")})
		}
	}
	return in
}

// checkDuplicates fails where two deliveries of one message have two times.
func checkDuplicates(t *rapid.T, in []sample, got []int64) {
	t.Helper()
	first := map[int64]int64{} // by when it was sent: a clock that is set back shows a time twice
	for i, s := range in {
		if want, seen := first[s.true]; seen && got[i] != want {
			t.Fatalf("sent at %d: got %d, and %d before", s.sent, got[i], want)
		}
		first[s.true] = got[i]
	}
}

// A message that comes again, whenever, is the same reading: also while the
// clock is not yet known, and however long the first delivery took.
func TestDuplicatesAreOne(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ahead := rapid.OneOf(rapid.Int64Range(-3*hour, 3*hour), rapid.Int64Range(-minute, minute)).Draw(t, "ahead")
		in := byArrival(drawnTraffic(t, epoch, ahead))
		checkDuplicates(t, in, ask(newClock(), in...))
	})
}

// So it is where the server is killed at any time: what is on disk is what was
// there at the last change.
func TestDuplicatesOverRestarts(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ahead := rapid.Int64Range(-3*hour, 3*hour).Draw(t, "ahead")
		in := byArrival(drawnTraffic(t, epoch, ahead))
		c := newClock()
		disk := slices.Clone(c.spells)
		got := make([]int64, len(in))
		for i, s := range in {
			offset, changed := c.offset(s.sent, s.received, s.redelivered)
			got[i] = s.sent + offset
			if changed {
				disk = slices.Clone(c.spells)
			}
			if rapid.IntRange(0, 9).Draw(t, "killed") == 0 {
				c = restored(slices.Clone(disk))
			}
		}
		checkDuplicates(t, in, got)
	})
}

// So it is around a clock that is set, forwards or back, where the second
// delivery comes within the time that it was set by.
func TestDuplicatesAroundJumps(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var in []sample
		at, ahead := epoch, int64(0)
		for range rapid.IntRange(1, 4).Draw(t, "clocks") {
			for range rapid.IntRange(1, 40).Draw(t, "messages") {
				at += rapid.Int64Range(second, 5*minute).Draw(t, "pause")
				for _, delay := range []int64{rapid.Int64Range(0, 5*second).Draw(t, "delay"), rapid.Int64Range(0, 50*second).Draw(t, "again")} {
					in = append(in, sample{true: at, sent: at + ahead, received: at + delay})
				}
			}
			at += minute
			ahead += rapid.SampledFrom([]int64{-1, 1}).Draw(t, "way") * 4 * minute * rapid.Int64Range(1, 75).Draw(t, "by")
		}
		in = byArrival(in)
		checkDuplicates(t, in, ask(newClock(), in...))
	})
}

// Once a clock is known, the order in which messages are taken changes nothing.
func TestOrderDoesNotMatter(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		// Not just where the delay decides whether the clock is right.
		ahead := rapid.OneOf(rapid.Int64Range(-3*hour, -70*second), rapid.Int64Range(-50*second, 50*second),
			rapid.Int64Range(70*second, 3*hour)).Draw(t, "ahead")
		settle := every(epoch-hour, 10*second, 360, ahead, prompt)
		in := drawnTraffic(t, epoch, ahead)
		// While the late ones arrive, some message is on time every few minutes, or
		// nothing tells them from those of a slow clock.
		in = append(in, every(epoch, 2*minute, 3*24*30, ahead, prompt)...)
		a, b := newClock(), newClock()
		ask(a, settle...)
		ask(b, settle...)
		ordered := byArrival(slices.Clone(in))
		shuffled := slices.Clone(in)
		rand.New(rand.NewPCG(rapid.Uint64().Draw(t, "seed"), 0)).
			Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
		want := map[int64]int64{}
		for i, ts := range ask(a, ordered...) {
			want[ordered[i].sent] = ts
		}
		got := ask(b, shuffled...)
		checkDuplicates(t, shuffled, got)
		for i, s := range shuffled {
			if got[i] != want[s.sent] {
				t.Fatalf("sent at %d: got %d, want %d as in order", s.sent, got[i], want[s.sent])
			}
		}
	})
}

// Nonsense of any kind is taken without harm: what is kept is bounded, and so is
// how often it has to be written.
func TestNonsense(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		received, last, writes := epoch, int64(0), 0
		for range rapid.IntRange(1, 300).Draw(t, "messages") {
			received += rapid.Int64Range(0, minute).Draw(t, "pause")
			sent := rapid.OneOf(
				rapid.Int64Range(-1<<53, 1<<53), rapid.Int64Range(epoch-day, epoch+day), rapid.Just(received),
			).Draw(t, "sent")
			if _, changed := c.offset(sent, received, rapid.Bool().Draw(t, "redelivered")); changed && received-last >= burst {
				writes, last = writes+1, received
			}
			if len(c.spells) > maxSpells || c.present().To != forever {
				t.Fatalf("spells: %+v", c.spells)
			}
		}
		if most := maxChanges * int((received-epoch)/hour+1); writes > most {
			t.Fatalf("got %d writes in %d ms, want at most %d", writes, received-epoch, most)
		}
	})
}

// A gateway that was without a network for two hours sends what it kept, newest
// or oldest first, twice, each message with the time of its stamping.
func TestBacklog(t *testing.T) {
	for _, ahead := range []int64{0, hour, -hour} {
		t.Run(fmt.Sprintf("ahead_ms=%d", ahead), func(t *testing.T) {
			c := newClock()
			ask(c, every(epoch, 10*second, 360, ahead, prompt)...)
			back := epoch + 3*hour
			backlog := every(epoch+hour, second, 7200, ahead, func(i int) int64 { return back - (epoch + hour + int64(i)*second) + int64(i/100) })
			backlog = append(backlog, slices.Clone(backlog)...)
			rng := rand.New(rand.NewPCG(3, 3))
			rng.Shuffle(len(backlog), func(i, j int) { backlog[i], backlog[j] = backlog[j], backlog[i] })
			before := len(c.spells)
			for i, got := range ask(c, backlog...) {
				if abs(got-backlog[i].true) > 100 {
					t.Fatalf("off by %d ms", got-backlog[i].true)
				}
			}
			if len(c.spells) != before {
				t.Errorf("a backlog changed the clock: %+v", c.spells)
			}
		})
	}
}

// A clock without a battery counts from its start, each time anew.
func TestRestarts(t *testing.T) {
	c := newClock()
	at := epoch
	for start := range 20 {
		boot := at
		for i := range 200 {
			offset, _ := c.offset(at-boot, at+80, false)
			if got := at - boot + offset; abs(got-at) > 100 {
				t.Fatalf("start %d, message %d: off by %d ms", start, i, got-at)
			}
			at += 10 * second
		}
		at += 3 * minute
	}
}

func BenchmarkOffset(b *testing.B) {
	c := newClock()
	ask(c, every(epoch, 10*second, 360, hour, prompt)...)
	at := epoch + hour
	b.ReportAllocs()
	for b.Loop() {
		at += 10
		c.offset(at+hour, at+80, false)
	}
}
