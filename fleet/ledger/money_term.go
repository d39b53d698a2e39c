package ledger

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices/database"
)

// TermKind is a kind of terms.
type TermKind string

// The kinds of terms.
const (
	PriceTerms    TermKind = "price"
	ContractTerms TermKind = "contract"
)

// Term is a version of a price or a contract.
type Term struct {
	ID        string
	Version   int64 // 1, and one more with each change
	ChangedBy string
	ChangedAt int64  // Unix milliseconds
	Payload   []byte // JSON; empty: it was withdrawn
}

// PutTerm saves a new version of a price or a contract, unless the newest says
// the same, and returns the newest. An empty payload withdraws it; ErrNoMoney
// where there is none.
func (l *Ledger) PutTerm(ctx context.Context, kind TermKind, id, by string, v any) (Term, error) {
	payload := []byte{}
	if v != nil {
		var err error
		if payload, err = json.Marshal(v); err != nil {
			return Term{}, fmt.Errorf("put %s %s: %w", kind, id, err)
		}
	}
	at := l.now().UnixMilli()
	var out Term
	err := l.db.Update(ctx, func(tx *sql.Tx) error {
		old, err := scanTerm(tx.QueryRowContext(ctx, `SELECT `+termColumns+` FROM money_terms
			WHERE collection = $1 AND id = $2 ORDER BY version DESC LIMIT 1`, string(kind), id))
		switch {
		case err != nil && !errors.Is(err, sql.ErrNoRows):
			return err
		case len(payload) == 0 && len(old.Payload) == 0:
			return ErrNoMoney
		case err == nil && string(old.Payload) == string(payload):
			out = old
			return nil
		}
		out = Term{ID: id, Version: old.Version + 1, ChangedBy: by, ChangedAt: at, Payload: payload}
		_, err = tx.ExecContext(ctx, `INSERT INTO money_terms (collection, `+termColumns+`) VALUES ($1, $2, $3, $4, $5, $6)`,
			string(kind), id, out.Version, out.ChangedBy, out.ChangedAt, string(payload))
		return err
	})
	if err != nil {
		return Term{}, fmt.Errorf("put %s %s: %w", kind, id, err)
	}
	return out, nil
}

const termColumns = `id, version, changed_by, changed_at, payload`

func scanTerm(row database.Scanner) (t Term, err error) {
	err = row.Scan(&t.ID, &t.Version, &t.ChangedBy, &t.ChangedAt, &t.Payload)
	return t, err
}

// Terms are those in force, by id.
func (l *Ledger) Terms(ctx context.Context, kind TermKind) ([]Term, error) {
	all, err := database.Collect(ctx, l.db.Read, scanTerm, `SELECT t.id, t.version, t.changed_by, t.changed_at, t.payload FROM money_terms t
		JOIN (SELECT id, max(version) AS newest FROM money_terms WHERE collection = $1 GROUP BY id) n ON n.id = t.id AND n.newest = t.version
		WHERE t.collection = $1 AND t.payload <> '' ORDER BY t.id`, string(kind))
	if err != nil {
		return nil, fmt.Errorf("read terms of kind %s: %w", kind, err)
	}
	return all, nil
}

// TermHistory are all versions of one, the newest first; ErrNoMoney where there
// never was any.
func (l *Ledger) TermHistory(ctx context.Context, kind TermKind, id string) ([]Term, error) {
	all, err := database.Collect(ctx, l.db.Read, scanTerm, `SELECT `+termColumns+` FROM money_terms
		WHERE collection = $1 AND id = $2 ORDER BY version DESC`, string(kind), id)
	if err == nil && len(all) == 0 {
		err = ErrNoMoney
	}
	if err != nil {
		return nil, fmt.Errorf("versions of %s %s: %w", kind, id, err)
	}
	return all, nil
}
