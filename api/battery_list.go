package api

import (
	"cmp"
	"context"
	"fmt"
	"iter"
	"reflect"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

type batteriesInput struct {
	Query
	OwnerID string `query:"owner_id" maxLength:"64" doc:"only what this owner owns"`
	SiteID  string `query:"site_id" maxLength:"64" doc:"only what stands on this site"`
	Status  string `query:"status" enum:"unclaimed,active,retired" doc:"only devices of this status"`
	Deleted bool   `query:"deleted" doc:"those that are deleted too"`
}

// routeBatteryList registers the list of batteries.
func (a *API) routeBatteryList() {
	t := newTable[Battery](tableSpec{
		name: "batteries", sort: []string{"id"},
		aliases: map[string]string{
			"health": "results.health_score", "soh": "results.soh_pct", "replace": "results.replace_at.median",
			"remaining_days": "results.remaining_days.median", "cycles": "results.equivalent_full_cycles",
			"utilization": "results.utilization", "swaps_per_day": "results.swaps_per_day", "warranty": "results.warranty",
			"health_status": "results.status", "outlook_status": "results.outlook_status", "resistance": "results.resistance_mohm",
			"negative_events": "results.negative_events", "behind_knee": "results.behind_knee", "confidence": "results.confidence",
			"claim": "results.warranty_claim",
		},
		filters: []string{
			"health", "soh", "replace", "remaining_days", "cycles", "utilization", "swaps_per_day", "warranty", "health_status",
			"outlook_status", "resistance", "negative_events", "behind_knee", "confidence", "claim",
			"chemistry", "commissioned", "rated_capacity_ah", "name", "serial", "gateway",
		},
		late: []string{"health", "telemetry"},
	})
	addSelection(a, operation{
		right: access.Read, id: "list-batteries", path: "/batteries", tag: "batteries",
		summary: "List batteries with where they stand",
		notes:   "Narrowed by results, only batteries that have the result are in the list.",
	}, t, a.listBatteries)
}

// listBatteries shows a page of those that the input selects.
func (a *API) listBatteries(ctx context.Context, in *batteriesInput, s *selection[Battery]) (doc items[Battery], page iter.Seq[*Battery], total int, err error) {
	doc.Items = []Battery{}
	part, err := a.fleet.part(ctx, registry.Filter{OwnerID: in.OwnerID, SiteID: in.SiteID, Status: devices.Status(in.Status), Deleted: in.Deleted})
	if err != nil || !part.some {
		return doc, each[Battery](nil), 0, err
	}
	all := batteriesBy(part, s)
	return doc, part.views(cut(s.query, all), part.whole), len(all), nil
}

// batteriesBy are those of the part that the selection has, in its order.
func batteriesBy(part fleetPart, s *selection[Battery]) []*known {
	if s.byID() {
		return part.batteries()
	}
	sorted := inOrder(keepsChosen(s, keeps(part.filter)), comparedBy(s))
	return recall(part.snapshot, "list "+question(part.filter)+" "+s.key(), sorted, func() ([]*known, int) {
		chosen := chooseBatteries(s, part.batteries())
		return chosen, len(chosen)
	})
}

// byID tells whether the rows are as the registry has them: all, by id.
func (s *selection[T]) byID() bool {
	return len(s.conditions) == 0 && (len(s.order) == 0 || len(s.order) == 1 && s.order[0].column.name == "id" && !s.order[0].down)
}

// key is another for each choice and order of the rows.
func (s *selection[T]) key() string {
	var b strings.Builder
	for _, c := range s.conditions {
		fmt.Fprintf(&b, "%s %v %q ", c.param, c.num, c.texts)
	}
	for _, o := range s.order {
		fmt.Fprintf(&b, "%s %t ", o.column.name, o.down)
	}
	return b.String()
}

// keepsChosen tells which of those that keep keeps the selection chooses.
func keepsChosen(s *selection[Battery], keep func(*known) bool) func(*known) bool {
	return func(b *known) bool {
		if !keep(b) {
			return false
		}
		view := viewKnown(b, &BatteryStanding{})
		return s.chooses(reflect.ValueOf(&view).Elem())
	}
}

// comparedBy is the order that chooseBatteries has.
func comparedBy(s *selection[Battery]) func(x, y *known) int {
	keys := func(b *known) []cell {
		view := viewKnown(b, &BatteryStanding{})
		return s.keys(nil, reflect.ValueOf(&view).Elem())
	}
	return func(x, y *known) int { return cmp.Or(s.compare(keys(x), keys(y)), compareIDs(x, y)) }
}

// chooseBatteries is selection.narrow for batteries that are not shown yet.
func chooseBatteries(s *selection[Battery], of []*known) []*known {
	var (
		chosen []*known
		keys   = make([]cell, 0, len(of)*len(s.order)) // of each of the chosen, len(s.order)
		room   BatteryStanding
	)
	for _, b := range of {
		view := viewKnown(b, &room)
		row := reflect.ValueOf(&view).Elem()
		if s.chooses(row) {
			chosen, keys = append(chosen, b), s.keys(keys, row)
		}
	}
	if len(s.order) == 0 {
		return chosen
	}
	// Positions are sorted, not the batteries: they are moved a hundred thousand times.
	at := make([]int32, len(chosen))
	for k := range at {
		at[k] = int32(k)
	}
	n := len(s.order)
	slices.SortFunc(at, func(x, y int32) int {
		if c := s.compare(keys[int(x)*n:], keys[int(y)*n:]); c != 0 {
			return c
		}
		return int(x - y) // equal ones stay in their order
	})
	out := make([]*known, len(chosen))
	for k, from := range at {
		out[k] = chosen[from]
	}
	return out
}
