package fleet

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// EventSource gives what happened to devices.
type EventSource interface {
	// Events returns the events that the query selects, and how many there are.
	Events(ctx context.Context, q ledger.EventQuery) ([]telemetry.Event, int, error)
}

// SwapCompleted is the type of the events that count as swaps.
const SwapCompleted = "swap.completed"

// eventDelay is how many days before one with new readings are counted again: an
// event marks no day itself, and may come after the readings around it.
const eventDelay = 2

// BatterySwaps is the job that counts how often each battery was handed out and
// taken back, by the events of the stations.
func BatterySwaps(events EventSource, schedule string) Job {
	return Job{
		Name: "battery-swaps", Schedule: schedule, Kinds: []devices.Kind{devices.KindStation}, Before: eventDelay,
		Compute: func(ctx context.Context, ref devices.Ref, days []int64) (ledger.Changes, int, error) {
			var c ledger.Changes
			rows := 0
			for _, s := range stretches(days) {
				found, _, err := events.Events(ctx, ledger.EventQuery{
					Kind: ref.Kind, Device: ref.ID, Types: []string{SwapCompleted},
					Window: telemetry.Window{From: s.from * telemetry.Day, To: s.to * telemetry.Day},
				})
				if err != nil {
					return c, rows, fmt.Errorf("read swaps of %s: %w", ref, err)
				}
				rows += len(found)
				for _, day := range within(days, s) {
					c.Parts = append(c.Parts, ledger.StationSwaps{Station: ref.ID, Day: day, Batteries: countSwaps(found, day)})
				}
			}
			return c, rows, nil
		},
	}
}

// countSwaps counts the swaps of each battery on a day. An event counts for the
// batteries that it names; a name that no battery can have is none.
func countSwaps(events []telemetry.Event, day int64) map[string]dossier.Swaps {
	out := map[string]dossier.Swaps{}
	for k := range events {
		if telemetry.DayOf(events[k].TS) != day {
			continue
		}
		var e struct {
			In  string `json:"battery_in"`
			Out string `json:"battery_out"`
		}
		if json.Unmarshal(events[k].Data, &e) != nil {
			continue // it was JSON when it was taken in; its fields are the sender's own
		}
		if devices.ValidID(e.In) {
			s := out[e.In]
			s.In++
			out[e.In] = s
		}
		if devices.ValidID(e.Out) {
			s := out[e.Out]
			s.Out++
			out[e.Out] = s
		}
	}
	return out
}
