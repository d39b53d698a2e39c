package accounts_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/accounts"
)

func TestByHour(t *testing.T) {
	berlin, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		t.Fatal(err)
	}
	const hour = 3600_000
	for _, tt := range []struct {
		name  string
		begin time.Time // of the local day
		whole int64
		rose  map[int]int64 // by the hour since then
		want  map[int]int64 // by local hour
	}{
		{"as told", time.Date(2026, 2, 9, 0, 0, 0, 0, berlin), 100, map[int]int64{3: 30, 20: 70}, map[int]int64{3: 30, 20: 70}},
		{"a part is not in the whole", time.Date(2026, 2, 9, 0, 0, 0, 0, berlin), 50, map[int]int64{3: 30, 20: 45}, map[int]int64{3: 20, 20: 30}},
		{"a spike", time.Date(2026, 2, 9, 0, 0, 0, 0, berlin), 100, map[int]int64{3: 30, 12: 9000, 20: 60}, map[int]int64{3: 30, 12: 10, 20: 60}},
		{"nothing but spikes", time.Date(2026, 2, 9, 0, 0, 0, 0, berlin), 100, map[int]int64{3: 300, 12: 9000}, map[int]int64{3: 50, 12: 50}},
		{"of another day", time.Date(2026, 2, 9, 0, 0, 0, 0, berlin), 100, map[int]int64{-1: 30, 24: 40}, map[int]int64{}},
		{"25 hours", time.Date(2026, 10, 25, 0, 0, 0, 0, berlin), 100, map[int]int64{2: 20, 3: 30, 24: 50}, map[int]int64{2: 50, 23: 50}},
		{"23 hours", time.Date(2026, 3, 29, 0, 0, 0, 0, berlin), 100, map[int]int64{1: 20, 2: 80}, map[int]int64{1: 20, 3: 80}},
		{"nothing", time.Date(2026, 2, 9, 0, 0, 0, 0, berlin), 0, map[int]int64{3: 5}, map[int]int64{}},
	} {
		var rose []accounts.DrawnHour
		for h, mwh := range tt.rose {
			rose = append(rose, accounts.DrawnHour{Start: tt.begin.UnixMilli() + int64(h)*hour, MilliWh: mwh})
		}
		got := accounts.ByHour(tt.whole, tt.begin.UnixMilli(), tt.begin.AddDate(0, 0, 1).UnixMilli(), berlin, rose)
		for h := range got {
			if got[h] != tt.want[h] {
				t.Errorf("%s: hour %d: got %d, want %d", tt.name, h, got[h], tt.want[h])
			}
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		var rose []accounts.DrawnHour
		for h := range int64(24) {
			rose = append(rose, accounts.DrawnHour{Start: h * hour, MilliWh: rapid.Int64Range(-10, 1e12).Draw(t, "rose")})
		}
		whole, sum, some := rapid.Int64Range(0, 1e13).Draw(t, "whole"), int64(0), false
		for h, mwh := range accounts.ByHour(whole, 0, 24*hour, time.UTC, rose) {
			if sum += mwh; mwh < 0 {
				t.Fatalf("hour %d: got %d", h, mwh)
			}
			some = some || rose[h].MilliWh > 0
		}
		if some && sum != whole {
			t.Fatalf("got %d in all, want %d", sum, whole)
		}
	})
}
