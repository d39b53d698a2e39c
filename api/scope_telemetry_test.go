package api

import (
	"context"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// counted counts the questions that reach a store.
type counted struct {
	*fakeReader
	asked int
}

func (c *counted) Latest(ctx context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error) {
	c.asked++
	return c.fakeReader.Latest(ctx, q)
}

func (c *counted) Aggregate(ctx context.Context, q telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	c.asked++
	return c.fakeReader.Aggregate(ctx, q)
}

// A store is not asked for each battery that was bought, but once for the newest
// values, and for windows once for each time since when some are seen.
func TestManyBought(t *testing.T) {
	s := start(t)
	s.must("owner", `{"id":"o","name":"O"}`)
	hour := func(n int) time.Time { return clock.Add(time.Duration(n-10) * time.Hour) }
	for id, since := range map[string]int{"always": 0, "early-1": 2, "early-2": 2, "early-3": 2, "late": 5, "unsent": 5, "now": 10} {
		body := fmt.Sprintf(`{"id":%q,"owner_id":"o","owner_since":%q}`, id, hour(since).Format(time.RFC3339))
		if since == 0 {
			body = `{"id":"always","owner_id":"o"}`
		}
		s.must("battery", body)
		if id != "unsent" {
			s.readings.put(devices.KindBattery, id, hour(4).UnixMilli(), "soc_pct", 4.0)
		}
		s.readings.put(devices.KindBattery, id, hour(1).UnixMilli(), "soc_pct", 1.0, "power_w", 1.0)
	}
	s.readings.put(devices.KindBattery, "late", hour(6).UnixMilli(), "voltage_v", 6.0)
	store := &counted{fakeReader: s.readings}
	scoped := scopedTelemetry{sight{registry: s.registry}, store}
	ctx := access.With(t.Context(), access.Principal{Role: access.Owner, OwnerID: "o"})
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Window: telemetry.Window{From: hour(0).UnixMilli(), To: hour(10).UnixMilli()}}
	samples, err := scoped.Latest(ctx, q)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, one := range samples {
		got = append(got, fmt.Sprint(one.Device, " ", one.Value.Field.Name, " ", one.Value.Num))
	}
	want := []string{"always power_w 1", "always soc_pct 4", "early-1 soc_pct 4", "early-2 soc_pct 4", "early-3 soc_pct 4", "late voltage_v 6"}
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" || store.asked != 1 {
		t.Errorf("latest, asked %d times for: (-want +got)\n%s", store.asked, diff)
	}
	store.asked, got = 0, nil
	buckets, err := scoped.Aggregate(ctx, telemetry.AggregateQuery{RangeQuery: q, Func: telemetry.Count, Every: 24 * time.Hour})
	if err != nil {
		t.Fatal(err)
	}
	for _, b := range buckets {
		for _, v := range b.Values {
			got = append(got, fmt.Sprint(v.Field.Name, " ", v.Num))
		}
	}
	want = []string{"power_w 1", "soc_pct 2", "soc_pct 3", "voltage_v 1"} // the store folds all that it is asked for
	if diff := cmp.Diff(slices.Sorted(slices.Values(want)), slices.Sorted(slices.Values(got))); diff != "" || store.asked != 3 {
		t.Errorf("aggregate, asked %d times for: (-want +got)\n%s", store.asked, diff)
	}
}
