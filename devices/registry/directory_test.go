package registry

import (
	"path/filepath"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
)

// The directory changes in the order of the commits: nobody commits between a
// commit and its change.
func TestDirectoryFollowsTheCommits(t *testing.T) {
	r, err := Open(t.Context(), filepath.Join(t.TempDir(), "registry.db"), Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	applied := false
	excluded := func() {
		t.Helper()
		select {
		case r.writing <- struct{}{}:
			r.writing.give()
			t.Error("another write could begin before the change of the directory")
		default:
		}
	}
	err = r.change(t.Context(), func(c *change) error {
		excluded()
		c.then(func() {
			excluded()
			applied = true
		})
		return nil
	})
	if err != nil || !applied {
		t.Errorf("change: got %v, applied %v, want it applied", err, applied)
	}
}

// A device may be registered between the moment Enroll finds it unknown and its
// own write.
func TestEnrollKeepsAGateway(t *testing.T) {
	ref, gateway := devices.Ref{Kind: devices.KindBattery, ID: "b"}, devices.Ref{Kind: devices.KindStation, ID: "s"}
	d := directory{tables: newTables()}
	d.gateways[ref] = gateway
	d.enroll([]devices.Ref{ref, gateway})
	if got := d.gateways[ref]; got != gateway {
		t.Errorf("gateway: got %v, want %v", got, gateway)
	}
	if _, known := d.gateways[gateway]; !known {
		t.Error("the other device was not enrolled")
	}
}
