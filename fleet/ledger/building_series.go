package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// SeriesKind is a kind of imported series.
type SeriesKind string

// The kinds. Weather has the id building/ID or site/ID, the others that of their
// tariff or grid.
const (
	MeasuredWeather SeriesKind = "weather" // °C
	TypicalWeather  SeriesKind = "typical" // °C
	Prices          SeriesKind = "price"   // minor units per unit of energy
	Factors         SeriesKind = "factor"  // kg CO₂e per unit of energy
)

// SeriesInfo describes an imported series.
type SeriesInfo struct {
	Kind      SeriesKind
	ID        string
	Revision  int64
	UpdatedAt time.Time
	Source    string // in words
	Points    int
	From, To  time.Time // To is until when the last value holds
}

// ImportedSeries is a series with its values, which ascend.
type ImportedSeries struct {
	SeriesInfo
	Buildings []string // that weather of a site bears on
	Replace   bool     // what was there
	Values    []prepare.Point
}

// MaxPoints bounds a series: a hundred years of hours.
const MaxPoints = 900_000

// ErrTooLong says that a series would be longer than MaxPoints.
var ErrTooLong = errors.New("the series would be too long")

// MergeSeries adds values to a series, of which there is one at least, and has
// the results that it bears on looked at again. Of two values of one time the new
// one stands. From is worked out here; To may be later than what was there, and
// never becomes earlier.
func (l *Ledger) MergeSeries(ctx context.Context, add ImportedSeries) (SeriesInfo, error) {
	var s ImportedSeries
	err := l.db.Update(ctx, func(tx *sql.Tx) (err error) {
		s = add
		s.UpdatedAt = l.now().UTC().Truncate(time.Millisecond)
		was, found, err := readSeries(ctx, tx, s.Kind, s.ID)
		if err != nil {
			return err
		}
		if found && !add.Replace {
			s.Values = building.MergePoints(was.Values, add.Values)
			if was.To.After(s.To) {
				s.To = was.To
			}
		}
		if s.Points = len(s.Values); s.Points > MaxPoints {
			return ErrTooLong
		}
		s.From = time.UnixMilli(s.Values[0].TS).UTC()
		if s.Revision, err = nextSeq(ctx, tx); err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO building_series
			(collection, id, revision, updated_at, source, points, from_ts, to_ts, payload)
			VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9) ON CONFLICT (collection, id) DO UPDATE
			SET revision = excluded.revision, updated_at = excluded.updated_at, source = excluded.source, points = excluded.points,
			    from_ts = excluded.from_ts, to_ts = excluded.to_ts, payload = excluded.payload`,
			string(s.Kind), s.ID, s.Revision, s.UpdatedAt.UnixMilli(), s.Source, s.Points, s.From.UnixMilli(), s.To.UnixMilli(),
			building.EncodePoints(s.Values))
		if err != nil {
			return err
		}
		return remarkSeries(ctx, tx, s.Kind, s.ID, s.Buildings, s.Revision)
	})
	if err != nil {
		return SeriesInfo{}, fmt.Errorf("save %s of %s: %w", s.Kind, s.ID, err)
	}
	return s.SeriesInfo, nil
}

// remarkSeries marks the buildings that a series bears on: prices and factors may
// be anybody's; weather is that of its building, or of those on its site.
func remarkSeries(ctx context.Context, tx *sql.Tx, kind SeriesKind, id string, buildings []string, seq int64) error {
	if kind != MeasuredWeather && kind != TypicalWeather {
		return remark(ctx, tx, "", seq)
	}
	if one, ok := strings.CutPrefix(id, "building/"); ok {
		buildings = []string{one}
	}
	for _, b := range buildings {
		if err := remark(ctx, tx, b, seq); err != nil {
			return err
		}
	}
	return nil
}

// DeleteSeries removes a series; ErrNoEntry where there is none. buildings are
// those that weather of a site bears on.
func (l *Ledger) DeleteSeries(ctx context.Context, kind SeriesKind, id string, buildings ...string) error {
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		seq, err := drop(ctx, tx, `DELETE FROM building_series WHERE collection = $1 AND id = $2`, string(kind), id)
		if err != nil {
			return err
		}
		return remarkSeries(ctx, tx, kind, id, buildings, seq)
	})
	if err != nil {
		return fmt.Errorf("delete %s of %s: %w", kind, id, err)
	}
	return nil
}

const seriesColumns = `revision, updated_at, source, points, from_ts, to_ts`

// SeriesInfo describes a series without reading it; false where there is none.
func (l *Ledger) SeriesInfo(ctx context.Context, kind SeriesKind, id string) (SeriesInfo, bool, error) {
	s := SeriesInfo{Kind: kind, ID: id}
	err := scanSeries(l.db.Read.QueryRowContext(ctx, `SELECT `+seriesColumns+` FROM building_series
		WHERE collection = $1 AND id = $2`, string(kind), id), &s)
	return s, err == nil, missing(err, kind, id)
}

// Series reads a series; false where there is none.
func (l *Ledger) Series(ctx context.Context, kind SeriesKind, id string) (ImportedSeries, bool, error) {
	return readSeries(ctx, l.db.Read, kind, id)
}

type rower interface {
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
}

func readSeries(ctx context.Context, db rower, kind SeriesKind, id string) (ImportedSeries, bool, error) {
	s := ImportedSeries{SeriesInfo: SeriesInfo{Kind: kind, ID: id}}
	var payload []byte
	err := scanSeries(db.QueryRowContext(ctx, `SELECT `+seriesColumns+`, payload FROM building_series
		WHERE collection = $1 AND id = $2`, string(kind), id), &s.SeriesInfo, &payload)
	if err == nil {
		s.Values, err = building.DecodePoints(payload)
	}
	return s, err == nil, missing(err, kind, id)
}

func scanSeries(row database.Scanner, s *SeriesInfo, more ...any) error {
	var updated, from, to int64
	err := row.Scan(append([]any{&s.Revision, &updated, &s.Source, &s.Points, &from, &to}, more...)...)
	s.UpdatedAt, s.From, s.To = time.UnixMilli(updated).UTC(), time.UnixMilli(from).UTC(), time.UnixMilli(to).UTC()
	return err
}

// missing is nil for a series that is not there.
func missing(err error, kind SeriesKind, id string) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return nil
	}
	return fmt.Errorf("read %s of %s: %w", kind, id, err)
}
