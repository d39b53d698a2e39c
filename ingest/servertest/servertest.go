// Package servertest starts real servers for tests: InfluxDB 1.8 and mosquitto,
// each with its data in the test's temporary directory, on free ports of
// 127.0.0.1, killed when the test ends. It knows how to start, stop, kill and
// freeze them, and nothing of what is said to them. It also issues certificates.
//
// A server that is not installed skips the test, or fails it where
// FLEETWATT_REQUIRE_ALL=1.
package servertest

import (
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/processtest"
)

// lookPath finds the program in PATH, then in dirs. Where it is missing the
// test ends.
func lookPath(t testing.TB, name string, dirs ...string) string {
	t.Helper()
	if path, err := exec.LookPath(name); err == nil {
		return path
	}
	for _, dir := range dirs {
		if dir == "" {
			continue
		}
		if path, err := exec.LookPath(filepath.Join(dir, name)); err == nil {
			return path
		}
	}
	processtest.Missing(t, name+" is not installed")
	return ""
}

// goBins are the folders that "go install" puts programs in.
func goBins() []string {
	out, err := exec.Command("go", "env", "GOBIN", "GOPATH").Output()
	if err != nil {
		return nil
	}
	gobin, gopath, _ := strings.Cut(strings.TrimRight(string(out), "\n"), "\n")
	dirs := []string{gobin}
	for _, p := range filepath.SplitList(gopath) {
		dirs = append(dirs, filepath.Join(p, "bin"))
	}
	return dirs
}
