package registrytest

import (
	"fmt"
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// testOwnershipModel sells a battery at random times and holds who owned it
// each day to a model: the list of days, written over from the day of each sale.
// What is sold on the day it was bought was never bought, and the sale may be as
// early as the one before allows.
func testOwnershipModel(t *testing.T, open Opener) {
	const days = 12
	ctx := t.Context()
	now := time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	begin := now.AddDate(0, 0, -days)
	r := open(t, registry.Options{Now: func() time.Time { return now }})
	defer func() { closed(t, r) }()
	for _, id := range []string{"a", "b", "c"} {
		must[devices.Owner](t)(r.CreateOwner(ctx, devices.Owner{ID: id, Name: id}))
	}
	run := 0
	rapid.Check(t, func(rt *rapid.T) {
		run++
		id := fmt.Sprintf("x%d", run)
		must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: id}}))
		var model [days]string
		var spells []spell // what is left of the sales so far
		for range rapid.IntRange(1, 6).Draw(rt, "sales") {
			to := rapid.SampledFrom([]string{"", "a", "b", "c"}).Draw(rt, "to")
			day := rapid.IntRange(0, days-1).Draw(rt, "day")
			owner, earliest := "", 0
			if n := len(spells); n > 0 {
				owner, earliest = spells[n-1].owner, spells[n-1].bound
			}
			if to == owner {
				continue // a correction, which has a test of its own
			}
			at := begin.AddDate(0, 0, day)
			_, err := r.UpdateBattery(ctx, id, registry.BatteryPatch{AssetPatch: registry.AssetPatch{OwnerID: &to, OwnerSince: &at}})
			if allowed := day >= earliest; allowed != (err == nil) {
				rt.Fatalf("sale on day %d after day %d: got %v, want success %v", day, earliest, err, allowed)
			}
			if err != nil {
				continue
			}
			for d := day; d < days; d++ {
				model[d] = to
			}
			spells = after(spells, spell{owner: to, bound: day})
		}
		for d, want := range model {
			got, owned, err := r.OwnerAt(ctx, "battery", id, begin.AddDate(0, 0, d))
			if err != nil || got != want || owned != (want != "") {
				rt.Fatalf("owner on day %d: got %q, %v, want %q", d, got, err, want)
			}
		}
	})
}

// spell is a time of one owner, or of none, and the day before which it can't
// end.
type spell struct {
	owner string
	bound int
}

// after adds a spell. One of an owner that lasted no time leaves no trace; nor
// does one of nobody after it, or at the beginning.
func after(spells []spell, s spell) []spell {
	if n := len(spells); n > 0 && spells[n-1].owner != "" && spells[n-1].bound == s.bound {
		spells = spells[:n-1]
	}
	if s.owner == "" && (len(spells) == 0 || spells[len(spells)-1].owner == "") {
		return spells
	}
	return append(spells, s)
}
