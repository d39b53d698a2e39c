package registry

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/fleetwatt/fleetwatt/devices"
)

// directory holds in memory what is asked for every message. Its lock is never
// held during I/O.
type directory struct {
	mu sync.RWMutex
	tables
}

// tables are the content of a directory.
type tables struct {
	gateways map[devices.Ref]devices.Ref // every registered device; the zero Ref: no gateway
	byUser   map[string]secretHash       // credentials by username
	users    map[devices.Ref]string      // username of a device
	byName   map[string]Certificate      // certificates by common name
}

func (d *directory) put(dev *device) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.gateways[dev.ref()] = dev.gateway()
}

// Lookup returns the device that may publish for ref, zero where there is none
// but ref itself, and whether ref is registered. It answers from memory.
func (r *Registry) Lookup(ref devices.Ref) (gateway devices.Ref, known bool) {
	r.dir.mu.RLock()
	defer r.dir.mu.RUnlock()
	gateway, known = r.dir.gateways[ref]
	return gateway, known
}

// Refs lists the registered devices, in no order. It answers from memory.
func (r *Registry) Refs(context.Context) ([]devices.Ref, error) {
	r.dir.mu.RLock()
	defer r.dir.mu.RUnlock()
	return slices.Collect(maps.Keys(r.dir.gateways)), nil
}

// Enroll registers the devices that are not known yet as unclaimed: without an
// owner, a site or a gateway. Those that are known stay as they are. Error:
// *Invalid for a kind or id that can't be, in which case none is registered.
func (r *Registry) Enroll(ctx context.Context, refs []devices.Ref) error {
	unknown, err := r.unknown(refs)
	if err != nil || len(unknown) == 0 {
		return err
	}
	enrolled := 0
	err = r.change(ctx, func(tx *change) error {
		enrolled = 0
		now := tx.at.UnixMilli()
		insert, err := tx.PrepareContext(ctx, `INSERT INTO devices (kind, id, status, created_at, updated_at)
			VALUES ($1, $2, $3, $4, $5) ON CONFLICT DO NOTHING`)
		if err != nil {
			return err
		}
		for _, ref := range unknown {
			n, err := affected(insert.ExecContext(ctx, string(ref.Kind), ref.ID, string(devices.StatusUnclaimed), now, now))
			if err != nil {
				return err
			}
			if n == 0 {
				continue
			}
			enrolled++
			if err := tx.record(ctx, ActionEnroll, string(ref.Kind), ref.ID, nil, nil); err != nil {
				return err
			}
			if err := tx.touch(ctx, ref); err != nil {
				return err
			}
		}
		tx.then(func() { r.dir.enroll(unknown) })
		return nil
	})
	if err != nil {
		return fmt.Errorf("enroll devices: %w", err)
	}
	if enrolled > 0 {
		r.opts.Logger.InfoContext(ctx, "unknown devices enrolled", "devices", enrolled, "first", unknown[0].String())
	}
	return nil
}

// unknown are the refs that are not in the directory, ascending, each once.
func (r *Registry) unknown(refs []devices.Ref) ([]devices.Ref, error) {
	var unknown []devices.Ref
	for _, ref := range refs {
		if _, known := r.Lookup(ref); known {
			continue
		}
		if _, err := devices.ParseRef(ref.String()); err != nil {
			return nil, &Invalid{Problems: []Problem{{Field: "device", Detail: err.Error()}}}
		}
		unknown = append(unknown, ref)
	}
	slices.SortFunc(unknown, compareRefs)
	return slices.Compact(unknown), nil
}

// enroll adds the devices; one registered meanwhile keeps its gateway.
func (d *directory) enroll(refs []devices.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for _, ref := range refs {
		if _, known := d.gateways[ref]; !known {
			d.gateways[ref] = devices.Ref{}
		}
	}
}

func compareRefs(a, b devices.Ref) int {
	return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.ID, b.ID))
}
