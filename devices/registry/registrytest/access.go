package registrytest

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

func testEnroll(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	anOwner(t, r, "acme")
	must[devices.Station](t)(r.CreateStation(ctx, devices.Station{Asset: devices.Asset{ID: "s"}}))
	claimed := must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{
		Asset: devices.Asset{ID: "b", OwnerID: "acme", Gateway: "station/s"},
	}))
	refs := []devices.Ref{battery("new"), battery("b"), building("new"), battery("new")}
	for range 2 {
		ok(t, r.Enroll(ctx, refs))
	}
	same(t, "a known device", must[devices.Battery](t)(r.GetBattery(ctx, "b")), claimed)
	enrolled := must[devices.Battery](t)(r.GetBattery(ctx, "new"))
	same(t, "a new device", enrolled, devices.Battery{Asset: devices.Asset{
		ID: "new", Status: devices.StatusUnclaimed, CreatedAt: enrolled.CreatedAt, UpdatedAt: enrolled.CreatedAt,
		Record: devices.Record{Version: 1},
	}})
	if gateway, known := r.Lookup(battery("b")); !known || gateway != station("s") {
		t.Errorf("Lookup of a known device: got %v, %v, want its gateway", gateway, known)
	}
	invalid(t, "bad id", r.Enroll(ctx, []devices.Ref{battery("fine"), battery("not fine")}), "device")
	invalid(t, "bad kind", r.Enroll(ctx, []devices.Ref{{Kind: "robot", ID: "x"}}), "device")
	if _, known := r.Lookup(battery("fine")); known {
		t.Error("part of a refused batch was enrolled")
	}
	ok(t, r.Enroll(ctx, nil))
}

func testGateways(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b"), station("s"), building("g")}))
	for _, tt := range []struct {
		name    string
		gateway string
		want    devices.Ref
		bad     bool
	}{
		{"a station", "station/s", station("s"), false},
		{"a controller", "building/g", building("g"), false},
		{"none", "", devices.Ref{}, false},
		{"not registered", "station/t", devices.Ref{}, true},
		{"itself", "battery/b", devices.Ref{}, true},
		{"no kind", "s", devices.Ref{}, true},
		{"no such kind", "robot/s", devices.Ref{}, true},
	} {
		_, err := r.UpdateBattery(ctx, "b", registry.BatteryPatch{AssetPatch: registry.AssetPatch{Gateway: ptr(tt.gateway)}})
		if tt.bad {
			invalid(t, tt.name, err, "gateway")
		} else if err != nil {
			t.Errorf("%s: %v", tt.name, err)
		}
		if got, known := r.Lookup(battery("b")); got != tt.want || !known {
			t.Errorf("%s: got %v, %v, want %v", tt.name, got, known, tt.want)
		}
	}
}

func testCredentials(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b"), station("s"), station("b")}))
	first := must[string](t)(r.SetCredential(ctx, battery("b"), ""))
	station1 := must[string](t)(r.SetCredential(ctx, station("s"), "depot nr 1"))
	if raw, err := base64.RawURLEncoding.DecodeString(first); err != nil || len(raw) != 32 {
		t.Errorf("secret: got %d bytes, %v, want 32 in base64url", len(raw), err)
	}
	if first == station1 {
		t.Error("two devices got one secret")
	}
	signsIn := func(what, username, secret string, want devices.Ref) {
		t.Helper()
		if got, err := r.Authenticate(ctx, username, secret); err != nil || got != want {
			t.Errorf("%s: got %v, %v, want %v", what, got, err, want)
		}
	}
	signsIn("by id", "b", first, battery("b"))
	signsIn("by name", "depot nr 1", station1, station("s"))

	second := must[string](t)(r.SetCredential(ctx, battery("b"), "renamed"))
	signsIn("renamed", "renamed", second, battery("b"))
	_, err := r.Authenticate(ctx, "b", first)
	is(t, "the name before", err, registry.ErrBadCredential)
	third := must[string](t)(r.SetCredential(ctx, station("b"), "b")) // the name is free again
	signsIn("took the name over", "b", third, station("b"))
	for _, old := range [][2]string{{"b", first}, {"renamed", first}, {"b", second}} {
		_, err := r.Authenticate(ctx, old[0], old[1])
		is(t, "a replaced credential", err, registry.ErrBadCredential)
	}

	listed := must[[]registry.Credential](t)(r.Credentials(ctx))
	for i := range listed {
		if listed[i].CreatedAt.IsZero() {
			t.Errorf("credential of %s: got no time", listed[i].Device)
		}
		listed[i].CreatedAt = listed[0].CreatedAt
	}
	at := listed[0].CreatedAt
	same(t, "list", listed, []registry.Credential{
		{Device: battery("b"), Username: "renamed", CreatedAt: at},
		{Device: station("b"), Username: "b", CreatedAt: at},
		{Device: station("s"), Username: "depot nr 1", CreatedAt: at},
	})

	closed(t, r)
	r = start(t, open)
	signsIn("opened again", "renamed", second, battery("b"))
	ok(t, r.RevokeCredential(ctx, battery("b")))
	_, err = r.Authenticate(ctx, "renamed", second)
	is(t, "revoked", err, registry.ErrBadCredential)
	is(t, "revoked twice", r.RevokeCredential(ctx, battery("b")), registry.ErrNotFound)
	closed(t, r)
	r = start(t, open)
	_, err = r.Authenticate(ctx, "renamed", second)
	is(t, "revoked and opened again", err, registry.ErrBadCredential)
}

func testRefusedCredentials(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b"), station("b")}))
	secret := must[string](t)(r.SetCredential(ctx, battery("b"), ""))
	var messages []string
	for _, tt := range []struct{ name, username, secret string }{
		{"nothing", "", ""},
		{"no such name", "c", secret},
		{"no secret", "b", ""},
		{"another secret", "b", strings.Repeat("A", len(secret))},
		{"cut off", "b", secret[:len(secret)-1]},
		{"too long", "b", secret + "A"},
		{"case", "B", secret},
	} {
		ref, err := r.Authenticate(ctx, tt.username, tt.secret)
		is(t, tt.name, err, registry.ErrBadCredential)
		if ref != (devices.Ref{}) {
			t.Errorf("%s: got device %v, want none", tt.name, ref)
		}
		if err != nil {
			messages = append(messages, err.Error())
		}
	}
	for _, m := range messages {
		if m != messages[0] {
			t.Errorf("the error tells what was wrong: got %q and %q", m, messages[0])
		}
	}
	_, err := r.SetCredential(ctx, station("b"), "")
	is(t, "a name that is taken", err, registry.ErrConflict)
	_, err = r.SetCredential(ctx, building("none"), "")
	is(t, "no such device", err, registry.ErrNotFound)
	for _, name := range []string{"a\x00b", "\xff", strings.Repeat("n", 129)} {
		_, err = r.SetCredential(ctx, station("b"), name)
		invalid(t, "bad name", err, "username")
	}
	if got, err := r.Authenticate(ctx, "b", secret); err != nil || got != battery("b") {
		t.Errorf("after all that: got %v, %v, want the device", got, err)
	}
}
