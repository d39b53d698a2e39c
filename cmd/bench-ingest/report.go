package main

import (
	"cmp"
	"fmt"
	"io"
	"os"
	"os/exec"
	"runtime"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
)

// describe prints what the figures depend on.
func describe(w io.Writer, s settings) {
	fmt.Fprintf(w, "machine: %d cores, %s/%s, %s; kernel %s\n", runtime.NumCPU(), runtime.GOOS, runtime.GOARCH, processor(), kernel())
	fmt.Fprintf(w, "load: paho, QoS 1, %d devices on %d connections, %d unacknowledged each, JSON of 10 fields; the clients run on the same cores\n",
		s.Load.Devices, s.Load.Connections, s.Load.Unacked)
	fmt.Fprintf(w, "full load for %s where an acknowledgement is a commit (and on bare mochi), for %d messages until the last can be queried elsewhere; %d rounds, medians\n",
		s.Duration, s.Messages, s.Rounds)
	for _, v := range [][]string{{s.Fleetwatt, "version"}, {"mosquitto", "-h"}, {"influxd", "version"}, {"telegraf", "version"}} {
		if path, err := find(v[0], serverDirs(v[0])); err == nil {
			out, _ := exec.Command(path, v[1:]...).CombinedOutput() // mosquitto -h exits with an error
			line, _, _ := strings.Cut(strings.TrimSpace(string(out)), "\n")
			fmt.Fprintf(w, "%s: %s\n", v[0], line)
		}
	}
	fmt.Fprintf(w, "settings of mosquitto:\n%s\nof influxd:\n%s\nof Telegraf:\n%s\n", indent(mosquittoConfig), indent(influxConfig), indent(telegrafConfig))
	fmt.Fprintf(w, "fleetwatt: defaults, but for addresses, --log-level warn and --mqtt-anonymous\n\n")
}

func serverDirs(name string) string {
	if name == "mosquitto" {
		return "/usr/sbin"
	}
	return goBin()
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimSpace(text), "\n", "\n    ")
}

func processor() string {
	text, _ := os.ReadFile("/proc/cpuinfo") // absent elsewhere than on Linux
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(line, "model name"); ok {
			return strings.Trim(name, "\t :\n")
		}
	}
	return "unknown processor"
}

func kernel() string {
	text, _ := os.ReadFile("/proc/sys/kernel/osrelease") // likewise
	return strings.TrimSpace(string(text))
}

// printTable prints the median of the rounds, and how each stands to bare
// mochi under the same load.
func printTable(w io.Writer, rows []row) {
	if len(rows) == 0 {
		return
	}
	merged := medians(rows)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	fmt.Fprintln(t, "stack\tload\treadings/s\tmessages/s\tCPU µs/message\tof it fleetwatt or Telegraf\tPUBACK p50\tp99\tMB at rest\tloaded\tdisk B/reading\t")
	for _, r := range merged {
		perMessage := func(d time.Duration) float64 { return float64(d.Microseconds()) / float64(r.messages) }
		own, disk := "-", "-"
		if r.own > 0 {
			own = fmt.Sprintf("%.1f", perMessage(r.own))
		}
		if r.disk > 0 {
			disk = fmt.Sprintf("%.1f", r.disk)
		}
		fmt.Fprintf(t, "%s\t%s\t%.0f\t%.0f\t%.1f\t%s\t%s\t%s\t%d\t%d\t%s\t\n", r.stack, r.load, r.rate,
			r.rate*float64(r.messages)/float64(r.readings), perMessage(r.cpu), own,
			short(r.p50), short(r.p99), r.atRest>>20, r.resident>>20, disk)
	}
	_ = t.Flush()
}

func short(d time.Duration) string { return fmt.Sprintf("%.1f ms", float64(d.Microseconds())/1000) }

// medians merges the rounds of each stack and load. Each figure is the median
// of its own.
func medians(rows []row) []row {
	type key struct{ stack, load string }
	var order []key
	by := map[key][]row{}
	for _, r := range rows {
		k := key{r.stack, r.load}
		if by[k] == nil {
			order = append(order, k)
		}
		by[k] = append(by[k], r)
	}
	var out []row
	for _, k := range order {
		all := by[k]
		// CPU is compared by message, and rounds differ in their number.
		m := all[0]
		m.rate = median(all, func(r row) float64 { return r.rate })
		m.cpu = perMessage(all, m.messages, func(r row) time.Duration { return r.cpu })
		m.own = perMessage(all, m.messages, func(r row) time.Duration { return r.own })
		m.p50 = median(all, func(r row) time.Duration { return r.p50 })
		m.p99 = median(all, func(r row) time.Duration { return r.p99 })
		m.atRest = median(all, func(r row) int64 { return r.atRest })
		m.resident = median(all, func(r row) int64 { return r.resident })
		m.disk = median(all, func(r row) float64 { return r.disk })
		out = append(out, m)
	}
	return out
}

// perMessage is the median of the time for a message, times n.
func perMessage(rows []row, n int, of func(row) time.Duration) time.Duration {
	m := median(rows, func(r row) float64 { return float64(of(r)) / float64(r.messages) })
	return time.Duration(m * float64(n))
}

func median[T cmp.Ordered](rows []row, of func(row) T) T {
	values := make([]T, len(rows))
	for i, r := range rows {
		values[i] = of(r)
	}
	slices.Sort(values)
	return values[len(values)/2]
}
