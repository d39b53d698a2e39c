package api

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// registered is what the registry and the ledger hold in a test of snapshots.
type registered struct {
	batteries map[string]devices.Battery
	results   map[string]ledger.BatteryChange
}

// step changes some of it, and returns what has changed.
func (r *registered) step(t *rapid.T) (changed []devices.Battery, results []ledger.BatteryChange) {
	ids := rapid.SampledFrom([]string{"b1", "b2", "b3", "b4", "b5", "b6"})
	for range rapid.IntRange(0, 3).Draw(t, "changes") {
		id := ids.Draw(t, "id")
		b := r.batteries[id]
		b.ID, b.Version = id, b.Version+1
		switch rapid.IntRange(0, 6).Draw(t, "what") {
		case 0:
			b.OwnerID = rapid.SampledFrom([]string{"", "o1", "o2"}).Draw(t, "owner")
		case 1:
			b.Name = rapid.SampledFrom([]string{"x", "y"}).Draw(t, "name")
		case 2:
			b.RatedCapacityAh = float64(rapid.IntRange(0, 3).Draw(t, "rated"))
		case 3:
			b.Status = rapid.SampledFrom([]devices.Status{devices.StatusActive, devices.StatusRetired}).Draw(t, "status")
		case 4:
			at := time.UnixMilli(rapid.Int64Range(0, 3).Draw(t, "deleted"))
			if b.DeletedAt = &at; at.UnixMilli() == 0 {
				b.DeletedAt = nil
			}
		case 5:
			b.Chemistry = rapid.SampledFrom([]string{"LFP", "NMC"}).Draw(t, "chemistry")
		default:
			score, ah, at := float64(rapid.IntRange(0, 3).Draw(t, "score")), 1.0, int64(1)
			found := ledger.BatteryChange{Device: id, Standing: &dossier.Standing{Device: id, Status: "ok", HealthScore: &score}, Health: battery.Health{CapacityAh: &ah, MeasuredAt: &at}}
			r.results[id], results = found, append(slices.DeleteFunc(results, func(c ledger.BatteryChange) bool { return c.Device == id }), found)
			continue
		}
		r.batteries[id] = b
		changed = append(slices.DeleteFunc(changed, func(c devices.Battery) bool { return c.ID == id }), b)
	}
	slices.SortFunc(changed, func(a, b devices.Battery) int { return strings.Compare(a.ID, b.ID) })
	slices.SortFunc(results, func(a, b ledger.BatteryChange) int { return strings.Compare(a.Device, b.Device) })
	return changed, results
}

// anew is a snapshot that follows no other.
func (r *registered) anew() *snapshot {
	var batteries []devices.Battery
	for _, id := range slices.Sorted(maps.Keys(r.batteries)) {
		batteries = append(batteries, r.batteries[id])
	}
	return newSnapshot(&spans{}).with(batteries, true, slices.Collect(maps.Values(r.results)))
}

// What is brought up to date with some changes is what is worked out anew, whatever
// was asked of which snapshot before.
func TestAnswersFollowChanges(t *testing.T) {
	table := newTable[Battery](tableSpec{name: "batteries", aliases: map[string]string{"health": "results.health_score"}, filters: []string{"health"}, late: []string{"health", "telemetry"}})
	above, err := table.filters[slices.IndexFunc(table.filters, func(f filter) bool { return f.param == "health_gt" })].condition("0")
	if err != nil {
		t.Fatal(err)
	}
	filters := []registry.Filter{{}, {OwnerID: "o1"}, {OwnerID: "o2", Status: devices.StatusActive}, {Deleted: true}}
	ask := func(s *snapshot, question int) any {
		part := fleetPart{snapshot: s, filter: filters[question%len(filters)], some: true, whole: true}
		by := &selection[Battery]{table: table}
		switch question / len(filters) {
		case 0:
			return part.view(part.batteries(), true)
		case 1:
			by.order = []order{{table.byName["health"], false}}
		case 2:
			by.order = []order{{table.byName["name"], true}, {table.byName["health"], true}}
		case 3:
			by.conditions = []condition{above}
		case 4:
			sum := part.sum()
			return []any{sum.statuses, sum.soh}
		default:
			return healthOf(part, "")
		}
		return part.view(batteriesBy(part, by), true)
	}
	const questions = 6 * 4
	rapid.Check(t, func(t *rapid.T) {
		r := &registered{map[string]devices.Battery{}, map[string]ledger.BatteryChange{}}
		kept := r.anew()
		for step := range rapid.IntRange(1, 8).Draw(t, "steps") {
			changed, results := r.step(t)
			kept = kept.with(changed, false, results)
			anew := r.anew()
			for q := range questions {
				if !rapid.Bool().Draw(t, fmt.Sprint("asked ", q)) {
					continue
				}
				if diff := cmp.Diff(ask(anew, q), ask(kept, q)); diff != "" {
					t.Fatalf("step %d, question %d (-anew +followed):\n%s", step, q, diff)
				}
			}
		}
	})
}

// A change of one battery does not have a large fleet sorted again.
func TestAnswersAreNotWorkedOutAgain(t *testing.T) {
	builds := 0
	ask := func(s *snapshot) []*known {
		return recall(s, "question", inOrder(keeps(registry.Filter{}), compareIDs), func() ([]*known, int) {
			builds++
			return slices.Clone(s.all), 0
		})
	}
	many := func(n int) (list []devices.Battery) {
		for k := range n {
			list = append(list, devices.Battery{Asset: devices.Asset{ID: fmt.Sprintf("%06d", k), Record: devices.Record{Version: int64(n)}}})
		}
		return list
	}
	s := newSnapshot(&spans{}).with(many(500), true, nil)
	ask(s)
	for _, step := range []struct{ changed, builds int }{{1, 1}, {maxFollowed, 1}, {maxFollowed + 1, 2}, {2, 2}} {
		s = s.with(many(step.changed), false, nil)
		if got := ask(s); builds != step.builds || !slices.Equal(got, s.all) {
			t.Errorf("after %d changes: worked out %d times, want %d; %d batteries", step.changed, builds, step.builds, len(got))
		}
	}
}
