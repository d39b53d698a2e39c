package wal

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

func open(t testing.TB, dir string) *Log {
	t.Helper()
	l, err := Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func mustAppend(t testing.TB, l *Log, frames ...string) {
	t.Helper()
	for _, f := range frames {
		if err := l.Append([]byte(f)); err != nil {
			t.Fatal(err)
		}
	}
}

// contents replays all files.
func contents(l *Log) (frames []string, err error) {
	files, err := l.Files()
	if err != nil {
		return nil, err
	}
	for _, seq := range files {
		if err := l.Replay(seq, func(f []byte) error { frames = append(frames, string(f)); return nil }); err != nil {
			return frames, err
		}
	}
	return frames, nil
}

func wantContents(t testing.TB, l *Log, want ...string) {
	t.Helper()
	got, err := contents(l)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("frames (-want +got):\n%s", diff)
	}
}

func TestReplayGivesWhatWasAppended(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	mustAppend(t, l, "one", "two")
	last, err := l.Rotate()
	if err != nil || last != 1 {
		t.Fatalf("Rotate() = %d, %v, want 1", last, err)
	}
	mustAppend(t, l, "three")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	again := open(t, dir)
	wantContents(t, again, "one", "two", "three")
	mustAppend(t, again, "four")
	wantContents(t, again, "one", "two", "three", "four")
	if got := again.Last(); got != 3 {
		t.Errorf("Last() = %d, want 3: a new file after each open", got)
	}
}

func TestRemove(t *testing.T) {
	l := open(t, t.TempDir())
	mustAppend(t, l, "one")
	last, err := l.Rotate()
	if err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "two")
	for range 2 {
		if err := l.Remove(last); err != nil {
			t.Fatal(err)
		}
	}
	wantContents(t, l, "two")
	if err := l.Remove(l.Last()); err != nil { // the file that is written stays
		t.Fatal(err)
	}
	mustAppend(t, l, "three")
	wantContents(t, l, "two", "three")
}

// Numbers are not used twice, even after all files are gone.
func TestAdvance(t *testing.T) {
	l := open(t, t.TempDir())
	l.Advance(41)
	mustAppend(t, l, "x")
	if got := l.Last(); got != 42 {
		t.Errorf("Last() = %d, want 42", got)
	}
}

// However a crash cuts the last file off, the whole frames before it are there,
// and the log goes on.
func TestTornTail(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	mustAppend(t, l, "first", "second frame")
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "000000000001.log")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := headerSize + frameHeader + len("first")
	for cut := range len(whole) {
		t.Run(fmt.Sprint(cut), func(t *testing.T) {
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "000000000001.log"), whole[:cut], 0o600); err != nil {
				t.Fatal(err)
			}
			l := open(t, dir)
			var want []string
			if cut >= first {
				want = append(want, "first")
			}
			wantContents(t, l, want...)
			mustAppend(t, l, "after")
			wantContents(t, l, append(want, "after")...)
		})
	}
}

// A file whose end was written as zeros, as a file system may after a crash.
func TestZeroTail(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	mustAppend(t, l, "first")
	path := l.file.Name()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.Write(make([]byte, 3<<20)); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	wantContents(t, open(t, dir), "first")
}

// A bit that changed before the end is damage, and said so: what follows was
// acknowledged.
func TestDamage(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "")
		if err != nil {
			rt.Fatal(err)
		}
		l, err := Open(dir, nil)
		if err != nil {
			rt.Fatal(err)
		}
		frames := rapid.SliceOfN(rapid.SliceOfN(rapid.Byte(), 1, 300), 2, 6).Draw(rt, "frames")
		for _, f := range frames {
			if err := l.Append(f); err != nil {
				rt.Fatal(err)
			}
		}
		path := l.file.Name()
		if err := l.Close(); err != nil {
			rt.Fatal(err)
		}
		data, err := os.ReadFile(path)
		if err != nil {
			rt.Fatal(err)
		}
		lastFrame := len(data) - frameHeader - len(frames[len(frames)-1])
		at := rapid.IntRange(0, lastFrame-1).Draw(rt, "at")
		data[at] ^= 1 << rapid.IntRange(0, 7).Draw(rt, "bit")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			rt.Fatal(err)
		}
		if _, err := contents(l); !errors.Is(err, ErrDamaged) {
			rt.Fatalf("replay with byte %d of %d changed: %v, want ErrDamaged", at, len(data), err)
		}
	})
}

// A write that fails leaves the log usable, and what was there before intact.
func TestFailedWrite(t *testing.T) {
	dir := t.TempDir()
	l := open(t, dir)
	mustAppend(t, l, "kept")
	if err := l.file.Close(); err != nil { // the next write fails
		t.Fatal(err)
	}
	if err := l.Append([]byte("lost")); err == nil {
		t.Fatal("a write to a closed file succeeded")
	}
	mustAppend(t, l, "next")
	wantContents(t, l, "kept", "next")
}

func TestRefusedFrames(t *testing.T) {
	l := open(t, t.TempDir())
	if err := l.Append(nil); err == nil {
		t.Error("an empty frame was taken")
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if err := l.Append([]byte("x")); !errors.Is(err, ErrClosed) {
		t.Errorf("Append after Close: %v, want ErrClosed", err)
	}
}

func TestLargeFrames(t *testing.T) {
	l := open(t, t.TempDir())
	big := bytes.Repeat([]byte("0123456789abcdef"), 1<<19) // 8 MiB, beyond the search window
	if err := l.Append(big); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "small")
	wantContents(t, l, string(big), "small")
}

func BenchmarkAppend(b *testing.B) {
	for _, size := range []int{200, 20_000, 1 << 20} {
		b.Run(fmt.Sprint(size), func(b *testing.B) {
			l := open(b, b.TempDir())
			frame := make([]byte, size)
			b.SetBytes(int64(size))
			for b.Loop() {
				if err := l.Append(frame); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
