// Package processtest runs real server programs for tests: each on free ports of
// 127.0.0.1, ended with the test, and one that can be killed, frozen, and started
// again meanwhile. It knows nothing of what is said to them.
package processtest

import (
	"fmt"
	"net"
	"os"
	"sync/atomic"
	"testing"
)

// Missing skips the test for want of a program, or fails it where
// FLEETWATT_REQUIRE_ALL=1.
func Missing(t testing.TB, why string) {
	t.Helper()
	if os.Getenv("FLEETWATT_REQUIRE_ALL") == "1" {
		t.Fatalf("%s, and FLEETWATT_REQUIRE_ALL=1", why)
	}
	t.Skip(why)
}

// Ports from which FreePort chooses: systems give those above to connections and
// to listeners that leave the choice to them.
const (
	firstPort = 10_000
	ports     = 32_768 - firstPort
)

// given counts the ports that this process was given.
var given atomic.Int64

// FreePort is a TCP port of 127.0.0.1 that nobody listens on. Between finding it
// and listening on it another may take it, but hardly does: a test process is not
// given a port twice, and others are given ports far from it.
func FreePort(t testing.TB) int {
	t.Helper()
	for range ports {
		port := firstPort + (os.Getpid()*1009+int(given.Add(1)))%ports
		if l, err := net.Listen("tcp", fmt.Sprintf("127.0.0.1:%d", port)); err == nil {
			_ = l.Close() // only its number is wanted
			return port
		}
	}
	t.Fatal("find a free port: all are taken")
	return 0
}
