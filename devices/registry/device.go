package registry

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

// device is a row of the table devices: what all kinds have in common, and the
// properties of each kind, zero for the others. Ratings that are not known are
// nil.
type device struct {
	devices.Asset
	kind        devices.Kind
	slots       int
	chemistry   string
	capacityAh  *float64
	voltageV    *float64
	cutoffV     *float64
	floorAreaM2 *float64
}

func (d *device) ref() devices.Ref { return devices.Ref{Kind: d.kind, ID: d.ID} }

// gateway is the zero Ref where there is none or the text is not a Ref.
func (d *device) gateway() devices.Ref {
	ref, err := devices.ParseRef(d.Gateway)
	if err != nil {
		return devices.Ref{}
	}
	return ref
}

const deviceColumns = `kind, id, owner_id, site_id, name, serial, status, gateway_kind, gateway_id, commissioned,
	created_at, updated_at, slots, chemistry, rated_capacity_ah, rated_voltage_v, cutoff_voltage_v, floor_area_m2,
	owner_since, version, deleted_at`

// devicePlaces are the placeholders of deviceColumns.
const devicePlaces = `($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19, $20, $21)`

// columns are the values of deviceColumns, in their order.
func (d *device) columns() []any {
	gateway := d.gateway()
	return []any{
		string(d.kind), d.ID, null(d.OwnerID), null(d.SiteID), null(d.Name), null(d.Serial), string(d.Status),
		null(gateway.Kind), null(gateway.ID), millisOrNull(d.Commissioned), d.CreatedAt.UnixMilli(), d.UpdatedAt.UnixMilli(),
		null(d.slots), null(d.chemistry), d.capacityAh, d.voltageV, d.cutoffV, d.floorAreaM2,
		millisOrNull(d.OwnerSince), d.Version, millisOrNull(d.DeletedAt),
	}
}

// public is the device as the packages outside know it.
func (d *device) public() any {
	switch d.kind {
	case devices.KindStation:
		return d.station()
	case devices.KindBattery:
		return d.battery()
	}
	return d.building()
}

func scanDevice(row database.Scanner) (device, error) {
	var (
		d                         device
		owner, site, name, serial sql.Null[string]
		gatewayKind, gatewayID    sql.Null[string]
		chemistry                 sql.Null[string]
		commissioned              sql.Null[int64]
		since, deleted            sql.Null[int64]
		slots                     sql.Null[int]
		created, updated          int64
	)
	err := row.Scan(&d.kind, &d.ID, &owner, &site, &name, &serial, &d.Status, &gatewayKind, &gatewayID, &commissioned,
		&created, &updated, &slots, &chemistry, &d.capacityAh, &d.voltageV, &d.cutoffV, &d.floorAreaM2,
		&since, &d.Version, &deleted)
	if err != nil {
		return device{}, err
	}
	d.OwnerID, d.SiteID, d.Name, d.Serial = owner.V, site.V, name.V, serial.V
	if gatewayID.Valid {
		d.Gateway = devices.Ref{Kind: devices.Kind(gatewayKind.V), ID: gatewayID.V}.String()
	}
	d.Commissioned, d.OwnerSince, d.DeletedAt = timeOrNil(commissioned), timeOrNil(since), timeOrNil(deleted)
	d.CreatedAt, d.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	d.slots, d.chemistry = slots.V, chemistry.V
	return d, nil
}

func (r *Registry) createDevice(ctx context.Context, d device) (device, error) {
	return r.changeDevice(ctx, d.ref(), func(c *change) (device, error) { return r.insertDevice(ctx, c, d) })
}

func (r *Registry) updateDevice(ctx context.Context, ref devices.Ref, version int64, since *time.Time, apply func(*device)) (device, error) {
	return r.changeDevice(ctx, ref, func(c *change) (device, error) { return r.patchDevice(ctx, c, ref, version, since, apply) })
}

// changeDevice names the device in an error of a change.
func (r *Registry) changeDevice(ctx context.Context, ref devices.Ref, do func(*change) (device, error)) (d device, err error) {
	err = r.change(ctx, func(c *change) (err error) {
		d, err = do(c)
		return err
	})
	if err != nil {
		return device{}, fmt.Errorf("%s %s: %w", ref.Kind, ref.ID, err)
	}
	return d, nil
}

func (r *Registry) insertDevice(ctx context.Context, c *change, d device) (device, error) {
	if d.Status == "" {
		d.Status = devices.StatusUnclaimed
		if d.OwnerID != "" {
			d.Status = devices.StatusActive
		}
	}
	d.CreatedAt, d.UpdatedAt, d.Record = c.at, c.at, devices.Record{Version: 1}
	if err := checkDevice(ctx, c, &d); err != nil {
		return d, err
	}
	if _, err := findDevice(ctx, c, d.ref()); !errors.Is(err, ErrNotFound) {
		return d, cmp.Or(err, ErrExists)
	}
	since, err := c.own(ctx, string(d.kind), d.ID, d.OwnerID, d.OwnerSince)
	if err != nil {
		return d, err
	}
	d.OwnerSince = since
	if _, err := c.ExecContext(ctx, `INSERT INTO devices (`+deviceColumns+`) VALUES `+devicePlaces, d.columns()...); err != nil {
		return d, err
	}
	return d, r.wrote(ctx, c, ActionCreate, nil, &d)
}

// patchDevice applies a patch to the version that it was made for; 0: to
// whichever it is.
func (r *Registry) patchDevice(ctx context.Context, c *change, ref devices.Ref, version int64, since *time.Time, apply func(*device)) (device, error) {
	was, err := findDevice(ctx, c, ref)
	if err != nil {
		return was, err
	}
	if was.DeletedAt != nil {
		return was, errDeleted
	}
	d := was
	apply(&d)
	if err := checkDevice(ctx, c, &d); err != nil {
		return was, err
	}
	if d.OwnerSince, err = c.own(ctx, string(ref.Kind), ref.ID, d.OwnerID, since); err != nil {
		return was, err
	}
	return r.saveDevice(ctx, c, ActionUpdate, &was, d, version)
}

func (r *Registry) saveDevice(ctx context.Context, c *change, action Action, was *device, d device, version int64) (device, error) {
	if err := step(&d.Record, version); err != nil {
		return *was, err
	}
	d.UpdatedAt = c.at
	_, err := c.ExecContext(ctx, `UPDATE devices SET (`+deviceColumns+`) = `+devicePlaces+` WHERE kind = $1 AND id = $2`, d.columns()...)
	if err != nil {
		return *was, err
	}
	return d, r.wrote(ctx, c, action, was, &d)
}

// wrote has everybody know of a device that was written.
func (r *Registry) wrote(ctx context.Context, c *change, action Action, was, d *device) error {
	var before any
	if was != nil {
		before = was.public()
	}
	if err := c.record(ctx, action, string(d.kind), d.ID, before, d.public()); err != nil {
		return err
	}
	known := *d
	c.then(func() { r.dir.put(&known) })
	return c.touch(ctx, d.ref())
}

// deleteDevice takes the device out of lists and retires it. It stays known,
// and what it still sends is stored.
func (r *Registry) deleteDevice(ctx context.Context, ref devices.Ref, version int64) (device, error) {
	return r.changeDevice(ctx, ref, func(c *change) (device, error) {
		was, err := findDevice(ctx, c, ref)
		if err != nil || was.DeletedAt != nil {
			return was, err
		}
		if err := c.speaking(ctx, ref); err != nil {
			return was, err
		}
		if _, err := c.own(ctx, string(ref.Kind), ref.ID, "", nil); err != nil {
			return was, err
		}
		d := was
		d.Status, d.DeletedAt = devices.StatusRetired, &c.at
		return r.saveDevice(ctx, c, ActionDelete, &was, d, version)
	})
}

// restoreDevice is the inverse of deleteDevice.
func (r *Registry) restoreDevice(ctx context.Context, ref devices.Ref, version int64) (device, error) {
	return r.changeDevice(ctx, ref, func(c *change) (device, error) {
		was, err := findDevice(ctx, c, ref)
		if err != nil || was.DeletedAt == nil {
			return was, err
		}
		d := was
		d.DeletedAt, d.Status = nil, devices.StatusActive
		if d.OwnerID == "" {
			d.Status = devices.StatusUnclaimed
		}
		if err := checkDevice(ctx, c, &d); err != nil {
			return was, err
		}
		if d.OwnerSince, err = c.own(ctx, string(ref.Kind), ref.ID, d.OwnerID, nil); err != nil {
			return was, err
		}
		return r.saveDevice(ctx, c, ActionRestore, &was, d, version)
	})
}

func (r *Registry) getDevice(ctx context.Context, ref devices.Ref) (device, error) {
	d, err := findDevice(ctx, r.db.Read, ref)
	if err != nil {
		return device{}, fmt.Errorf("%s %s: %w", ref.Kind, ref.ID, err)
	}
	return d, nil
}

func findDevice(ctx context.Context, q rower, ref devices.Ref) (device, error) {
	return found(scanDevice(q.QueryRowContext(ctx,
		`SELECT `+deviceColumns+` FROM devices WHERE kind = $1 AND id = $2`, string(ref.Kind), ref.ID)))
}

func (r *Registry) listDevices(ctx context.Context, kind devices.Kind, f Filter) ([]device, int, error) {
	items, total, err := list(ctx, r.db, "devices", deviceColumns, scanDevice, f, func(q *database.Query) {
		q.Where("kind = ?", string(kind))
		whereNotEmpty(q, "owner_id = ?", f.OwnerID)
		whereNotEmpty(q, "site_id = ?", f.SiteID)
		whereNotEmpty(q, "status = ?", string(f.Status))
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list %s: %w", kind.Plural(), err)
	}
	return items, total, nil
}
