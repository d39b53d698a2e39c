package fleet

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// What a station puts in place of a battery's id can be anything; some of it no
// database can store.
func TestSwapsOfWhatIsABattery(t *testing.T) {
	var events []telemetry.Event
	for _, data := range []string{
		`{"battery_in":"a","battery_out":"b"}`, `{"battery_in":"a\u0000","battery_out":"b"}`, `{"battery_in":"","battery_out":"no id"}`, `{"battery_in":7}`,
	} {
		events = append(events, telemetry.Event{TS: 5 * telemetry.Day, Data: []byte(data)})
	}
	want := map[string]dossier.Swaps{"a": {In: 1}, "b": {Out: 2}}
	if diff := cmp.Diff(want, countSwaps(events, 5)); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
