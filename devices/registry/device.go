package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/sqlite"
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
	created_at, updated_at, slots, chemistry, rated_capacity_ah, rated_voltage_v, cutoff_voltage_v, floor_area_m2`

// columns are the values of deviceColumns, in their order.
func (d *device) columns() []any {
	gateway := d.gateway()
	return []any{
		string(d.kind), d.ID, null(d.OwnerID), null(d.SiteID), null(d.Name), null(d.Serial), string(d.Status),
		null(gateway.Kind), null(gateway.ID), millisOrNull(d.Commissioned), d.CreatedAt.UnixMilli(), d.UpdatedAt.UnixMilli(),
		null(d.slots), null(d.chemistry), d.capacityAh, d.voltageV, d.cutoffV, d.floorAreaM2,
	}
}

func scanDevice(row sqlite.Scanner) (device, error) {
	var (
		d                         device
		owner, site, name, serial sql.Null[string]
		gatewayKind, gatewayID    sql.Null[string]
		chemistry                 sql.Null[string]
		commissioned              sql.Null[int64]
		slots                     sql.Null[int]
		created, updated          int64
	)
	err := row.Scan(&d.kind, &d.ID, &owner, &site, &name, &serial, &d.Status, &gatewayKind, &gatewayID, &commissioned,
		&created, &updated, &slots, &chemistry, &d.capacityAh, &d.voltageV, &d.cutoffV, &d.floorAreaM2)
	if err != nil {
		return device{}, err
	}
	d.OwnerID, d.SiteID, d.Name, d.Serial = owner.V, site.V, name.V, serial.V
	if gatewayID.Valid {
		d.Gateway = devices.Ref{Kind: devices.Kind(gatewayKind.V), ID: gatewayID.V}.String()
	}
	if commissioned.Valid {
		t := time.UnixMilli(commissioned.V).UTC()
		d.Commissioned = &t
	}
	d.CreatedAt, d.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	d.slots, d.chemistry = slots.V, chemistry.V
	return d, nil
}

func (r *Registry) createDevice(ctx context.Context, d device) (device, error) {
	if d.Status == "" {
		d.Status = devices.StatusUnclaimed
		if d.OwnerID != "" {
			d.Status = devices.StatusActive
		}
	}
	d.CreatedAt = r.now()
	d.UpdatedAt = d.CreatedAt
	err := r.change(ctx, func(tx *sql.Tx) error {
		if err := checkDevice(ctx, tx, &d); err != nil {
			return err
		}
		inserted, err := affected(tx.ExecContext(ctx, `INSERT INTO devices (`+deviceColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
			ON CONFLICT DO NOTHING`, d.columns()...))
		if err == nil && inserted == 0 {
			err = ErrExists
		}
		return err
	}, func() { r.dir.put(&d) })
	if err != nil {
		return device{}, fmt.Errorf("%s %s: %w", d.kind, d.ID, err)
	}
	return d, nil
}

func (r *Registry) updateDevice(ctx context.Context, ref devices.Ref, apply func(*device)) (device, error) {
	var d device
	err := r.change(ctx, func(tx *sql.Tx) (err error) {
		if d, err = findDevice(ctx, tx, ref); err != nil {
			return err
		}
		apply(&d)
		d.UpdatedAt = r.now()
		if err := checkDevice(ctx, tx, &d); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE devices SET (`+deviceColumns+`)
			= ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18)
			WHERE kind = $1 AND id = $2`, d.columns()...)
		return err
	}, func() { r.dir.put(&d) })
	if err != nil {
		return device{}, fmt.Errorf("%s %s: %w", ref.Kind, ref.ID, err)
	}
	return d, nil
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
	items, total, err := list(ctx, r.db, "devices", deviceColumns, scanDevice, f, func(q *sqlite.Query) {
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
