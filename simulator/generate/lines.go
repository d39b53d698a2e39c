package generate

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
)

// Lines writes down what would be published, a line each: the topic, a tab, and
// the payload, or base64: and its bytes where it is not plain text of one line.
// A connection that breaks is "#cut kind/id", a sign-in with a wrong password
// "#intrude kind/id".
type Lines struct{ out *bufio.Writer }

// NewLines writes to w, through a buffer.
func NewLines(w io.Writer) *Lines { return &Lines{bufio.NewWriterSize(w, 256<<10)} }

// Write writes one action.
func (l *Lines) Write(a faults.Action) error {
	var err error
	switch a.Act {
	case faults.Cut:
		_, err = fmt.Fprintf(l.out, "#cut %s\n", a.Ref)
	case faults.Intrude:
		_, err = fmt.Fprintf(l.out, "#intrude %s\n", a.Ref)
	case faults.Send:
		err = l.message(a)
	}
	if err != nil {
		return fmt.Errorf("write messages: %w", err)
	}
	return nil
}

func (l *Lines) message(a faults.Action) error {
	_, _ = l.out.WriteString(wire.Topic{Device: a.Ref, Channel: a.Message.Channel}.String())
	_ = l.out.WriteByte('\t')
	if a.Message.Refused == 0 || plain(a.Message.Payload) { // what is sound is JSON on one line
		_, _ = l.out.Write(a.Message.Payload)
	} else {
		_, _ = l.out.WriteString("base64:" + base64.StdEncoding.EncodeToString(a.Message.Payload))
	}
	return l.out.WriteByte('\n') // the buffer keeps the first error
}

func plain(b []byte) bool {
	for _, c := range b {
		if c < 0x20 {
			return false
		}
	}
	return utf8.Valid(b)
}

// Flush brings out what was written so far.
func (l *Lines) Flush() error {
	if err := l.out.Flush(); err != nil {
		return fmt.Errorf("write messages: %w", err)
	}
	return nil
}
