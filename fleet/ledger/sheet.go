package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// ErrNoSheet says that nobody declared anything of a battery.
var ErrNoSheet = errors.New("no data sheet")

// Sheet is what people declare of a battery for its passport: the maker's data,
// and what happened to it that no sensor tells of.
type Sheet struct {
	Declared  battery.PassportSheet
	Incidents []battery.Incident
	UpdatedAt time.Time // UTC, to the millisecond; set by PutSheet
}

// storedSheet is the payload of a sheet.
type storedSheet struct {
	Declared  battery.PassportSheet `json:"declared"`
	Incidents []battery.Incident    `json:"incidents,omitempty"`
}

// PutSheet replaces the sheet of the battery and returns it as it is stored.
func (l *Ledger) PutSheet(ctx context.Context, id string, s Sheet) (Sheet, error) {
	payload, err := json.Marshal(storedSheet{s.Declared, s.Incidents})
	if err != nil {
		return Sheet{}, fmt.Errorf("put sheet of battery %s: %w", id, err)
	}
	s.UpdatedAt = l.now().UTC().Truncate(time.Millisecond)
	err = l.db.Update(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `INSERT INTO battery_sheets (battery, updated_at, payload) VALUES ($1, $2, $3)
			ON CONFLICT (battery) DO UPDATE SET updated_at = excluded.updated_at, payload = excluded.payload`,
			id, s.UpdatedAt.UnixMilli(), string(payload))
		return err
	})
	if err != nil {
		return Sheet{}, fmt.Errorf("put sheet of battery %s: %w", id, err)
	}
	return s, nil
}

// Sheet returns the sheet of the battery. Error: ErrNoSheet.
func (l *Ledger) Sheet(ctx context.Context, id string) (Sheet, error) {
	var (
		at      int64
		payload []byte
		stored  storedSheet
	)
	err := l.db.Read.QueryRowContext(ctx, `SELECT updated_at, payload FROM battery_sheets WHERE battery = $1`, id).Scan(&at, &payload)
	if errors.Is(err, sql.ErrNoRows) {
		err = ErrNoSheet
	}
	if err == nil {
		err = json.Unmarshal(payload, &stored)
	}
	if err != nil {
		return Sheet{}, fmt.Errorf("sheet of battery %s: %w", id, err)
	}
	return Sheet{Declared: stored.Declared, Incidents: stored.Incidents, UpdatedAt: time.UnixMilli(at).UTC()}, nil
}

// DeleteSheet removes the sheet of the battery. Error: ErrNoSheet.
func (l *Ledger) DeleteSheet(ctx context.Context, id string) error {
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		result, err := tx.ExecContext(ctx, `DELETE FROM battery_sheets WHERE battery = $1`, id)
		if err != nil {
			return err
		}
		if n, err := result.RowsAffected(); err != nil || n > 0 {
			return err
		}
		return ErrNoSheet
	})
	if err != nil {
		return fmt.Errorf("sheet of battery %s: %w", id, err)
	}
	return nil
}
