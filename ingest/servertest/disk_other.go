//go:build !linux

package servertest

import "testing"

// SmallDisk skips the test: small disks are mounted on Linux only.
func SmallDisk(t testing.TB, _ int) string {
	t.Helper()
	t.Skip("small disks are mounted on Linux only")
	return ""
}
