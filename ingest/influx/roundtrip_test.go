package influx_test

import (
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/influx"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
	"github.com/fleetwatt/fleetwatt/ingest/storetest"
)

// TestRoundTrip sends texts and numbers of every sort through the real parser
// and back: what is drawn is what is read.
func TestRoundTrip(t *testing.T) {
	db := servertest.StartInfluxd(t)
	s := open(t, influx.Options{URL: db.URL, Bucket: "db"})
	schema := storetest.Schema(t)
	state := schema.Field(devices.KindBattery, "state")
	power := schema.Field(devices.KindBattery, "power_w")
	texts := rapid.OneOf(rapid.StringN(0, -1, devices.MaxTextLength), rapid.StringOfN(rapid.RuneFrom([]rune("\\\"\n, =x🔋\r\x00'")), 0, -1, devices.MaxTextLength))
	check := 0
	rapid.Check(t, func(rt *rapid.T) {
		check++
		type pair struct {
			TS   int64
			Text string
			Num  float64
		}
		device := fmt.Sprint("d", check)
		var want, got []pair
		var in []telemetry.Reading
		for i := range rapid.IntRange(1, 40).Draw(rt, "readings") {
			p := pair{t0 + int64(i), texts.Draw(rt, "text"), rapid.Float64Range(power.Min, power.Max).Draw(rt, "number")}
			want = append(want, p)
			in = append(in, telemetry.Reading{Kind: devices.KindBattery, Device: device, TS: p.TS, Values: []telemetry.Value{
				{Field: power, Num: p.Num}, {Field: state, Text: p.Text},
			}})
		}
		if out, err := s.Append(t.Context(), in); err != nil || out.New != len(in) {
			rt.Fatalf("append: got %+v, error %v, want %d new", out, err, len(in))
		}
		q := all()
		q.Devices = []string{device}
		if err := s.Range(t.Context(), q, func(r telemetry.Reading) error {
			n, _ := r.Num("power_w")
			text, _ := r.Get("state")
			got = append(got, pair{r.TS, text.Text, n})
			return nil
		}); err != nil {
			rt.Fatalf("range: %v", err)
		}
		if d := cmp.Diff(want, got); d != "" {
			rt.Errorf("(-want +got):\n%s", d)
		}
	})
}
