package ledger

import (
	"context"
	"database/sql"
	"fmt"
	"strconv"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// standingColumns are in the order of standingRow.
func standingColumns() []string {
	return []string{
		"device", "day", "first_day", "days", "told_day", "commissioned_at", "status", "reason", "outlook_status", "outlook_reason", "warranty",
		"behind_knee", "ended", "covered", "claim", "swaps", "events", "soc_at", "throughput_wh", "use_coverage",
		"health_score", "confidence", "capacity_ah", "soh_pct", "soh_err_pct", "energy_soh_pct", "resistance_mohm", "resistance_increase_pct",
		"imbalance_mv", "self_discharge_pct", "round_trip_pct", "calendar_share",
		"rul_days_low", "rul_days", "rul_days_high", "rul_cycles_low", "rul_cycles", "rul_cycles_high",
		"replace_at_low", "replace_at", "replace_at_high",
		"efc", "efc_per_day", "utilization", "idle", "availability", "swaps_per_day", "energy_per_swap_wh", "soc_pct",
	}
}

// flags of a standing are stored as 0 and 1, and numbers as NULL where they are
// not known.
func standingFlags(s *dossier.Standing) []*bool {
	return []*bool{&s.BehindKnee, &s.Ended, &s.Covered, &s.Claim}
}

func standingNumbers(s *dossier.Standing) []**float64 {
	return []**float64{
		&s.HealthScore, &s.Confidence, &s.CapacityAh, &s.SoHPct, &s.SoHErrPct, &s.EnergySoHPct, &s.ResistanceMOhm, &s.ResistanceIncreasePct,
		&s.ImbalanceMV, &s.SelfDischargePct, &s.RoundTripPct, &s.CalendarShare,
		&s.RULDays.Low, &s.RULDays.Median, &s.RULDays.High, &s.RULCycles.Low, &s.RULCycles.Median, &s.RULCycles.High,
		&s.ReplaceAt.Low, &s.ReplaceAt.Median, &s.ReplaceAt.High,
		&s.EquivalentFullCycles, &s.EFCPerDay, &s.Utilization, &s.Idle, &s.Availability, &s.SwapsPerDay, &s.EnergyPerSwapWh, &s.SoCPct,
	}
}

func standingRow(row []any, s *dossier.Standing) []any {
	row = append(row, s.Device, s.Day, s.First, s.Days, s.ToldDay, s.CommissionedAt, s.Status, s.Reason, s.OutlookStatus, s.OutlookReason, s.WarrantyState)
	for _, f := range standingFlags(s) {
		var n int64
		if *f {
			n = 1
		}
		row = append(row, n)
	}
	row = append(row, s.Swaps, s.Events, s.SoCAt, s.ThroughputWh, s.UseCoverage)
	for _, p := range standingNumbers(s) {
		if *p == nil {
			row = append(row, nil)
		} else {
			row = append(row, **p)
		}
	}
	return row
}

func scanStanding(row database.Scanner) (s dossier.Standing, err error) {
	to := []any{&s.Device, &s.Day, &s.First, &s.Days, &s.ToldDay, &s.CommissionedAt, &s.Status, &s.Reason, &s.OutlookStatus, &s.OutlookReason, &s.WarrantyState}
	flags := standingFlags(&s)
	ints := make([]int64, len(flags))
	for k := range ints {
		to = append(to, &ints[k])
	}
	to = append(to, &s.Swaps, &s.Events, &s.SoCAt, &s.ThroughputWh, &s.UseCoverage)
	numbers := standingNumbers(&s)
	values := make([]sql.Null[float64], len(numbers))
	for k := range values {
		to = append(to, &values[k])
	}
	if err := row.Scan(to...); err != nil {
		return s, err
	}
	for k, f := range flags {
		*f = ints[k] == 1
	}
	known := make([]float64, 0, len(numbers)) // held on to as long as the standing
	for k, p := range numbers {
		if values[k].Valid {
			known = append(known, values[k].V)
			*p = &known[len(known)-1]
		}
	}
	return s, nil
}

func upsertStanding() string {
	columns := standingColumns()
	marks, sets := make([]string, len(columns)), make([]string, 0, len(columns))
	for k, c := range columns {
		marks[k] = "$" + strconv.Itoa(k+1)
		if k > 0 {
			sets = append(sets, c+" = excluded."+c)
		}
	}
	return "INSERT INTO battery_standings (" + strings.Join(columns, ", ") + ") VALUES (" + strings.Join(marks, ", ") +
		") ON CONFLICT (device) DO UPDATE SET " + strings.Join(sets, ", ")
}

// Standings returns where every battery stands that has been seen on a day that
// has ended, by id. It is one read, of 100,000 batteries in well under a second.
func (l *Ledger) Standings(ctx context.Context) ([]dossier.Standing, error) {
	all, err := database.Collect(ctx, l.db.Read, scanStanding,
		`SELECT `+strings.Join(standingColumns(), ", ")+` FROM battery_standings ORDER BY device`)
	if err != nil {
		return nil, fmt.Errorf("read standings: %w", err)
	}
	return all, nil
}

// StandingsOf returns where those of the batteries stand that have been seen, by
// id.
func (l *Ledger) StandingsOf(ctx context.Context, ids []string) ([]dossier.Standing, error) {
	q := database.NewQuery(`SELECT ` + strings.Join(standingColumns(), ", ") + ` FROM battery_standings`)
	q.WhereIn("device", ids).Page("device", 0, 0)
	some, err := database.Collect(ctx, l.db.Read, scanStanding, q.Text(), q.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read standings: %w", err)
	}
	return some, nil
}
