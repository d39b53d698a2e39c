package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// load is what the clients do.
type load struct {
	Devices     int
	Connections int
	Unacked     int // publishes of one connection without acknowledgement
	Records     int // readings in a publish
	Rate        int // publishes a second, of all connections; 0: as many as they can
}

// outcome is what the clients saw.
type outcome struct {
	published int
	acked     int
	began     time.Time
	took      time.Duration
	latencies []time.Duration // of each acknowledgement, from the call of Publish
}

func (o *outcome) quantile(q float64) time.Duration {
	if len(o.latencies) == 0 {
		return 0
	}
	return o.latencies[min(int(q*float64(len(o.latencies))), len(o.latencies)-1)]
}

// drive publishes to addr until limit messages are sent (0: no limit) or the
// time is over, and returns when all of them are acknowledged.
func (l load) drive(ctx context.Context, addr string, begin int64, limit int, d time.Duration) (*outcome, error) {
	clients, err := l.connect(addr)
	defer func() {
		for _, c := range clients {
			c.Disconnect(100)
		}
	}()
	if err != nil {
		return nil, err
	}
	var left atomic.Int64
	left.Store(int64(limit))
	more := func() bool { return limit == 0 || left.Add(-1) >= 0 }
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	out := &outcome{began: time.Now()}
	if d > 0 {
		defer time.AfterFunc(d, cancel).Stop()
	}
	results := make([]outcome, len(clients))
	errs := make([]error, len(clients))
	var wg sync.WaitGroup
	for i, c := range clients {
		packs := l.packs(i, begin)
		wg.Go(func() { errs[i] = l.publish(ctx, c, i, packs, more, &results[i]) })
	}
	wg.Wait()
	out.took = time.Since(out.began)
	for i := range results {
		out.published += results[i].published
		out.acked += results[i].acked
		out.latencies = append(out.latencies, results[i].latencies...)
	}
	slices.Sort(out.latencies)
	return out, errors.Join(errs...)
}

func (l load) connect(addr string) ([]paho.Client, error) {
	var clients []paho.Client
	for i := range l.Connections {
		o := paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(fmt.Sprintf("bench-%03d", i)).
			SetOrderMatters(false).SetAutoReconnect(false).SetCleanSession(true).
			SetMessageChannelDepth(uint(l.Unacked)).SetWriteTimeout(time.Minute)
		c := paho.NewClient(o)
		if t := c.Connect(); !t.WaitTimeout(30*time.Second) || t.Error() != nil {
			return clients, fmt.Errorf("connect to %s: %w", addr, errors.Join(t.Error(), errTimeout(t)))
		}
		clients = append(clients, c)
	}
	return clients, nil
}

func errTimeout(t paho.Token) error {
	select {
	case <-t.Done():
		return nil
	default:
		return errors.New("no answer in time")
	}
}

// packs are the devices behind connection i.
func (l load) packs(i int, begin int64) []*pack {
	var own []*pack
	for n := i; n < l.Devices; n += l.Connections {
		own = append(own, newPack(n, begin))
	}
	return own
}

// publish sends messages of the packs in turn. Acknowledgements come in order,
// so a second goroutine that waits for them in order sees each as it comes.
func (l load) publish(ctx context.Context, c paho.Client, i int, packs []*pack, more func() bool, out *outcome) error {
	type sent struct {
		token paho.Token
		at    time.Time
	}
	waiting := make(chan sent, l.Unacked-1)
	collected := make(chan error, 1)
	go func() {
		var failed error
		for s := range waiting {
			if !s.token.WaitTimeout(2 * time.Minute) {
				failed = errors.Join(failed, errors.New("a publish was not acknowledged within two minutes"))
			} else if err := s.token.Error(); err != nil {
				failed = errors.Join(failed, err)
			} else {
				out.acked++
				out.latencies = append(out.latencies, time.Since(s.at))
			}
			if failed != nil {
				break
			}
		}
		for range waiting {
			continue // the sender must not block
		}
		collected <- failed
	}()
	pace := newPacer(l.Rate, l.Connections, i)
	for n := 0; ctx.Err() == nil && more(); n++ {
		if !pace.wait(ctx) {
			break
		}
		p := packs[n%len(packs)]
		payload := p.message(l.Records)
		at := time.Now()
		waiting <- sent{c.Publish(p.topic, 1, false, payload), at}
		out.published++
	}
	close(waiting)
	return <-collected
}

// pacer spreads publishes evenly; with no rate it never waits.
type pacer struct {
	every time.Duration
	next  time.Time
}

func newPacer(rate, connections, i int) *pacer {
	if rate <= 0 {
		return &pacer{}
	}
	every := time.Second * time.Duration(connections) / time.Duration(rate)
	phase := every * time.Duration(i) / time.Duration(connections)
	return &pacer{every: every, next: time.Now().Add(phase)}
}
func (p *pacer) wait(ctx context.Context) bool {
	if p.every == 0 {
		return true
	}
	select {
	case <-time.After(time.Until(p.next)):
		p.next = p.next.Add(p.every)
		return true
	case <-ctx.Done():
		return false
	}
}
