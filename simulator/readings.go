package simulator

import (
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// readings turns the state of entities into readings. The fields of each kind
// are looked up once, in the order of the schema; the values are reused.
type readings struct {
	batteries, stations, buildings []*devices.Field
	values                         []telemetry.Value
}

func newReadings(schema *devices.Schema) (readings, error) {
	var r readings
	for _, k := range []struct {
		kind  devices.Kind
		into  *[]*devices.Field
		names []string
	}{
		{devices.KindBattery, &r.batteries, []string{
			"soc_pct", "soh_pct", "voltage_v", "current_a", "power_w", "temperature_c", "cell_voltage_min_v", "cell_voltage_max_v",
			"resistance_mohm", "cycles", "energy_in_wh", "energy_out_wh", "state", "station", "slot",
		}},
		{devices.KindStation, &r.stations, []string{
			"state", "slots_total", "slots_ready", "slots_charging", "slots_empty", "slots_fault", "queue", "power_w", "energy_wh", "ambient_c",
		}},
		{devices.KindBuilding, &r.buildings, []string{
			"power_w", "energy_wh", "pv_energy_wh", "gas_wh", "water_l", "outdoor_c", "indoor_c", "setpoint_c", "humidity_pct", "co2_ppm",
			"occupancy", "hvac_power_w", "lighting_power_w",
		}},
	} {
		last := -1
		for _, name := range k.names {
			f := schema.Field(k.kind, name)
			if f == nil || f.Index <= last {
				return r, fmt.Errorf("schema: no field %q of a %s where it is wanted", name, k.kind)
			}
			last = f.Index
			*k.into = append(*k.into, f)
		}
	}
	return r, nil
}

// round keeps as many decimals as a device would send. It never returns −0.
func round(x, perUnit float64) float64 { return math.Floor(x*perUnit+0.5)/perUnit + 0 }

// add appends the next value in the order of fields.
func (r *readings) add(fields []*devices.Field, num float64, text string) {
	f := fields[len(r.values)]
	r.values = append(r.values, telemetry.Value{Field: f, Num: num, Text: text})
}

func (r *readings) send(kind devices.Kind, id string, ts int64, emit func(telemetry.Reading)) {
	emit(telemetry.Reading{Kind: kind, Device: id, TS: ts, Values: r.values})
}

func (r *readings) battery(p *pack, ts int64, emit func(telemetry.Reading)) {
	if emit == nil {
		return
	}
	r.values = r.values[:0]
	num := func(x, perUnit float64) { r.add(r.batteries, round(x, perUnit), "") }
	truth, ohms := p.soc(), p.ohms()
	open := p.chem.openCircuit(truth)
	volts, amps, celsius, soc := p.sensors.measured(ts, open+p.amps*ohms+p.rcV, p.amps, p.celsius, 100*truth)
	cell := volts / float64(p.chem.series)
	spread := p.spread(truth)
	station := ""
	if p.duty.station != nil {
		station = p.duty.station.id
	}
	num(soc, 10)
	num(100*clamp(p.soh()+p.bmsBias, 0, 1.2), 10)
	num(volts, 100)
	num(amps, 10)
	num(volts*amps, 1)
	num(celsius, 10)
	num(max(0, cell-spread/2), 1000)
	num(cell+spread/2, 1000)
	num(1000*ohms, 10)
	num(p.cycles(), 10)
	num(p.books.EnergyInWh, 1)
	num(p.books.EnergyOutWh, 1)
	r.add(r.batteries, 0, p.duty.state.String())
	r.add(r.batteries, 0, station)
	num(float64(p.duty.slot), 1)
	r.send(devices.KindBattery, p.id, ts, emit)
}

func (r *readings) station(s *station, w weather, ts int64, seconds float64, emit func(telemetry.Reading)) {
	mean := s.stepWh * 3600 / seconds
	s.stepWh = 0
	if emit == nil {
		return
	}
	r.values = r.values[:0]
	num := func(x, perUnit float64) { r.add(r.stations, round(x, perUnit), "") }
	ready, charging, empty, fault := s.counts()
	state := "in_service"
	if s.outage.down {
		state = "out_of_service"
	}
	r.add(r.stations, 0, state)
	num(float64(len(s.slots)), 1)
	num(float64(ready), 1)
	num(float64(charging), 1)
	num(float64(empty), 1)
	num(float64(fault), 1)
	num(float64(len(s.queue)), 1)
	num(mean, 1)
	num(s.energyWh, 1)
	num(w.celsius, 10)
	r.send(devices.KindStation, s.id, ts, emit)
}

func (r *readings) building(b *building, ts int64, seconds float64, emit func(telemetry.Reading)) {
	mean := 3600 / seconds
	power, hvac, light := b.stepWh*mean, b.stepHVACWh*mean, b.stepLightWh*mean
	b.stepWh, b.stepHVACWh, b.stepLightWh = 0, 0, 0
	if emit == nil {
		return
	}
	r.values = r.values[:0]
	num := func(x, perUnit float64) { r.add(r.buildings, round(x, perUnit), "") }
	num(power, 1)
	num(b.energyWh, 1)
	num(b.pvWh, 1)
	num(b.gasWh, 1)
	num(b.waterL, 1)
	num(b.now.weather.celsius, 10)
	num(b.indoorC, 10)
	num(b.now.setpointC, 10)
	num(b.now.weather.humidityPct, 10)
	num(420+450*b.now.occupancy/b.people, 1)
	num(math.Round(b.now.occupancy), 1)
	num(hvac, 1)
	num(light, 1)
	r.send(devices.KindBuilding, b.id, ts, emit)
}
