package ledger

import (
	"errors"
	"log/slog"

	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
)

// unread counts results of batteries that were passed over because they can't be
// read, as those of another release: one of them must not take a whole list away.
// The night in which health is next told makes them anew, a day while its readings
// are stored.
type unread struct {
	of    string // what they are
	count int
	first string // battery
}

// pass returns the error unless it is one to pass over.
func (u *unread) pass(id string, err error) error {
	if !errors.Is(err, dossier.ErrCorrupt) {
		return err
	}
	if u.count++; u.count == 1 {
		u.first = id
	}
	return nil
}

func (u *unread) log(to *slog.Logger) {
	if u.count > 0 {
		to.Warn("results of batteries passed over: they can't be read", "results", u.of, "count", u.count, "first", u.first)
	}
}
