package accounts

import (
	"fmt"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// Saving is what a building saved in a month on a meter, as it was measured and
// verified.
type Saving struct {
	Asset    string        `json:"asset"`
	Meter    string        `json:"meter"`
	Measure  string        `json:"measure"` // id of the intervention
	From     daycount.Date `json:"from"`
	To       daycount.Date `json:"to"`       // exclusive
	Method   string        `json:"method"`   // models and their versions
	Coverage float64       `json:"coverage"` // of the days, 0…1
	Quantity float64       `json:"quantity"`
	Unit     string        `json:"unit"`
	Measured money.Amount  `json:"measured"`
	// Plus is the half width of the interval around Measured, in minor units; nil
	// where it is not known.
	Plus *int64 `json:"plus_minus_minor"`
	// Provisional says that further days of the month are to come.
	Provisional bool         `json:"provisional"`
	Booked      money.Amount `json:"booked"` // of Measured, what fell on days when the building was the owner's and an agreement held
}

// Days are those of which the saving is.
func (s *Saving) Days() []daycount.Date {
	var out []daycount.Date
	for d := s.From; d < s.To; d++ {
		out = append(out, d)
	}
	return out
}

// Save books a saving: the same each day, to the last minor unit, for the days that
// count, as the whole is no better known by the day. They are days of the building's
// calendar. In the statement each is that of its date in the owner's zone, and the
// owner's whoever had the building at that midnight.
func (b *Booked) Save(s *Saving, owner string, zone *time.Location, counts func(daycount.Date) bool) error {
	s.Booked = money.Zero(s.Measured.Currency)
	parts, err := s.Measured.Split(int(s.To - s.From))
	if err != nil {
		return fmt.Errorf("saving of %s: %w", s.Asset, err)
	}
	for i, part := range parts {
		day := s.From + daycount.Date(i)
		if !counts(day) || part.IsZero() {
			continue
		}
		s.Booked.Minor += part.Minor // no more than the whole
		b.Events = append(b.Events, statement.Event{
			ID: fmt.Sprintf("%s/savings/%s/%s/%s", s.Asset, s.Meter, s.Measure, day), At: day.Start(zone).UnixMilli(),
			Kind: statement.EnergySavings, Amount: part, Asset: s.Asset, Owner: owner,
		})
	}
	return nil
}

// Unsaved notes why a building's saving is not in the statement.
func (b *Booked) Unsaved(asset, why string) { b.gap(NoSaving, asset, why) }

// EnteredSavings are the assets whose savings somebody entered, "" for an owner
// alone; those without that were taken back at any time: what was entered stands in
// the place of what was measured.
func EnteredSavings(entries []Entry, takenBack map[string]bool) map[string]bool {
	out := map[string]bool{}
	for i := range entries {
		e := &entries[i]
		if e.Kind != statement.EnergySavings || e.Reverses != "" || takenBack[e.ID] {
			continue
		}
		if e.Owner != "" {
			out[""] = true
		}
		for _, asset := range e.Assets() {
			out[asset] = true
		}
	}
	return out
}
