// Package truth writes down what an estimator would have to find out: the state
// of every simulated device from time to time, and every fault that hit one.
//
// A record is one quantity of one device at one time, so that a new quantity
// changes no format.
package truth

import (
	"encoding/csv"
	"fmt"
	"io"
	"strconv"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/faults"
)

// Record is one truth.
type Record struct {
	TS       int64 // Unix ms
	Until    int64 // Unix ms, of a fault that lasts; 0 otherwise
	Device   devices.Ref
	Quantity string // with its unit as suffix, or fault.… for a fault
	Value    float64
	Detail   string
}

// Sink takes records in order. Another format than CSV is another Sink.
type Sink interface {
	Write(Record) error
	// Flush brings out what was written so far.
	Flush() error
}

// CSV writes records as comma-separated values with a line of headings. Times
// are RFC 3339 in UTC, values have ten digits.
type CSV struct{ out *csv.Writer }

// NewCSV writes the headings.
func NewCSV(w io.Writer) (*CSV, error) {
	c := &CSV{csv.NewWriter(w)}
	if err := c.out.Write([]string{"time", "until", "kind", "id", "quantity", "value", "detail"}); err != nil {
		return nil, fmt.Errorf("write truth: %w", err)
	}
	return c, nil
}

// Write is a Sink's.
func (c *CSV) Write(r Record) error {
	if err := c.out.Write([]string{
		stamp(r.TS), stamp(r.Until), string(r.Device.Kind), r.Device.ID, r.Quantity, strconv.FormatFloat(r.Value, 'g', 10, 64), r.Detail,
	}); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}

// Flush is a Sink's.
func (c *CSV) Flush() error {
	c.out.Flush()
	if err := c.out.Error(); err != nil {
		return fmt.Errorf("write truth: %w", err)
	}
	return nil
}

func stamp(ms int64) string {
	if ms == 0 {
		return ""
	}
	return time.UnixMilli(ms).UTC().Format("2006-01-02T15:04:05.000Z")
}

// OfFault is the record of a fault.
func OfFault(ref devices.Ref, h faults.Hit) Record {
	return Record{TS: h.From, Until: h.Until(), Device: ref, Quantity: "fault." + h.Fault, Value: 1, Detail: h.Detail}
}

// Append appends the records of a state at ts to dst.
func Append(dst []Record, ts int64, t simulator.Truth) []Record {
	for i := range t.Batteries {
		dst = battery(dst, ts, &t.Batteries[i])
	}
	for i := range t.Stations {
		dst = station(dst, ts, &t.Stations[i])
	}
	for i := range t.Buildings {
		dst = building(dst, ts, &t.Buildings[i])
	}
	return dst
}

type quantity struct {
	name  string
	value float64
}

func add(dst []Record, ts int64, kind devices.Kind, id string, all ...quantity) []Record {
	for _, q := range all {
		dst = append(dst, Record{TS: ts, Device: devices.Ref{Kind: kind, ID: id}, Quantity: q.name, Value: q.value})
	}
	return dst
}

func battery(dst []Record, ts int64, b *simulator.BatteryTruth) []Record {
	return add(dst, ts, devices.KindBattery, b.ID,
		quantity{"capacity_ah", b.CapacityAh},
		quantity{"soh_pct", 100 * b.SoH},
		quantity{"soc_pct", 100 * b.SoC},
		quantity{"resistance_25c_mohm", b.Resistance25},
		quantity{"cycles", b.Cycles},
		quantity{"calendar_loss_pct", 100 * b.CalendarLoss},
		quantity{"cyclic_loss_pct", 100 * b.CyclicLoss},
		quantity{"knee_loss_pct", 100 * b.KneeLoss},
		quantity{"charge_in_ah", b.Books.ChargeInAh},
		quantity{"charge_out_ah", b.Books.ChargeOutAh},
		quantity{"energy_in_wh", b.Books.EnergyInWh},
		quantity{"energy_out_wh", b.Books.EnergyOutWh},
		quantity{"heat_wh", b.Books.HeatWh},
	)
}

func station(dst []Record, ts int64, s *simulator.StationTruth) []Record {
	return add(dst, ts, devices.KindStation, s.ID,
		quantity{"swaps", float64(s.Swaps)},
		quantity{"refusals", float64(s.Refusals)},
		quantity{"energy_wh", s.DrawnWh},
		quantity{"cost_minor", s.Cost},
		quantity{"down_hours", s.Down.Hours()},
	)
}

func building(dst []Record, ts int64, b *simulator.BuildingTruth) []Record {
	return add(dst, ts, devices.KindBuilding, b.ID,
		quantity{"import_wh", b.ImportWh},
		quantity{"export_wh", b.ExportWh},
		quantity{"pv_wh", b.PVWh},
		quantity{"gas_wh", b.GasWh},
		quantity{"import_without_retrofit_wh", b.PlainWh},
		quantity{"gas_without_retrofit_wh", b.PlainGasWh},
		quantity{"saved_wh", b.SavedWh},
		quantity{"saved_gas_wh", b.SavedGasWh},
		quantity{"kept_pct", 100 * b.KeptOfUse},
		quantity{"cost_minor", b.Cost},
	)
}
