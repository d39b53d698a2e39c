package registrytest

import (
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// hands is a clock that moves only when it is told to.
type hands struct{ ms atomic.Int64 }

func (h *hands) read() time.Time         { return time.UnixMilli(h.ms.Load()).UTC() }
func (h *hands) advance(d time.Duration) { h.ms.Add(d.Milliseconds()) }

func testCreateCredential(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b"), station("b")}))
	secret := must[string](t)(r.CreateCredential(ctx, battery("b"), ""))
	_, err := r.CreateCredential(ctx, battery("b"), "other")
	is(t, "a second one", err, registry.ErrExists)
	_, err = r.CreateCredential(ctx, station("b"), "")
	is(t, "a name that is taken", err, registry.ErrConflict)
	_, err = r.CreateCredential(ctx, building("none"), "")
	is(t, "no such device", err, registry.ErrNotFound)
	_, err = r.CreateCredential(ctx, station("b"), "a\nb")
	invalid(t, "bad name", err, "username")
	if got, err := r.Authenticate(ctx, "b", secret); err != nil || got != battery("b") {
		t.Errorf("after all that: got %v, %v, want the device", got, err)
	}
	ok(t, r.RevokeCredential(ctx, battery("b")))
	must[string](t)(r.CreateCredential(ctx, battery("b"), ""))
}

func testRotation(t *testing.T, open Opener) {
	var now hands
	now.ms.Store(1_767_225_600_000)
	begin := now.read()
	reopen := func() Registry { return open(t, registry.Options{Now: now.read}) }
	r, ctx := reopen(), t.Context()
	defer func() { closed(t, r) }()
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b"), station("s")}))
	other := must[string](t)(r.SetCredential(ctx, station("s"), ""))
	secrets := []string{must[string](t)(r.SetCredential(ctx, battery("b"), "bee"))}
	rotate := func(grace time.Duration) registry.Credential {
		t.Helper()
		c, secret, err := r.RotateCredential(ctx, battery("b"), grace)
		ok(t, err)
		secrets = append(secrets, secret)
		return c
	}
	works := func(what string, want ...bool) {
		t.Helper()
		for i, secret := range secrets {
			ref, err := r.Authenticate(ctx, "bee", secret)
			if (err == nil) != want[i] || (ref == battery("b")) != want[i] {
				t.Errorf("%s: secret %d: got %v, %v, want it to work: %v", what, i+1, ref, err, want[i])
			}
		}
	}
	want := registry.Credential{Device: battery("b"), Username: "bee", CreatedAt: begin, PreviousUntil: begin.Add(time.Hour)}
	same(t, "rotated", rotate(time.Hour), want)
	same(t, "listed", must[[]registry.Credential](t)(r.Credentials(ctx))[0], want)
	works("in the grace", true, true)
	now.advance(time.Hour - time.Millisecond)
	works("at its end", true, true)
	same(t, "expired too early", must[[]devices.Ref](t)(r.ExpireSecrets(ctx)), []devices.Ref{})
	closed(t, r)
	r = reopen()
	works("opened again", true, true)
	now.advance(time.Millisecond)
	works("after the grace", false, true)
	same(t, "expired", must[[]devices.Ref](t)(r.ExpireSecrets(ctx)), []devices.Ref{battery("b")})
	same(t, "expired twice", must[[]devices.Ref](t)(r.ExpireSecrets(ctx)), []devices.Ref{})
	works("expired", false, true)
	if c := must[[]registry.Credential](t)(r.Credentials(ctx))[0]; !c.PreviousUntil.IsZero() {
		t.Errorf("listed after it expired: got %+v, want no secret before", c)
	}
	rotate(time.Hour)
	now.advance(time.Hour - time.Millisecond)
	_, _, err := r.RotateCredential(ctx, battery("b"), 2*time.Hour)
	is(t, "rotated in the grace", err, registry.ErrConflict)
	works("rotated in the grace", false, true, true)
	now.advance(time.Millisecond) // nobody has called ExpireSecrets
	rotate(time.Hour)
	works("rotated after the grace", false, false, true, true)
	rotate(0)
	works("without grace", false, false, false, false, true)
	rotate(time.Hour)
	secrets = append(secrets, must[string](t)(r.SetCredential(ctx, battery("b"), "bee")))
	works("set anew", false, false, false, false, false, false, true)
	rotate(time.Hour)
	ok(t, r.RevokeCredential(ctx, battery("b")))
	works("revoked", make([]bool, len(secrets))...)
	if got, err := r.Authenticate(ctx, "s", other); err != nil || got != station("s") {
		t.Errorf("another device: got %v, %v, want it to sign in", got, err)
	}
}

func testRefusedRotations(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b")}))
	_, _, err := r.RotateCredential(ctx, battery("b"), time.Hour)
	is(t, "without a secret", err, registry.ErrNotFound)
	_, _, err = r.RotateCredential(ctx, battery("none"), time.Hour)
	is(t, "no such device", err, registry.ErrNotFound)
	for what, err := range map[string]error{"rotate": err, "revoke": r.RevokeCredential(ctx, battery("none")), "revoke certificate": r.RevokeCertificate(ctx, battery("none"), "x")} {
		if !strings.Contains(err.Error(), "device not found") {
			t.Errorf("%s: got %q, want it to name the device as what is missing", what, err)
		}
	}
	if err := r.RevokeCredential(ctx, battery("b")); err == nil || strings.Contains(err.Error(), "device not found") {
		t.Errorf("revoke nothing: got %v, want the credential to be what is missing", err)
	}
	secret := must[string](t)(r.SetCredential(ctx, battery("b"), ""))
	for _, grace := range []time.Duration{-1, registry.MaxGrace + 1} {
		_, _, err = r.RotateCredential(ctx, battery("b"), grace)
		invalid(t, grace.String(), err, "grace")
	}
	if _, err := r.Authenticate(ctx, "b", secret); err != nil {
		t.Errorf("after all that: got %v, want the secret to work", err)
	}
}

func testCertificates(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b"), station("s")}))
	bind := func(ref devices.Ref, name string) registry.Certificate {
		t.Helper()
		return must[registry.Certificate](t)(r.BindCertificate(ctx, ref, name))
	}
	signsIn := func(what, name string, want devices.Ref) {
		t.Helper()
		got, err := r.AuthenticateCertificate(ctx, name)
		if want == (devices.Ref{}) {
			is(t, what, err, registry.ErrBadCredential)
		} else if err != nil {
			t.Errorf("%s: got %v", what, err)
		}
		if got != want {
			t.Errorf("%s: got %v, want %v", what, got, want)
		}
	}
	first := bind(battery("b"), "")
	same(t, "by id", first, registry.Certificate{Device: battery("b"), CommonName: "b", CreatedAt: first.CreatedAt})
	second := bind(battery("b"), "b.2027")
	depot := bind(station("s"), "depot nr 1")
	same(t, "bound again", bind(battery("b"), "b"), first)
	_, err := r.BindCertificate(ctx, station("s"), "b")
	is(t, "a name that is taken", err, registry.ErrConflict)
	_, err = r.BindCertificate(ctx, building("none"), "")
	is(t, "no such device", err, registry.ErrNotFound)
	_, err = r.BindCertificate(ctx, station("s"), "\xff")
	invalid(t, "bad name", err, "common_name")
	same(t, "list", must[[]registry.Certificate](t)(r.Certificates(ctx)), []registry.Certificate{first, second, depot})
	for range 2 {
		signsIn("by id", "b", battery("b"))
		signsIn("by another name", "b.2027", battery("b"))
		signsIn("station", "depot nr 1", station("s"))
		signsIn("nobody", "s", devices.Ref{})
		signsIn("nothing", "", devices.Ref{})
		closed(t, r)
		r = start(t, open)
	}
	is(t, "of another device", r.RevokeCertificate(ctx, station("s"), "b"), registry.ErrNotFound)
	ok(t, r.RevokeCertificate(ctx, battery("b"), "b"))
	signsIn("revoked", "b", devices.Ref{})
	signsIn("the other one", "b.2027", battery("b"))
	is(t, "revoked twice", r.RevokeCertificate(ctx, battery("b"), "b"), registry.ErrNotFound)
	bind(station("s"), "b") // the name is free again
	signsIn("taken over", "b", station("s"))
	must[string](t)(r.SetCredential(ctx, station("s"), ""))
	ok(t, r.RevokeCredential(ctx, station("s")))
	signsIn("all revoked", "b", devices.Ref{})
	signsIn("all revoked", "depot nr 1", devices.Ref{})
	is(t, "all revoked twice", r.RevokeCredential(ctx, station("s")), registry.ErrNotFound)
	ok(t, r.RevokeCredential(ctx, battery("b"))) // which has a certificate alone
	closed(t, r)
	r = start(t, open)
	same(t, "list of none", must[[]registry.Certificate](t)(r.Certificates(ctx)), []registry.Certificate{})
}
