package fleet

import (
	"context"
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// carryMS is how long a value stands for the instants after it. Batteries send
// voltage, current and state of charge in one message or in several.
const carryMS = 60_000

// The fields of a battery that its results are made of.
const (
	fieldSoC = iota + 1
	fieldVoltage
	fieldCurrent
	fieldTemperature
	fieldCellMin
	fieldCellMax
	fieldResistance
	fieldCycles
	fieldState
)

func batteryFields() []string {
	return []string{
		"soc_pct", "voltage_v", "current_a", "temperature_c", "cell_voltage_min_v", "cell_voltage_max_v", "resistance_mohm", "cycles", "state",
	}
}

// fieldTable says of each field's index in the schema which one it is; 0: none.
func fieldTable(s *devices.Schema) []uint8 {
	var table []uint8
	for k, name := range batteryFields() {
		f := s.Field(devices.KindBattery, name)
		if f == nil {
			continue
		}
		for len(table) <= f.Index {
			table = append(table, 0)
		}
		table[f.Index] = uint8(k + 1)
	}
	return table
}

// ranger is what is read of a store; see telemetry.Reader.
type ranger interface {
	Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error
}

// batteryReader makes of telemetry what dossiers are made of.
type batteryReader struct {
	from   ranger
	fields []uint8 // see fieldTable
}

// each calls yield for every reading of the batteries in the window, ascending by
// battery, then time. A voltage, state of charge or temperature of the last minute
// stands in for one that is missing.
func (r batteryReader) each(ctx context.Context, ids []string, w telemetry.Window, yield func(id string, x dossier.Reading)) error {
	q := telemetry.RangeQuery{Kind: devices.KindBattery, Devices: ids, Fields: batteryFields(), Window: w}
	var (
		last                      string
		voltage, soc, temperature carried
		states                    = map[string]string{} // one copy of each
	)
	err := r.from.Range(ctx, q, func(rd telemetry.Reading) error {
		if rd.Device != last {
			last, voltage, soc, temperature = rd.Device, carried{}, carried{}, carried{}
		}
		nan := math.NaN()
		x := dossier.Reading{CellMinV: nan, CellMaxV: nan, ResistanceMOhm: nan, Cycles: nan}
		x.TS, x.CurrentA = rd.TS, nan
		for k := range rd.Values {
			v := &rd.Values[k]
			if v.Field.Index >= len(r.fields) {
				continue
			}
			switch r.fields[v.Field.Index] {
			case fieldSoC:
				soc = carried{rd.TS, v.Num, true}
			case fieldVoltage:
				voltage = carried{rd.TS, v.Num, true}
			case fieldCurrent:
				x.CurrentA = v.Num
			case fieldTemperature:
				temperature = carried{rd.TS, v.Num, true}
			case fieldCellMin:
				x.CellMinV = v.Num
			case fieldCellMax:
				x.CellMaxV = v.Num
			case fieldResistance:
				x.ResistanceMOhm = v.Num
			case fieldCycles:
				x.Cycles = v.Num
			case fieldState:
				state, ok := states[v.Text]
				if !ok {
					state = string([]byte(v.Text))
					states[state] = state
				}
				x.State = state
			}
		}
		x.VoltageV, x.SoCPct, x.TemperatureC = voltage.at(rd.TS), soc.at(rd.TS), temperature.at(rd.TS)
		yield(rd.Device, x)
		return nil
	})
	if err != nil {
		return fmt.Errorf("read telemetry of %d batteries over %s: %w", len(ids), w, err)
	}
	return nil
}

// carried is a value and when it was measured.
type carried struct {
	ts    int64
	value float64
	ok    bool
}

func (c carried) at(ts int64) float64 {
	if !c.ok || ts-c.ts > carryMS {
		return math.NaN()
	}
	return c.value
}

// MeasureDay makes the facts of one day of readings of a battery that are at hand:
// those of the day, and of dossier.Lookback before it, ascending by time.
func MeasureDay(day int64, readings []telemetry.Reading, schema *devices.Schema, sheet dossier.Sheet, rules dossier.Rules) (dossier.Day, error) {
	var list []dossier.Reading
	r := batteryReader{inHand(readings), fieldTable(schema)}
	err := r.each(context.Background(), nil, telemetry.Window{}, func(_ string, x dossier.Reading) { list = append(list, x) })
	return dossier.Measure(day, list, sheet, rules), err
}

// inHand is a Reader of readings that are there already.
type inHand []telemetry.Reading

func (h inHand) Range(_ context.Context, _ telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	for _, r := range h {
		if err := yield(r); err != nil {
			return err
		}
	}
	return nil
}
