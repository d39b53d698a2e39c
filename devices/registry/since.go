package registry

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

// Revision is the number of the last change, of whichever process.
func (r *Registry) Revision(ctx context.Context) (int64, error) {
	revision, err := lastRevision(ctx, r.db.Read)
	if err != nil {
		return 0, fmt.Errorf("read revision: %w", err)
	}
	return revision, nil
}

// Writes is a number that has grown when a method that writes returns; alone is
// false where other processes write too, so that it says nothing.
func (r *Registry) Writes() (n int64, alone bool) { return r.db.Writes() }

// BatteriesSince returns the batteries that were changed after the revision, by
// id, with those that are deleted; 0: all of them. all says that they are all of
// them because that is too long ago to tell. What later changes have changed
// meanwhile may be among them.
func (r *Registry) BatteriesSince(ctx context.Context, revision int64) (changed []devices.Battery, all bool, err error) {
	var found []device
	err = r.db.View(ctx, func(tx *sql.Tx) error {
		latest, err := lastRevision(ctx, tx)
		if err != nil {
			return err
		}
		// A number that is not given out yet was lost with the state that gave it.
		all = revision == 0 || latest-revision >= keepTouched || latest < revision
		query, args := `SELECT `+deviceColumns+` FROM devices WHERE kind = $1`, []any{string(devices.KindBattery)}
		if !all {
			query += ` AND id IN (SELECT id FROM touched WHERE kind = $1 AND revision > $2)`
			args = append(args, revision)
		}
		found, err = database.Collect(ctx, tx, scanDevice, query+` ORDER BY id`, args...)
		return err
	})
	if err != nil {
		return nil, false, fmt.Errorf("list changed batteries: %w", err)
	}
	changed = make([]devices.Battery, len(found))
	for i := range found {
		changed[i] = found[i].battery()
	}
	return changed, all, nil
}
