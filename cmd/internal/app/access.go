package app

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// keyring knows the keys of the registry, and the tokens of an identity provider.
type keyring struct {
	keys   *registry.Registry
	tokens *access.Tokens // nil: none are taken
	now    func() time.Time

	mu    sync.Mutex
	found map[registry.KeyHash]foundKey // at most maxFound
}

// foundKey is a key as the registry had it at a step.
type foundKey struct {
	access.Principal
	step int64
	used time.Time // as it is written down
}

// maxFound bounds how many keys are remembered.
const maxFound = 10_000

// usedEvery is how often the use of a key is written down.
const usedEvery = 5 * time.Minute

// How long it may take to find a key, and to write its use down: whoever calls
// waits for both.
const (
	findTime = 5 * time.Second
	useTime  = time.Second
)

// newKeyring opens the doors that the configuration names.
func (a *App) newKeyring() (*keyring, error) {
	k := &keyring{keys: a.registry, now: a.now, found: map[registry.KeyHash]foundKey{}}
	if a.cfg.OIDCIssuer == "" {
		return k, nil
	}
	var err error
	k.tokens, err = access.NewTokens(access.Issuer{
		URL: a.cfg.OIDCIssuer, Audience: a.cfg.OIDCAudience,
		RoleClaim: a.cfg.OIDCRoleClaim, OwnerClaim: a.cfg.OIDCOwnerClaim, DeviceClaim: a.cfg.OIDCDeviceClaim,
	}, &http.Client{Timeout: 10 * time.Second}, a.now)
	if err != nil {
		return nil, fmt.Errorf("oidc: %w", err)
	}
	return k, nil
}

// Authenticate is an access.Authenticator's.
func (k *keyring) Authenticate(ctx context.Context, token string) (access.Principal, error) {
	prefix, err := access.KeyPrefix(token)
	if err == nil {
		return k.byKey(ctx, prefix, access.Digest(token))
	}
	if k.tokens == nil {
		return access.Principal{}, access.ErrUnknown
	}
	return k.tokens.Authenticate(ctx, token)
}

// byKey answers from memory what it has found at this step of the registry.
func (k *keyring) byKey(ctx context.Context, prefix string, digest registry.KeyHash) (access.Principal, error) {
	step, inStep := k.keys.Step()
	k.mu.Lock()
	key, known := k.found[digest]
	k.mu.Unlock()
	if !known || !inStep || key.step != step {
		var err error
		if key, err = k.find(ctx, prefix, digest); err != nil {
			return access.Principal{}, err
		}
		key.step = step // of before it was read
		k.keep(digest, key)
	}
	now := k.now()
	if !key.Expires.IsZero() && !key.Expires.After(now) {
		return access.Principal{}, access.ErrExpired
	}
	if now.Sub(key.used) >= usedEvery {
		k.use(ctx, digest, key, now)
	}
	return key.Principal, nil
}

func (k *keyring) find(ctx context.Context, prefix string, digest registry.KeyHash) (foundKey, error) {
	finding, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	key, want, err := k.keys.FindKey(finding, prefix)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return foundKey{}, err
	}
	// Without the key its digest is all zeros, which no text has.
	if subtle.ConstantTimeCompare(digest[:], want[:]) != 1 || err != nil || !key.RevokedAt.IsZero() {
		return foundKey{}, access.ErrUnknown
	}
	p := access.Principal{
		Name: "key " + key.Prefix + " (" + key.Name + ")", KeyID: key.Prefix, Role: access.Role(key.Role),
		OwnerID: key.OwnerID, Device: key.Device, Expires: key.ExpiresAt,
	}
	if err := p.Validate(); err != nil {
		return foundKey{}, fmt.Errorf("key %s: %w", prefix, err)
	}
	return foundKey{Principal: p, used: key.LastUsedAt}, nil
}

func (k *keyring) keep(digest registry.KeyHash, key foundKey) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.found) >= maxFound {
		clear(k.found)
	}
	k.found[digest] = key
}

// use writes down that the key is used. That is remembered first, so that of those
// who use it meanwhile few write too; where it can't be written down, the next to
// use the key tries again. Whoever calls is let in all the same.
func (k *keyring) use(ctx context.Context, digest registry.KeyHash, key foundKey, now time.Time) {
	before := key.used
	key.used = now
	k.keep(digest, key)
	using, cancel := context.WithTimeout(ctx, useTime)
	defer cancel()
	if err := k.keys.KeyUsed(using, key.KeyID); err != nil {
		key.used = before
		k.keep(digest, key)
	}
}
