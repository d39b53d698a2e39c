package registry

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

// Key is a key to the API, but for its text, which is not kept. What its role
// means is not known here.
type Key struct {
	Prefix     string // names the key, and is the part of it that may be shown
	Name       string // whom or what it is for
	Role       string
	OwnerID    string      // empty: none
	Device     devices.Ref // zero: none
	CreatedBy  string
	CreatedAt  time.Time
	ExpiresAt  time.Time // zero: never
	LastUsedAt time.Time // zero: never, or not yet written down
	RevokedAt  time.Time // zero: not
}

// KeyHash is the digest of a key.
type KeyHash = [sha256.Size]byte

const keyColumns = `prefix, name, role, owner_id, kind, device, hash, created_by, created_at, expires_at, last_used_at, revoked_at`

type storedKey struct {
	Key
	hash KeyHash
}

func scanKey(row database.Scanner) (k storedKey, err error) {
	var (
		owner, kind, device       sql.NullString
		hash                      []byte
		created                   int64
		expires, lastUsed, revoke sql.Null[int64]
	)
	err = row.Scan(&k.Prefix, &k.Name, &k.Role, &owner, &kind, &device, &hash, &k.CreatedBy, &created, &expires, &lastUsed, &revoke)
	if err != nil {
		return k, err
	}
	if copy(k.hash[:], hash) != len(k.hash) || len(hash) != len(k.hash) {
		return k, fmt.Errorf("key %s: the hash has %d bytes, want %d", k.Prefix, len(hash), len(k.hash))
	}
	k.OwnerID, k.CreatedAt = owner.String, time.UnixMilli(created).UTC()
	k.Device = devices.Ref{Kind: devices.Kind(kind.String), ID: device.String}
	for to, from := range map[*time.Time]sql.Null[int64]{&k.ExpiresAt: expires, &k.LastUsedAt: lastUsed, &k.RevokedAt: revoke} {
		if from.Valid {
			*to = time.UnixMilli(from.V).UTC()
		}
	}
	return k, nil
}

func millisOf(t time.Time) sql.Null[int64] {
	return sql.Null[int64]{V: t.UnixMilli(), Valid: !t.IsZero()}
}

// keyRecord is a key in the audit log.
type keyRecord struct {
	Prefix    string     `json:"prefix"`
	Name      string     `json:"name"`
	Role      string     `json:"role"`
	OwnerID   string     `json:"owner_id,omitempty"`
	Device    string     `json:"device,omitempty"` // kind/id
	ExpiresAt *time.Time `json:"expires_at,omitempty"`
	RevokedAt *time.Time `json:"revoked_at,omitempty"`
}

func (k *Key) record() keyRecord {
	r := keyRecord{Prefix: k.Prefix, Name: k.Name, Role: k.Role, OwnerID: k.OwnerID}
	if k.Device != (devices.Ref{}) {
		r.Device = k.Device.String()
	}
	if !k.ExpiresAt.IsZero() {
		r.ExpiresAt = &k.ExpiresAt
	}
	if !k.RevokedAt.IsZero() {
		r.RevokedAt = &k.RevokedAt
	}
	return r
}

// CreateKey writes down a new key, made now. Errors: *Invalid for a name that is
// none, an owner or device that does not exist, and a time that is over;
// ErrExists for a prefix that is taken.
func (r *Registry) CreateKey(ctx context.Context, k Key, hash KeyHash) (Key, error) {
	k.CreatedAt = r.now()
	err := r.checkKey(k)
	if err == nil {
		err = r.change(ctx, func(c *change) error { return c.addKey(ctx, k, hash) })
	}
	if err != nil {
		return Key{}, fmt.Errorf("key for %q: %w", k.Name, err)
	}
	return k, nil
}

func (r *Registry) checkKey(k Key) error {
	if err := checkName("name", k.Name); err != nil {
		return err
	}
	if !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(k.CreatedAt) {
		return invalidField("expires_at", "want a time to come")
	}
	return nil
}

func (c *change) addKey(ctx context.Context, k Key, hash KeyHash) error {
	if err := insertKey(ctx, c.Tx, k, hash); err != nil {
		return err
	}
	return c.record(ctx, ActionCreate, kindKey, k.Prefix, nil, k.record())
}

func insertKey(ctx context.Context, tx *sql.Tx, k Key, hash KeyHash) error {
	for _, has := range []struct {
		field, query string
		args         []any
		asked        bool
	}{
		{"owner_id", `SELECT count(*) FROM owners WHERE id = $1`, []any{k.OwnerID}, k.OwnerID != ""},
		{"device", `SELECT count(*) FROM devices WHERE kind = $1 AND id = $2`, []any{string(k.Device.Kind), k.Device.ID}, k.Device != devices.Ref{}},
	} {
		var n int
		if !has.asked {
			continue
		}
		if err := tx.QueryRowContext(ctx, has.query, has.args...).Scan(&n); err != nil {
			return err
		}
		if n == 0 {
			return invalidField(has.field, "does not exist")
		}
	}
	text := func(s string) sql.NullString { return sql.NullString{String: s, Valid: s != ""} }
	result, err := tx.ExecContext(ctx, `INSERT INTO api_keys (`+keyColumns+`)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12) ON CONFLICT (prefix) DO NOTHING`,
		k.Prefix, k.Name, k.Role, text(k.OwnerID), text(string(k.Device.Kind)), text(k.Device.ID), hash[:], k.CreatedBy,
		k.CreatedAt.UnixMilli(), millisOf(k.ExpiresAt), millisOf(k.LastUsedAt), millisOf(k.RevokedAt))
	if err != nil {
		return err
	}
	if n, err := result.RowsAffected(); err != nil || n == 0 {
		return errors.Join(err, ErrExists)
	}
	return nil
}

// FindKey returns the key of the prefix with its digest. Error: ErrNotFound.
func (r *Registry) FindKey(ctx context.Context, prefix string) (Key, KeyHash, error) {
	k, err := findKey(ctx, r.db.Read, prefix)
	return k.Key, k.hash, err
}

func findKey(ctx context.Context, db database.Querier, prefix string) (storedKey, error) {
	found, err := database.Collect(ctx, db, scanKey, `SELECT `+keyColumns+` FROM api_keys WHERE prefix = $1`, prefix)
	if err != nil {
		return storedKey{}, fmt.Errorf("find key %s: %w", prefix, err)
	}
	if len(found) == 0 {
		return storedKey{}, fmt.Errorf("key %s: %w", prefix, ErrNotFound)
	}
	return found[0], nil
}

// Keys returns a page of the keys, by prefix, and how many there are. Those that
// were revoked or have expired are among them.
func (r *Registry) Keys(ctx context.Context, limit, offset int) (keys []Key, total int, err error) {
	page := database.NewQuery(`SELECT `+keyColumns+` FROM api_keys`).Page("prefix", limit, offset)
	err = r.db.View(ctx, func(tx *sql.Tx) error {
		if err := tx.QueryRowContext(ctx, `SELECT count(*) FROM api_keys`).Scan(&total); err != nil {
			return err
		}
		found, err := database.Collect(ctx, tx, scanKey, page.Text(), page.Args()...)
		keys = make([]Key, len(found))
		for i, k := range found {
			keys[i] = k.Key
		}
		return err
	})
	if err != nil {
		return nil, 0, fmt.Errorf("read keys: %w", err)
	}
	return keys, total, nil
}

// RotateKey puts a new key in the place of another: same name, role, owner and
// device, its own prefix, digest and end. The old one works for grace longer.
// Errors: ErrNotFound, ErrConflict for a key that no longer works, *Invalid for
// a grace that is negative or beyond MaxGrace.
func (r *Registry) RotateKey(ctx context.Context, old string, fresh Key, hash KeyHash, grace time.Duration) (Key, error) {
	if grace < 0 || grace > MaxGrace {
		return Key{}, invalidField("grace", "want 0 to %s", MaxGrace)
	}
	var k Key
	err := r.change(ctx, func(c *change) error {
		was, err := findKey(ctx, c, old)
		if err != nil {
			return err
		}
		now := c.at
		if !was.RevokedAt.IsZero() || !was.ExpiresAt.IsZero() && !was.ExpiresAt.After(now) {
			return fmt.Errorf("%w: the key does not work any more; make a new one", ErrConflict)
		}
		k = was.Key
		k.Prefix, k.CreatedBy, k.CreatedAt, k.ExpiresAt, k.LastUsedAt = fresh.Prefix, fresh.CreatedBy, now, fresh.ExpiresAt, time.Time{}
		if err := r.checkKey(k); err != nil {
			return err
		}
		end := now.Add(grace)
		if !was.ExpiresAt.IsZero() && was.ExpiresAt.Before(end) {
			end = was.ExpiresAt
		}
		ending := was.Key
		ending.ExpiresAt = end
		if _, err := c.ExecContext(ctx, `UPDATE api_keys SET expires_at = $1 WHERE prefix = $2`, end.UnixMilli(), old); err != nil {
			return err
		}
		if err := c.record(ctx, ActionUpdate, kindKey, old, was.record(), ending.record()); err != nil {
			return err
		}
		return c.addKey(ctx, k, hash)
	})
	if err != nil {
		return Key{}, fmt.Errorf("rotate key %s: %w", old, err)
	}
	return k, nil
}

// RevokeKey ends a key at once. One that was revoked stays so. Error: ErrNotFound.
func (r *Registry) RevokeKey(ctx context.Context, prefix string) error {
	err := r.change(ctx, func(c *change) error {
		was, err := findKey(ctx, c, prefix)
		if err != nil || !was.RevokedAt.IsZero() {
			return err
		}
		if _, err = c.ExecContext(ctx, `UPDATE api_keys SET revoked_at = $1 WHERE prefix = $2`, c.at.UnixMilli(), prefix); err != nil {
			return err
		}
		revoked := was.Key
		revoked.RevokedAt = c.at
		return c.record(ctx, ActionRevoke, kindKey, prefix, was.record(), revoked.record())
	})
	if err != nil {
		return fmt.Errorf("revoke: %w", err)
	}
	return nil
}

// KeyUsed writes down that the key was used now.
func (r *Registry) KeyUsed(ctx context.Context, prefix string) error {
	return r.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE api_keys SET last_used_at = $1 WHERE prefix = $2`, r.now().UnixMilli(), prefix)
		return err
	})
}
