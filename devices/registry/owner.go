package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/sqlite"
)

const ownerColumns = "id, name, created_at, updated_at"

// CreateOwner registers an owner; the times are set here. Errors: ErrExists,
// *Invalid.
func (r *Registry) CreateOwner(ctx context.Context, o devices.Owner) (devices.Owner, error) {
	o.CreatedAt = r.now()
	o.UpdatedAt = o.CreatedAt
	err := r.change(ctx, func(tx *sql.Tx) error {
		if err := checkOwner(&o); err != nil {
			return err
		}
		inserted, err := affected(tx.ExecContext(ctx,
			`INSERT INTO owners (`+ownerColumns+`) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING`,
			o.ID, o.Name, o.CreatedAt.UnixMilli(), o.UpdatedAt.UnixMilli()))
		if err == nil && inserted == 0 {
			err = ErrExists
		}
		return err
	}, nil)
	if err != nil {
		return devices.Owner{}, fmt.Errorf("owner %s: %w", o.ID, err)
	}
	return o, nil
}

// GetOwner returns one owner. Error: ErrNotFound.
func (r *Registry) GetOwner(ctx context.Context, id string) (devices.Owner, error) {
	o, err := findOwner(ctx, r.db.Read, id)
	if err != nil {
		return devices.Owner{}, fmt.Errorf("owner %s: %w", id, err)
	}
	return o, nil
}

// ListOwners returns a page of owners by id, and how many there are.
func (r *Registry) ListOwners(ctx context.Context, f Filter) ([]devices.Owner, int, error) {
	items, total, err := list(ctx, r.db, "owners", ownerColumns, scanOwner, f, func(*sqlite.Query) {})
	if err != nil {
		return nil, 0, fmt.Errorf("list owners: %w", err)
	}
	return items, total, nil
}

// UpdateOwner applies a patch. Errors: ErrNotFound, *Invalid.
func (r *Registry) UpdateOwner(ctx context.Context, id string, p OwnerPatch) (devices.Owner, error) {
	var o devices.Owner
	err := r.change(ctx, func(tx *sql.Tx) (err error) {
		if o, err = findOwner(ctx, tx, id); err != nil {
			return err
		}
		p.apply(&o)
		o.UpdatedAt = r.now()
		if err := checkOwner(&o); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE owners SET name = $1, updated_at = $2 WHERE id = $3`,
			o.Name, o.UpdatedAt.UnixMilli(), o.ID)
		return err
	}, nil)
	if err != nil {
		return devices.Owner{}, fmt.Errorf("owner %s: %w", id, err)
	}
	return o, nil
}

func findOwner(ctx context.Context, q rower, id string) (devices.Owner, error) {
	return found(scanOwner(q.QueryRowContext(ctx, `SELECT `+ownerColumns+` FROM owners WHERE id = $1`, id)))
}

func scanOwner(row sqlite.Scanner) (devices.Owner, error) {
	var (
		o                devices.Owner
		created, updated int64
	)
	if err := row.Scan(&o.ID, &o.Name, &created, &updated); err != nil {
		return devices.Owner{}, err
	}
	o.CreatedAt, o.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	return o, nil
}
