package api

import (
	"net/http"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// What the records of past weeks do not hold is not told as nothing.
func TestFleetHealthSaysWhatItCannotKnow(t *testing.T) {
	s := startPacks(t)
	now := must[FleetHealth](s, http.StatusOK, http.MethodGet, prefix+"/fleet/health", "")
	if now.Ended == nil || now.Events == nil || *now.Events == 0 {
		t.Errorf("now: got %v ended and %v events", now.Ended, now.Events)
	}
	then := must[FleetHealth](s, http.StatusOK, http.MethodGet, prefix+"/fleet/health?as_of="+Time((firstDay()+30)*telemetry.Day).date(), "")
	if then.Ended != nil || then.Events != nil {
		t.Errorf("then: got %v ended and %v events, want neither", then.Ended, then.Events)
	}
	why := map[string]string{}
	for _, h := range []FleetHealth{now, then} {
		for _, m := range h.Measures {
			if ok := m.Status == "ok"; ok != (m.P50 != nil) || ok != (m.Count > 0) || ok != (m.Reason == "") {
				t.Errorf("got %+v", m)
			}
			why[m.Measure] = m.Reason
		}
	}
	for measure, want := range map[string]string{"availability": "records", "swaps_per_day": "records", "imbalance_mv": "any battery", "soh_pct": ""} {
		if !strings.Contains(why[measure], want) || want == "" && why[measure] != "" {
			t.Errorf("then %s: got %q, want %q", measure, why[measure], want)
		}
	}
}

// A battery that no swap event names may stand at stations that send none; one that
// was swapped before was not swapped since.
func TestSwapsOfABattery(t *testing.T) {
	s := startPacks(t)
	read := func() (BatterySwapUse, BatteryDay) {
		use := must[BatteryUseReport](s, http.StatusOK, http.MethodGet, prefix+"/batteries/hot/utilization", "")
		days := must[items[BatteryDay]](s, http.StatusOK, http.MethodGet, prefix+"/batteries/hot/days?from="+Time((firstDay()+10)*telemetry.Day).date(), "")
		return use.Swaps, days.Items[0]
	}
	use, day := read()
	if use.Status != "insufficient_data" || use.Reason == "" || use.Swaps != nil || use.PerDay != nil || day.SwapsOut != nil || day.SwapsIn != nil {
		t.Errorf("no event: got %+v, on a day %v", use, day.SwapsOut)
	}
	s.commit(ledger.Changes{Parts: []ledger.Part{ledger.StationSwaps{
		Station: "s", Day: firstDay() + 5, Batteries: map[string]dossier.Swaps{"hot": {Out: 2}},
	}}})
	use, day = read()
	if use.Status != "ok" || *use.Swaps != 0 || day.SwapsOut == nil || *day.SwapsOut != 0 {
		t.Errorf("swapped before: got %+v, on a day %v", use, day.SwapsOut)
	}
}
