package ledger

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationDays returns the days of a station from first to last, both included,
// ascending. Days without data are absent.
func (l *Ledger) StationDays(ctx context.Context, id string, first, last int64) ([]station.Day, error) {
	scan := func(row database.Scanner) (d station.Day, err error) {
		var payload []byte
		if err := row.Scan(&payload); err != nil {
			return d, err
		}
		return d, json.Unmarshal(payload, &d)
	}
	days, err := database.Collect(ctx, l.db.Read, scan, `SELECT payload FROM station_days
		WHERE station = $1 AND day >= $2 AND day <= $3 ORDER BY day`, id, first, last)
	if err != nil {
		return nil, fmt.Errorf("read days of station %s: %w", id, err)
	}
	return days, nil
}

// StationRules returns by which rules the days of a station were made.
func (l *Ledger) StationRules(ctx context.Context, id string) ([]string, error) {
	rules, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (s string, err error) {
		err = row.Scan(&s)
		return s, err
	}, `SELECT DISTINCT rules FROM station_days WHERE station = $1 ORDER BY rules`, id)
	if err != nil {
		return nil, fmt.Errorf("read rules of station %s: %w", id, err)
	}
	return rules, nil
}

// MarkedDays returns every UTC day of the device that ever was marked, ascending.
func (l *Ledger) MarkedDays(ctx context.Context, ref devices.Ref) ([]int64, error) {
	days, err := database.Collect(ctx, l.db.Read, func(row database.Scanner) (day int64, err error) {
		err = row.Scan(&day)
		return day, err
	}, `SELECT day FROM dirty_days WHERE kind = $1 AND device = $2 ORDER BY day`, string(ref.Kind), ref.ID)
	if err != nil {
		return nil, fmt.Errorf("read marked days of %s: %w", ref, err)
	}
	return days, nil
}

// StationSpans returns the first and the last day, both inclusive and local, of
// each station that has any.
func (l *Ledger) StationSpans(ctx context.Context) (map[string]DaySpan, error) {
	type row struct {
		id   string
		span DaySpan
	}
	all, err := database.Collect(ctx, l.db.Read, func(s database.Scanner) (r row, err error) {
		err = s.Scan(&r.id, &r.span.First, &r.span.Last)
		return r, err
	}, `SELECT station, min(day), max(day) FROM station_days GROUP BY station`)
	if err != nil {
		return nil, fmt.Errorf("read spans of stations: %w", err)
	}
	spans := make(map[string]DaySpan, len(all))
	for _, r := range all {
		spans[r.id] = r.span
	}
	return spans, nil
}

// StationSpan is that of one station; false where it has none.
func (l *Ledger) StationSpan(ctx context.Context, id string) (DaySpan, bool, error) {
	type bounds struct{ first, last *int64 }
	all, err := database.Collect(ctx, l.db.Read, func(s database.Scanner) (b bounds, err error) {
		err = s.Scan(&b.first, &b.last)
		return b, err
	}, `SELECT min(day), max(day) FROM station_days WHERE station = $1`, id)
	if err != nil {
		return DaySpan{}, false, fmt.Errorf("read span of station %s: %w", id, err)
	}
	if len(all) == 0 || all[0].first == nil {
		return DaySpan{}, false, nil
	}
	return DaySpan{First: *all[0].first, Last: *all[0].last}, true, nil
}

// StationTotals adds up the days from first to last, both included, of each
// station that has any.
func (l *Ledger) StationTotals(ctx context.Context, first, last int64) (map[string]station.Totals, error) {
	var sums strings.Builder
	for _, c := range totalColumns() {
		sums.WriteString(", CAST(sum(" + c + ") AS BIGINT)")
	}
	type row struct {
		id     string
		totals station.Totals
	}
	all, err := database.Collect(ctx, l.db.Read, func(s database.Scanner) (r row, err error) {
		err = s.Scan(append([]any{&r.id, &r.totals.Days, &r.totals.LengthMS}, totalValues(&r.totals)...)...)
		return r, err
	}, `SELECT station, count(*), CAST(sum(to_ts - from_ts) AS BIGINT)`+sums.String()+` FROM station_days
		WHERE day >= $1 AND day <= $2 GROUP BY station`, first, last)
	if err != nil {
		return nil, fmt.Errorf("add up days of stations: %w", err)
	}
	totals := make(map[string]station.Totals, len(all))
	for _, r := range all {
		totals[r.id] = r.totals
	}
	return totals, nil
}

// StationFaults returns all faults of a station, or with an empty id those of
// every station, by when they began.
func (l *Ledger) StationFaults(ctx context.Context, id string) (map[string][]station.Fault, error) {
	type row struct {
		id    string
		fault station.Fault
	}
	q := database.NewQuery(`SELECT station, from_ts, to_ts, slot, code, attended_ts FROM station_faults`)
	if id != "" {
		q.Where("station = ?", id)
	}
	q.Page("station, number", 0, 0)
	all, err := database.Collect(ctx, l.db.Read, func(s database.Scanner) (r row, err error) {
		err = s.Scan(&r.id, &r.fault.From, &r.fault.To, &r.fault.Slot, &r.fault.Code, &r.fault.Attended)
		return r, err
	}, q.Text(), q.Args()...)
	if err != nil {
		return nil, fmt.Errorf("read faults of stations: %w", err)
	}
	faults := map[string][]station.Fault{}
	for _, r := range all {
		faults[r.id] = append(faults[r.id], r.fault)
	}
	return faults, nil
}
