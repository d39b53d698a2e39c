package api

import (
	"math"
	"net/http"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// The present day is shown up to the newest reading counted, as provisional; of a
// battery without one nothing is told but that.
func TestBatteryToday(t *testing.T) {
	s := startPacks(t)
	b, err := s.registry.GetBattery(t.Context(), "good")
	if err != nil {
		t.Fatal(err)
	}
	const until = 9 * 3600 // the ride from 90 % to 20 % of 39 Ah has just ended
	day := telemetry.DayOf(clock.UnixMilli())
	today := dossier.NewToday(day)
	for second := 0; second <= until; second += 300 {
		today.Add(pack{id: "good", capacityAh: 39}.reading(day, second), dossier.SheetOf(b), batteryRules())
	}
	s.commit(ledger.Changes{Parts: []ledger.Part{ledger.BatteriesToday{"good": today}}})

	got := must[BatteryToday](s, http.StatusOK, http.MethodGet, prefix+"/batteries/good/today", "")
	start := Time(day * telemetry.Day)
	if got.Date == nil || *got.Date != start.date() || got.Through == nil || *got.Through != start+until*1000 || !got.Provisional || got.Readings != until/300+1 {
		t.Errorf("got %+v", got)
	}
	if got.State == nil || *got.State != "idle" || got.SoCPct == nil || *got.SoCPct != 20 {
		t.Errorf("got state %v at %v %%, want idle at 20", got.State, got.SoCPct)
	}
	seconds := map[string]float64{}
	for _, x := range got.States {
		seconds[x.State] = x.Seconds
	}
	if seconds["idle"] != 2*3600 || seconds["riding"] != 7*3600 {
		t.Errorf("got %v, want two hours idle and seven riding", seconds)
	}
	// The trapezoids end half a stretch of five minutes off at either end.
	if want := 0.7 * 39.0; got.Throughput.Status != "ok" || math.Abs(*got.Throughput.ChargeThroughputAh/want-1) > 0.01 {
		t.Errorf("got %v of %v Ah", got.Throughput.ChargeThroughputAh, want)
	}

	none := must[BatteryToday](s, http.StatusOK, http.MethodGet, prefix+"/batteries/unseen/today", "")
	if none.Date != nil || none.Through != nil || none.Throughput.Status != "insufficient_data" || none.Throughput.Reason == "" || none.Throughput.ChargeThroughputAh != nil {
		t.Errorf("without a day: got %+v", none)
	}
	must[problemBody](s, http.StatusNotFound, http.MethodGet, prefix+"/batteries/nobody/today", "")
}
