package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/sqlite"
)

const siteColumns = "id, owner_id, name, time_zone, latitude, longitude, created_at, updated_at"

// CreateSite registers a site; the times are set here. Errors: ErrExists,
// *Invalid.
func (r *Registry) CreateSite(ctx context.Context, s devices.Site) (devices.Site, error) {
	s.CreatedAt = r.now()
	s.UpdatedAt = s.CreatedAt
	err := r.change(ctx, func(tx *sql.Tx) error {
		if err := checkSite(ctx, tx, &s); err != nil {
			return err
		}
		inserted, err := affected(tx.ExecContext(ctx, `INSERT INTO sites (`+siteColumns+`)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8) ON CONFLICT DO NOTHING`, siteValues(&s)...))
		if err == nil && inserted == 0 {
			err = ErrExists
		}
		return err
	}, nil)
	if err != nil {
		return devices.Site{}, fmt.Errorf("site %s: %w", s.ID, err)
	}
	return s, nil
}

// GetSite returns one site. Error: ErrNotFound.
func (r *Registry) GetSite(ctx context.Context, id string) (devices.Site, error) {
	s, err := findSite(ctx, r.db.Read, id)
	if err != nil {
		return devices.Site{}, fmt.Errorf("site %s: %w", id, err)
	}
	return s, nil
}

// ListSites returns a page of sites by id, and how many the filter selects.
func (r *Registry) ListSites(ctx context.Context, f Filter) ([]devices.Site, int, error) {
	items, total, err := list(ctx, r.db, "sites", siteColumns, scanSite, f, func(q *sqlite.Query) {
		whereNotEmpty(q, "owner_id = ?", f.OwnerID)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list sites: %w", err)
	}
	return items, total, nil
}

// UpdateSite applies a patch. Errors: ErrNotFound, *Invalid.
func (r *Registry) UpdateSite(ctx context.Context, id string, p SitePatch) (devices.Site, error) {
	var s devices.Site
	err := r.change(ctx, func(tx *sql.Tx) (err error) {
		if s, err = findSite(ctx, tx, id); err != nil {
			return err
		}
		p.apply(&s)
		s.UpdatedAt = r.now()
		if err := checkSite(ctx, tx, &s); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `UPDATE sites SET (`+siteColumns+`)
			= ($1, $2, $3, $4, $5, $6, $7, $8) WHERE id = $1`, siteValues(&s)...)
		return err
	}, nil)
	if err != nil {
		return devices.Site{}, fmt.Errorf("site %s: %w", id, err)
	}
	return s, nil
}

func findSite(ctx context.Context, q rower, id string) (devices.Site, error) {
	return found(scanSite(q.QueryRowContext(ctx, `SELECT `+siteColumns+` FROM sites WHERE id = $1`, id)))
}

func siteValues(s *devices.Site) []any {
	return []any{
		s.ID, null(s.OwnerID), s.Name, s.TimeZone, s.Latitude, s.Longitude,
		s.CreatedAt.UnixMilli(), s.UpdatedAt.UnixMilli(),
	}
}

func scanSite(row sqlite.Scanner) (devices.Site, error) {
	var (
		s                devices.Site
		owner            sql.Null[string]
		created, updated int64
	)
	err := row.Scan(&s.ID, &owner, &s.Name, &s.TimeZone, &s.Latitude, &s.Longitude, &created, &updated)
	if err != nil {
		return devices.Site{}, err
	}
	s.OwnerID = owner.V
	s.CreatedAt, s.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	return s, nil
}
