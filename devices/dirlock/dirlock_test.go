//go:build linux || darwin

package dirlock

import (
	"errors"
	"strings"
	"testing"
)

func TestOneHolder(t *testing.T) {
	dir := t.TempDir()
	l, err := Take(dir, "x.lock")
	if err != nil {
		t.Fatal(err)
	}
	_, err = Take(dir, "x.lock")
	if !errors.Is(err, ErrInUse) || !strings.Contains(err.Error(), "this process") || !strings.Contains(err.Error(), dir) {
		t.Errorf("got %v, want ErrInUse that names the directory and its holder", err)
	}
	if other, err := Take(dir, "y.lock"); err != nil {
		t.Errorf("another lock in the same directory: %v", err)
	} else if err := other.Release(); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := l.Release(); err != nil {
			t.Error(err)
		}
	}
	again, err := Take(dir, "x.lock")
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	if err := again.Release(); err != nil {
		t.Error(err)
	}
}
