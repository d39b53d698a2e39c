package registry

import (
	"context"
	"database/sql"
	"fmt"
	"slices"
	"sync"
)

// What is owed to the database is bounded, in requests and in bytes of answers;
// a request beyond that is taken for cut off after answerTime.
const (
	maxOwed      = 10_000
	maxOwedBytes = 16 << 20
)

// ending is what came of a request: its answer, or nothing.
type ending struct {
	request Request
	answer  *Answer // nil: nothing
}

func keeping(q Request, a Answer) ending {
	a.Body = append([]byte{}, a.Body...) // the caller's buffer is used again
	return ending{q, &a}
}

func dropping(q Request) ending { return ending{request: q} }

// write writes the ending down, unless somebody has taken the request over.
func (e ending) write(ctx context.Context, tx *sql.Tx) error {
	q := &e.request
	which, args := ` WHERE actor = $1 AND request = $2 AND status = 0`, []any{q.Actor, q.Key}
	if !q.Begun.IsZero() {
		which, args = which+` AND created_at = $3`, append(args, q.Begun.UnixMilli())
	}
	if e.answer == nil {
		_, err := tx.ExecContext(ctx, `DELETE FROM answers`+which, args...)
		return err
	}
	n := len(args)
	_, err := tx.ExecContext(ctx, fmt.Sprintf(`UPDATE answers SET status = $%d, headers = $%d, body = $%d`, n+1, n+2, n+3)+which,
		append(args, e.answer.Status, e.answer.Headers, e.answer.Body)...)
	return err
}

func (e ending) size() int {
	if e.answer == nil {
		return 0
	}
	return len(e.answer.Headers) + len(e.answer.Body)
}

type owedKey struct{ actor, request string }

func (q *Request) owedKey() owedKey { return owedKey{q.Actor, q.Key} }

// owed are endings that could not be written while the database was away: without
// them whoever repeats a request would be told that it is under way.
type owed struct {
	mu           sync.Mutex
	all          map[owedKey][]ending // of a request and its repetitions
	count, bytes int
}

func (o *owed) add(e ending) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.count == maxOwed || o.bytes+e.size() > maxOwedBytes {
		return
	}
	if o.all == nil {
		o.all = map[owedKey][]ending{}
	}
	key := e.request.owedKey()
	o.all[key] = append(o.all[key], e)
	o.count++
	o.bytes += e.size()
}

// of are the endings of the request and its repetitions.
func (o *owed) of(q Request) []ending {
	o.mu.Lock()
	defer o.mu.Unlock()
	return slices.Clone(o.all[q.owedKey()])
}

func (o *owed) list() (all []ending) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, of := range o.all {
		all = append(all, of...)
	}
	return all
}

// settled forgets endings.
func (o *owed) settled(endings ...ending) {
	o.mu.Lock()
	defer o.mu.Unlock()
	for _, e := range endings {
		key := e.request.owedKey()
		at := slices.Index(o.all[key], e)
		if at < 0 {
			continue
		}
		if o.all[key] = slices.Delete(o.all[key], at, at+1); len(o.all[key]) == 0 {
			delete(o.all, key)
		}
		o.count--
		o.bytes -= e.size()
	}
}

// settleAnswers writes what is owed; what can't be written stays owed.
func (r *Registry) settleAnswers(ctx context.Context) {
	for _, e := range r.owed.list() {
		err := r.db.Update(ctx, func(tx *sql.Tx) error { return e.write(ctx, tx) })
		if unwritten(ctx, err) {
			return
		}
		r.owed.settled(e)
	}
}
