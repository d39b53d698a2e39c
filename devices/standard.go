package devices

// standardFields is the measurement schema, version 1. The bounds are what a
// working sensor on a light-vehicle battery, a swap station or a building
// could show, generously; a value beyond them is a fault, not a measurement.
//
// Positive current and power flow into the device (charging, import).
func standardFields() []KindField {
	const (
		maxPowerW  = 50e6 // a grid connection
		maxCounter = 1e15 // Wh or l in a register's life
	)
	num := func(k Kind, name, unit string, min, max float64) KindField {
		return KindField{k, Field{Name: name, Unit: unit, Min: min, Max: max}}
	}
	whole := func(k Kind, name string, max float64) KindField {
		return KindField{k, Field{Name: name, Unit: "1", Type: Integer, Max: max}}
	}
	counter := func(k Kind, name, unit string) KindField {
		return KindField{k, Field{Name: name, Unit: unit, Role: Counter, Max: maxCounter}}
	}
	text := func(k Kind, name string) KindField {
		return KindField{k, Field{Name: name, Type: Text, Role: State}}
	}
	const b, s, g = KindBattery, KindStation, KindBuilding
	return []KindField{
		num(b, "soc_pct", "%", 0, 100),
		num(b, "soh_pct", "%", 0, 120),
		num(b, "voltage_v", "V", 0, 1500),
		num(b, "current_a", "A", -5000, 5000),
		num(b, "power_w", "W", -maxPowerW, maxPowerW),
		num(b, "temperature_c", "°C", -60, 150),
		num(b, "cell_voltage_min_v", "V", 0, 6),
		num(b, "cell_voltage_max_v", "V", 0, 6),
		num(b, "resistance_mohm", "mΩ", 0, 1e6),
		num(b, "capacity_ah", "Ah", 0, 1e5),
		num(b, "cycles", "1", 0, 1e6),
		counter(b, "energy_in_wh", "Wh"),
		counter(b, "energy_out_wh", "Wh"),
		text(b, "state"),
		text(b, "station"),
		whole(b, "slot", 10000),

		text(s, "state"),
		whole(s, "slots_total", 10000),
		whole(s, "slots_ready", 10000),
		whole(s, "slots_charging", 10000),
		whole(s, "slots_empty", 10000),
		whole(s, "slots_fault", 10000),
		whole(s, "queue", 100000),
		num(s, "power_w", "W", -maxPowerW, maxPowerW),
		counter(s, "energy_wh", "Wh"),
		num(s, "ambient_c", "°C", -80, 80),

		num(g, "power_w", "W", -maxPowerW, maxPowerW),
		counter(g, "energy_wh", "Wh"),
		counter(g, "pv_energy_wh", "Wh"),
		counter(g, "gas_wh", "Wh"),
		counter(g, "water_l", "l"),
		num(g, "outdoor_c", "°C", -80, 80),
		num(g, "indoor_c", "°C", -60, 100),
		num(g, "setpoint_c", "°C", -60, 100),
		num(g, "humidity_pct", "%", 0, 100),
		num(g, "co2_ppm", "ppm", 0, 1e6),
		num(g, "occupancy", "1", 0, 1e6),
		num(g, "hvac_power_w", "W", -maxPowerW, maxPowerW),
		num(g, "lighting_power_w", "W", -maxPowerW, maxPowerW),
	}
}
