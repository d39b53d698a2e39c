package ledger

import (
	"bytes"
	"encoding/binary"
	"math"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

func anyBucket(t *rapid.T) rollup.Bucket {
	number := rapid.OneOf(
		rapid.Float64().Filter(func(v float64) bool { return !math.IsNaN(v) && !math.IsInf(v, 0) }),
		rapid.Map(rapid.IntRange(-1e6, 1e6), func(n int) float64 { return float64(n) / 1000 }),
		rapid.Just(math.Copysign(0, -1)),
	)
	some := rapid.Ptr(number, true)
	b := rollup.Bucket{Start: rapid.Int64().Draw(t, "start"), Stats: []rollup.Stat{}}
	for range rapid.IntRange(0, 4).Draw(t, "stats") {
		b.Stats = append(b.Stats, rollup.Stat{
			Field: rapid.SampledFrom([]string{"soc_pct", "power_w", ""}).Draw(t, "field"), Samples: rapid.IntRange(0, 1e6).Draw(t, "samples"),
			Coverage: rapid.OneOf(rapid.Just(1.0), rapid.Float64Range(0, 1)).Draw(t, "coverage"), Resets: rapid.IntRange(0, 3).Draw(t, "resets"),
			Mean: some.Draw(t, "mean"), Min: some.Draw(t, "min"), Max: some.Draw(t, "max"), Last: some.Draw(t, "last"), Delta: some.Draw(t, "delta"),
		})
	}
	return b
}

func anyDay(t *rapid.T) rollup.Day {
	d := rollup.Day{Total: anyBucket(t), Hours: []rollup.Bucket{}}
	for range rapid.IntRange(0, 3).Draw(t, "hours") {
		d.Hours = append(d.Hours, anyBucket(t))
	}
	return d
}

func TestRollupsAreUnpackedAsTheyWere(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := anyDay(t)
		packed, err := pack(&day)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpack(packed, true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(day, got, cmp.Comparer(func(x, y float64) bool { return math.Float64bits(x) == math.Float64bits(y) })); diff != "" {
			t.Errorf("(-packed +unpacked):\n%s", diff)
		}
		if got, err = unpack(packed, false); err != nil || !cmp.Equal(day.Total, got.Total) || got.Hours != nil {
			t.Errorf("without hours: got %+v, %v, want %+v", got, err, day.Total)
		}
		for n := range packed {
			if _, err := unpack(packed[:n], true); err == nil {
				t.Errorf("cut to %d of %d bytes: got no error", n, len(packed))
			}
		}
	})
}

// TestRollupsOfEarlierReleasesAreRead packs as those did.
func TestRollupsOfEarlierReleasesAreRead(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		day := anyDay(t)
		packed, err := deflate(&day)
		if err != nil {
			t.Fatal(err)
		}
		got, err := unpack(packed, true)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(day, got); diff != "" {
			t.Errorf("(-packed +unpacked):\n%s", diff)
		}
	})
}

// TestUnpackRefusesWhatIsNoNumber turns the bits of one into those of NaN, as a
// damaged file may.
func TestUnpackRefusesWhatIsNoNumber(t *testing.T) {
	v := math.Pi
	packed, err := pack(&rollup.Day{Total: rollup.Bucket{Stats: []rollup.Stat{{Field: "soc_pct", Mean: &v}}}})
	if err != nil {
		t.Fatal(err)
	}
	bits := func(v float64) []byte { return binary.LittleEndian.AppendUint64(nil, math.Float64bits(v)) }
	for _, wrong := range []float64{math.NaN(), math.Inf(1), math.Inf(-1)} {
		damaged := bytes.Replace(packed, bits(v), bits(wrong), 1)
		if _, err := unpack(damaged, true); err == nil {
			t.Errorf("%v: got no error", wrong)
		}
	}
	if _, err := unpack(packed, true); err != nil {
		t.Error(err)
	}
}

func FuzzUnpack(f *testing.F) {
	v := 81.5
	day := rollup.Day{Total: rollup.Bucket{Start: 1, Stats: []rollup.Stat{{Field: "soc_pct", Samples: 2, Coverage: 0.3, Mean: &v}}}, Hours: []rollup.Bucket{}}
	packed, err := pack(&day)
	if err != nil {
		f.Fatal(err)
	}
	f.Add(packed)
	f.Fuzz(func(t *testing.T, b []byte) {
		if _, err := unpack(b, true); err != nil {
			return // it must only not crash
		}
	})
}
