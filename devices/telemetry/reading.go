// Package telemetry is the contract between what arrives, what is stored and
// what is computed: readings, events, windows of time, and the two interfaces
// of a store.
//
// It is pure and holds no implementation of a store; ingest/storetest holds
// every implementation to what is written here.
package telemetry

import (
	"fmt"
	"slices"
	"sort"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Reading is what one device measured at one instant. Its identity is
// (Kind, Device, TS); two readings of one identity are one reading whose
// fields merge, the later-written value winning field by field.
type Reading struct {
	Kind   devices.Kind
	Device string
	TS     int64   // Unix milliseconds, UTC
	Values []Value // ascending by Field.Index, each field at most once
}

// Ref names the device.
func (r *Reading) Ref() devices.Ref { return devices.Ref{Kind: r.Kind, ID: r.Device} }

// Value is one field of a reading: Num for numeric fields, always finite and
// never −0 (which stores as 0); Text for text fields, valid UTF-8.
type Value struct {
	Field *devices.Field
	Num   float64
	Text  string
}

// Get returns the value of the field of that name.
func (r *Reading) Get(name string) (Value, bool) {
	for _, v := range r.Values {
		if v.Field.Name == name {
			return v, true
		}
	}
	return Value{}, false
}

// Num returns the number of a field; false where the reading does not carry it
// or the field is text.
func (r *Reading) Num(name string) (float64, bool) {
	v, ok := r.Get(name)
	return v.Num, ok && v.Field.Numeric()
}

// Set puts v in its place, overwriting an earlier value of its field.
func (r *Reading) Set(v Value) {
	i, found := slices.BinarySearchFunc(r.Values, v, func(a, b Value) int { return a.Field.Index - b.Field.Index })
	if found {
		r.Values[i] = v
		return
	}
	r.Values = slices.Insert(r.Values, i, v)
}

// Merge overwrites r's fields with those of later, which has r's identity. The
// values of later are not kept.
func (r *Reading) Merge(later Reading) {
	for _, v := range later.Values {
		r.Set(v)
	}
}

// Compare orders readings by kind, device and time.
func Compare(a, b Reading) int {
	switch {
	case a.Kind != b.Kind:
		return cmpString(string(a.Kind), string(b.Kind))
	case a.Device != b.Device:
		return cmpString(a.Device, b.Device)
	case a.TS < b.TS:
		return -1
	case a.TS > b.TS:
		return 1
	}
	return 0
}

func cmpString(a, b string) int {
	if a < b {
		return -1
	}
	if a > b {
		return 1
	}
	return 0
}

// Window is the half-open interval [From, To) in Unix milliseconds.
type Window struct {
	From, To int64
}

// Between is the window from one time to another.
func Between(from, to time.Time) Window { return Window{from.UnixMilli(), to.UnixMilli()} }

// Contains reports whether ts lies in the window.
func (w Window) Contains(ts int64) bool { return w.From <= ts && ts < w.To }

// Empty reports whether no instant lies in the window.
func (w Window) Empty() bool { return w.To <= w.From }

// Duration is the length of the window.
func (w Window) Duration() time.Duration { return time.Duration(w.To-w.From) * time.Millisecond }

func (w Window) String() string {
	f := func(ms int64) string { return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z") }
	return fmt.Sprintf("[%s, %s)", f(w.From), f(w.To))
}

// Within cuts readings, which ascend by time, down to a window.
func Within(readings []Reading, w Window) []Reading {
	at := func(ts int64) int {
		return sort.Search(len(readings), func(i int) bool { return readings[i].TS >= ts })
	}
	return readings[at(w.From):at(w.To)]
}

// Millisecond counts of the calendar-free units that windows are cut into.
const (
	Hour int64 = 3600 * 1000
	Day  int64 = 24 * Hour
)

// DayOf is the UTC day that ts falls in, counted from 1970-01-01.
func DayOf(ts int64) int64 { return Floor(ts, Day) / Day }

// Floor is the greatest multiple of every that is not after ts, also before
// 1970.
func Floor(ts, every int64) int64 {
	r := ts % every
	if r < 0 {
		r += every
	}
	return ts - r
}
