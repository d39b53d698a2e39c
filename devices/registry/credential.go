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
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
)

const (
	secretBytes = 32
	saltBytes   = 16
	maxUsername = 128 // bytes of a username or a common name
)

// MaxGrace bounds how long an old secret may work beside the new one.
const MaxGrace = 90 * 24 * time.Hour

// Credential is the user name and secret that a device signs in with, but for
// the secret, which is not kept.
type Credential struct {
	Device        devices.Ref
	Username      string
	CreatedAt     time.Time // of the secret
	PreviousUntil time.Time // until then the secret before works too; zero: there is none
}

// secretHash is a credential as it is stored.
type secretHash struct {
	Credential
	current  saltedHash
	previous saltedHash // the zero value where there is none
}

// saltedHash is one secret as it is stored. The zero value matches none.
//
// The hash is one round of SHA-256. A slow hash makes guessing dear where
// secrets are few, as with passwords that people choose; a secret here is 256
// random bits, which no one can guess at any speed, and devices that all come
// back after an outage must be let in fast.
type saltedHash struct {
	salt []byte
	hash [sha256.Size]byte
}

func hashSecret(salt []byte, secret string) [sha256.Size]byte {
	return sha256.Sum256(append(salt[:len(salt):len(salt)], secret...))
}

// matches takes the same time whether or not there is a secret and how much of
// it is right.
func (h *saltedHash) matches(secret string) bool {
	var none [saltBytes]byte
	salt := h.salt
	if salt == nil {
		salt = none[:]
	}
	hash := hashSecret(salt, secret)
	return subtle.ConstantTimeCompare(hash[:], h.hash[:]) == 1 && h.salt != nil
}

// scan takes over what a row holds; NULL is the zero value.
func (h *saltedHash) scan(of devices.Ref, salt, hash []byte) error {
	if hash == nil {
		return nil
	}
	if len(hash) != len(h.hash) {
		return fmt.Errorf("credential of %s: the hash has %d bytes, want %d", of, len(hash), len(h.hash))
	}
	h.salt = salt
	copy(h.hash[:], hash)
	return nil
}

func (h *saltedHash) columns() (salt, hash []byte) {
	if h.salt == nil {
		return nil, nil
	}
	return h.salt, h.hash[:]
}

const secretColumns = "kind, id, username, salt, hash, created_at, previous_salt, previous_hash, previous_until"

func scanSecret(row database.Scanner) (secretHash, error) {
	var (
		s                                      secretHash
		salt, hash, previousSalt, previousHash []byte
		created                                int64
		until                                  sql.Null[int64]
	)
	err := row.Scan(&s.Device.Kind, &s.Device.ID, &s.Username, &salt, &hash, &created, &previousSalt, &previousHash, &until)
	if err != nil {
		return secretHash{}, err
	}
	if err := errors.Join(s.current.scan(s.Device, salt, hash), s.previous.scan(s.Device, previousSalt, previousHash)); err != nil {
		return secretHash{}, err
	}
	s.CreatedAt = time.UnixMilli(created).UTC()
	if until.Valid {
		s.PreviousUntil = time.UnixMilli(until.V).UTC()
	}
	return s, nil
}

// SetCredential gives a device a new secret and replaces the one it had. An
// empty username stands for the device's id. The secret is 32 random bytes in
// unpadded base64url; it can't be had again. Errors: ErrNotFound for a device
// that is not registered, ErrConflict for a username that another device has,
// *Invalid.
func (r *Registry) SetCredential(ctx context.Context, ref devices.Ref, username string) (secret string, err error) {
	return r.giveSecret(ctx, ref, username, func(*change) error { return nil })
}

// CreateCredential is SetCredential for a device that has no secret yet; it is
// ErrExists where it has.
func (r *Registry) CreateCredential(ctx context.Context, ref devices.Ref, username string) (secret string, err error) {
	return r.giveSecret(ctx, ref, username, func(c *change) error {
		_, err := findSecret(ctx, c, ref)
		switch {
		case err == nil:
			return ErrExists
		case errors.Is(err, ErrNotFound):
			return nil
		}
		return err
	})
}

func (r *Registry) giveSecret(ctx context.Context, ref devices.Ref, username string, allowed func(*change) error) (secret string, err error) {
	if username == "" {
		username = ref.ID
	}
	if err := checkName("username", username); err != nil {
		return "", err
	}
	s := secretHash{Credential: Credential{Device: ref, Username: username, CreatedAt: r.now()}}
	if secret, s.current, err = r.newSecret(); err != nil {
		return "", fmt.Errorf("make secret: %w", err)
	}
	err = r.change(ctx, func(c *change) error {
		if err := allowed(c); err != nil {
			return err
		}
		return r.writeSecret(ctx, c, s)
	})
	if err != nil {
		return "", fmt.Errorf("credential of %s: %w", ref, err)
	}
	return secret, nil
}

// RotateCredential gives a device a new secret under the username that it has.
// The old one works for grace longer. While it does, the device may use either
// of the two, and a third would lock it out of one of them: a grace is refused
// then, and only a rotation without any ends both at once. Errors: ErrNotFound
// for a device without a secret, ErrConflict while the old secret of the last
// rotation works, *Invalid for a grace that is negative or beyond MaxGrace.
func (r *Registry) RotateCredential(ctx context.Context, ref devices.Ref, grace time.Duration) (c Credential, secret string, err error) {
	if grace < 0 || grace > MaxGrace {
		return Credential{}, "", invalidField("grace", "want 0 to %s", MaxGrace)
	}
	secret, fresh, err := r.newSecret()
	if err != nil {
		return Credential{}, "", fmt.Errorf("make secret: %w", err)
	}
	var s secretHash
	err = r.change(ctx, func(tx *change) (err error) {
		if s, err = findSecret(ctx, tx, ref); err != nil {
			return whatIsMissing(ctx, tx, ref, err)
		}
		now := tx.at
		if grace > 0 && now.Before(s.PreviousUntil) {
			return fmt.Errorf("%w: the old secret of the last rotation works until %s", ErrConflict, s.PreviousUntil.Format(time.RFC3339))
		}
		s.previous, s.current, s.CreatedAt = s.current, fresh, now
		s.PreviousUntil = s.CreatedAt.Add(grace)
		if grace == 0 {
			s.previous, s.PreviousUntil = saltedHash{}, time.Time{}
		}
		return r.writeSecret(ctx, tx, s)
	})
	if err != nil {
		return Credential{}, "", fmt.Errorf("credential of %s: %w", ref, err)
	}
	return s.Credential, secret, nil
}

// ExpireSecrets forgets the old secrets whose grace is over and returns whose
// they were. They let nobody in before that either; but a connection that one
// of them opened may still be open, and it is for the caller to end it.
func (r *Registry) ExpireSecrets(ctx context.Context) ([]devices.Ref, error) {
	var over []secretHash
	err := r.change(ctx, func(tx *change) (err error) {
		over, err = database.Collect(ctx, tx, scanSecret, `UPDATE credentials
			SET previous_salt = NULL, previous_hash = NULL, previous_until = NULL
			WHERE previous_until <= $1 RETURNING `+secretColumns, tx.at.UnixMilli())
		if err != nil {
			return err
		}
		for _, s := range over {
			tx.then(func() { r.dir.putSecret(s) })
			if err := tx.touch(ctx, s.Device); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("expire secrets: %w", err)
	}
	refs := make([]devices.Ref, len(over))
	for i, s := range over {
		refs[i] = s.Device
	}
	slices.SortFunc(refs, compareRefs)
	return refs, nil
}

func (r *Registry) newSecret() (secret string, h saltedHash, err error) {
	random := make([]byte, secretBytes+saltBytes)
	if _, err := io.ReadFull(r.opts.Rand, random); err != nil {
		return "", saltedHash{}, err
	}
	secret = base64.RawURLEncoding.EncodeToString(random[:secretBytes])
	h.salt = random[secretBytes:]
	h.hash = hashSecret(h.salt, secret)
	return secret, h, nil
}

// checkName checks a username or a common name.
func checkName(field, name string) error {
	if name == "" || len(name) > maxUsername || !utf8.ValidString(name) || strings.ContainsFunc(name, unicode.IsControl) {
		return invalidField(field, "want 1 to %d bytes without control characters", maxUsername)
	}
	return nil
}

func invalidField(field, format string, args ...any) error {
	var p problems
	p.add(field, format, args...)
	return p.err()
}

// whatIsMissing says so where an ErrNotFound is about the device itself, not
// about what it signs in with. Other errors stay as they are.
func whatIsMissing(ctx context.Context, tx rower, ref devices.Ref, err error) error {
	if !errors.Is(err, ErrNotFound) {
		return err
	}
	if _, device := findDevice(ctx, tx, ref); device != nil {
		return fmt.Errorf("device %w", device)
	}
	return err
}

func findSecret(ctx context.Context, q rower, ref devices.Ref) (secretHash, error) {
	return found(scanSecret(q.QueryRowContext(ctx,
		`SELECT `+secretColumns+` FROM credentials WHERE kind = $1 AND id = $2`, string(ref.Kind), ref.ID)))
}

func (r *Registry) writeSecret(ctx context.Context, tx *change, s secretHash) error {
	if _, err := findDevice(ctx, tx, s.Device); err != nil {
		return whatIsMissing(ctx, tx, s.Device, err)
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
	salt, hash := s.current.columns()
	previousSalt, previousHash := s.previous.columns()
	until := sql.Null[int64]{V: s.PreviousUntil.UnixMilli(), Valid: !s.PreviousUntil.IsZero()}
	_, err = tx.ExecContext(ctx, `INSERT INTO credentials (`+secretColumns+`) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
		ON CONFLICT (kind, id) DO UPDATE SET
			username = excluded.username, salt = excluded.salt, hash = excluded.hash, created_at = excluded.created_at,
			previous_salt = excluded.previous_salt, previous_hash = excluded.previous_hash, previous_until = excluded.previous_until`,
		string(s.Device.Kind), s.Device.ID, s.Username, salt, hash, s.CreatedAt.UnixMilli(), previousSalt, previousHash, until)
	if err != nil {
		return err
	}
	tx.then(func() { r.dir.putSecret(s) })
	if err := tx.record(ctx, ActionGrant, kindCredential, s.Device.String(), nil, grant{Username: s.Username}); err != nil {
		return err
	}
	return tx.touch(ctx, s.Device)
}

// Authenticate returns the device that signs in with this username and secret.
// Error: ErrBadCredential, whichever of the two is wrong. It answers from
// memory, in a time that does not depend on how much of the secret is right.
func (r *Registry) Authenticate(_ context.Context, username, secret string) (devices.Ref, error) {
	r.dir.mu.RLock()
	s := r.dir.byUser[username]
	r.dir.mu.RUnlock()
	current, previous := s.current.matches(secret), s.previous.matches(secret)
	if current || (previous && r.opts.Now().Before(s.PreviousUntil)) {
		return s.Device, nil
	}
	return devices.Ref{}, ErrBadCredential
}

// RevokeCredential takes away all that a device can sign in with: its secrets
// and its certificates. Connections that are open are not closed by it. Error:
// ErrNotFound where it has none.
func (r *Registry) RevokeCredential(ctx context.Context, ref devices.Ref) error {
	err := r.change(ctx, func(tx *change) error {
		secrets, err := affected(tx.ExecContext(ctx, `DELETE FROM credentials WHERE kind = $1 AND id = $2`,
			string(ref.Kind), ref.ID))
		if err != nil {
			return err
		}
		certificates, err := affected(tx.ExecContext(ctx, `DELETE FROM certificates WHERE kind = $1 AND id = $2`,
			string(ref.Kind), ref.ID))
		if err == nil && secrets+certificates == 0 {
			err = whatIsMissing(ctx, tx, ref, ErrNotFound)
		}
		if err != nil {
			return err
		}
		tx.then(func() {
			r.dir.dropSecret(ref)
			r.dir.dropCertificates(func(c Certificate) bool { return c.Device == ref })
		})
		if err := tx.record(ctx, ActionRevoke, kindCredential, ref.String(), nil, nil); err != nil {
			return err
		}
		return tx.touch(ctx, ref)
	})
	if err != nil {
		return fmt.Errorf("credential of %s: %w", ref, err)
	}
	return nil
}

// Credentials lists who can sign in with a secret, ordered by kind and id.
func (r *Registry) Credentials(ctx context.Context) ([]Credential, error) {
	scan := func(row database.Scanner) (Credential, error) {
		s, err := scanSecret(row)
		return s.Credential, err
	}
	all, err := database.Collect(ctx, r.db.Read, scan, `SELECT `+secretColumns+` FROM credentials ORDER BY kind, id`)
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

// forget needs the lock. Another device may have the username by now.
func (d *directory) forget(ref devices.Ref) {
	username, ok := d.users[ref]
	if !ok {
		return
	}
	delete(d.users, ref)
	if d.byUser[username].Device == ref {
		delete(d.byUser, username)
	}
}
