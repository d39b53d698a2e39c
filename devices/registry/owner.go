package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

const (
	kindOwner    = "owner"
	ownerColumns = "id, name, created_at, updated_at, version, deleted_at"
)

// CreateOwner registers an owner; times and version are set here. Errors:
// ErrExists, *Invalid.
func (r *Registry) CreateOwner(ctx context.Context, o devices.Owner) (devices.Owner, error) {
	return r.changeOwner(ctx, o.ID, func(c *change) (devices.Owner, error) { return c.createOwner(ctx, o) })
}

// GetOwner returns one owner, also one that is deleted. Error: ErrNotFound.
func (r *Registry) GetOwner(ctx context.Context, id string) (devices.Owner, error) {
	o, err := findOwner(ctx, r.db.Read, id)
	if err != nil {
		return devices.Owner{}, fmt.Errorf("owner %s: %w", id, err)
	}
	return o, nil
}

// ListOwners returns a page of owners by id, and how many there are.
func (r *Registry) ListOwners(ctx context.Context, f Filter) ([]devices.Owner, int, error) {
	items, total, err := list(ctx, r.db, "owners", ownerColumns, scanOwner, f, func(*database.Query) {})
	if err != nil {
		return nil, 0, fmt.Errorf("list owners: %w", err)
	}
	return items, total, nil
}

// UpdateOwner applies a patch. Errors: ErrNotFound, ErrVersion, ErrConflict for
// one that is deleted, *Invalid.
func (r *Registry) UpdateOwner(ctx context.Context, id string, p OwnerPatch) (devices.Owner, error) {
	return r.changeOwner(ctx, id, func(c *change) (devices.Owner, error) { return c.updateOwner(ctx, id, p) })
}

// DeleteOwner takes the owner out of lists; what was his stays his. version is
// the one that is to be deleted; 0: whichever it is. To delete what is deleted
// changes nothing. Errors: ErrNotFound, ErrVersion, ErrConflict where something
// is his to this day.
func (r *Registry) DeleteOwner(ctx context.Context, id string, version int64) (devices.Owner, error) {
	return r.changeOwner(ctx, id, func(c *change) (devices.Owner, error) {
		o, err := findOwner(ctx, c, id)
		if err != nil || o.DeletedAt != nil {
			return o, err
		}
		if err := c.owned(ctx, id); err != nil {
			return o, err
		}
		after := o
		after.DeletedAt = &c.at
		return after, c.saveOwner(ctx, ActionDelete, &o, &after, version)
	})
}

// RestoreOwner is the inverse of DeleteOwner. To restore what is not deleted
// changes nothing.
func (r *Registry) RestoreOwner(ctx context.Context, id string, version int64) (devices.Owner, error) {
	return r.changeOwner(ctx, id, func(c *change) (devices.Owner, error) {
		o, err := findOwner(ctx, c, id)
		if err != nil || o.DeletedAt == nil {
			return o, err
		}
		after := o
		after.DeletedAt = nil
		return after, c.saveOwner(ctx, ActionRestore, &o, &after, version)
	})
}

func (r *Registry) changeOwner(ctx context.Context, id string, do func(*change) (devices.Owner, error)) (o devices.Owner, err error) {
	err = r.change(ctx, func(c *change) (err error) {
		o, err = do(c)
		return err
	})
	if err != nil {
		return devices.Owner{}, fmt.Errorf("owner %s: %w", id, err)
	}
	return o, nil
}

func (c *change) createOwner(ctx context.Context, o devices.Owner) (devices.Owner, error) {
	o.CreatedAt, o.UpdatedAt, o.Record = c.at, c.at, devices.Record{Version: 1}
	if err := checkOwner(&o); err != nil {
		return o, err
	}
	inserted, err := affected(c.ExecContext(ctx,
		`INSERT INTO owners (`+ownerColumns+`) VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`, ownerValues(&o)...))
	if err == nil && inserted == 0 {
		err = ErrExists
	}
	if err != nil {
		return o, err
	}
	return o, c.record(ctx, ActionCreate, kindOwner, o.ID, nil, o)
}

func (c *change) updateOwner(ctx context.Context, id string, p OwnerPatch) (devices.Owner, error) {
	o, err := findOwner(ctx, c, id)
	if err != nil {
		return o, err
	}
	if o.DeletedAt != nil {
		return o, errDeleted
	}
	after := o
	p.apply(&after)
	if err := checkOwner(&after); err != nil {
		return o, err
	}
	return after, c.saveOwner(ctx, ActionUpdate, &o, &after, p.Version)
}

// saveOwner writes what became of an owner. The version is the one that the
// change was asked for.
func (c *change) saveOwner(ctx context.Context, action Action, was, became *devices.Owner, version int64) error {
	if err := step(&became.Record, version); err != nil {
		return err
	}
	became.UpdatedAt = c.at
	_, err := c.ExecContext(ctx, `UPDATE owners SET (`+ownerColumns+`) = ($1, $2, $3, $4, $5, $6) WHERE id = $1`, ownerValues(became)...)
	if err != nil {
		return err
	}
	return c.record(ctx, action, kindOwner, was.ID, was, became)
}

func findOwner(ctx context.Context, q rower, id string) (devices.Owner, error) {
	return found(scanOwner(q.QueryRowContext(ctx, `SELECT `+ownerColumns+` FROM owners WHERE id = $1`, id)))
}

func ownerValues(o *devices.Owner) []any {
	return []any{o.ID, o.Name, o.CreatedAt.UnixMilli(), o.UpdatedAt.UnixMilli(), o.Version, millisOrNull(o.DeletedAt)}
}

func scanOwner(row database.Scanner) (devices.Owner, error) {
	var (
		o                devices.Owner
		created, updated int64
		deleted          sql.Null[int64]
	)
	if err := row.Scan(&o.ID, &o.Name, &created, &updated, &o.Version, &deleted); err != nil {
		return devices.Owner{}, err
	}
	o.CreatedAt, o.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	o.DeletedAt = timeOrNil(deleted)
	return o, nil
}
