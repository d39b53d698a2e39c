package main

import (
	"context"
	"fmt"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api"
	"github.com/fleetwatt/fleetwatt/cmd/internal/client"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// declare enters what the maker says of batteries, for their passports. What
// somebody declared of one already stays.
func declare(ctx context.Context, c *client.Client, batteries []devices.Battery) error {
	for _, b := range batteries {
		of, ok := simulator.SheetOf(b.Chemistry)
		if !ok {
			continue
		}
		path := devicePath(devices.Ref{Kind: devices.KindBattery, ID: b.ID}) + "/passport/sheet"
		_, err := c.Call(ctx, http.MethodGet, path, nil, nil, nil)
		if refusedWith(err, http.StatusNotFound) {
			_, err = c.Call(ctx, http.MethodPut, path, nil, sheetOf(b, of), nil)
		}
		if err != nil {
			return fmt.Errorf("declare battery %s: %w", b.ID, err)
		}
	}
	return nil
}

// sheetOf is a data sheet as the API takes it. Ratings it leaves to the registry.
func sheetOf(b devices.Battery, s simulator.DataSheet) api.BatterySheet {
	sheet := api.BatterySheet{
		Status: "original", RatedMaximumPowerKW: new(s.MaxPowerW / 1000),
		PowerCapabilityRatio: new(s.MaxPowerW / (b.RatedCapacityAh * b.RatedVoltageV)),
		ExpectedCycles:       &s.Cycles, ExpectedYears: &s.Years, ExhaustionPct: &s.ExhaustionPct, LifeTestRateC: &s.LifeTestRateC,
		LifetimeReferenceTestURI: s.LifeTest, InitialSelfDischargePct: &s.SelfDischargePct, InitialResistanceOhm: &s.ResistanceOhm,
		RoundTripPct: &s.RoundTripPct, RoundTripHalfLifePct: &s.HalfLifePct, MaxVoltageV: &s.MaxV, IdleMinC: &s.MinC, IdleMaxC: &s.MaxC,
	}
	if b.Commissioned != nil {
		sheet.DeclaredAt = new(api.Time(b.Commissioned.UnixMilli()))
	}
	for _, p := range s.Power {
		sheet.OriginalPower = append(sheet.OriginalPower, api.SheetPower(p))
	}
	return sheet
}
