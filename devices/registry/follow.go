package registry

import (
	"context"
	"database/sql"
	"fmt"
	"maps"
	"sync/atomic"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

const (
	// followEvery is how often the directory takes in the changes of other
	// processes, while the database answers.
	followEvery = 500 * time.Millisecond
	// followOneByOne is up to how many devices are looked up one by one; of more,
	// everything is loaded.
	followOneByOne = 200
)

// state is what the database held after a change: the number of the change, and
// its mark, which no other change of that number has.
type state struct{ revision, mark int64 }

// follow is up to which change the directory is in step.
type follow struct {
	seen   atomic.Pointer[state]
	steps  atomic.Int64
	looked atomic.Pointer[time.Time] // when Follow last found it in step; nil: never
}

// Step is a number that has grown when a method that changes something returns,
// however it ended, and mostly half a second after a change of another process. As
// long as it is the same, so is what was read while it was, but for what others
// have changed in the last second. inStep is false where what they changed before
// that may not be in it, so that it says nothing.
func (r *Registry) Step() (step int64, inStep bool) {
	inStep = !r.db.Shared()
	if at := r.follow.looked.Load(); at != nil && !inStep { // before the number, which grows first
		ago := r.opts.Now().Sub(*at)
		inStep = ago >= 0 && ago <= 2*followEvery
	}
	return r.follow.steps.Load(), inStep
}

// own takes note of a change of this process, under the registry's lock. One
// that others came before is left to the next look, which takes in all of them.
func (f *follow) own(s state) {
	if f.seen.Load().revision == s.revision-1 {
		f.seen.Store(&s)
	}
}

// past is where the directory stands against the database.
type past struct {
	latest state
	// lost says that the database does not hold the change up to which the
	// directory is in step: it fell back to a state before, or went on from one.
	lost bool
}

// since compares what was seen with what is.
func (r *Registry) since(ctx context.Context, q rower) (p past, err error) {
	seen := r.follow.seen.Load()
	if p.latest, err = lastState(ctx, q); err != nil || p.latest == *seen {
		return p, err
	}
	var mark int64
	err = q.QueryRowContext(ctx, `SELECT COALESCE(max(mark), 0) FROM marks WHERE revision = $1`, seen.revision).Scan(&mark)
	p.lost = mark != seen.mark
	return p, err
}

// Follow keeps the directory in step with the changes of other processes, and
// makes good what could not be written of answers, until ctx ends, and then
// returns nil. left is called for each device that lost
// something it could sign in with. A registry in a file has no other processes,
// and nothing to follow.
func (r *Registry) Follow(ctx context.Context, left func(devices.Ref)) error {
	if !r.db.Shared() {
		<-ctx.Done()
		return nil
	}
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	trouble := false
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		gone, err := r.catchUp(ctx)
		for _, ref := range gone {
			left(ref)
		}
		switch {
		case ctx.Err() != nil:
			return nil
		case err != nil && !trouble:
			r.opts.Logger.ErrorContext(ctx, "changes of other processes can't be followed; known devices go on", "err", err)
		case err == nil && trouble:
			r.opts.Logger.InfoContext(ctx, "changes of other processes are followed again")
		}
		trouble = err != nil
		if !trouble {
			r.settleAnswers(ctx)
		}
	}
}

// catchUp takes in the changes since the last look and returns the devices that
// lost something they could sign in with.
func (r *Registry) catchUp(ctx context.Context) (left []devices.Ref, err error) {
	at := r.opts.Now()
	defer func() {
		if err == nil {
			r.follow.looked.Store(&at)
		}
	}()
	latest, err := lastState(ctx, r.db.Read)
	if err != nil {
		return nil, fmt.Errorf("follow registry: %w", err)
	}
	if latest == *r.follow.seen.Load() {
		return nil, nil
	}
	// No change of ours may come between what is read and its entry.
	if err := r.writing.take(ctx); err != nil {
		return nil, fmt.Errorf("follow registry: %w", err)
	}
	defer r.writing.give()
	if left, err = r.takeIn(ctx); err != nil {
		return nil, fmt.Errorf("follow registry: %w", err)
	}
	return left, nil
}

func (r *Registry) takeIn(ctx context.Context) (left []devices.Ref, err error) {
	var latest state
	seen, all := r.follow.seen.Load(), false
	states := map[devices.Ref]*directory{}
	err = r.db.View(ctx, func(tx *sql.Tx) error {
		now, err := r.since(ctx, tx)
		if latest = now.latest; err != nil {
			return err
		}
		if all = now.lost || latest.revision-seen.revision >= keepTouched; all {
			return nil
		}
		refs, err := database.Collect(ctx, tx, scanRef, `SELECT DISTINCT kind, id FROM touched WHERE revision > $1`, seen.revision)
		if err != nil {
			return err
		}
		if all = len(refs) > followOneByOne; all {
			return nil
		}
		for _, ref := range refs {
			state := &directory{tables: newTables()}
			if err := state.fill(ctx, tx, ` WHERE kind = $1 AND id = $2`, []any{string(ref.Kind), ref.ID}); err != nil {
				return err
			}
			states[ref] = state
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	if all {
		before := r.dir.tables // load makes new ones
		if latest, err = r.load(ctx); err != nil {
			return nil, err
		}
		left = before.lost(&r.dir.tables)
	} else {
		left = r.dir.replace(states)
	}
	r.follow.steps.Add(1)
	r.follow.seen.Store(&latest)
	return left, nil
}

func scanRef(row database.Scanner) (ref devices.Ref, err error) {
	err = row.Scan(&ref.Kind, &ref.ID)
	return ref, err
}

// replace puts what the database knows of some devices in place of what the
// directory knew, and returns those that lost something to sign in with.
func (d *directory) replace(states map[devices.Ref]*directory) (left []devices.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	for ref, state := range states {
		before := d.of(ref)
		left = append(left, before.lost(&state.tables)...)
		d.forget(ref)
		maps.DeleteFunc(d.byName, func(_ string, c Certificate) bool { return c.Device == ref })
	}
	// After all are forgotten, for a name may have gone from one to another.
	for _, state := range states {
		maps.Copy(d.gateways, state.gateways)
		maps.Copy(d.byUser, state.byUser)
		maps.Copy(d.users, state.users)
		maps.Copy(d.byName, state.byName)
	}
	return left
}

// of is what the directory knows for one device to sign in with; it needs the
// lock.
func (d *directory) of(ref devices.Ref) tables {
	t := newTables()
	if username, ok := d.users[ref]; ok && d.byUser[username].Device == ref {
		t.byUser[username] = d.byUser[username]
	}
	for name, c := range d.byName {
		if c.Device == ref {
			t.byName[name] = c
		}
	}
	return t
}

// lost are the devices that had something to sign in with that they don't have
// any more.
func (t *tables) lost(now *tables) (left []devices.Ref) {
	for username, s := range t.byUser {
		if !s.keptBy(now.byUser[username]) {
			left = append(left, s.Device)
		}
	}
	for name, c := range t.byName {
		if now.byName[name].Device != c.Device {
			left = append(left, c.Device)
		}
	}
	return left
}

// keptBy reports whether who can sign in with s can do so with now.
func (s *secretHash) keptBy(now secretHash) bool {
	has := func(h saltedHash) bool {
		return h.salt == nil || h.hash == now.current.hash || h.hash == now.previous.hash
	}
	return now.Device == s.Device && has(s.current) && has(s.previous)
}
