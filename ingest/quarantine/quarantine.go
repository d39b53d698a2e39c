// Package quarantine keeps what arrived and can't be stored, whole and with its
// reason, until somebody looks at it, mends the cause and replays it, or until
// it is too old or its sender has filled the quarantine with more.
//
// It takes any bytes and understands none of them. One process at a time may
// have a quarantine's file open, since how full it is is counted in the memory
// of this process alone.
package quarantine

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// ErrNotFound says that no entry has the id.
var ErrNotFound = errors.New("not found")

//go:embed migrations/*.sql
var migrations embed.FS

// Options adjust a quarantine. Values of zero or less mean the default.
type Options struct {
	Now      func() time.Time // default time.Now
	MaxBytes int64            // of all entries together; default 256 MiB
	MaxAge   time.Duration    // Purge drops what is older; default 30 days
}

const (
	defaultMaxBytes = 256 << 20
	defaultMaxAge   = 30 * 24 * time.Hour
	// overhead is what an entry counts for beside its bytes: the row and its
	// places in the indices.
	overhead = 128
)

// Entry is one record that could not be stored. Topic, Device, Principal, Sender
// and Detail may hold any bytes, not only UTF-8.
type Entry struct {
	ID         int64     // set by Put, ascending
	ReceivedAt time.Time // UTC, to the millisecond; Put takes zero for now
	Topic      string
	Device     string // "kind/id", empty where the topic names none
	Principal  string // who published it, by name
	Sender     string // the device it had signed in as, "kind/id"; empty: none
	Trusted    bool   // it might speak for every device
	Reason     wire.Reason
	Detail     string
	Payload    []byte
}

func (e *Entry) size() int64 {
	return overhead + int64(len(e.Topic)+len(e.Device)+len(e.Principal)+len(e.Sender)+len(e.Reason)+len(e.Detail)+len(e.Payload))
}

// Quarantine is a quarantine on SQLite. Goroutines may share it.
type Quarantine struct {
	db   *database.DB
	opts Options

	mu     sync.Mutex // held over a write and the change of the counts that belongs to it
	size   int64      // of all entries
	purged int64
}

// Open opens the quarantine in the file at path, which is made where there is
// none, and brings its schema up to date.
func Open(ctx context.Context, path string, opts Options) (*Quarantine, error) {
	if opts.Now == nil {
		opts.Now = time.Now
	}
	if opts.MaxBytes <= 0 {
		opts.MaxBytes = defaultMaxBytes
	}
	if opts.MaxAge <= 0 {
		opts.MaxAge = defaultMaxAge
	}
	files, err := fs.Sub(migrations, "migrations")
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	db, err := database.Open(ctx, path, database.Options{Migrations: files})
	if err != nil {
		return nil, fmt.Errorf("open quarantine: %w", err)
	}
	q := &Quarantine{db: db, opts: opts}
	if err := db.Read.QueryRowContext(ctx, `SELECT coalesce(sum(size), 0) FROM entries`).Scan(&q.size); err != nil {
		return nil, errors.Join(fmt.Errorf("measure quarantine: %w", err), db.Close())
	}
	return q, nil
}

// Close releases the file. It may be called twice.
func (q *Quarantine) Close() error { return q.db.Close() }

// Purged is how many entries were dropped since Open because there were too
// many bytes or they were too old. What Delete removed is not counted.
func (q *Quarantine) Purged() int64 {
	q.mu.Lock()
	defer q.mu.Unlock()
	return q.purged
}

// Put commits the entries, all of them or none; they are on disk when it
// returns. Where they bring the quarantine above MaxBytes, entries of the
// principal that has the most are dropped, the oldest first, until it is not,
// but never the newest one of all. The entries are not kept after the call and
// not changed.
func (q *Quarantine) Put(ctx context.Context, entries []Entry) error {
	if len(entries) == 0 {
		return nil
	}
	q.mu.Lock()
	defer q.mu.Unlock()
	size := q.size
	var evicted removed
	err := q.db.Update(ctx, func(tx *sql.Tx) error {
		newest, added, err := q.insert(ctx, tx, entries)
		if err != nil {
			return err
		}
		size += added.total()
		if size > q.opts.MaxBytes {
			e := evictor{tx: tx, newest: newest, step: max(1, q.opts.MaxBytes/evictionSteps)}
			evicted, err = e.evict(ctx, size-q.opts.MaxBytes)
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("put in quarantine: %w", err)
	}
	q.size = size - evicted.bytes
	q.purged += evicted.entries
	return nil
}

// evictionSteps bounds the steps of an eviction, and how unevenly it takes from
// principals that have as much: by this part of MaxBytes.
const evictionSteps = 4096

func (q *Quarantine) insert(ctx context.Context, tx *sql.Tx, entries []Entry) (newest Entry, added usage, err error) {
	insert, err := tx.PrepareContext(ctx, `INSERT INTO entries
		(received_at, reason, size, device, principal, topic, detail, payload, sender, trusted)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10) RETURNING id`)
	if err != nil {
		return Entry{}, nil, err
	}
	added = usage{}
	for i := range entries {
		e := &entries[i]
		at := e.ReceivedAt
		if at.IsZero() {
			at = q.opts.Now()
		}
		err := insert.QueryRowContext(ctx, at.UnixMilli(), string(e.Reason), e.size(), []byte(e.Device),
			[]byte(e.Principal), []byte(e.Topic), []byte(e.Detail), nonNil(e.Payload), []byte(e.Sender), e.Trusted).Scan(&newest.ID)
		if err != nil {
			return Entry{}, nil, err
		}
		added[e.Principal] += e.size()
	}
	id := newest.ID
	newest = entries[len(entries)-1]
	newest.ID = id
	return newest, added, added.add(ctx, tx)
}

// nonNil is for the driver, which takes a nil slice for NULL.
func nonNil(b []byte) []byte {
	if b == nil {
		return []byte{}
	}
	return b
}
