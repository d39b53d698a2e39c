package registry

import (
	"context"
	"database/sql"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

const siteColumns = `id, owner_id, name, time_zone, latitude, longitude, created_at, updated_at,
	city, owner_since, version, deleted_at`

// CreateSite registers a site; times and version are set here. Errors:
// ErrExists, *Invalid.
func (r *Registry) CreateSite(ctx context.Context, s devices.Site) (devices.Site, error) {
	return r.changeSite(ctx, s.ID, func(c *change) (devices.Site, error) { return c.createSite(ctx, s) })
}

// GetSite returns one site, also one that is deleted. Error: ErrNotFound.
func (r *Registry) GetSite(ctx context.Context, id string) (devices.Site, error) {
	s, err := findSite(ctx, r.db.Read, id)
	if err != nil {
		return devices.Site{}, fmt.Errorf("site %s: %w", id, err)
	}
	return s, nil
}

// ListSites returns a page of sites by id, and how many the filter selects.
func (r *Registry) ListSites(ctx context.Context, f Filter) ([]devices.Site, int, error) {
	items, total, err := list(ctx, r.db, "sites", siteColumns, scanSite, f, func(q *database.Query) {
		whereNotEmpty(q, "owner_id = ?", f.OwnerID)
	})
	if err != nil {
		return nil, 0, fmt.Errorf("list sites: %w", err)
	}
	return items, total, nil
}

// UpdateSite applies a patch. Errors: ErrNotFound, ErrVersion, ErrConflict for
// one that is deleted, *Invalid.
func (r *Registry) UpdateSite(ctx context.Context, id string, p SitePatch) (devices.Site, error) {
	return r.changeSite(ctx, id, func(c *change) (devices.Site, error) { return c.updateSite(ctx, id, p) })
}

// DeleteSite takes the site out of lists; its owner owned it until now.
// version is the one that is to be deleted; 0: whichever it is. To delete what
// is deleted changes nothing. Errors: ErrNotFound, ErrVersion, ErrConflict where
// devices stand on it.
func (r *Registry) DeleteSite(ctx context.Context, id string, version int64) (devices.Site, error) {
	return r.changeSite(ctx, id, func(c *change) (devices.Site, error) {
		s, err := findSite(ctx, c, id)
		if err != nil || s.DeletedAt != nil {
			return s, err
		}
		if err := c.occupied(ctx, id); err != nil {
			return s, err
		}
		if _, err := c.own(ctx, KindSite, id, "", nil); err != nil {
			return s, err
		}
		after := s
		after.DeletedAt = &c.at
		return after, c.saveSite(ctx, ActionDelete, &s, &after, version)
	})
}

// RestoreSite is the inverse of DeleteSite; its owner owns it from now on. To
// restore what is not deleted changes nothing. Errors: as UpdateSite.
func (r *Registry) RestoreSite(ctx context.Context, id string, version int64) (devices.Site, error) {
	return r.changeSite(ctx, id, func(c *change) (devices.Site, error) {
		s, err := findSite(ctx, c, id)
		if err != nil || s.DeletedAt == nil {
			return s, err
		}
		after := s
		after.DeletedAt = nil
		if err := checkSite(ctx, c, &after); err != nil {
			return s, err
		}
		if after.OwnerSince, err = c.own(ctx, KindSite, id, s.OwnerID, nil); err != nil {
			return s, err
		}
		return after, c.saveSite(ctx, ActionRestore, &s, &after, version)
	})
}

func (r *Registry) changeSite(ctx context.Context, id string, do func(*change) (devices.Site, error)) (s devices.Site, err error) {
	err = r.change(ctx, func(c *change) (err error) {
		s, err = do(c)
		return err
	})
	if err != nil {
		return devices.Site{}, fmt.Errorf("site %s: %w", id, err)
	}
	return s, nil
}

func (c *change) createSite(ctx context.Context, s devices.Site) (devices.Site, error) {
	s.CreatedAt, s.UpdatedAt, s.Record = c.at, c.at, devices.Record{Version: 1}
	if err := checkSite(ctx, c, &s); err != nil {
		return s, err
	}
	since, err := c.own(ctx, KindSite, s.ID, s.OwnerID, s.OwnerSince)
	if err != nil {
		return s, err
	}
	s.OwnerSince = since
	inserted, err := affected(c.ExecContext(ctx, `INSERT INTO sites (`+siteColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT DO NOTHING`, siteValues(&s)...))
	if err == nil && inserted == 0 {
		err = ErrExists
	}
	if err != nil {
		return s, err
	}
	return s, c.record(ctx, ActionCreate, KindSite, s.ID, nil, s)
}

func (c *change) updateSite(ctx context.Context, id string, p SitePatch) (devices.Site, error) {
	s, err := findSite(ctx, c, id)
	if err != nil {
		return s, err
	}
	if s.DeletedAt != nil {
		return s, errDeleted
	}
	after := s
	p.apply(&after)
	if err := checkSite(ctx, c, &after); err != nil {
		return s, err
	}
	if after.OwnerSince, err = c.own(ctx, KindSite, id, after.OwnerID, p.OwnerSince); err != nil {
		return s, err
	}
	return after, c.saveSite(ctx, ActionUpdate, &s, &after, p.Version)
}

func (c *change) saveSite(ctx context.Context, action Action, was, became *devices.Site, version int64) error {
	if err := step(&became.Record, version); err != nil {
		return err
	}
	became.UpdatedAt = c.at
	_, err := c.ExecContext(ctx, `UPDATE sites SET (`+siteColumns+`)
		= ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) WHERE id = $1`, siteValues(became)...)
	if err != nil {
		return err
	}
	return c.record(ctx, action, KindSite, was.ID, was, became)
}

func findSite(ctx context.Context, q rower, id string) (devices.Site, error) {
	return found(scanSite(q.QueryRowContext(ctx, `SELECT `+siteColumns+` FROM sites WHERE id = $1`, id)))
}

func siteValues(s *devices.Site) []any {
	return []any{
		s.ID, null(s.OwnerID), s.Name, s.TimeZone, s.Latitude, s.Longitude, s.CreatedAt.UnixMilli(), s.UpdatedAt.UnixMilli(),
		null(s.City), millisOrNull(s.OwnerSince), s.Version, millisOrNull(s.DeletedAt),
	}
}

func scanSite(row database.Scanner) (devices.Site, error) {
	var (
		s                devices.Site
		owner, city      sql.Null[string]
		created, updated int64
		since, deleted   sql.Null[int64]
	)
	err := row.Scan(&s.ID, &owner, &s.Name, &s.TimeZone, &s.Latitude, &s.Longitude, &created, &updated,
		&city, &since, &s.Version, &deleted)
	if err != nil {
		return devices.Site{}, err
	}
	s.OwnerID, s.City = owner.V, city.V
	s.CreatedAt, s.UpdatedAt = time.UnixMilli(created).UTC(), time.UnixMilli(updated).UTC()
	s.OwnerSince, s.DeletedAt = timeOrNil(since), timeOrNil(deleted)
	return s, nil
}
