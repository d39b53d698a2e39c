package registry_test

import (
	"context"
	"errors"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database/pgtest"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// following opens a registry that another process shares and has it follow that
// one; gone are the devices that lost something to sign in with.
func following(t *testing.T, where string) (r *registry.Registry, gone func() []devices.Ref) {
	t.Helper()
	r = open(t, where, registry.Options{})
	var (
		mu   sync.Mutex
		left []devices.Ref
		done sync.WaitGroup
	)
	ctx, stop := context.WithCancel(t.Context())
	done.Go(func() {
		err := r.Follow(ctx, func(ref devices.Ref) {
			mu.Lock()
			defer mu.Unlock()
			left = append(left, ref)
		})
		if err != nil {
			t.Errorf("Follow: %v", err)
		}
	})
	t.Cleanup(func() {
		stop()
		done.Wait()
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	})
	return r, func() []devices.Ref {
		mu.Lock()
		defer mu.Unlock()
		return slices.Clone(left)
	}
}

// within waits until holds does.
func within(t *testing.T, what string, holds func() bool) {
	t.Helper()
	deadline := time.NewTimer(20 * time.Second)
	defer deadline.Stop()
	for !holds() {
		select {
		case <-deadline.C:
			t.Fatalf("%s: it did not come about", what)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

// What one process changes, the other knows soon: devices, gateways, and who may
// sign in. A server that is away meanwhile changes nothing about that.
func TestOneProcessFollowsAnother(t *testing.T) {
	server := pgtest.Start(t)
	where, ctx := server.Database(), t.Context()
	one := open(t, where, registry.Options{})
	defer func() { _ = one.Close() }()
	other, gone := following(t, where)
	b, s := devices.Ref{Kind: devices.KindBattery, ID: "b"}, devices.Ref{Kind: devices.KindStation, ID: "s"}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(one.Enroll(ctx, []devices.Ref{b, s}))
	within(t, "enrolled", func() bool { _, known := other.Lookup(s); return known })
	gateway := s.String()
	_, err := one.UpdateBattery(ctx, "b", registry.BatteryPatch{AssetPatch: registry.AssetPatch{Gateway: &gateway}})
	must(err)
	within(t, "gateway", func() bool { got, _ := other.Lookup(b); return got == s })
	secret, err := one.SetCredential(ctx, b, "bee")
	must(err)
	signsIn := func(username, secret string, want devices.Ref) func() bool {
		return func() bool {
			got, err := other.Authenticate(ctx, username, secret)
			return got == want && (err == nil) == (want != devices.Ref{})
		}
	}
	within(t, "signs in", signsIn("bee", secret, b))
	_, rotated, err := one.RotateCredential(ctx, b, time.Hour)
	must(err)
	within(t, "signs in with the new secret", signsIn("bee", rotated, b))
	within(t, "signs in with the old one", signsIn("bee", secret, b))
	if got := gone(); len(got) > 0 {
		t.Errorf("after a rotation with grace: got %v put out, want nobody", got)
	}
	_, err = one.BindCertificate(ctx, b, "cert")
	must(err)
	within(t, "certificate", func() bool { got, _ := other.AuthenticateCertificate(ctx, "cert"); return got == b })

	server.Kill()
	if _, err := one.SetCredential(ctx, s, "ess"); !errors.Is(err, registry.ErrUnavailable) {
		t.Errorf("without a server: got %v, want %v", err, registry.ErrUnavailable)
	}
	if !signsIn("bee", rotated, b)() {
		t.Error("without a server: a known device can't sign in")
	}
	server.Restart()
	must(one.RevokeCredential(ctx, b))
	within(t, "revoked", signsIn("bee", rotated, devices.Ref{}))
	within(t, "put out", func() bool { return slices.Contains(gone(), b) })
	// The name goes to another device.
	taken, err := one.SetCredential(ctx, s, "bee")
	must(err)
	within(t, "taken over", signsIn("bee", taken, s))

	var many []devices.Ref
	for i := range 500 {
		many = append(many, devices.Ref{Kind: devices.KindBuilding, ID: "g" + string(rune('a'+i%26)) + string(rune('a'+i/26))})
	}
	must(one.Enroll(ctx, many))
	within(t, "many at once", func() bool { _, known := other.Lookup(many[499]); return known })
	if !signsIn("bee", taken, s)() {
		t.Error("after everything was loaded anew: a device can't sign in")
	}
}
