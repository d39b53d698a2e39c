package report

// Advice is what to do about a reason of that code; empty for a code that is not
// known.
func Advice(code string) string { return advices()[code] }

// advices are what to do about each reason, in words for who runs the building.
func advices() map[string]string {
	const (
		complete = "Find out why the data is missing, send what the meter kept, or choose another year."
		weather  = "Use the sensor of a neighbouring site, or import the temperatures from a file."
		wait     = "Wait until there is more data."
	)
	return map[string]string{
		"no_use":       "Check that the meter is connected and sends.",
		"all_zero":     "Check that the meter counts, and that its readings are those of this building.",
		"constant_use": "Check the meter: a load that never changes is a setting, or a counter that is stuck.",
		"negative_use": "Check the sign of the meter. Where there are solar panels behind it, meter them apart and add them.",

		"negative_meter_values":          "Check the sign of the meter. Where there are solar panels behind it, meter them apart and add them.",
		"zeros_may_be_missing":           "Ask the source of the data whether it writes a missing value as zero; if so, have such zeros dropped.",
		"temperature_unit_suspect":       "Check the unit of the temperatures: they are to be in °C.",
		"temperature_constant":           "Check the temperature sensor: it repeats itself. " + weather,
		"interleaved_meters_suspected":   "Check that one meter alone reports under this name.",
		"many_counter_resets":            "Check that one counter alone reports under this name, and that it is not set back.",
		"counter_leaps":                  "Compare the register with the meter itself at those times.",
		"no_data":                        "Check that both the meter and the temperature cover the same time.",
		"incorrect_number_of_total_days": "A baseline takes 365 days before the measure. " + complete,

		"too_many_days_with_missing_data":             complete,
		"too_many_days_with_missing_meter_data":       complete,
		"too_many_days_with_missing_temperature_data": weather,
		"month_with_missing_data":                     complete,
		"month_without_model":                         "Hours of that month cannot be predicted. " + complete,
		"month_without_weather":                       weather,
		"extra_data_after_requested_end_date":         "Cut the data to the period that is asked for.",
		"extra_data_before_requested_start_date":      "Cut the data to the period that is asked for.",
		"extreme_values_detected":                     "Look at those rows: an event, or a fault of the meter. Leave out what was no use of the building.",
		"bill_length_out_of_range":                    "Replace estimated bills by readings, where there are any.",

		"no_model":                     "Try hours in place of days, or another meter nearer to what was changed.",
		"no_candidate":                 "Try another model: this use does not follow the temperature as degree days expect.",
		"fit_failed":                   "Look at the data of the baseline; the model cannot be solved with it.",
		"too_few_rows":                 wait,
		"all_models_biased":            "Look for a change within the baseline, and adjust for it or choose another year.",
		"no_model_beats_the_mean":      "Measure what drives the use, such as occupancy or production, or meter what was changed by itself (option B).",
		"model_explains_little":        "Measure what drives the use, such as occupancy or production, or meter what was changed by itself (option B).",
		"baseline_not_steady":          "Find out what changed then. Enter it as a non-routine adjustment, or choose a baseline without it.",
		"reporting_not_steady":         "Find out what changed then: the measure itself, another meter, a tenant. Enter what was not the measure as a non-routine adjustment.",
		"no_reporting_period":          "Wait until there is data from after the measure.",
		"saving_not_plausible":         "Check the meter, and what else changed in the building, before this is believed.",
		"no_reporting_data":            "Check that both the meter and the temperature cover the time after the measure.",
		"no_baseline_data":             "Check that both the meter and the temperature cover the time before the measure.",
		"reporting_coverage_low":       complete,
		"temperature_outside_baseline": "Take the saving at those temperatures with care, or use a baseline with weather like it.",

		"uncertainty_unknown":       "Use a model that states its error, and rows enough for it.",
		"saving_within_uncertainty": "Do not claim it. More months of data narrow the interval; a model of hours or a meter nearer to what was changed may, too.",
		"noise_too_slow":            "Find what makes the use wander, such as occupancy or production, and measure it, or meter what was changed by itself (option B).",
		"fit_outside_guideline_14":  "Guideline 14 does not accept this baseline for a claim. Try hours, or meter what was changed by itself (option B).",
		"adjustment_without_reason": "Enter the reason of each non-routine adjustment.",
		"no_typical_weather":        weather,
		"no_emission_factor":        "Enter emission factors of the grid for the time.",
		"emission_coverage_low":     "Enter emission factors of the grid for all of the time.",
		"use_across_prices":         "Read the register every hour, or enter a tariff whose price does not change within a day.",
		"use_without_price":         "Enter prices for all of the time.",
		"no_residuals":              "Use a model that states its error.",
		"nothing_to_compare":        wait,
		"too_few_hours":             wait,
		"no_pairs":                  wait,
		"few_pairs":                 wait,
		"too_few_peers":             wait,
	}
}
