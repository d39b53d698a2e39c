package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// publishers load the broker at a steady rate until they are stopped. Behind
// their connections are the first batteries of the fleet.
type publishers struct {
	sent, acked, failed atomic.Int64
	clients             []paho.Client
	stop                context.CancelFunc
	done                sync.WaitGroup
}

const (
	publishing  = 1000 // batteries, at most
	connections = 20
)

func publish(ctx context.Context, s settings, addr string) (*publishers, error) {
	p := &publishers{}
	ctx, p.stop = context.WithCancel(ctx)
	if s.Messages == 0 {
		return p, nil
	}
	for i := range connections {
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + addr).SetClientID(fmt.Sprintf("bench-%02d", i)).
			SetOrderMatters(false).SetAutoReconnect(false).SetWriteTimeout(time.Minute))
		p.clients = append(p.clients, c)
		if t := c.Connect(); !t.WaitTimeout(30*time.Second) || t.Error() != nil {
			p.close()
			return nil, errors.Join(fmt.Errorf("connect to %s", addr), t.Error())
		}
		p.done.Go(func() { p.run(ctx, s, c, i) })
	}
	return p, nil
}

func (p *publishers) close() {
	p.stop()
	p.done.Wait()
	for _, c := range p.clients {
		c.Disconnect(100)
	}
}

// run publishes in ticks, by the clock and not by the tick, so that what a busy
// machine delays is made up for.
func (p *publishers) run(ctx context.Context, s settings, c paho.Client, i int) {
	waiting := make(chan paho.Token, 10_000)
	p.done.Go(func() {
		for t := range waiting {
			if !t.WaitTimeout(time.Minute) || t.Error() != nil {
				p.failed.Add(1)
				continue
			}
			p.acked.Add(1)
		}
	})
	defer close(waiting)
	devices := min(publishing, s.Batteries)
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	began, n := time.Now(), 0
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			for due := int(now.Sub(began).Seconds() * float64(s.Messages) / connections); n < due; n++ {
				k := (n*connections + i) % devices
				waiting <- c.Publish("fleet/v1/battery/"+batteryID(k)+"/telemetry", 1, false, reading(now.UnixMilli(), k))
				p.sent.Add(1)
			}
		}
	}
}

// reading is what a battery says at an instant.
func reading(ts int64, k int) []byte {
	phase := float64(ts)/6e5 + float64(k)
	current, soc := 20*math.Sin(phase), 55-30*math.Cos(phase)
	volts := 48 + 0.06*soc
	return fmt.Appendf(nil, `{"ts":%d,"soc_pct":%.1f,"voltage_v":%.2f,"current_a":%.1f,"power_w":%.0f,"temperature_c":%.1f,`+
		`"cell_voltage_min_v":%.3f,"cell_voltage_max_v":%.3f}`, ts, soc, volts, current, volts*current, 25+5*math.Sin(phase/3), volts/15-0.004, volts/15+0.005)
}
