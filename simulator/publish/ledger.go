package publish

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"sync"
)

// ledger writes down what was acknowledged: a line "reading kind/id ts" (Unix
// ms) for each reading, "event kind/id event-id" for each event, and "refused
// kind/id" for each record that a server acknowledges but can't store, in the
// order of acknowledgement. A nil ledger writes nothing.
type ledger struct {
	mu  sync.Mutex
	out *bufio.Writer
	buf []byte
	err error // the first
}

func newLedger(w io.Writer) *ledger {
	if w == nil {
		return nil
	}
	return &ledger{out: bufio.NewWriterSize(w, 64<<10)}
}

func (l *ledger) write(m *message) {
	if l == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	b := l.buf[:0]
	ref := m.ref.String()
	for _, ts := range m.stamps {
		b = append(append(append(b, "reading "...), ref...), ' ')
		b = append(strconv.AppendInt(b, ts, 10), '\n')
	}
	for _, id := range m.events {
		b = append(append(append(b, "event "...), ref...), ' ')
		b = append(append(b, id...), '\n')
	}
	for range m.refused {
		b = append(append(append(b, "refused "...), ref...), '\n')
	}
	l.buf = b
	if _, err := l.out.Write(b); err != nil && l.err == nil {
		l.err = err
	}
}

func (l *ledger) flush() error {
	if l == nil {
		return nil
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if err := l.out.Flush(); err != nil && l.err == nil {
		l.err = err
	}
	if l.err != nil {
		return fmt.Errorf("write ledger: %w", l.err)
	}
	return nil
}
