package main

import (
	"math"
	"time"
)

// foretold compares the forecasts of the API, made from all but the last two
// weeks, with what came.
func (s *server) foretold(rows []stationRow, days int, end time.Time) {
	s.t.Helper()
	if days < 36 {
		return
	}
	ours, naive, inside, n := 0.0, 0.0, 0, 0
	for _, row := range rows {
		arrivals := map[string]float64{}
		for _, d := range get[rowsOf[struct {
			Date                     string
			Swaps, Failures, Reneged int
		}]](s, "/api/v1/stations/"+row.ID+"/days?limit=1000").Items {
			arrivals[d.Date] = float64(d.Swaps + d.Failures + d.Reneged)
		}
		for back := 15; back+21 <= days; back += 7 {
			f := get[struct {
				Forecast struct {
					Status string
					Days   []struct {
						Date            string
						Mean, Low, High float64
					}
				}
			}](s, "/api/v1/stations/"+row.ID+"/demand?as_of="+end.AddDate(0, 0, -back).Format(time.DateOnly)).Forecast
			if f.Status != "ok" {
				continue
			}
			for _, d := range f.Days {
				at, err := time.Parse(time.DateOnly, d.Date)
				if err != nil {
					s.t.Fatal(err)
				}
				truth, known := arrivals[d.Date]
				first, _ := time.Parse(time.DateOnly, f.Days[0].Date)
				before := at
				for !before.Before(first) {
					before = before.AddDate(0, 0, -7)
				}
				week, both := arrivals[before.Format(time.DateOnly)]
				if !known || !both || !at.Before(end.AddDate(0, 0, -1)) {
					continue
				}
				ours += math.Abs(truth - d.Mean)
				naive += math.Abs(truth - week)
				if truth >= d.Low && truth <= d.High {
					inside++
				}
				n++
			}
		}
	}
	if n == 0 {
		s.t.Error("nothing was foretold")
		return
	}
	s.t.Logf("forecasts of %d days: error %.2f a day, seasonal naive %.2f (skill %.2f); %.0f %% inside the interval",
		n, ours/float64(n), naive/float64(n), 1-ours/naive, 100*float64(inside)/float64(n))
	if ours >= naive || float64(inside) < 0.8*float64(n) {
		s.t.Errorf("forecasts: error %.2f, naive %.2f, %d of %d inside", ours/float64(n), naive/float64(n), inside, n)
	}
}
