package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Action is what a change did.
type Action string

// The actions.
const (
	ActionCreate  Action = "create"
	ActionUpdate  Action = "update"
	ActionDelete  Action = "delete"
	ActionRestore Action = "restore"
	// ActionEnroll registers a device that nobody had registered and that
	// published.
	ActionEnroll Action = "enroll"
	// ActionGrant and ActionRevoke give a device something to sign in with, and
	// take it away.
	ActionGrant  Action = "grant"
	ActionRevoke Action = "revoke"
)

// System is the actor of what nobody asked for.
const System = "system"

// The kinds of what devices and callers sign in with, in the audit log.
const (
	kindKey         = "key"
	kindCredential  = "credential"
	kindCertificate = "certificate"
)

// grant is what the audit log keeps of something to sign in with.
type grant struct {
	Username   string `json:"username,omitempty"`
	CommonName string `json:"common_name,omitempty"`
}

type actorKey struct{}

// WithActor names who asks for the changes that are made under the context.
func WithActor(ctx context.Context, actor string) context.Context {
	return context.WithValue(ctx, actorKey{}, actor)
}

func actorOf(ctx context.Context) string {
	if actor, ok := ctx.Value(actorKey{}).(string); ok && actor != "" {
		return actor
	}
	return System
}

// Change is one entry of the audit log.
type Change struct {
	ID       int64 // greater than those of all changes before
	At       time.Time
	Actor    string
	Action   Action
	Kind     string // owner, site, station, battery, building, credential or certificate
	ObjectID string // of a credential or a certificate: kind/id of its device
	Before   json.RawMessage
	After    json.RawMessage // nil: there is none
}

// ChangeFilter selects changes. What is empty selects everything.
type ChangeFilter struct {
	Kind     string
	ObjectID string
	Actor    string
	Action   Action
	Window   telemetry.Window // of the time of the change; zero: all time
	Limit    int              // at most so many; 0 or less: all
	Offset   int              // skip so many
}

func (f ChangeFilter) where(q *database.Query) {
	whereNotEmpty(q, "kind = ?", f.Kind)
	whereNotEmpty(q, "object_id = ?", f.ObjectID)
	whereNotEmpty(q, "actor = ?", f.Actor)
	whereNotEmpty(q, "action = ?", string(f.Action))
	if f.Window != (telemetry.Window{}) {
		q.Where("at >= ?", f.Window.From).Where("at < ?", f.Window.To)
	}
}

// Changes returns a page of the audit log, the newest first, and how many
// changes the filter selects.
func (r *Registry) Changes(ctx context.Context, f ChangeFilter) (changes []Change, total int, err error) {
	count := database.NewQuery(`SELECT count(*) FROM audit`)
	page := database.NewQuery(`SELECT id, at, actor, action, kind, object_id, was, became FROM audit`)
	f.where(count)
	f.where(page)
	page.Page("id DESC", f.Limit, f.Offset)
	err = r.db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, count.Text(), count.Args()...).Scan(&total); err != nil {
			return err
		}
		changes, err = database.Collect(ctx, tx, scanChange, page.Text(), page.Args()...)
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read audit log: %w", err)
	}
	return changes, total, nil
}

func scanChange(row database.Scanner) (Change, error) {
	var (
		c             Change
		at            int64
		before, after sql.Null[string]
	)
	if err := row.Scan(&c.ID, &at, &c.Actor, &c.Action, &c.Kind, &c.ObjectID, &before, &after); err != nil {
		return Change{}, err
	}
	c.At = time.UnixMilli(at).UTC()
	if before.Valid {
		c.Before = json.RawMessage(before.V)
	}
	if after.Valid {
		c.After = json.RawMessage(after.V)
	}
	return c, nil
}
