package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

const (
	// KeepAnswers is how long an answer is kept for a repetition of its request.
	KeepAnswers = 24 * time.Hour
	// answerTime is how long a request may take to be answered. One that took
	// longer was cut off, and may be made anew.
	answerTime = 2 * time.Minute
)

// Errors of repeated requests.
var (
	// ErrReused says that a key was used before, for another request.
	ErrReused = errors.New("the key was used for another request")
	// ErrUnanswered says that a request of the key is not answered yet.
	ErrUnanswered = errors.New("a request with the key is under way")
)

// Request is a request that bears a key, so that its repetition gets the answer
// that it got and changes nothing.
type Request struct {
	Actor  string
	Key    string // the actor's own choice
	Digest [sha256.Size]byte
	// Begun tells the request from its repetitions, which begin later; zero: it
	// is not told from them.
	Begun time.Time
}

// Answer is what a request was answered.
type Answer struct {
	Status  int
	Headers string // in whatever form the caller likes
	Body    []byte
}

// BeginAnswer finds the answer to a request. Where answered is false there is
// none: the caller is to make the request, and to say what came of it by
// KeepAnswer or DropAnswer. Errors: ErrReused, ErrUnanswered. After any other
// the request is not to be made, and is as if it had not been begun.
func (r *Registry) BeginAnswer(ctx context.Context, q Request) (a Answer, answered bool, err error) {
	now := r.now()
	if !q.Begun.IsZero() {
		now = q.Begun
	}
	owed := r.owed.of(q)
	err = r.db.Update(ctx, func(tx *sql.Tx) error {
		a, answered = Answer{}, false
		for _, e := range owed {
			if err := e.write(ctx, tx); err != nil {
				return err
			}
		}
		if _, err := tx.ExecContext(ctx, `DELETE FROM answers WHERE created_at <= $1`, now.Add(-KeepAnswers).UnixMilli()); err != nil {
			return err
		}
		first, err := affected(tx.ExecContext(ctx, `INSERT INTO answers (actor, request, digest, status, headers, body, created_at)
			VALUES ($1, $2, $3, 0, '', $4, $5) ON CONFLICT DO NOTHING`, q.Actor, q.Key, q.Digest[:], []byte{}, now.UnixMilli()))
		if err != nil || first > 0 {
			return err
		}
		a, err = q.find(ctx, tx, now)
		answered = err == nil && a.Status != 0
		return err
	})
	if err == nil {
		r.owed.settled(owed...)
	}
	if unwritten(ctx, err) {
		// It may be there all the same, and would be taken for one under way.
		r.owed.add(dropping(q))
	}
	if err != nil {
		return Answer{}, false, fmt.Errorf("find answer: %w", err)
	}
	return a, answered, nil
}

// find returns the answer that is there, or takes the request over from who
// was cut off before there was one.
func (q *Request) find(ctx context.Context, tx *sql.Tx, now time.Time) (a Answer, err error) {
	var (
		digest  []byte
		created int64
	)
	err = tx.QueryRowContext(ctx, `SELECT digest, status, headers, body, created_at FROM answers WHERE actor = $1 AND request = $2`,
		q.Actor, q.Key).Scan(&digest, &a.Status, &a.Headers, &a.Body, &created)
	switch {
	case err != nil:
		return Answer{}, err
	case string(digest) != string(q.Digest[:]):
		return Answer{}, ErrReused
	case a.Status != 0:
		return a, nil
	case now.Sub(time.UnixMilli(created)) < answerTime:
		return Answer{}, ErrUnanswered
	}
	_, err = tx.ExecContext(ctx, `UPDATE answers SET created_at = $1 WHERE actor = $2 AND request = $3`, now.UnixMilli(), q.Actor, q.Key)
	return Answer{}, err
}

// KeepAnswer keeps the answer to a request that was begun. What can't be written
// now is written later, as long as this process lives.
func (r *Registry) KeepAnswer(ctx context.Context, q Request, a Answer) error {
	return r.endAnswer(ctx, keeping(q, a))
}

// DropAnswer forgets a request that was begun and that nothing came of, as
// KeepAnswer keeps one.
func (r *Registry) DropAnswer(ctx context.Context, q Request) error {
	return r.endAnswer(ctx, dropping(q))
}

func (r *Registry) endAnswer(ctx context.Context, e ending) error {
	err := r.db.Update(ctx, func(tx *sql.Tx) error { return e.write(ctx, tx) })
	if unwritten(ctx, err) {
		r.owed.add(e)
	}
	if err != nil {
		return fmt.Errorf("keep answer: %w", err)
	}
	return nil
}

// unwritten reports whether a write may not have come to the database, and would
// at another time.
func unwritten(ctx context.Context, err error) bool {
	return err != nil && (errors.Is(err, ErrUnavailable) || ctx.Err() != nil)
}
