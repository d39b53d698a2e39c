package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"

	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationDay is a day of a station with its sums, and by which rules it was made.
type StationDay struct {
	station.Day
	Totals station.Totals
}

// StationResults are what was worked out of one station.
type StationResults struct {
	Station string
	Rules   string // by which the days were made
	// Afresh removes all days that are not among Days.
	Afresh bool
	Days   []StationDay // each replaces that of its number
	Empty  []int64      // days that hold nothing any more
	// Faults replaces all faults of the station; nil: they are as they were.
	Faults []station.Fault
}

// totalColumns are the sums, in the order of totalValues.
func totalColumns() []string {
	columns := []string{
		"heard_ms", "swaps", "failures", "reneged", "asked", "ready", "timed", "timed_ms", "returned", "returned_ms",
		"charges", "charged_mwh", "handed", "handed_mwh", "meter_mwh", "meter_ms", "state_ms", "unavailable_ms",
		"slot_ms", "charging_ms", "slot_total", "slot_ready", "slot_charging", "slot_fault", "none_ready_ms",
	}
	for h := range 24 {
		columns = append(columns, fmt.Sprintf("h%02d", h))
	}
	return columns
}

// totalValues are where the sums are; Days and LengthMS are the rows' own.
func totalValues(t *station.Totals) []any {
	values := []any{
		&t.HeardMS, &t.Swaps, &t.Failures, &t.Reneged, &t.Asked, &t.Ready, &t.Timed, &t.TimedMS, &t.Returned, &t.ReturnedMS,
		&t.Charges, &t.ChargedMilliWh, &t.Handed, &t.HandedMilliWh, &t.MeterMilliWh, &t.MeterMS, &t.StateMS, &t.UnavailableMS,
		&t.SlotMS, &t.ChargingMS, &t.SlotTotal, &t.SlotReady, &t.SlotCharging, &t.SlotFault, &t.NoneReadyMS,
	}
	for h := range t.Hours {
		values = append(values, &t.Hours[h])
	}
	return values
}

func (r StationResults) write(ctx context.Context, tx *sql.Tx) error {
	if r.Afresh {
		if _, err := tx.ExecContext(ctx, `DELETE FROM station_days WHERE station = $1`, r.Station); err != nil {
			return err
		}
	}
	for _, day := range r.Empty {
		if _, err := tx.ExecContext(ctx, `DELETE FROM station_days WHERE station = $1 AND day = $2`, r.Station, day); err != nil {
			return err
		}
	}
	if err := r.writeDays(ctx, tx); err != nil {
		return err
	}
	return r.writeFaults(ctx, tx)
}

func (r StationResults) writeDays(ctx context.Context, tx *sql.Tx) error {
	if len(r.Days) == 0 {
		return nil
	}
	columns := append([]string{"station", "day", "rules", "from_ts", "to_ts", "payload"}, totalColumns()...)
	marks, sets := make([]string, len(columns)), make([]string, len(columns))
	for k, c := range columns {
		marks[k], sets[k] = "$"+strconv.Itoa(k+1), c+" = excluded."+c
	}
	upsert, err := tx.PrepareContext(ctx, `INSERT INTO station_days (`+strings.Join(columns, ", ")+`)
		VALUES (`+strings.Join(marks, ", ")+`) ON CONFLICT (station, day) DO UPDATE SET `+strings.Join(sets[2:], ", "))
	if err != nil {
		return err
	}
	defer func() { _ = upsert.Close() }() // its errors were those of its executions
	for i := range r.Days {
		d := &r.Days[i]
		payload, err := json.Marshal(d.Day)
		if err != nil {
			return fmt.Errorf("day %d of station %s: %w", d.Day.Day, r.Station, err)
		}
		args := []any{r.Station, d.Day.Day, r.Rules, d.From, d.To, string(payload)}
		for _, v := range totalValues(&d.Totals) {
			switch v := v.(type) {
			case *int:
				args = append(args, *v)
			case *int64:
				args = append(args, *v)
			}
		}
		if _, err := upsert.ExecContext(ctx, args...); err != nil {
			return err
		}
	}
	return nil
}

func (r StationResults) writeFaults(ctx context.Context, tx *sql.Tx) error {
	if r.Faults == nil {
		return nil
	}
	if _, err := tx.ExecContext(ctx, `DELETE FROM station_faults WHERE station = $1`, r.Station); err != nil {
		return err
	}
	for k, f := range r.Faults {
		if _, err := tx.ExecContext(ctx, `INSERT INTO station_faults (station, number, from_ts, to_ts, slot, code, attended_ts)
			VALUES ($1, $2, $3, $4, $5, $6, $7)`, r.Station, k, f.From, f.To, f.Slot, f.Code, f.Attended); err != nil {
			return err
		}
	}
	return nil
}
