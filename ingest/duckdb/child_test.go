//go:build linux || darwin

package duckdb

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/dirlock"
)

// The variables by which a test runs a part of itself in a child process.
const (
	childRole = "FLEETWATT_DUCKDB_TEST_CHILD"
	childDir  = "FLEETWATT_DUCKDB_TEST_DIR"
)

// TestMain is the child where the environment says so.
func TestMain(m *testing.M) {
	roles := map[string]func(dir string) error{
		"open":             childOpens,
		"append":           childAppends,
		"killed at a step": childDiesAtStep,
		"full compaction":  childCompactsFull,
		"full": func(dir string) error {
			return childRunsFull(dir, 400_000, 2000)
		},
	}
	role, ok := roles[os.Getenv(childRole)]
	if !ok {
		os.Exit(m.Run())
	}
	if err := role(os.Getenv(childDir)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// child is this program in the given role, not started yet.
func child(t *testing.T, role, dir string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childRole+"="+role, childDir+"="+dir)
	return cmd
}

func TestSecondOpen(t *testing.T) {
	dir := t.TempDir()
	open(t, dir, standard(t))
	_, err := Open(t.Context(), dir, standard(t), Options{})
	if !errors.Is(err, dirlock.ErrInUse) || !strings.Contains(err.Error(), "this process") {
		t.Errorf("in this process: got error %v, want %v", err, dirlock.ErrInUse)
	}
	out, err := child(t, "open", dir).CombinedOutput()
	if err == nil {
		t.Error("in another process: got no error")
	}
	for _, want := range []string{dirlock.ErrInUse.Error(), dir, "held by process", "use another data directory"} {
		if !strings.Contains(string(out), want) {
			t.Errorf("in another process: got %s, want it to say %q", out, want)
		}
	}
}

// childOpens opens the store and closes it.
func childOpens(dir string) error {
	s, err := openChild(dir)
	if err != nil {
		return err
	}
	return s.Close()
}

func openChild(dir string) (*Store, error) {
	schema, err := devices.NewSchema()
	if err != nil {
		return nil, err
	}
	return Open(context.Background(), dir, schema, Options{})
}
