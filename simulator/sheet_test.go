package simulator

import (
	"math"
	"testing"
)

// Every battery of the demonstration has a data sheet, which does not contradict
// its ratings.
func TestSheetOfEveryBattery(t *testing.T) {
	for _, b := range newFleet(t, Demo(1, start())).Inventory().Batteries {
		s, ok := SheetOf(b.Chemistry)
		if !ok || s.MaxV <= b.RatedVoltageV || b.RatedVoltageV <= b.CutoffVoltageV || s.ResistanceOhm <= 0 || s.Cycles <= 0 || s.Years <= 0 {
			t.Fatalf("%s: got %+v, %t", b.ID, s, ok)
		}
		for k, p := range s.Power {
			if p.Watts <= 0 || k > 0 && (p.SoCPct >= s.Power[k-1].SoCPct || p.Watts >= s.Power[k-1].Watts) {
				t.Errorf("%s: power %+v, want less with less charge", b.Chemistry, s.Power)
			}
		}
	}
	if _, ok := SheetOf("lead"); ok {
		t.Error("there is a sheet of a chemistry that is not simulated")
	}
	// 40 V · (16 · 3.293 V − 40 V) / 32 mΩ, and 2 C of 40 Ah at 51.2 V.
	lfp, _ := SheetOf("LFP")
	if got := lfp.Power[1].Watts; math.Abs(got-40*(16*3.293-40)/0.032) > 1 || lfp.MaxPowerW != 4096 {
		t.Errorf("LFP: got %v W at half charge, made for %v W", got, lfp.MaxPowerW)
	}
}
