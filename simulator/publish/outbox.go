package publish

import (
	"io"
	"net"
	"sync"
	"time"
)

// outbox is a connection whose Write does not block: what a slow peer has not
// read yet waits in memory. A broker that is short of room stops reading for a
// while, and to take that for a broken connection would only add to its work.
//
// It needs no bound of its own: at most MaxInflight messages are written and
// not acknowledged.
type outbox struct {
	*net.TCPConn
	done chan struct{} // closed when the writer has ended

	mu      sync.Mutex
	more    sync.Cond // pending has grown, or closing is set
	pending []byte
	closing bool
	err     error // of the first write that went wrong
}

func newOutbox(c *net.TCPConn) *outbox {
	o := &outbox{TCPConn: c, done: make(chan struct{})}
	o.more.L = &o.mu
	go o.write()
	return o
}

// Write takes b over. An error of the connection shows in the Write after it.
func (o *outbox) Write(b []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return 0, o.err
	}
	if o.closing {
		return 0, net.ErrClosed
	}
	o.pending = append(o.pending, b...)
	o.more.Signal()
	return len(b), nil
}

// ReadFrom keeps the one of the TCP connection, which would pass the outbox by,
// from being found.
func (o *outbox) ReadFrom(r io.Reader) (int64, error) {
	return io.Copy(struct{ io.Writer }{o}, r)
}

// SetWriteDeadline does nothing, as Write does not wait.
func (o *outbox) SetWriteDeadline(time.Time) error { return nil }

// Close gives what is pending a moment to leave, closes the connection and
// waits for the writer.
func (o *outbox) Close() error {
	o.mu.Lock()
	first := !o.closing
	o.closing = true
	o.more.Signal()
	o.mu.Unlock()
	if first {
		_ = o.TCPConn.SetWriteDeadline(time.Now().Add(farewell))
	}
	<-o.done
	return o.TCPConn.Close()
}

func (o *outbox) write() {
	defer close(o.done)
	var buf []byte
	for {
		o.mu.Lock()
		for len(o.pending) == 0 && !o.closing {
			o.more.Wait()
		}
		if len(o.pending) == 0 {
			o.mu.Unlock()
			return
		}
		buf, o.pending = o.pending, buf[:0]
		o.mu.Unlock()
		if _, err := o.TCPConn.Write(buf); err != nil {
			o.fail(err)
			return
		}
	}
}

// fail ends what can still be read, so that the reader learns of it too. To
// close the connection would not do: the library takes the reader's error for
// its own doing then, and waits on.
func (o *outbox) fail(err error) {
	o.mu.Lock()
	o.err = err
	o.mu.Unlock()
	_ = o.TCPConn.CloseRead()
}
