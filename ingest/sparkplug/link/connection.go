package link

import (
	"context"
	"fmt"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
	"golang.org/x/sync/semaphore"

	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/mqtt/acks"
)

// connection is what arrives on one connection, and the acknowledgements due.
type connection struct {
	ctx   context.Context // ends with the connection
	end   context.CancelFunc
	now   func() time.Time
	inbox chan delivery
	room  *semaphore.Weighted
	max   int64
	lost  chan error
	acks  *acks.Queue
}

type delivery struct {
	msg        paho.Message
	receivedMS int64
	size       int64
}

func newConnection(ctx context.Context, maxBytes int64, now func() time.Time) *connection {
	const depth = 1 << 14
	ctx, end := context.WithCancel(ctx)
	return &connection{
		ctx: ctx, end: end, now: now,
		inbox: make(chan delivery, depth), room: semaphore.NewWeighted(maxBytes), max: maxBytes,
		lost: make(chan error, 1), acks: acks.Start(),
	}
}

// receive runs on paho's goroutine. Where the inbox is full it waits, and paho
// stops reading.
func (c *connection) receive(m paho.Message) {
	d := delivery{msg: m, receivedMS: c.now().UnixMilli()}
	d.size = min(int64(len(m.Payload())+len(m.Topic())+128), c.max)
	if c.room.Acquire(c.ctx, d.size) != nil {
		return
	}
	select {
	case c.inbox <- d:
	case <-c.ctx.Done():
	}
}

func (c *connection) lose(err error) {
	select {
	case c.lost <- fmt.Errorf("connection lost: %w", err):
	default:
	}
}

// pump hands messages to the host until ctx ends, or the connection is lost and
// everything that came before is handed on.
func (c *connection) pump(ctx context.Context, host Host) error {
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-c.lost:
			c.end() // whoever waits for room in the inbox
			for len(c.inbox) > 0 {
				if failed := c.handOn(ctx, host, <-c.inbox); failed != nil {
					return failed
				}
			}
			return err
		case d := <-c.inbox:
			if err := c.handOn(ctx, host, d); err != nil {
				return err
			}
		}
	}
}

func (c *connection) handOn(ctx context.Context, host Host, d delivery) error {
	err := host.Receive(ctx, c.message(d))
	c.room.Release(d.size)
	if err != nil && ctx.Err() == nil {
		return &hostError{err}
	}
	return nil
}

func (c *connection) message(d delivery) ingest.Message {
	return ingest.Message{
		Topic:       d.msg.Topic(),
		Payload:     d.msg.Payload(),
		ReceivedMS:  d.receivedMS,
		Redelivered: d.msg.Duplicate(),
		Principal:   ingest.Principal{Name: "broker", Trusted: true},
		Done:        func(ingest.Outcome) { c.acks.Push(d.msg) },
	}
}
