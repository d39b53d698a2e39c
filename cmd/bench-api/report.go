package main

import (
	"fmt"
	"io"
	"runtime"
	"slices"
	"text/tabwriter"
	"time"
)

func milliseconds(d time.Duration) float64 { return float64(d) / float64(time.Millisecond) }

func describe(w io.Writer, s settings) {
	_, _ = fmt.Fprintf(w, "%d batteries of %d owners; %d clients, half with a key that sees all, half with owners' keys; no gzip, no If-None-Match;\n"+
		"%d MQTT messages/s from %d batteries; %d CPUs for the server and its load; %s for each phase, a quarter of it for the first\n",
		s.Batteries, owners, s.Clients, s.Messages, min(publishing, s.Batteries), runtime.NumCPU(), s.Duration)
}

// printTable writes a phase: a line for each read and one for all. In the paced
// phase times run from when a request was due, so that a server that falls
// behind can't hide it.
func printTable(w io.Writer, r result) {
	n := len(r.samples)
	_, _ = fmt.Fprintf(w, "\n%s: %d requests in %.1f s; server %.0f µs CPU a request (ingest included), load %.0f µs; CPUs busy: server %.2f, load %.2f; memory up to %d MiB; MQTT %.0f acknowledged/s, %d failed\n",
		r.name, n, r.took.Seconds(), perRequest(r.server, n), perRequest(r.own, n), r.server.Seconds()/r.took.Seconds(), r.own.Seconds()/r.took.Seconds(),
		r.resident>>20, float64(r.acked)/r.took.Seconds(), r.refused)
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', tabwriter.AlignRight)
	_, _ = fmt.Fprintln(t, "read\trequests/s\tmean ms\tp50\tp95\tp99\tmax\tbytes\terrors\t")
	for k, kind := range mix() {
		line(t, kind.name, r, func(x sample) bool { return x.read == k })
	}
	line(t, "all", r, func(sample) bool { return true })
	_ = t.Flush()
	if r.first != nil {
		_, _ = fmt.Fprintln(w, "an error:", r.first)
	}
}

func perRequest(d time.Duration, n int) float64 {
	return float64(d.Microseconds()) / float64(max(1, n))
}

func line(w io.Writer, name string, r result, of func(sample) bool) {
	var (
		took           []time.Duration
		sum            time.Duration
		bytes, errored int
	)
	for _, x := range r.samples {
		if !of(x) {
			continue
		}
		took = append(took, x.took)
		sum += x.took
		bytes += x.length
		if x.failed {
			errored++
		}
	}
	if len(took) == 0 {
		return
	}
	slices.Sort(took)
	at := func(q float64) float64 { return milliseconds(took[min(int(q*float64(len(took))), len(took)-1)]) }
	n := len(took)
	_, _ = fmt.Fprintf(w, "%s\t%.0f\t%.1f\t%.1f\t%.1f\t%.1f\t%.1f\t%d\t%d\t\n", name, float64(n)/r.took.Seconds(),
		milliseconds(sum)/float64(n), at(0.5), at(0.95), at(0.99), at(1), bytes/n, errored)
}
