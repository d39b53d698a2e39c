package mqtt

import (
	"sync"

	paho "github.com/eclipse/paho.mqtt.golang"
)

// acks sends acknowledgements in their order, off the committer's goroutine:
// paho's Ack waits for the network.
type acks struct {
	mu    sync.Mutex
	wake  *sync.Cond
	queue []paho.Message
	ended bool
	idle  chan struct{} // closed when run has returned; nil before start
}

func newAcks() *acks {
	a := &acks{}
	a.wake = sync.NewCond(&a.mu)
	return a
}

func (a *acks) start() {
	a.mu.Lock()
	a.idle = make(chan struct{})
	a.mu.Unlock()
	go a.run()
}

func (a *acks) push(m paho.Message) {
	a.mu.Lock()
	a.queue = append(a.queue, m)
	a.mu.Unlock()
	a.wake.Signal()
}

// run sends until close, and what was pushed before it.
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

func (a *acks) close() {
	a.mu.Lock()
	a.ended = true
	idle := a.idle
	a.mu.Unlock()
	a.wake.Broadcast()
	if idle != nil {
		<-idle
	}
}
