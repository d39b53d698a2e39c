package main

import (
	"context"
	"math"
	"path/filepath"
	"testing"

	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Six weeks of history over MQTT, then the jobs: every battery has an assessment,
// and it is the one that its standing has.
func TestEveryBatteryIsAssessed(t *testing.T) {
	t.Parallel()
	inv, all := recorded(t)
	data := t.TempDir()
	s := serve(t, "--data", data)
	s.rate(inv)
	s.deliver("history", all, 96)
	for _, job := range []string{"battery-swaps", "battery", "battery-today"} {
		s.runJob(job)
	}
	s.stop()

	l, err := ledger.Open(t.Context(), filepath.Join(data, "ledger.db"), ledger.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}()
	standings, err := l.Standings(t.Context())
	if err != nil || len(standings) != len(inv.Batteries) {
		t.Fatalf("got %d standings, %v, want %d", len(standings), err, len(inv.Batteries))
	}
	assets := rated{}
	for _, b := range inv.Batteries {
		assets[b.ID] = devices.Battery{
			Asset: devices.Asset{ID: b.ID}, RatedCapacityAh: b.RatedCapacityAh, RatedVoltageV: b.RatedVoltageV, CutoffVoltageV: b.CutoffVoltageV,
		}
	}
	var section config.Battery
	book := fleet.NewBatteryBook(l, assets, section.Rules())
	for _, want := range standings {
		if want.Status != "ok" || want.SoHPct == nil || *want.SoHPct < 50 || *want.SoHPct > 110 || want.Utilization == nil {
			t.Errorf("%s: %+v", want.Device, want)
		}
		a, ok, err := book.Assessment(t.Context(), want.Device, math.MaxInt64)
		if err != nil || !ok || !a.Score.OK() || *a.Score.Score != *want.HealthScore || a.Passport.EventsAt == 0 || !a.Lifetime.OK() {
			t.Errorf("%s: got %v, %v, %+v", want.Device, ok, err, a.Score)
		}
	}
}

// rated are the registered batteries.
type rated map[string]devices.Battery

func (r rated) GetBattery(_ context.Context, id string) (devices.Battery, error) {
	return r[id], nil
}
