// Package wal is the log that a batch of readings is written to before anybody
// is told that it is stored. It keeps frames of bytes in files that are synced
// frame by frame, gives them back after a crash in the order in which they were
// written, and forgets a file when its owner has the content elsewhere.
//
// It knows nothing of what a frame holds. A frame is there whole or not at all.
package wal

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

// ErrClosed says that the log was closed.
var ErrClosed = errors.New("log closed")

// ErrDamaged says that a file holds valid frames behind an invalid one: it was
// not cut off by a crash, but changed afterwards.
var ErrDamaged = errors.New("log damaged")

// MaxFrame bounds one frame, in bytes.
const MaxFrame = 1 << 30

const suffix = ".log"

// Log is a directory of numbered files, of which the last is written. It is for
// one goroutine at a time, and one process.
type Log struct {
	dir string
	log *slog.Logger

	seq  uint64   // of the file that is written, or of the last one
	file *os.File // nil where the next append has to begin a new one
	size int64    // of the frames in file that are whole and synced
	buf  []byte
	done bool
}

// Open opens the log in dir, which is made where it does not exist. Files that
// are there are kept as they are, to be replayed; what is appended goes to a
// new one.
func Open(dir string, log *slog.Logger) (*Log, error) {
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if err := SyncDir(filepath.Dir(dir)); err != nil { // the directory may be new
		return nil, fmt.Errorf("open log: %w", err)
	}
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	l := &Log{dir: dir, log: log}
	files, err := l.Files()
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if n := len(files); n > 0 {
		l.seq = files[n-1]
	}
	return l, nil
}

// Files lists the numbers of the files that exist, ascending.
func (l *Log) Files() ([]uint64, error) {
	entries, err := os.ReadDir(l.dir)
	if err != nil {
		return nil, err
	}
	var files []uint64
	for _, e := range entries {
		name, ok := strings.CutSuffix(e.Name(), suffix)
		if seq, err := strconv.ParseUint(name, 10, 64); ok && err == nil {
			files = append(files, seq)
		}
	}
	slices.Sort(files)
	return files, nil
}

// Last is the number of the file that was written last. Whatever was appended
// is in files up to it.
func (l *Log) Last() uint64 { return l.seq }

// Advance has the log go on after file seq, where its own files do not reach so
// far: numbers are not used twice.
func (l *Log) Advance(seq uint64) { l.seq = max(l.seq, seq) }

func (l *Log) path(seq uint64) string {
	return filepath.Join(l.dir, fmt.Sprintf("%012d%s", seq, suffix))
}

// Append writes a frame, which is on disk when Append returns nil. After an
// error the frame may be replayed nevertheless, if the disk took it and did not
// say so; another Append may be tried at once.
func (l *Log) Append(frame []byte) error {
	switch {
	case l.done:
		return fmt.Errorf("append to log: %w", ErrClosed)
	case len(frame) == 0 || len(frame) > MaxFrame:
		return fmt.Errorf("append to log: a frame of %d bytes: want 1 to %d", len(frame), MaxFrame)
	}
	if l.file == nil {
		if err := l.begin(); err != nil {
			return fmt.Errorf("append to log: %w", err)
		}
	}
	l.buf = appendFrame(l.buf[:0], frame)
	_, err := l.file.WriteAt(l.buf, l.size)
	if err == nil {
		err = sync(l.file)
	}
	if err != nil {
		l.retreat()
		return fmt.Errorf("append to log: %w", err)
	}
	l.size += int64(len(l.buf))
	if cap(l.buf) > maxKeptBuffer {
		l.buf = nil
	}
	return nil
}

const maxKeptBuffer = 8 << 20

// retreat leaves a file on which a write or a sync has failed. What the disk
// holds of the failed frame is unknown, also after a second sync that succeeds,
// so nothing is written behind it; it is cut off as far as that is possible,
// which also gives its space back.
func (l *Log) retreat() {
	if err := l.file.Truncate(l.size); err != nil {
		l.log.Warn("cut a failed write off the log", "file", l.file.Name(), "err", err)
	}
	_ = l.file.Close() // nothing in it that is not synced or given up
	l.file = nil
	if l.size <= headerSize {
		_ = os.Remove(l.path(l.seq)) // else it is found empty at the next start
	}
}

// begin starts the next file.
func (l *Log) begin() error {
	f, err := os.OpenFile(l.path(l.seq+1), os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o640)
	if err != nil {
		return err
	}
	l.seq++
	_, err = f.Write(header(l.seq))
	if err == nil {
		err = errors.Join(sync(f), SyncDir(l.dir))
	}
	if err != nil {
		return errors.Join(err, f.Close(), os.Remove(l.path(l.seq)))
	}
	l.file, l.size = f, headerSize
	return nil
}

// Rotate ends the present file: what is appended from now on goes to one with a
// higher number than the one returned, and all that was appended before is in
// files up to that one.
func (l *Log) Rotate() (last uint64, err error) {
	if l.file != nil {
		err = l.file.Close()
		l.file = nil
	}
	if err != nil {
		return l.seq, fmt.Errorf("rotate log: %w", err)
	}
	return l.seq, nil
}

// Remove deletes the files up to last, which must not be the one that is
// written.
func (l *Log) Remove(last uint64) error {
	files, err := l.Files()
	if err != nil {
		return fmt.Errorf("remove log: %w", err)
	}
	for _, seq := range files {
		if seq > last || (l.file != nil && seq == l.seq) {
			break
		}
		if err := os.Remove(l.path(seq)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("remove log: %w", err)
		}
	}
	return nil
}

// Size is the bytes of the files that are there.
func (l *Log) Size() (int64, error) {
	files, err := l.Files()
	var sum int64
	for _, seq := range files {
		info, statErr := os.Stat(l.path(seq))
		switch {
		case statErr == nil:
			sum += info.Size()
		case !errors.Is(statErr, fs.ErrNotExist): // removed since it was listed
			err = errors.Join(err, statErr)
		}
	}
	return sum, err
}

// Close closes the log. Everything appended stays. It may be called twice.
func (l *Log) Close() error {
	if l.done {
		return nil
	}
	l.done = true
	if l.file == nil {
		return nil
	}
	err := l.file.Close()
	l.file = nil
	if err != nil {
		return fmt.Errorf("close log: %w", err)
	}
	return nil
}

// SyncDir puts the names in dir on disk.
func SyncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
