package registry

import (
	"context"
	"crypto/sha256"
	"crypto/subtle"
	"database/sql"
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/sqlite"
)

const (
	secretBytes = 32
	saltBytes   = 16
	maxUsername = 128 // bytes
)

// Credential is what a device signs in with, but for the secret, which is not
// kept.
type Credential struct {
	Device    devices.Ref
	Username  string
	CreatedAt time.Time
}

// secretHash is a credential as it is stored.
//
// The hash is one round of SHA-256. A slow hash makes guessing dear where
// secrets are few, as with passwords that people choose; a secret here is 256
// random bits, which no one can guess at any speed, and devices that all come
// back after an outage must be let in fast.
type secretHash struct {
	Credential
	salt []byte
	hash [sha256.Size]byte
}

func hashSecret(salt []byte, secret string) [sha256.Size]byte {
	return sha256.Sum256(append(salt[:len(salt):len(salt)], secret...))
}

const secretColumns = "kind, id, username, salt, hash, created_at"

func scanSecret(row sqlite.Scanner) (secretHash, error) {
	var (
		s       secretHash
		hash    []byte
		created int64
	)
	if err := row.Scan(&s.Device.Kind, &s.Device.ID, &s.Username, &s.salt, &hash, &created); err != nil {
		return secretHash{}, err
	}
	if len(hash) != len(s.hash) {
		return secretHash{}, fmt.Errorf("credential of %s: the hash has %d bytes, want %d", s.Device, len(hash), len(s.hash))
	}
	copy(s.hash[:], hash)
	s.CreatedAt = time.UnixMilli(created).UTC()
	return s, nil
}

// SetCredential gives a device a new secret and replaces the one it had. An
// empty username stands for the device's id. The secret is 32 random bytes in
// unpadded base64url; it can't be had again. Errors: ErrNotFound for a device
// that is not registered, ErrConflict for a username that another device has,
// *Invalid.
func (r *Registry) SetCredential(ctx context.Context, ref devices.Ref, username string) (secret string, err error) {
	if username == "" {
		username = ref.ID
	}
	if len(username) > maxUsername || !utf8.ValidString(username) || strings.ContainsFunc(username, unicode.IsControl) {
		return "", &Invalid{Problems: []Problem{{
			Field: "username", Detail: fmt.Sprintf("want at most %d bytes without control characters", maxUsername),
		}}}
	}
	s := secretHash{Credential: Credential{Device: ref, Username: username, CreatedAt: r.now()}}
	if secret, err = r.newSecret(&s); err != nil {
		return "", fmt.Errorf("make secret: %w", err)
	}
	err = r.change(ctx, func(tx *sql.Tx) error { return writeSecret(ctx, tx, &s) }, func() { r.dir.putSecret(s) })
	if err != nil {
		return "", fmt.Errorf("credential of %s: %w", ref, err)
	}
	return secret, nil
}

func (r *Registry) newSecret(s *secretHash) (string, error) {
	random := make([]byte, secretBytes+saltBytes)
	if _, err := io.ReadFull(r.opts.Rand, random); err != nil {
		return "", err
	}
	secret := base64.RawURLEncoding.EncodeToString(random[:secretBytes])
	s.salt = random[secretBytes:]
	s.hash = hashSecret(s.salt, secret)
	return secret, nil
}

func writeSecret(ctx context.Context, tx *sql.Tx, s *secretHash) error {
	if _, err := findDevice(ctx, tx, s.Device); err != nil {
		return err
	}
	var holder devices.Ref
	err := tx.QueryRowContext(ctx, `SELECT kind, id FROM credentials WHERE username = $1`, s.Username).
		Scan(&holder.Kind, &holder.ID)
	switch {
	case err == nil && holder != s.Device:
		return fmt.Errorf("%w: username %q belongs to another device", ErrConflict, s.Username)
	case err != nil && !errors.Is(err, sql.ErrNoRows):
		return err
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO credentials (`+secretColumns+`) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (kind, id) DO UPDATE SET
			username = excluded.username, salt = excluded.salt, hash = excluded.hash, created_at = excluded.created_at`,
		string(s.Device.Kind), s.Device.ID, s.Username, s.salt, s.hash[:], s.CreatedAt.UnixMilli())
	return err
}

// Authenticate returns the device that signs in with this username and secret.
// Error: ErrBadCredential, whichever of the two is wrong. It answers from
// memory, in a time that does not depend on how much of the secret is right.
func (r *Registry) Authenticate(_ context.Context, username, secret string) (devices.Ref, error) {
	r.dir.mu.RLock()
	s, known := r.dir.byUser[username]
	r.dir.mu.RUnlock()
	if !known {
		s.salt = make([]byte, saltBytes) // the same work as for a known name
	}
	hash := hashSecret(s.salt, secret)
	if subtle.ConstantTimeCompare(hash[:], s.hash[:]) != 1 || !known {
		return devices.Ref{}, ErrBadCredential
	}
	return s.Device, nil
}

// RevokeCredential takes the credential of a device away. Connections that are
// open are not closed by it. Error: ErrNotFound where it has none.
func (r *Registry) RevokeCredential(ctx context.Context, ref devices.Ref) error {
	err := r.change(ctx, func(tx *sql.Tx) error {
		deleted, err := affected(tx.ExecContext(ctx, `DELETE FROM credentials WHERE kind = $1 AND id = $2`,
			string(ref.Kind), ref.ID))
		if err == nil && deleted == 0 {
			err = ErrNotFound
		}
		return err
	}, func() { r.dir.dropSecret(ref) })
	if err != nil {
		return fmt.Errorf("credential of %s: %w", ref, err)
	}
	return nil
}

// Credentials lists who can sign in, ordered by kind and id.
func (r *Registry) Credentials(ctx context.Context) ([]Credential, error) {
	scan := func(row sqlite.Scanner) (Credential, error) {
		s, err := scanSecret(row)
		return s.Credential, err
	}
	all, err := sqlite.Collect(ctx, r.db.Read, scan, `SELECT `+secretColumns+` FROM credentials ORDER BY kind, id`)
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	return all, nil
}

func (d *directory) putSecret(s secretHash) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(s.Device)
	d.byUser[s.Username] = s
	d.users[s.Device] = s.Username
}

func (d *directory) dropSecret(ref devices.Ref) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.forget(ref)
}

// forget needs the lock.
func (d *directory) forget(ref devices.Ref) {
	if username, ok := d.users[ref]; ok {
		delete(d.byUser, username)
		delete(d.users, ref)
	}
}
