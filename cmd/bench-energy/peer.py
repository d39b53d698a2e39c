"""Fits every sample meter of eemeter by its own CalTRACK 2.0 code.

Prints one JSON object a line: the rows as eemeter prepared them, what it fitted
to them, and the CPU seconds of the fit alone, once for each round.
"""

import json
import sys
import time
import warnings

import eemeter

warnings.filterwarnings("ignore")


def timed(rounds, call):
    seconds = []
    for _ in range(rounds):
        began = time.process_time()
        result = call()
        seconds.append(time.process_time() - began)
    return result, seconds


def rows(index, use, temperature):
    out = []
    for at, u, t in zip(index, use, temperature):
        out.append([at.timestamp(), None if u != u else u, None if t != t else t])
    return out


def daily(meter, temperature, rounds):
    matrix = eemeter.create_caltrack_daily_design_matrix(meter, temperature)
    means = eemeter.compute_temperature_features(
        meter.index, temperature, data_quality=True, keep_partial_nan_rows=True)
    fit, seconds = timed(
        rounds, lambda: eemeter.fit_caltrack_usage_per_day_model(matrix))
    return {
        "rows": rows(matrix.index, matrix.meter_value, means.temperature_mean),
        "model": fit.model.model_type,
        "parameters": fit.model.model_params,
        "r_squared_adjusted": fit.r_squared_adj,
        "candidates": len(fit.candidates),
        "seconds": seconds,
    }


def hourly(meter, temperature, rounds):
    features = eemeter.create_caltrack_hourly_preliminary_design_matrix(
        meter, temperature)

    def fit():
        segmentation = eemeter.segment_time_series(
            features.index, "three_month_weighted")
        occupancy = eemeter.estimate_hour_of_week_occupancy(
            features, segmentation=segmentation)
        occupied, unoccupied = eemeter.fit_temperature_bins(
            features, segmentation=segmentation, occupancy_lookup=occupancy)
        matrices = eemeter.create_caltrack_hourly_segmented_design_matrices(
            features, segmentation, occupancy, occupied, unoccupied)
        return eemeter.fit_caltrack_hourly_model(
            matrices, occupancy, occupied, unoccupied)

    model, seconds = timed(rounds, fit)
    # The last row is the end of the hour before it.
    predicted = model.predict(features.index[:-1], temperature).result.predicted_usage
    return {
        "rows": rows(features.index, features.meter_value, features.temperature_mean),
        "model": "hourly",
        "parameters": {},
        "predicted": float(predicted.sum()),
        "seconds": seconds,
    }


def main():
    rounds = int(sys.argv[1])
    for name in eemeter.samples():
        meter, temperature, about = eemeter.load_sample(name)
        fit = {"daily": daily, "hourly": hourly}.get(about["freq"])
        if fit is None:
            continue
        before, _ = eemeter.get_baseline_data(
            meter, end=about["blackout_start_date"], max_days=365)
        out = fit(before, temperature, rounds)
        out["id"], out["interval"] = name, about["freq"]
        print(json.dumps(out), flush=True)


main()
