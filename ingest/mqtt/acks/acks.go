// Package acks sends MQTT acknowledgements in their order, off the goroutine that
// commits: paho's Ack waits for the network. It knows nothing of what they are
// for.
package acks

import (
	"sync"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// Queue is the acknowledgements of one connection. What is pushed after the end
// is dropped: the broker delivers it again.
type Queue struct {
	mu    sync.Mutex
	wake  *sync.Cond
	queue []paho.Message
	ended bool
	idle  chan struct{} // closed when run has returned
}

// Start returns a queue that sends until Close.
func Start() *Queue {
	a := &Queue{idle: make(chan struct{})}
	a.wake = sync.NewCond(&a.mu)
	go a.run()
	return a
}

// Push queues the acknowledgement of m. It does not block.
func (a *Queue) Push(m paho.Message) {
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

func (a *Queue) run() {
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

// Close waits until what was pushed is sent. It may be called twice.
func (a *Queue) Close() {
	a.mu.Lock()
	a.ended = true
	a.mu.Unlock()
	a.wake.Broadcast()
	<-a.idle
}
