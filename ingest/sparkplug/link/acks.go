package link

import (
	"sync"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// acks sends the acknowledgements of one connection in their order, off the
// committer's goroutine: paho's Ack waits for the network. What is pushed after
// the end is dropped, for the session is gone with the connection.
type acks struct {
	mu    sync.Mutex
	wake  *sync.Cond
	queue []paho.Message
	ended bool
	idle  chan struct{} // closed when run has returned
}

func startAcks() *acks {
	a := &acks{idle: make(chan struct{})}
	a.wake = sync.NewCond(&a.mu)
	go a.run()
	return a
}

func (a *acks) push(m paho.Message) {
	if m.Qos() == 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ended {
		return
	}
	a.queue = append(a.queue, m)
	a.wake.Signal()
}

func (a *acks) run() {
	defer close(a.idle)
	for {
		a.mu.Lock()
		for len(a.queue) == 0 && !a.ended {
			a.wake.Wait()
		}
		due := a.queue
		a.queue = nil
		a.mu.Unlock()
		if len(due) == 0 {
			return
		}
		for _, m := range due {
			m.Ack()
		}
	}
}

// close waits until what was pushed is sent. It may be called twice.
func (a *acks) close() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.wake.Broadcast()
	<-a.idle
}
