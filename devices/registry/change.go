package registry

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// keepTouched is how many revisions back the touched devices are kept. A
// process that is further behind loads the directory as a whole.
const keepTouched = 10_000

// change is one change of the registry under way: a transaction, and what is to
// be done in memory once it is committed.
type change struct {
	*sql.Tx
	at    time.Time // to the millisecond that is stored
	actor string
	state

	after []func() // in the order of the writes
}

// change commits what write did and then, in the order of the commits, brings
// the directory in step. write may be called again, with a new change.
func (r *Registry) change(ctx context.Context, write func(*change) error) error {
	if err := r.writing.take(ctx); err != nil {
		return err
	}
	defer r.writing.give()
	defer r.follow.steps.Add(1)
	var done *change
	err := r.db.Update(ctx, func(tx *sql.Tx) error {
		c, err := r.begin(ctx, tx)
		if err != nil {
			return err
		}
		done = c
		return write(c)
	})
	if err != nil {
		return err
	}
	for _, f := range done.after {
		f()
	}
	r.follow.own(done.state)
	return nil
}

// begin takes the number of the change. Its row stays locked until the commit,
// so changes are made one after the other, whichever process makes them.
func (r *Registry) begin(ctx context.Context, tx *sql.Tx) (*change, error) {
	c := &change{Tx: tx, at: r.now(), actor: actorOf(ctx)}
	err := tx.QueryRowContext(ctx, `UPDATE revisions SET value = value + 1 WHERE name = 'registry' RETURNING value`).Scan(&c.revision)
	if err != nil {
		return nil, err
	}
	c.mark = rand.Int64()
	if _, err = tx.ExecContext(ctx, `INSERT INTO marks (revision, mark) VALUES ($1, $2)`, c.revision, c.mark); err != nil {
		return nil, err
	}
	if c.revision%keepTouched != 0 {
		return c, nil
	}
	for _, table := range []string{"touched", "marks"} {
		if _, err := tx.ExecContext(ctx, `DELETE FROM `+table+` WHERE revision <= $1`, c.revision-keepTouched); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// then has f called once the change is committed.
func (c *change) then(f func()) { c.after = append(c.after, f) }

// touch lets whoever keeps the device in memory, here or in another process, know
// that what is kept is out of date.
func (c *change) touch(ctx context.Context, ref devices.Ref) error {
	_, err := c.ExecContext(ctx, `INSERT INTO touched (revision, kind, id) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING`,
		c.revision, string(ref.Kind), ref.ID)
	return err
}

// record enters the change into the audit log: what the object was, and what it
// became; nil: there is none.
func (c *change) record(ctx context.Context, action Action, kind, id string, was, became any) error {
	texts := [2]sql.Null[string]{}
	for i, v := range []any{was, became} {
		if v == nil {
			continue
		}
		raw, err := json.Marshal(v)
		if err != nil {
			return fmt.Errorf("record %s of %s %s: %w", action, kind, id, err)
		}
		texts[i] = sql.Null[string]{V: string(raw), Valid: true}
	}
	_, err := c.ExecContext(ctx, `INSERT INTO audit (at, actor, action, kind, object_id, was, became)
		VALUES ($1, $2, $3, $4, $5, $6, $7)`, c.at.UnixMilli(), c.actor, string(action), kind, id, texts[0], texts[1])
	return err
}

// step gives an entry its next version. version is the one that the change was
// asked for; 0: whichever it is.
func step(r *devices.Record, version int64) error {
	if version != 0 && version != r.Version {
		return fmt.Errorf("%w: its version is %d by now", ErrVersion, r.Version)
	}
	r.Version++
	return nil
}
