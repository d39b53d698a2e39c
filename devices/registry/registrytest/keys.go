package registrytest

import (
	"crypto/sha256"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

func hashOf(text string) registry.KeyHash { return sha256.Sum256([]byte(text)) }

// found checks what FindKey tells of a key.
func found(t *testing.T, r Registry, want registry.Key, text string) {
	t.Helper()
	k, hash, err := r.FindKey(t.Context(), want.Prefix)
	ok(t, err)
	same(t, "key "+want.Prefix, k, want)
	if hash != hashOf(text) {
		t.Errorf("key %s: another digest", want.Prefix)
	}
}

func testKeys(t *testing.T, open Opener) {
	var now hands
	now.ms.Store(1_767_225_600_000)
	begin := now.read()
	reopen := func() Registry { return open(t, registry.Options{Now: now.read}) }
	r, ctx := reopen(), t.Context()
	defer func() { closed(t, r) }()
	must[devices.Owner](t)(r.CreateOwner(ctx, devices.Owner{ID: "o", Name: "O"}))
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b")}))

	plain := registry.Key{Prefix: "bbbb", Name: "plain", Role: "admin", CreatedBy: "admin"}
	full := registry.Key{
		Prefix: "aaaa", Name: "Ünal's Ω", Role: "owner", OwnerID: "o", Device: battery("b"), CreatedBy: "key x", ExpiresAt: begin.Add(time.Hour),
	}
	for _, k := range []*registry.Key{&plain, &full} {
		made := must[registry.Key](t)(r.CreateKey(ctx, *k, hashOf(k.Prefix)))
		k.CreatedAt = begin
		same(t, "made", made, *k)
		found(t, r, *k, k.Prefix)
	}
	listed := func(what string, limit, offset int, want ...registry.Key) {
		t.Helper()
		keys, total, err := r.Keys(ctx, limit, offset)
		ok(t, err)
		same(t, what, keys, append([]registry.Key{}, want...))
		if total != 2 {
			t.Errorf("%s: got a total of %d, want 2", what, total)
		}
	}
	listed("all", 10, 0, full, plain)
	listed("a page", 1, 1, plain)
	listed("beyond", 10, 2)

	now.advance(90 * time.Second)
	ok(t, r.KeyUsed(ctx, plain.Prefix))
	plain.LastUsedAt = now.read()
	found(t, r, plain, "bbbb")
	now.advance(time.Second)
	ok(t, r.RevokeKey(ctx, plain.Prefix))
	plain.RevokedAt = now.read()
	now.advance(time.Second)
	ok(t, r.RevokeKey(ctx, plain.Prefix)) // again changes nothing
	found(t, r, plain, "bbbb")
	is(t, "revoke another", r.RevokeKey(ctx, "none"), registry.ErrNotFound)
	_, _, err := r.FindKey(ctx, "none")
	is(t, "find another", err, registry.ErrNotFound)
	ok(t, r.KeyUsed(ctx, "none")) // it may be gone by the time

	closed(t, r)
	r = reopen()
	listed("opened again", 10, 0, full, plain)
}

func testRefusedKeys(t *testing.T, open Opener) {
	var now hands
	now.ms.Store(1_767_225_600_000)
	r, ctx := open(t, registry.Options{Now: now.read}), t.Context()
	defer closed(t, r)
	good := registry.Key{Prefix: "aaaa", Name: "n", Role: "viewer", CreatedBy: "admin"}
	must[registry.Key](t)(r.CreateKey(ctx, good, hashOf("a")))
	_, err := r.CreateKey(ctx, good, hashOf("b"))
	is(t, "a prefix that is taken", err, registry.ErrExists)
	found(t, r, registry.Key{Prefix: "aaaa", Name: "n", Role: "viewer", CreatedBy: "admin", CreatedAt: now.read()}, "a")
	for _, tt := range []struct {
		name, field string
		change      func(*registry.Key)
	}{
		{"no name", "name", func(k *registry.Key) { k.Name = "" }},
		{"a name of two lines", "name", func(k *registry.Key) { k.Name = "a\nb" }},
		{"no such owner", "owner_id", func(k *registry.Key) { k.OwnerID = "none" }},
		{"no such device", "device", func(k *registry.Key) { k.Device = battery("none") }},
		{"over", "expires_at", func(k *registry.Key) { k.ExpiresAt = now.read() }},
	} {
		k := good
		k.Prefix = "bbbb"
		tt.change(&k)
		_, err := r.CreateKey(ctx, k, hashOf("c"))
		invalid(t, tt.name, err, tt.field)
	}
	if _, _, err := r.FindKey(ctx, "bbbb"); err == nil {
		t.Error("a key that was refused is there")
	}
}

func testKeyRotation(t *testing.T, open Opener) {
	var now hands
	now.ms.Store(1_767_225_600_000)
	begin := now.read()
	r, ctx := open(t, registry.Options{Now: now.read}), t.Context()
	defer closed(t, r)
	must[devices.Owner](t)(r.CreateOwner(ctx, devices.Owner{ID: "o", Name: "O"}))
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b")}))
	first := registry.Key{Prefix: "k1", Name: "n", Role: "owner", OwnerID: "o", Device: battery("b"), CreatedBy: "admin", ExpiresAt: begin.Add(10 * time.Hour)}
	must[registry.Key](t)(r.CreateKey(ctx, first, hashOf("k1")))
	ok(t, r.KeyUsed(ctx, "k1"))
	first.CreatedAt, first.LastUsedAt = begin, begin

	now.advance(time.Hour)
	second := must[registry.Key](t)(r.RotateKey(ctx, "k1", registry.Key{Prefix: "k2", CreatedBy: "anna"}, hashOf("k2"), 2*time.Hour))
	want := registry.Key{Prefix: "k2", Name: "n", Role: "owner", OwnerID: "o", Device: battery("b"), CreatedBy: "anna", CreatedAt: begin.Add(time.Hour)}
	same(t, "the new one", second, want)
	found(t, r, want, "k2")
	first.ExpiresAt = begin.Add(3 * time.Hour)
	found(t, r, first, "k1")

	// The grace ends no later than the key would have.
	must[registry.Key](t)(r.RotateKey(ctx, "k1", registry.Key{Prefix: "k3", CreatedBy: "x"}, hashOf("k3"), registry.MaxGrace))
	found(t, r, first, "k1")

	for name, grace := range map[string]time.Duration{"negative": -1, "too long": registry.MaxGrace + 1} {
		_, err := r.RotateKey(ctx, "k2", registry.Key{Prefix: "k4"}, hashOf("k4"), grace)
		invalid(t, name, err, "grace")
	}
	_, err := r.RotateKey(ctx, "k2", registry.Key{Prefix: "k4", ExpiresAt: begin}, hashOf("k4"), 0)
	invalid(t, "over", err, "expires_at")
	_, err = r.RotateKey(ctx, "k2", registry.Key{Prefix: "k3"}, hashOf("k4"), 0)
	is(t, "a prefix that is taken", err, registry.ErrExists)
	_, err = r.RotateKey(ctx, "none", registry.Key{Prefix: "k4"}, hashOf("k4"), 0)
	is(t, "no such key", err, registry.ErrNotFound)
	found(t, r, want, "k2") // none of which changed it

	now.advance(2 * time.Hour)
	_, err = r.RotateKey(ctx, "k1", registry.Key{Prefix: "k4"}, hashOf("k4"), 0)
	is(t, "one that has expired", err, registry.ErrConflict)
	ok(t, r.RevokeKey(ctx, "k3"))
	_, err = r.RotateKey(ctx, "k3", registry.Key{Prefix: "k4"}, hashOf("k4"), 0)
	is(t, "one that was revoked", err, registry.ErrConflict)

	must[registry.Key](t)(r.RotateKey(ctx, "k2", registry.Key{Prefix: "k5", CreatedBy: "x"}, hashOf("k5"), 0))
	if k, _, err := r.FindKey(ctx, "k2"); err != nil || !k.ExpiresAt.Equal(now.read()) {
		t.Errorf("without grace: got %+v, %v, want it over now", k, err)
	}
}
