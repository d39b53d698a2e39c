package wal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
)

// Replay calls fn with each frame of file seq, in order; the frame is valid
// during the call. A frame that is cut off at the end of the file was never
// acknowledged and is left out. Where valid frames follow an invalid one,
// Replay returns ErrDamaged, after those before it.
func (l *Log) Replay(seq uint64, fn func(frame []byte) error) error {
	if err := replay(l.path(seq), seq, fn, func(at int64) {
		l.log.Warn("the log ends in an incomplete frame, which was never acknowledged", "file", l.path(seq), "offset", at)
	}); err != nil {
		return fmt.Errorf("replay log %s: %w", l.path(seq), err)
	}
	return nil
}

func replay(path string, seq uint64, fn func([]byte) error, torn func(at int64)) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	head := make([]byte, headerSize)
	if _, err := io.ReadFull(f, head); errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return nil // the crash was before the first frame
	} else if err != nil {
		return err
	}
	if !bytes.Equal(head, header(seq)) {
		return fmt.Errorf("%w: it does not begin as a log of that number", ErrDamaged)
	}
	at := int64(headerSize)
	for r := newReader(f); ; {
		content, err := r.next()
		switch {
		case errors.Is(err, io.EOF):
			return nil
		case errors.Is(err, errInvalid):
			return tail(f, at, torn)
		case err != nil:
			return err
		}
		if err := fn(content); err != nil {
			return err
		}
		at += frameHeader + int64(len(content))
	}
}

var errInvalid = errors.New("invalid frame")

// reader reads frame by frame.
type reader struct {
	r   io.Reader
	buf []byte
}

func newReader(r io.Reader) *reader { return &reader{r: r, buf: make([]byte, frameHeader)} }

// next returns io.EOF at the end of a whole frame, and errInvalid where what
// follows is none.
func (r *reader) next() ([]byte, error) {
	r.buf = r.buf[:frameHeader]
	if _, err := io.ReadFull(r.r, r.buf); errors.Is(err, io.ErrUnexpectedEOF) {
		return nil, errInvalid
	} else if err != nil {
		return nil, err
	}
	n, ok := frameLength(r.buf)
	if !ok {
		return nil, errInvalid
	}
	// Grown as it is read: a damaged length must not cost its size in memory.
	var content bytes.Buffer
	content.Write(r.buf)
	if _, err := io.CopyN(&content, r.r, n); errors.Is(err, io.EOF) {
		return nil, errInvalid
	} else if err != nil {
		return nil, err
	}
	frame, ok := firstFrame(content.Bytes())
	if !ok {
		return nil, errInvalid
	}
	return frame, nil
}

// tail decides what an invalid frame at offset at is: the end of a file that a
// crash has cut off, or damage.
func tail(f *os.File, at int64, torn func(at int64)) error {
	const window = 1 << 20
	buf := make([]byte, 0, window)
	if _, err := f.Seek(at+1, io.SeekStart); err != nil {
		return err
	}
	for offset := at + 1; ; {
		n, err := io.ReadFull(f, buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		last := errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF)
		if err != nil && !last {
			return err
		}
		for from := 0; ; {
			i := bytes.Index(buf[from:], frameMagic[:])
			if i < 0 {
				break
			}
			from += i
			if validAt(f, offset+int64(from)) {
				return fmt.Errorf("%w: invalid from offset %d, valid again at %d; move the file away to start without what it holds", ErrDamaged, at, offset+int64(from))
			}
			from++
		}
		if last {
			torn(at)
			return nil
		}
		// The magic may lie across two windows.
		keep := len(frameMagic) - 1
		offset += int64(len(buf) - keep)
		copy(buf, buf[len(buf)-keep:])
		buf = buf[:keep]
	}
}

// validAt reports whether a whole frame begins at offset.
func validAt(f *os.File, offset int64) bool {
	_, err := newReader(io.NewSectionReader(f, offset, MaxFrame+frameHeader)).next()
	return err == nil
}
