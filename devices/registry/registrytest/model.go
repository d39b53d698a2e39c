package registrytest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// testDirectory holds Lookup and Authenticate, which answer from memory, to a
// model through random writes and reopenings.
func testDirectory(t *testing.T, open Opener) {
	ctx := t.Context()
	r := open(t, registry.Options{})
	defer func() { closed(t, r) }()
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		prefix := fmt.Sprintf("r%d-", run) // one database serves all runs
		ids := rapid.SampledFrom([]string{prefix + "a", prefix + "b", prefix + "c"})
		gateways := make(map[devices.Ref]devices.Ref)
		secrets := make(map[devices.Ref]string)
		rt.Repeat(map[string]func(*rapid.T){
			"enroll": func(rt *rapid.T) {
				ref := battery(ids.Draw(rt, "id"))
				ok(t, r.Enroll(ctx, []devices.Ref{ref}))
				if _, known := gateways[ref]; !known {
					gateways[ref] = devices.Ref{}
				}
			},
			"create": func(rt *rapid.T) {
				ref := battery(ids.Draw(rt, "id"))
				_, err := r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: ref.ID}})
				_, known := gateways[ref]
				if known != errors.Is(err, registry.ErrExists) || (!known && err != nil) {
					rt.Fatalf("create %s, known %v: got %v", ref, known, err)
				}
				if !known {
					gateways[ref] = devices.Ref{}
				}
			},
			"gateway": func(rt *rapid.T) {
				ref, gateway := battery(ids.Draw(rt, "id")), battery(ids.Draw(rt, "gateway"))
				_, err := r.UpdateBattery(ctx, ref.ID, registry.BatteryPatch{
					AssetPatch: registry.AssetPatch{Gateway: ptr(gateway.String())},
				})
				_, known := gateways[ref]
				_, gatewayKnown := gateways[gateway]
				if want := known && gatewayKnown && ref != gateway; want != (err == nil) {
					rt.Fatalf("gateway of %s to %s: got %v, want success %v", ref, gateway, err, want)
				}
				if err == nil {
					gateways[ref] = gateway
				}
			},
			"credential": func(rt *rapid.T) {
				ref := battery(ids.Draw(rt, "id"))
				secret, err := r.SetCredential(ctx, ref, "")
				if _, known := gateways[ref]; known != (err == nil) {
					rt.Fatalf("credential of %s, known %v: got %v", ref, known, err)
				}
				if err == nil {
					secrets[ref] = secret
				}
			},
			"revoke": func(rt *rapid.T) {
				ref := battery(ids.Draw(rt, "id"))
				err := r.RevokeCredential(ctx, ref)
				if _, has := secrets[ref]; has != (err == nil) {
					rt.Fatalf("revoke of %s, has one %v: got %v", ref, has, err)
				}
				delete(secrets, ref)
			},
			"reopen": func(rt *rapid.T) {
				if rapid.IntRange(0, 4).Draw(rt, "seldom") != 0 {
					rt.Skip("opening takes long")
				}
				closed(t, r)
				r = open(t, registry.Options{})
			},
			"": func(rt *rapid.T) {
				for _, id := range []string{"a", "b", "c"} {
					ref := battery(prefix + id)
					want, wantKnown := gateways[ref]
					if got, known := r.Lookup(ref); got != want || known != wantKnown {
						rt.Fatalf("Lookup of %s: got %v, %v, want %v, %v", ref, got, known, want, wantKnown)
					}
					secret, has := secrets[ref]
					if got, err := r.Authenticate(ctx, ref.ID, secret); has != (err == nil) || (has && got != ref) {
						rt.Fatalf("Authenticate of %s: got %v, %v, want success %v", ref, got, err, has)
					}
				}
			},
		})
	})
}

// testConcurrency has writers of one device and readers at once: updates are
// not lost, and the directory ends as the last commit left it.
func testConcurrency(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	ok(t, r.Enroll(ctx, []devices.Ref{battery("b"), station("s0"), station("s1"), station("s2")}))
	var writers, readers sync.WaitGroup
	stop, cancel := context.WithCancel(ctx)
	for i := range 3 {
		writers.Go(func() {
			for range 8 {
				patch := registry.BatteryPatch{AssetPatch: registry.AssetPatch{Gateway: ptr(fmt.Sprintf("station/s%d", i))}}
				if _, err := r.UpdateBattery(ctx, "b", patch); err != nil {
					t.Errorf("update: %v", err)
				}
				if err := r.Enroll(ctx, []devices.Ref{battery("b"), battery("shared"), building(fmt.Sprintf("g%d", i))}); err != nil {
					t.Errorf("enroll: %v", err)
				}
			}
		})
		readers.Go(func() {
			for stop.Err() == nil {
				if _, known := r.Lookup(battery("b")); !known {
					t.Error("a registered device was not known")
				}
				if _, _, err := r.ListBatteries(ctx, registry.Filter{}); err != nil {
					t.Errorf("list: %v", err)
				}
			}
		})
	}
	writers.Wait()
	cancel()
	readers.Wait()
	stored := must[devices.Battery](t)(r.GetBattery(ctx, "b"))
	if gateway, _ := r.Lookup(battery("b")); gateway.String() != stored.Gateway {
		t.Errorf("gateway in the directory: got %s, want the stored %s", gateway, stored.Gateway)
	}
	_, total, err := r.ListBuildings(ctx, registry.Filter{})
	if err != nil || total != 3 {
		t.Errorf("buildings enrolled: got %d, %v, want 3", total, err)
	}
}
