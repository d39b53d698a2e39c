package sparkplug

import (
	"container/heap"
	"context"
	"time"
)

// dueQueue holds the nodes for which something times out, the earliest first.
type dueQueue []*node

func (q dueQueue) Len() int           { return len(q) }
func (q dueQueue) Less(i, j int) bool { return q[i].due.Before(q[j].due) }
func (q dueQueue) Swap(i, j int) {
	q[i], q[j] = q[j], q[i]
	q[i].index, q[j].index = i, j
}
func (q *dueQueue) Push(x any) {
	n := x.(*node)
	n.index = len(*q)
	*q = append(*q, n)
}
func (q *dueQueue) Pop() any {
	last := len(*q) - 1
	n := (*q)[last]
	(*q)[last] = nil
	*q = (*q)[:last]
	n.index = -1
	return n
}

// schedule notes when the node's next timeout is. It is called after every
// change of a node.
func (h *Host) schedule(n *node) {
	var at time.Time
	sooner := func(t time.Time) {
		if at.IsZero() || t.Before(at) {
			at = t
		}
	}
	if !n.gap.IsZero() {
		sooner(n.gap.Add(h.opts.ReorderTimeout))
	}
	if !n.orphans.IsZero() {
		sooner(n.orphans)
	}
	if n.wantsBirth && n.asked == 0 {
		sooner(n.askAfter)
	}
	for i := range n.waiting {
		if n.waiting[i].stray {
			sooner(n.waiting[i].since.Add(h.opts.BirthTimeout))
		}
	}
	switch {
	case at.IsZero():
		h.unschedule(n)
		return
	case n.index < 0:
		n.due = at
		heap.Push(&h.due, n)
	default:
		n.due = at
		heap.Fix(&h.due, n.index)
	}
	if n.index == 0 {
		select {
		case h.wake <- struct{}{}:
		default:
		}
	}
}

func (h *Host) unschedule(n *node) {
	if n.index >= 0 {
		heap.Remove(&h.due, n.index)
	}
}

// Run lets timeouts have their effect until ctx ends, and returns nil then; or
// the error of Submit.
func (h *Host) Run(ctx context.Context) error {
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		pause, err := h.expire(ctx)
		if ctx.Err() != nil {
			return nil
		}
		if err != nil {
			return err
		}
		timer.Reset(pause)
		select {
		case <-ctx.Done():
			return nil
		case <-h.wake:
		case <-timer.C:
		}
	}
}

// expire carries out what has timed out, and returns how long until something
// else does.
func (h *Host) expire(ctx context.Context) (time.Duration, error) {
	const idle = time.Hour
	pause := idle
	err := h.inTurn(ctx, func(o *outbox) {
		now := h.opts.Now()
		for len(h.due) > 0 && !h.due[0].due.After(now) {
			h.timeout(o, h.due[0], now)
		}
		if len(h.due) > 0 {
			pause = min(idle, max(h.due[0].due.Sub(now), time.Millisecond))
		}
	})
	return pause, err
}

// timeout carries out what has timed out for a node.
func (h *Host) timeout(o *outbox, n *node, now time.Time) {
	if !n.gap.IsZero() && !n.gap.Add(h.opts.ReorderTimeout).After(now) {
		h.abandon(o, n, now)
	}
	if !n.orphans.IsZero() && !n.orphans.After(now) {
		h.orphaned(o, n, now)
	}
	h.dismiss(o, n, func(w *waiting) bool {
		return w.stray && !w.since.Add(h.opts.BirthTimeout).After(now)
	}, "no birth explained it within "+h.opts.BirthTimeout.String())
	if n.wantsBirth {
		h.ask(o, n, now)
	}
	h.schedule(n)
}
