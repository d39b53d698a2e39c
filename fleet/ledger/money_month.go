package ledger

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
)

// KeepMonth saves what an owner's month comes to, in the place of what it came to
// before. Error: ErrDeposed.
func (l *Ledger) KeepMonth(ctx context.Context, owner, month string, m accounts.Month) error {
	packed, err := deflate(m.Told)
	if err == nil {
		var inputs []byte
		if inputs, err = json.Marshal(m.Inputs); err == nil {
			err = l.db.Update(ctx, func(tx *sql.Tx) error {
				if err := serves(ctx, tx); err != nil {
					return err
				}
				_, err := tx.ExecContext(ctx, `INSERT INTO money_months (owner, month, inputs, until_at, built_at, payload)
					VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT (owner, month) DO UPDATE SET
					inputs = excluded.inputs, until_at = excluded.until_at, built_at = excluded.built_at, payload = excluded.payload`,
					owner, month, string(inputs), m.Until, m.Told.BuiltAt, packed)
				return err
			})
		}
	}
	if err != nil {
		return fmt.Errorf("keep %s of %s: %w", month, owner, err)
	}
	return nil
}

// KeptMonth is what an owner's month came to when it was made of the inputs; false
// where it has not been kept, or was made of others, or time alone has changed it
// since.
func (l *Ledger) KeptMonth(ctx context.Context, owner, month string, of accounts.Inputs, now int64) (*accounts.Statement, bool, error) {
	inputs, err := json.Marshal(of)
	if err != nil {
		return nil, false, fmt.Errorf("read %s of %s: %w", month, owner, err)
	}
	var packed []byte
	err = l.db.Read.QueryRowContext(ctx, `SELECT payload FROM money_months
		WHERE owner = $1 AND month = $2 AND inputs = $3 AND (until_at = 0 OR until_at > $4)`, owner, month, string(inputs), now).Scan(&packed)
	if errors.Is(err, sql.ErrNoRows) {
		return nil, false, nil
	}
	told := &accounts.Statement{}
	if err == nil {
		err = inflate(packed, told)
	}
	if err != nil {
		return nil, false, fmt.Errorf("read %s of %s: %w", month, owner, err)
	}
	return told, true, nil
}

// SwapCounts are how many completed swaps in a window are known, by station; those
// without are left out. nil: of all stations.
func (l *Ledger) SwapCounts(ctx context.Context, stations []string, w telemetry.Window) (map[string]int64, error) {
	type count struct {
		station string
		n       int64
	}
	scan := func(row database.Scanner) (c count, err error) { return c, row.Scan(&c.station, &c.n) }
	if stations == nil {
		var err error
		if stations, err = l.reporting(ctx); err != nil {
			return nil, err
		}
	}
	out := map[string]int64{}
	for len(stations) > 0 {
		some := min(len(stations), stationsAtOnce)
		q := database.NewQuery(`SELECT device, count(*) FROM events`)
		q.Where("kind = ?", string(devices.KindStation)).Where("type = ?", swapCompleted).Where("ts >= ?", w.From).Where("ts < ?", w.To).WhereIn("device", stations[:some])
		found, err := database.Collect(ctx, l.db.Read, scan, q.Text()+` GROUP BY device`, q.Args()...)
		if err != nil {
			return nil, fmt.Errorf("count swaps: %w", err)
		}
		for _, c := range found {
			out[c.station] = c.n
		}
		stations = stations[some:]
	}
	return out, nil
}

// reporting are the stations that ever told of an event, each found in the index
// behind the one before, as there are far fewer of them than of events.
func (l *Ledger) reporting(ctx context.Context) ([]string, error) {
	scan := func(row database.Scanner) (id string, err error) { return id, row.Scan(&id) }
	out, err := database.Collect(ctx, l.db.Read, scan, `WITH RECURSIVE d(id) AS (
		SELECT min(device) FROM events WHERE kind = $1
		UNION ALL SELECT (SELECT min(device) FROM events WHERE kind = $1 AND device > d.id) FROM d WHERE d.id IS NOT NULL
	) SELECT id FROM d WHERE id IS NOT NULL`, string(devices.KindStation))
	if err != nil {
		return nil, fmt.Errorf("read stations with events: %w", err)
	}
	return out, nil
}

// DrawnDigest tells apart what is known of what stations drew on the days from
// first to last, and the days beside them; with hours, by the hour too.
func (l *Ledger) DrawnDigest(ctx context.Context, stations []string, first, last int64, hours bool) (string, error) {
	h := sha256.New()
	for _, id := range stations {
		_, _ = fmt.Fprintf(h, "%d %s ", len(id), id) // a hash takes everything
		if err := l.digest(ctx, h, `SELECT day, payload FROM station_days WHERE station = $1 AND day >= $2 AND day <= $3 ORDER BY day`, id, first-1, last+1); err != nil {
			return "", err
		}
		if !hours {
			continue
		}
		if err := l.digest(ctx, h, `SELECT day, payload FROM rollups WHERE kind = $1 AND device = $2 AND day >= $3 AND day <= $4 ORDER BY day`,
			string(devices.KindStation), id, first-1, last+1); err != nil {
			return "", err
		}
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}

// digest adds rows of a day and a payload.
func (l *Ledger) digest(ctx context.Context, h hash.Hash, query string, args ...any) error {
	rows, err := l.db.Read.QueryContext(ctx, query, args...)
	if err != nil {
		return fmt.Errorf("read what stations drew: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var day int64
		var payload sql.RawBytes
		if err := rows.Scan(&day, &payload); err != nil {
			return fmt.Errorf("read what stations drew: %w", err)
		}
		_, _ = fmt.Fprintf(h, "%d %d ", day, len(payload))
		_, _ = h.Write(payload)
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read what stations drew: %w", err)
	}
	return nil
}
