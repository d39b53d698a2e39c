package registry

import (
	"context"
	"database/sql"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

// load fills the directory from the database, and returns the last change that
// is in it.
func (r *Registry) load(ctx context.Context) (latest state, err error) {
	fresh := &directory{tables: newTables()}
	err = r.db.View(ctx, func(tx *sql.Tx) error {
		if latest, err = lastState(ctx, tx); err != nil {
			return err
		}
		return fresh.fill(ctx, tx, "", nil)
	})
	if err != nil {
		return state{}, err
	}
	r.dir.mu.Lock()
	defer r.dir.mu.Unlock()
	r.dir.tables = fresh.tables
	return latest, nil
}

func newTables() tables {
	return tables{
		gateways: make(map[devices.Ref]devices.Ref), byUser: make(map[string]secretHash),
		users: make(map[devices.Ref]string), byName: make(map[string]Certificate),
	}
}

func lastRevision(ctx context.Context, q rower) (revision int64, err error) {
	err = q.QueryRowContext(ctx, `SELECT value FROM revisions WHERE name = 'registry'`).Scan(&revision)
	return revision, err
}

// lastState is the last change; its mark is 0 where it was made before there
// were marks.
func lastState(ctx context.Context, q rower) (s state, err error) {
	err = q.QueryRowContext(ctx, `SELECT r.value, COALESCE(m.mark, 0) FROM revisions AS r LEFT JOIN marks AS m ON m.revision = r.value
		WHERE r.name = 'registry'`).Scan(&s.revision, &s.mark)
	return s, err
}

// fill adds what the database knows of the devices that the condition selects.
func (d *directory) fill(ctx context.Context, q database.Querier, where string, args []any) error {
	found, err := database.Collect(ctx, q, scanDevice, `SELECT `+deviceColumns+` FROM devices`+where, args...)
	if err != nil {
		return err
	}
	for i := range found {
		d.put(&found[i])
	}
	secrets, err := database.Collect(ctx, q, scanSecret, `SELECT `+secretColumns+` FROM credentials`+where, args...)
	if err != nil {
		return err
	}
	for _, s := range secrets {
		d.putSecret(s)
	}
	certificates, err := database.Collect(ctx, q, scanCertificate, `SELECT `+certificateColumns+` FROM certificates`+where, args...)
	if err != nil {
		return err
	}
	for _, c := range certificates {
		d.putCertificate(c)
	}
	return nil
}
