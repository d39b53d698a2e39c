package assess

import (
	"fmt"
	"syscall"
	"testing"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/choose"
)

// The whole assessment of a building over two years. A night of 10,000 on two
// cores in five minutes leaves 60 ms of CPU for each; with the choice of the night
// before there is less to do. cpu-ms/op does not count what else the machine does.
func BenchmarkAssess(b *testing.B) {
	for _, hourly := range []bool{false, true} {
		q := Request{Interval: energy.Daily}
		o := office(3)
		q.Baseline, q.Reporting = o.days(year(2021), 365, 0), o.days(year(2022), 365, 0.1)
		if hourly {
			q.Interval, q.Baseline, q.Reporting = energy.Hourly, hoursOf(q.Baseline), hoursOf(q.Reporting)
		}
		first, err := Assess(q)
		if err != nil || first.Choice == nil {
			b.Fatalf("got %+v, %v", first, err)
		}
		for _, c := range []struct {
			name   string
			choice *choose.Choice
		}{{"new", nil}, {"kept", first.Choice}} {
			q := q
			q.Choice = c.choice
			b.Run(fmt.Sprintf("interval=%s/choice=%s", q.Interval, c.name), func(b *testing.B) {
				began := cpuSeconds(b)
				for b.Loop() {
					if _, err := Assess(q); err != nil {
						b.Fatal(err)
					}
				}
				b.ReportMetric(1000*(cpuSeconds(b)-began)/float64(b.N), "cpu-ms/op")
			})
		}
	}
}

// cpuSeconds is what this process has used, in user and kernel mode.
func cpuSeconds(b *testing.B) float64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return float64(u.Utime.Nano()+u.Stime.Nano()) / 1e9
}
