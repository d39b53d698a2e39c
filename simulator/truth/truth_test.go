package truth_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
	"github.com/fleetwatt/fleetwatt/simulator/truth"
)

var start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

func TestCSV(t *testing.T) {
	var out bytes.Buffer
	c, err := truth.NewCSV(&out)
	if err != nil {
		t.Fatal(err)
	}
	ref := devices.Ref{Kind: devices.KindBattery, ID: "b1"}
	ms := start.UnixMilli()
	for _, r := range []truth.Record{
		{TS: ms, Device: ref, Quantity: "capacity_ah", Value: 39.123456789123},
		truth.OfFault(ref, faults.Hit{Fault: "offline", From: ms, To: ms + 3600e3}),
		truth.OfFault(ref, faults.Hit{Fault: "missing", From: ms, To: ms, Detail: `soc_pct "x", y`}),
		truth.OfFault(ref, faults.Hit{Fault: "clock_drift", From: ms, Detail: "3 ppm"}),
	} {
		if err := c.Write(r); err != nil {
			t.Fatal(err)
		}
	}
	if err := c.Flush(); err != nil {
		t.Fatal(err)
	}
	want := `time,until,kind,id,quantity,value,detail
2026-01-01T00:00:00.000Z,,battery,b1,capacity_ah,39.12345679,
2026-01-01T00:00:00.000Z,2026-01-01T01:00:00.000Z,battery,b1,fault.offline,1,
2026-01-01T00:00:00.000Z,,battery,b1,fault.missing,1,"soc_pct ""x"", y"
2026-01-01T00:00:00.000Z,,battery,b1,fault.clock_drift,1,3 ppm
`
	if diff := cmp.Diff(want, out.String()); diff != "" {
		t.Error(diff)
	}
}

type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("disk full") }

func TestCSVReportsErrors(t *testing.T) {
	c, err := truth.NewCSV(full{})
	if err == nil {
		err = c.Flush()
	}
	if err == nil || !strings.Contains(err.Error(), "disk full") {
		t.Errorf("got %v", err)
	}
}

// Every device has its quantities, with the values of the simulator.
func TestAppend(t *testing.T) {
	f, err := simulator.New(simulator.Demo(1, start))
	if err != nil {
		t.Fatal(err)
	}
	f.Step(nil, nil)
	state := f.Truth()
	perKind := map[devices.Kind]int{}
	got := map[string]float64{}
	for _, r := range truth.Append(nil, 5, state) {
		if r.TS != 5 {
			t.Fatalf("got %+v", r)
		}
		perKind[r.Device.Kind]++
		got[r.Device.ID+" "+r.Quantity] = r.Value
	}
	if diff := cmp.Diff(map[devices.Kind]int{devices.KindBattery: 60 * 13, devices.KindStation: 4 * 5, devices.KindBuilding: 2 * 10}, perKind); diff != "" {
		t.Error(diff)
	}
	for key, want := range map[string]float64{
		"bat-0001 capacity_ah": state.Batteries[0].CapacityAh,
		"bat-0060 soh_pct":     100 * state.Batteries[59].SoH,
		"st-01 energy_wh":      state.Stations[0].DrawnWh,
		"bld-02 import_wh":     state.Buildings[1].ImportWh,
	} {
		if got[key] != want || want == 0 {
			t.Errorf("%s: got %v want %v", key, got[key], want)
		}
	}
}
