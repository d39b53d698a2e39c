package main

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/fleetwatt/fleetwatt/cmd/internal/process"
)

// sample is one answer.
type sample struct {
	read   int
	took   time.Duration // from when the request was due
	length int
	failed bool
}

// phase is a time of load.
type phase struct {
	name     string
	rate     int // requests a second of all clients; 0: as many as they can
	duration time.Duration
	mix      []read
	rename   time.Duration // a battery is renamed each; 0: nothing changes
}

// result is what a phase came to.
type result struct {
	phase
	samples  []sample
	took     time.Duration
	server   time.Duration // CPU
	own      time.Duration // CPU of this process
	acked    int64         // MQTT messages
	refused  int64         // of them
	resident int64         // bytes, the highest seen
	first    error         // of the errors
}

func measure(ctx context.Context, s settings, f filled, p *server) error {
	if err := warm(p, s, f); err != nil {
		return err
	}
	if s.Each > 0 {
		if err := measureEach(ctx, s, f, p); err != nil {
			return err
		}
	}
	mqtt, err := publish(ctx, s, p.mqtt)
	if err != nil {
		return err
	}
	defer mqtt.close()
	describe(os.Stdout, s)
	var errs []error
	// All clients begin at once, with a server that has just been started: that is
	// told by itself. After it, most of what the server remembers has been asked for,
	// until something changes.
	for i, ph := range []phase{
		{"first seconds, paced", s.Rate, s.Duration / 4, mix(), 0},
		{"paced", s.Rate, s.Duration, mix(), 0},
		{"paced, a battery renamed every 5 s", s.Rate, s.Duration, mix(), 5 * time.Second},
		{"full speed", 0, s.Duration, mix(), 0},
	} {
		f.phase = uint64(i)
		stop := renaming(ctx, p, f, ph.rename)
		r, err := drive(ctx, s, f, p, mqtt, ph)
		err = errors.Join(err, stop())
		if err != nil {
			errs = append(errs, err)
			break
		}
		printTable(os.Stdout, r)
	}
	return errors.Join(append(errs, ctx.Err())...)
}

// measureEach asks for one kind of read after the other, without ingest, and
// prints what each costs.
func measureEach(ctx context.Context, s settings, f filled, p *server) error {
	s.Clients = min(s.Clients, 4)
	fmt.Println("\neach read alone, by", s.Clients, "clients, without ingest")
	for _, kind := range mix() {
		r, err := drive(ctx, s, f, p, &publishers{}, phase{kind.name, 0, s.Each, []read{kind}, 0})
		if err != nil || r.first != nil {
			return errors.Join(err, r.first)
		}
		n := len(r.samples)
		fmt.Printf("%-32s %8.0f requests/s  server %6.0f µs CPU a request\n", kind.name, float64(n)/r.took.Seconds(), perRequest(r.server, n))
	}
	return nil
}

// warm asks each read once with both kinds of key, alone, and prints how long a
// first answer takes.
func warm(p *server, s settings, f filled) error {
	c, err := dial(p.http)
	if err != nil {
		return err
	}
	defer c.close()
	for _, i := range []int{0, 1} {
		a := newAsker(s, f, i)
		for _, r := range mix() {
			path, began := r.path(a), time.Now()
			status, length, err := c.get(path, a.key)
			if err != nil || status != 200 {
				return fmt.Errorf("GET %s: status %d: %w", path, status, err)
			}
			if a.owner < 0 {
				fmt.Printf("first answer: %-30s %8.1f ms %7d bytes\n", r.name, milliseconds(time.Since(began)), length)
			}
		}
	}
	return nil
}

// newAsker is client i: every second has the key that sees all, the others have
// owners' keys.
func newAsker(s settings, f filled, i int) *asker {
	a := &asker{rng: rand.New(rand.NewPCG(uint64(i), f.phase)), s: s, made: f.Made, key: f.Fleet, owner: -1}
	if i%2 == 1 {
		a.owner = i / 2 % owners
		a.key = f.Owners[a.owner]
	}
	return a
}

func drive(ctx context.Context, s settings, f filled, p *server, mqtt *publishers, ph phase) (result, error) {
	r := result{phase: ph}
	clients := make([]*client, s.Clients)
	for i := range clients {
		var err error
		if clients[i], err = dial(p.http); err != nil {
			return r, err
		}
		defer clients[i].close()
	}
	watch, own := process.Peak(p.Resident), process.Self()
	before, err := p.CPU()
	if err != nil {
		return r, err
	}
	acked, refused, began := mqtt.acked.Load(), mqtt.failed.Load(), time.Now()
	end := began.Add(ph.duration)
	all := make([][]sample, s.Clients)
	var first atomic.Pointer[error]
	var wg sync.WaitGroup
	for i, c := range clients {
		wg.Go(func() {
			var err error
			if all[i], err = ask(ctx, newAsker(s, f, i), c, p.http, i, ph, began, end); err != nil {
				first.CompareAndSwap(nil, &err)
			}
		})
	}
	wg.Wait()
	r.took = time.Since(began)
	r.resident, r.own = watch(), process.Self()-own
	after, err := p.CPU()
	if err != nil {
		return r, err
	}
	r.server = after - before
	r.acked, r.refused = mqtt.acked.Load()-acked, mqtt.failed.Load()-refused
	r.samples = slices.Concat(all...)
	if e := first.Load(); e != nil {
		r.first = *e
	}
	return r, ctx.Err()
}

// ask sends one request after the other. Paced, each is due at its time, and
// what it waits for the one before counts. A connection that fails is replaced.
func ask(ctx context.Context, a *asker, c *client, addr string, i int, ph phase, began, end time.Time) (out []sample, first error) {
	var (
		reads = ph.mix
		sum   int
		every time.Duration
	)
	for _, r := range reads {
		sum += r.share
	}
	due := began
	if ph.rate > 0 {
		every = time.Second * time.Duration(a.s.Clients) / time.Duration(ph.rate)
		due = began.Add(every * time.Duration(i) / time.Duration(a.s.Clients))
	}
	for {
		if every == 0 {
			due = time.Now()
		} else if wait := time.Until(due); wait > 0 {
			time.Sleep(wait)
		}
		if !due.Before(end) || ctx.Err() != nil {
			return out, first
		}
		n, k := a.rng.IntN(sum), 0
		for ; n >= reads[k].share; k++ {
			n -= reads[k].share
		}
		path := reads[k].path(a)
		status, length, err := c.get(path, a.key)
		if err == nil && status != 200 {
			err = fmt.Errorf("status %d", status)
		}
		out = append(out, sample{read: k, took: time.Since(due), length: length, failed: err != nil})
		if err != nil {
			if first == nil {
				first = fmt.Errorf("GET %s: %w", path, err)
			}
			c.close()
			fresh, err := dial(addr)
			if err != nil {
				return out, first
			}
			defer fresh.close()
			c = fresh
		}
		due = due.Add(every)
	}
}
