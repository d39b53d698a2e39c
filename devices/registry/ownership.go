package registry

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// KindSite is the kind of a site, where it stands beside those of devices.
const KindSite = "site"

// Ownership says who owned an asset, and when: in [From, To), Unix
// milliseconds, UTC.
type Ownership struct {
	Kind    string // station, battery, building or site
	ID      string
	OwnerID string
	From    int64 // 0: from the beginning
	To      int64 // 0: to this day
}

// OwnershipFilter selects ownerships. What is empty selects everything.
type OwnershipFilter struct {
	Kind    string
	ID      string
	OwnerID string
	Window  telemetry.Window // those that share an instant with it; zero: all
}

const ownershipColumns = "kind, id, owner_id, from_at, to_at"

func scanOwnership(row database.Scanner) (o Ownership, err error) {
	var to sql.Null[int64]
	err = row.Scan(&o.Kind, &o.ID, &o.OwnerID, &o.From, &to)
	o.To = to.V
	return o, err
}

// Ownerships returns who owned what, by kind, id and time. An asset that is
// deleted was owned until then.
func (r *Registry) Ownerships(ctx context.Context, f OwnershipFilter) ([]Ownership, error) {
	q := database.NewQuery(`SELECT ` + ownershipColumns + ` FROM ownership`)
	whereNotEmpty(q, "kind = ?", f.Kind)
	whereNotEmpty(q, "id = ?", f.ID)
	whereNotEmpty(q, "owner_id = ?", f.OwnerID)
	if f.Window != (telemetry.Window{}) {
		q.Where("from_at < ?", f.Window.To).Where("(to_at IS NULL OR to_at > ?)", f.Window.From)
	}
	q.Page("kind, id, from_at", 0, 0)
	all, err := database.Collect(ctx, r.db.Read, scanOwnership, q.Text(), q.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read ownerships: %w", err)
	}
	return all, nil
}

// OwnerAt returns who owned the asset at an instant; false where nobody did.
func (r *Registry) OwnerAt(ctx context.Context, kind, id string, at time.Time) (ownerID string, owned bool, err error) {
	err = r.db.Read.QueryRowContext(ctx, `SELECT owner_id FROM ownership
		WHERE kind = $1 AND id = $2 AND from_at <= $3 AND (to_at IS NULL OR to_at > $3)`,
		kind, id, at.UnixMilli()).Scan(&ownerID)
	if errors.Is(err, sql.ErrNoRows) {
		return "", false, nil
	}
	if err != nil {
		return "", false, fmt.Errorf("read owner of %s %s: %w", kind, id, err)
	}
	return ownerID, true, nil
}

// own keeps the ownerships in step with the owner that an asset has from since
// on; nil: from the beginning, or the present owner stays as he is.
//
// The first owner is so from the beginning unless a date is given: what was
// measured before somebody got round to registering him is his. A later one is
// so from the given date, or from now on.
func (c *change) own(ctx context.Context, kind, id, ownerID string, since *time.Time) (*time.Time, error) {
	last, err := found(scanOwnership(c.QueryRowContext(ctx, `SELECT `+ownershipColumns+` FROM ownership
		WHERE kind = $1 AND id = $2 ORDER BY from_at DESC LIMIT 1`, kind, id)))
	first := errors.Is(err, ErrNotFound)
	if err != nil && !first {
		return nil, err
	}
	if !first && last.To == 0 && last.OwnerID == ownerID {
		if since == nil || since.UnixMilli() == last.From {
			return startOf(last.From), nil
		}
		if err := c.undo(ctx, &last); err != nil {
			return nil, err
		}
		return c.own(ctx, kind, id, ownerID, since)
	}
	if first && ownerID == "" {
		return nil, nil
	}
	from := c.at.UnixMilli()
	if since != nil {
		from = since.UnixMilli()
	} else if first {
		from = 0
	}
	if problem := c.misdated(&last, first, from); problem != "" {
		return nil, invalidField("owner_since", "%s", problem)
	}
	if !first && last.To == 0 {
		if err := c.disown(ctx, &last, from); err != nil {
			return nil, err
		}
	}
	if ownerID == "" {
		return nil, nil
	}
	_, err = c.ExecContext(ctx, `INSERT INTO ownership (kind, id, owner_id, from_at) VALUES ($1, $2, $3, $4)`, kind, id, ownerID, from)
	return startOf(from), err
}

// misdated says what is wrong with a change of owner at an instant.
func (c *change) misdated(last *Ownership, first bool, from int64) string {
	switch {
	case from > c.at.UnixMilli():
		return "want a time that has come: the change is made when it is registered"
	case from < 0:
		return "want 1970 or later"
	case first:
		return ""
	case last.To == 0 && from < last.From:
		return "want no time before " + rfc3339(last.From) + ", when the present owner got it"
	case from < last.To:
		return "want no time before " + rfc3339(last.To) + ", until when another owned it"
	}
	return ""
}

// disown ends an ownership. One that ends as it begins was a mistake, and is
// removed.
func (c *change) disown(ctx context.Context, o *Ownership, at int64) error {
	if at == o.From {
		_, err := c.ExecContext(ctx, `DELETE FROM ownership WHERE kind = $1 AND id = $2 AND from_at = $3`, o.Kind, o.ID, o.From)
		return err
	}
	_, err := c.ExecContext(ctx, `UPDATE ownership SET to_at = $1 WHERE kind = $2 AND id = $3 AND from_at = $4`, at, o.Kind, o.ID, o.From)
	return err
}

// undo takes back that the ownership began, to have it begin at another time.
func (c *change) undo(ctx context.Context, o *Ownership) error {
	_, err := c.ExecContext(ctx, `DELETE FROM ownership WHERE kind = $1 AND id = $2 AND from_at = $3`, o.Kind, o.ID, o.From)
	if err != nil {
		return err
	}
	_, err = c.ExecContext(ctx, `UPDATE ownership SET to_at = NULL WHERE kind = $1 AND id = $2 AND to_at = $3`, o.Kind, o.ID, o.From)
	return err
}

func startOf(ms int64) *time.Time {
	if ms == 0 {
		return nil
	}
	t := time.UnixMilli(ms).UTC()
	return &t
}

func rfc3339(ms int64) string { return time.UnixMilli(ms).UTC().Format(time.RFC3339) }

// owned refuses to delete an owner who has something.
func (c *change) owned(ctx context.Context, ownerID string) error {
	for _, table := range []string{"sites", "devices"} {
		n, err := c.count(ctx, `SELECT count(*) FROM `+table+` WHERE owner_id = $1 AND deleted_at IS NULL`, ownerID)
		if err != nil {
			return err
		}
		if n > 0 {
			return fmt.Errorf("%w: it owns %d %s", ErrConflict, n, table)
		}
	}
	return nil
}

// occupied refuses to delete a site on which something stands.
func (c *change) occupied(ctx context.Context, siteID string) error {
	n, err := c.count(ctx, `SELECT count(*) FROM devices WHERE site_id = $1 AND deleted_at IS NULL`, siteID)
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: %d devices stand there", ErrConflict, n)
	}
	return err
}

// speaking refuses to delete a device that others publish through.
func (c *change) speaking(ctx context.Context, ref devices.Ref) error {
	n, err := c.count(ctx, `SELECT count(*) FROM devices WHERE gateway_kind = $1 AND gateway_id = $2 AND deleted_at IS NULL`,
		string(ref.Kind), ref.ID)
	if err == nil && n > 0 {
		err = fmt.Errorf("%w: it is the gateway of %d devices", ErrConflict, n)
	}
	return err
}

func (c *change) count(ctx context.Context, query string, args ...any) (n int, err error) {
	err = c.QueryRowContext(ctx, query, args...).Scan(&n)
	return n, err
}
