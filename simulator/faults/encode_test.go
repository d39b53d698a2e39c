package faults

import (
	"math"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
)

// The fast encoder writes the bytes of the one of the contract.
func TestEncodesAsTheContract(t *testing.T) {
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatal(err)
	}
	fields := schema.Measurement(devices.KindBattery).Fields
	number := rapid.OneOf(
		rapid.Float64(),
		rapid.Custom(func(t *rapid.T) float64 {
			per := rapid.SampledFrom([]float64{1, 10, 100, 1000, 10000}).Draw(t, "per")
			return float64(rapid.Int64Range(-1e15, 1e15).Draw(t, "n")) / per
		}),
		rapid.Float64Range(-1000, 1000),
		rapid.SampledFrom([]float64{0, math.Copysign(0, -1), 0.001, -0.001, 0.01, 0.1, 1e12, 999999999999.999, math.NaN(), math.Inf(1), math.Inf(-1), 1e-7}),
	)
	rapid.Check(t, func(t *rapid.T) {
		r := telemetry.Reading{Kind: devices.KindBattery, Device: "b", TS: rapid.Int64().Draw(t, "ts")}
		for _, f := range fields {
			if !rapid.Bool().Draw(t, f.Name) {
				continue
			}
			v := telemetry.Value{Field: f}
			if f.Numeric() {
				v.Num = number.Draw(t, "number")
			} else {
				v.Text = rapid.OneOf(rapid.String(), rapid.SampledFrom([]string{"", "riding", "st-01", `"`, `\`, "é"})).Draw(t, "text")
			}
			r.Values = append(r.Values, v)
		}
		if got, want := string(appendReading([]byte("x"), &r)), "x"+string(wire.AppendReading(nil, &r)); got != want {
			t.Fatalf("got  %s\nwant %s", got, want)
		}
	})
}
