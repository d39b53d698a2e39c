package api

import (
	"context"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// fleetView is the part of the mirror that a caller sees.
type fleetView struct {
	sight
	mirror *mirror
}

// fleetPart are batteries that a caller sees, by id.
type fleetPart struct {
	*snapshot
	filter registry.Filter // as narrowed to the caller; answers depend on it
	some   bool            // false: the caller sees none
	whole  bool            // he sees them from their beginning on
}

// part are those that the filter selects, but for its page.
func (v fleetView) part(ctx context.Context, f registry.Filter) (fleetPart, error) {
	s, err := v.mirror.current(ctx)
	if err != nil {
		return fleetPart{}, err
	}
	f.Limit, f.Offset = 0, 0
	narrow, some := v.filter(ctx, f)
	return fleetPart{s, narrow, some, v.whole(ctx)}, nil
}

// batteries must not be changed.
func (p fleetPart) batteries() []*known {
	if !p.some {
		return nil
	}
	return p.snapshot.part(p.filter)
}

// of are the batteries with what is known of them. They are shown as they are
// given: one may have been changed since.
func (v fleetView) of(ctx context.Context, list []devices.Battery) (*snapshot, []*known, error) {
	s, err := v.mirror.current(ctx)
	if err != nil {
		return nil, nil, err
	}
	p, out := access.From(ctx), make([]*known, len(list))
	for k, b := range list {
		found := s.find(b.ID)
		switch {
		case found == nil || !p.Sees(devices.Ref{Kind: devices.KindBattery, ID: b.ID}, found.OwnerID):
			out[k] = &known{Battery: b}
		case found.Version != b.Version || found.RatedCapacityAh != b.RatedCapacityAh:
			out[k] = found.of(b)
		default:
			out[k] = found
		}
	}
	return s, out, nil
}
