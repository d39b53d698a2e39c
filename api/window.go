package api

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const (
	defaultSpan = 24 * time.Hour
	maxWindows  = 100_000 // windows of one answer

	// Instants outside of these years are typing errors, and beyond what every
	// store can hold in nanoseconds.
	minYear, maxYear = 1970, 2200
)

// Interval is the interval [from, to) of a request.
type Interval struct {
	From time.Time `query:"from" doc:"start, inclusive, RFC 3339; default: 24 hours before to"`
	To   time.Time `query:"to" doc:"end, exclusive, RFC 3339; default: now"`
}

// window checks the interval and fills in what was left out.
func (w Interval) window(now time.Time) (telemetry.Window, error) {
	from, to := w.From, w.To
	if to.IsZero() {
		to = now
	}
	if from.IsZero() {
		from = to.Add(-defaultSpan)
	}
	return w.checked(from, to)
}

// open is window for what is not bound to an end that was left out.
func (w Interval) open() (telemetry.Window, error) {
	from, to := w.From, w.To
	if from.IsZero() {
		from = time.UnixMilli(0)
	}
	if to.IsZero() {
		to = time.Date(maxYear, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	return w.checked(from, to)
}

func (w Interval) checked(from, to time.Time) (telemetry.Window, error) {
	for _, p := range []struct {
		name  string
		given time.Time
	}{{"query.from", w.From}, {"query.to", w.To}} {
		if y := p.given.UTC().Year(); !p.given.IsZero() && (y < minYear || y >= maxYear) {
			return telemetry.Window{}, badParameter(p.name, fmt.Sprintf("must lie from %d to %d", minYear, maxYear-1), nil)
		}
	}
	win := telemetry.Window{From: ceilMilli(from), To: ceilMilli(to)}
	if win.Empty() {
		return win, badParameter("query.from", "must be before to", Time(win.From).String())
	}
	return win, nil
}

// ceilMilli is the first whole millisecond at or after t: with it, [from, to)
// holds the same timestamps as the interval that was asked for.
func ceilMilli(t time.Time) int64 {
	ms := t.UnixMilli()
	if t.Nanosecond()%int(time.Millisecond) != 0 {
		ms++
	}
	return ms
}

// parseEvery reads a step of time: a Go duration, which may be led by weeks
// and days: 15m, 1h30m, 1d, 7d, 2w, 1d12h. It is a whole, positive number of
// milliseconds.
func parseEvery(s string) (time.Duration, error) {
	rest, total := s, time.Duration(0)
	for _, unit := range []struct {
		letter string
		length time.Duration
	}{{"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}} {
		digits, after, ok := strings.Cut(rest, unit.letter)
		if !ok {
			continue
		}
		n, err := strconv.ParseUint(digits, 10, 16)
		if err != nil {
			return 0, fmt.Errorf("%q is not a duration like 15m, 1h, 1d or 7d", s)
		}
		total += time.Duration(n) * unit.length
		rest = after
	}
	if rest != "" {
		d, err := time.ParseDuration(rest)
		if err != nil || d < 0 || total+d < total {
			return 0, fmt.Errorf("%q is not a duration like 15m, 1h, 1d or 7d", s)
		}
		total += d
	}
	if total <= 0 || total%time.Millisecond != 0 {
		return 0, fmt.Errorf("%q is not a positive multiple of 1ms", s)
	}
	return total, nil
}

// windows counts the steps of every, aligned to the Unix epoch, that w
// touches.
func windows(w telemetry.Window, every time.Duration) int64 {
	step := every.Milliseconds()
	return (telemetry.Floor(w.To-1, step)-telemetry.Floor(w.From, step))/step + 1
}
