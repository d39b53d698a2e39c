package fleet

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// What an event of a station may tell beside its type. A member that is missing,
// or is not what it should be, is one that was not told.
//
//	swap.*            duration_s (from the rider's coming to the end), wait_s, swap_s,
//	                  energy_wh (handed out less handed in), slots_ready (when the
//	                  rider came), reason (of a failure), battery_in
//	charge.completed  battery, energy_wh (into it)
//	fault.*           slot (absent: the whole station), code
//	maintenance.done  slot, started_at (epoch milliseconds or RFC 3339)
type stationEvent struct {
	members map[string]json.RawMessage
}

// longestS bounds a time that an event tells, in seconds.
const longestS = 86400

// noneReady are the reasons of a failure that say there was no charged pack.
func noneReady(reason string) bool {
	return slices.Contains([]string{"no_battery_ready", "no_battery", "no_charged_battery"}, reason)
}

func swapEvents() []string  { return []string{"swap.completed", "swap.failed", "swap.timeout"} }
func faultEvents() []string { return []string{"fault.opened", "fault.closed", "maintenance.done"} }

func stationEvents() []string {
	return slices.Concat(swapEvents(), []string{"charge.completed"}, faultEvents())
}

func isFaultReport(e telemetry.Event) bool { return slices.Contains(faultEvents(), e.Type) }

func parseEvent(e *telemetry.Event) stationEvent {
	var s stationEvent
	_ = json.Unmarshal(e.Data, &s.members) // ingest has checked it; an object that tells nothing otherwise
	return s
}

func member[T any](s stationEvent, name string) (v T, ok bool) {
	raw, ok := s.members[name]
	if !ok || string(raw) == "null" || json.Unmarshal(raw, &v) != nil {
		var none T
		return none, false
	}
	return v, true
}

// seconds is a time that makes sense; nil where it is not told.
func (s stationEvent) seconds(name string) *float64 {
	v, ok := member[float64](s, name)
	if !ok || v < 0 || v > longestS {
		return nil
	}
	return &v
}

// visitOf makes a visit of a swap event.
func visitOf(e *telemetry.Event) station.Visit {
	s := parseEvent(e)
	v := station.Visit{At: e.TS, Outcome: station.Failed, SwapS: s.seconds("swap_s"), WaitS: s.seconds("wait_s")}
	switch e.Type {
	case "swap.completed":
		v.Outcome = station.Done
	case "swap.timeout":
		v.Outcome = station.Reneged
	}
	if d := s.seconds("duration_s"); d != nil && *d > 0 {
		v.Came = e.TS - int64(*d*1000)
		if v.SwapS != nil && v.WaitS == nil && *d >= *v.SwapS {
			wait := *d - *v.SwapS
			v.WaitS = &wait
		}
	}
	if wh, ok := member[float64](s, "energy_wh"); ok && wh > -1e6 && wh < 1e6 {
		v.EnergyWh = &wh
	}
	if v.Outcome == station.Failed {
		v.Reason, _ = member[string](s, "reason")
	}
	if n, ok := member[int](s, "slots_ready"); ok && n >= 0 {
		v.Charged = &n
	} else if noneReady(v.Reason) {
		none := 0
		v.Charged = &none
	}
	return v
}

// batteryIn is the pack that a rider left at the station; "" where it is not told.
func batteryIn(e *telemetry.Event) string {
	id, _ := member[string](parseEvent(e), "battery_in")
	return id
}

// chargeOf is a charge that ended: of which pack, "" where that is not told, and
// the energy that went into it.
func chargeOf(e *telemetry.Event) (battery string, wh float64, told bool) {
	s := parseEvent(e)
	battery, _ = member[string](s, "battery")
	wh, told = member[float64](s, "energy_wh")
	return battery, wh, told && wh >= 0 && wh < 1e6
}

func faultReport(e *telemetry.Event) station.FaultReport {
	s := parseEvent(e)
	r := station.FaultReport{TS: e.TS, Opened: e.Type == "fault.opened", Closed: e.Type == "fault.closed"}
	r.Slot = slotOf(s)
	r.Code, _ = member[string](s, "code")
	r.Code = storable(r.Code)
	if ms, ok := member[int64](s, "started_at"); ok {
		r.Attended = ms
	} else if at, ok := member[time.Time](s, "started_at"); ok {
		r.Attended = at.UnixMilli()
	}
	return r
}

// slotOf is the slot that a report is about: a number, or one as text; 0, of the
// whole station, where none is named.
func slotOf(s stationEvent) int {
	raw, named := s.members["slot"]
	if !named || string(raw) == "null" {
		return 0
	}
	if n, ok := member[int](s, "slot"); ok && n >= 0 {
		return n
	}
	text, _ := member[string](s, "slot")
	if n, err := strconv.Atoi(text); err == nil && n > 0 {
		return n
	}
	return station.UnknownSlot
}

// maxCode bounds in bytes what is kept of a fault's code.
const maxCode = 128

// storable is text that every database takes: without control characters, and
// short.
func storable(text string) string {
	text = strings.Map(func(r rune) rune {
		if r < 0x20 || r == 0x7f {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	for len(text) > maxCode {
		_, size := utf8.DecodeLastRuneInString(text)
		text = text[:len(text)-size]
	}
	return text
}
