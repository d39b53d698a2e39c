package app

import (
	"context"
	"errors"
	"path/filepath"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database/pgtest"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// doors is a keyring over a registry with one key.
func doors(t *testing.T, where string, now func() time.Time) (*keyring, access.Key) {
	t.Helper()
	reg, err := registry.Open(t.Context(), where, registry.Options{Now: now})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = reg.Close() })
	fresh := access.NewKey()
	_, err = reg.CreateKey(t.Context(), registry.Key{
		Prefix: fresh.Prefix, Name: "test", Role: string(access.Viewer), ExpiresAt: now().Add(time.Hour),
	}, fresh.Hash)
	if err != nil {
		t.Fatal(err)
	}
	return &keyring{keys: reg, now: now, found: map[registry.KeyHash]foundKey{}}, fresh
}

func TestKeysAreAnsweredFromMemory(t *testing.T) {
	now := time.Date(2026, 3, 2, 12, 0, 0, 0, time.UTC)
	k, key := doors(t, filepath.Join(t.TempDir(), "registry.db"), func() time.Time { return now })
	ask := func(want error) {
		t.Helper()
		p, err := k.Authenticate(t.Context(), key.Text)
		if !errors.Is(err, want) || err == nil && p.KeyID != key.Prefix {
			t.Errorf("got %+v, %v, want %v", p, err, want)
		}
	}
	ask(nil)
	if used, _, err := k.keys.FindKey(t.Context(), key.Prefix); err != nil || !used.LastUsedAt.Equal(now) {
		t.Errorf("used: got %v, %v, want %v", used.LastUsedAt, err, now)
	}
	if _, err := k.Authenticate(t.Context(), access.NewKey().Text); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("another key: got %v", err)
	}
	if err := k.keys.Close(); err != nil {
		t.Fatal(err)
	}
	ask(nil) // the database is not needed any more
	now = now.Add(time.Hour)
	ask(access.ErrExpired)
}

func TestRevokedKeysAreForgottenAtOnce(t *testing.T) {
	k, key := doors(t, filepath.Join(t.TempDir(), "registry.db"), time.Now)
	if _, err := k.Authenticate(t.Context(), key.Text); err != nil {
		t.Fatal(err)
	}
	if err := k.keys.RevokeKey(t.Context(), key.Prefix); err != nil {
		t.Fatal(err)
	}
	if _, err := k.Authenticate(t.Context(), key.Text); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("got %v, want %v", err, access.ErrUnknown)
	}
}

func TestKeysThatAreRememberedAreBounded(t *testing.T) {
	k := &keyring{found: map[registry.KeyHash]foundKey{}}
	for range maxFound + 1 {
		k.keep(access.NewKey().Hash, foundKey{})
	}
	if len(k.found) > maxFound {
		t.Errorf("got %d, want at most %d", len(k.found), maxFound)
	}
}

// TestKeysRevokedElsewhereAreForgotten has two processes over one database.
func TestKeysRevokedElsewhereAreForgotten(t *testing.T) {
	where := pgtest.Start(t).Database()
	here, key := doors(t, where, time.Now)
	elsewhere, other := doors(t, where, time.Now)
	if _, err := elsewhere.Authenticate(t.Context(), other.Text); err != nil {
		t.Fatal(err)
	}
	if err := here.keys.RevokeKey(t.Context(), other.Prefix); err != nil {
		t.Fatal(err)
	}
	if _, err := elsewhere.Authenticate(t.Context(), other.Text); !errors.Is(err, access.ErrUnknown) {
		t.Errorf("where changes are not followed: got %v, want %v", err, access.ErrUnknown)
	}
	ctx, stop := context.WithCancel(t.Context())
	followed := make(chan error, 1)
	go func() { followed <- here.keys.Follow(ctx, func(devices.Ref) {}) }()
	defer func() {
		stop()
		if err := <-followed; err != nil {
			t.Error(err)
		}
	}()
	for _, inStep := here.keys.Step(); !inStep; _, inStep = here.keys.Step() {
		if t.Context().Err() != nil {
			t.Fatal("it is never in step")
		}
	}
	if _, err := here.Authenticate(t.Context(), key.Text); err != nil {
		t.Fatal(err)
	}
	if err := elsewhere.keys.RevokeKey(t.Context(), key.Prefix); err != nil {
		t.Fatal(err)
	}
	// Followed every half a second; a second is what a registry out of step is
	// trusted for, and another is for a busy machine.
	for end := time.Now().Add(2 * time.Second); ; {
		_, err := here.Authenticate(t.Context(), key.Text)
		if errors.Is(err, access.ErrUnknown) {
			break
		}
		if err != nil || time.Now().After(end) {
			t.Fatalf("got %v, want %v", err, access.ErrUnknown)
		}
	}
}
