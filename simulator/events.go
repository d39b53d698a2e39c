package simulator

import (
	"encoding/json"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// events tells what happens at stations. Ids count up for each station, so the
// same simulation names the same event alike.
type events struct {
	emit func(telemetry.Event)
}

type header struct {
	ID   string `json:"id"`
	TS   int64  `json:"ts"`
	Type string `json:"type"`
}

type swapped struct {
	header
	BatteryIn  string  `json:"battery_in"`  // from the rider, into the station
	BatteryOut string  `json:"battery_out"` // to the rider
	SlotIn     int     `json:"slot_in"`
	SlotOut    int     `json:"slot_out"`
	SoCIn      float64 `json:"soc_in_pct"`
	SoCOut     float64 `json:"soc_out_pct"`
	WaitedS    float64 `json:"duration_s"` // from arrival to departure
}

type refused struct {
	header
	BatteryIn string  `json:"battery_in"`
	SoCIn     float64 `json:"soc_in_pct"`
	Reason    string  `json:"reason"`
}

type charged struct {
	header
	Battery  string  `json:"battery"`
	Slot     int     `json:"slot"`
	SoC      float64 `json:"soc_pct"`
	EnergyWh float64 `json:"energy_wh"` // into the battery
}

type failed struct {
	header
	Slot int    `json:"slot,omitempty"`
	Code string `json:"code"`
}

type maintained struct {
	header
	Battery string `json:"battery"`
	What    string `json:"what"`
}

func (e *events) swapped(ts int64, s *station, v *visitor, out *pack, slotOut int) {
	h := s.header(ts, "swap.completed")
	e.send(devices.KindStation, s.id, h, swapped{
		header: h, BatteryIn: v.pack.id, BatteryOut: out.id, SlotIn: v.pack.duty.slot, SlotOut: slotOut,
		SoCIn: round(100*v.pack.soc(), 100), SoCOut: round(100*out.soc(), 100), WaitedS: round(v.waited, 10),
	})
}

func (e *events) refused(ts int64, s *station, v *visitor, reason string) {
	h := s.header(ts, "swap.failed")
	e.send(devices.KindStation, s.id, h, refused{h, v.pack.id, round(100*v.pack.soc(), 100), reason})
}

func (e *events) charged(ts int64, s *station, p *pack, wh float64) {
	h := s.header(ts, "charge.completed")
	e.send(devices.KindStation, s.id, h, charged{h, p.id, p.duty.slot, round(100*p.soc(), 100), round(wh, 10)})
}

// fault tells that a slot, or with slot 0 the whole station, failed or
// recovered.
func (e *events) fault(ts int64, s *station, slot int, opened bool) {
	kind, code := "fault.closed", "slot_fault"
	if opened {
		kind = "fault.opened"
	}
	if slot == 0 {
		code = "out_of_service"
	}
	h := s.header(ts, kind)
	e.send(devices.KindStation, s.id, h, failed{h, slot, code})
}

func (e *events) maintained(ts int64, p *pack) {
	h := header{ID: fmt.Sprintf("%s-maintenance-%d", p.id, ts), TS: ts, Type: "maintenance.done"}
	e.send(devices.KindBattery, p.id, h, maintained{h, p.id, "full_discharge"})
}

// header names the next event of a station, whether or not anyone listens.
func (s *station) header(ts int64, kind string) header {
	s.events++
	if s.shard.events.emit == nil {
		return header{}
	}
	return header{ID: fmt.Sprintf("%s-%06d", s.id, s.events), TS: ts, Type: kind}
}

func (e *events) send(kind devices.Kind, id string, h header, data any) {
	if e.emit == nil {
		return
	}
	raw, err := json.Marshal(data)
	if err != nil {
		panic(fmt.Sprintf("simulator: event of numbers and strings: %v", err))
	}
	e.emit(telemetry.Event{Kind: kind, Device: id, ID: h.ID, TS: h.TS, Type: h.Type, Data: raw})
}
