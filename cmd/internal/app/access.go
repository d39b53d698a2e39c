package app

import (
	"context"
	"crypto/subtle"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// keyring knows the admin key, the keys of the registry, and the tokens of an
// identity provider.
type keyring struct {
	admin  [32]byte // digest
	keys   *registry.Registry
	tokens *access.Tokens // nil: none are taken
	now    func() time.Time
}

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
	k := &keyring{admin: access.Digest(a.adminKey), keys: a.registry, now: a.now}
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
	digest := access.Digest(token)
	if subtle.ConstantTimeCompare(digest[:], k.admin[:]) == 1 {
		return access.Principal{Name: "admin", Role: access.Admin}, nil
	}
	prefix, err := access.KeyPrefix(token)
	if err == nil {
		return k.byKey(ctx, prefix, digest)
	}
	if k.tokens == nil {
		return access.Principal{}, access.ErrUnknown
	}
	return k.tokens.Authenticate(ctx, token)
}

func (k *keyring) byKey(ctx context.Context, prefix string, digest registry.KeyHash) (access.Principal, error) {
	finding, cancel := context.WithTimeout(ctx, findTime)
	defer cancel()
	key, want, err := k.keys.FindKey(finding, prefix)
	if err != nil && !errors.Is(err, registry.ErrNotFound) {
		return access.Principal{}, err
	}
	// Without the key its digest is all zeros, which no text has.
	if subtle.ConstantTimeCompare(digest[:], want[:]) != 1 || err != nil || !key.RevokedAt.IsZero() {
		return access.Principal{}, access.ErrUnknown
	}
	now := k.now()
	if !key.ExpiresAt.IsZero() && !key.ExpiresAt.After(now) {
		return access.Principal{}, access.ErrExpired
	}
	p := access.Principal{
		Name: "key " + key.Prefix + " (" + key.Name + ")", KeyID: key.Prefix, Role: access.Role(key.Role),
		OwnerID: key.OwnerID, Device: key.Device, Expires: key.ExpiresAt,
	}
	if err := p.Validate(); err != nil {
		return access.Principal{}, fmt.Errorf("key %s: %w", prefix, err)
	}
	if now.Sub(key.LastUsedAt) >= usedEvery {
		// Whoever calls is let in all the same.
		using, cancel := context.WithTimeout(ctx, useTime)
		defer cancel()
		_ = k.keys.KeyUsed(using, prefix)
	}
	return p, nil
}
