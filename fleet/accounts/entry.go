// Package accounts turns what happens to assets into the events of a statement:
// swaps and energy by the prices that held at that hour, and what people enter by
// hand. It turns months of statements into the return of an asset, too.
//
// It is pure. It knows no store and no clock, divides no revenue and adds up no
// statement: fleet/statement and fleet/finance do.
package accounts

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// Problem is what is wrong with a property of something that was entered.
type Problem struct {
	Field  string // as in JSON
	Detail string
}

// Entry is an amount that was entered: a cost or a revenue that no device tells
// of. It is of one asset, of several by weight, or of an owner alone.
type Entry struct {
	ID       string // the client's own
	At       int64  // Unix milliseconds: whose it is and which month's
	Kind     statement.Kind
	Amount   money.Amount // positive in the usual direction of its kind
	Asset    string       // kind/id of a site or a device
	Among    []statement.Portion
	Owner    string
	Partner  string // whom it was paid to, or who paid; may be empty
	Note     string
	Reverses string // the entry that it takes back; empty: none

	EnteredBy string
	EnteredAt int64 // Unix milliseconds
}

// Bounds of what is entered.
const (
	maxID      = 50 // so that the id of its reversal is one, too
	earliest   = 0
	latest     = 7258118400000 // 2200-01-01
	maxNote    = 500
	maxPartner = 100
	maxAmong   = 1000
	maxMinor   = 1 << 53 // what every reader of JSON can tell from its neighbours
)

// EntryKinds are the kinds that can be entered, in the order of a statement.
func EntryKinds() []statement.Kind {
	return []statement.Kind{
		statement.SwapPrice, statement.Subscription, statement.EnergySavings, statement.CarbonCredits,
		statement.EnergyCost, statement.Maintenance, statement.Rent, statement.Insurance, statement.OtherCost,
		statement.CapitalCost, statement.ResidualValue, statement.Recycling,
	}
}

// Check returns everything that is wrong with the entry; whether what it names
// exists is not known here.
func (e *Entry) Check() []Problem {
	var p []Problem
	wrong := func(field, format string, args ...any) { p = append(p, Problem{field, fmt.Sprintf(format, args...)}) }
	if !nameOK(e.ID) {
		wrong("id", "wants 1 to %d of A-Z a-z 0-9 . _ : -", maxID)
	}
	if e.At < earliest || e.At >= latest {
		wrong("at", "is not within the years 1970 to 2199")
	}
	if !slices.Contains(EntryKinds(), e.Kind) {
		wrong("kind", "is none of the kinds of entries")
	}
	if !e.Amount.Currency.Valid() {
		wrong("amount.currency", "is no ISO 4217 currency with a minor unit")
	}
	if e.Amount.Minor > maxMinor || e.Amount.Minor < -maxMinor {
		wrong("amount.amount", "is too large")
	}
	of := 0
	for _, is := range []bool{e.Asset != "", len(e.Among) > 0, e.Owner != ""} {
		if is {
			of++
		}
	}
	if of != 1 {
		wrong("asset", "want just one of an asset, several by weight, and an owner")
	}
	p = append(p, e.checkAmong()...)
	if len(e.Note) > maxNote {
		wrong("note", "is longer than %d bytes", maxNote)
	}
	if len(e.Partner) > maxPartner {
		wrong("partner", "is longer than %d bytes", maxPartner)
	}
	return p
}

func (e *Entry) checkAmong() []Problem {
	if len(e.Among) > maxAmong {
		return []Problem{{"among", fmt.Sprintf("has more than %d assets", maxAmong)}}
	}
	var sum int64
	seen := map[string]bool{}
	for i, a := range e.Among {
		switch at := fmt.Sprintf("among[%d]", i); {
		case a.Asset == "" || seen[a.Asset]:
			return []Problem{{at, "wants an asset that is not there twice"}}
		case a.Weight < 0 || a.Weight > math.MaxInt32:
			return []Problem{{at + ".weight", "is out of bounds"}}
		}
		seen[a.Asset] = true
		sum += a.Weight
	}
	if len(e.Among) > 0 && sum == 0 {
		return []Problem{{"among", "has no weight above 0"}}
	}
	return nil
}

// nameOK says whether a text can be the id of something.
func nameOK(s string) bool {
	return s != "" && len(s) <= maxID && strings.IndexFunc(s, func(r rune) bool {
		return !strings.ContainsRune("._:-0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ", r)
	}) < 0
}

// Same reports whether two entries say the same, whoever entered them.
func (e *Entry) Same(o *Entry) bool {
	return e.ID == o.ID && e.At == o.At && e.Kind == o.Kind && e.Amount == o.Amount && e.Asset == o.Asset &&
		slices.Equal(e.Among, o.Among) && e.Owner == o.Owner && e.Partner == o.Partner && e.Note == o.Note && e.Reverses == o.Reverses
}

// Reversal is the entry that takes this one back at an instant, under its own id.
func (e *Entry) Reversal(id string, at int64, note string) Entry {
	out := *e
	out.ID, out.At, out.Note, out.Reverses = cmp.Or(id, e.ID+":reversal"), at, note, e.ID
	out.Amount.Minor = -e.Amount.Minor // Check keeps the one out that can't be
	out.EnteredBy, out.EnteredAt = "", 0
	return out
}

// event is the entry in a statement.
func (e *Entry) event() statement.Event {
	return statement.Event{
		ID: "entry/" + e.ID, At: e.At, Kind: e.Kind, Amount: e.Amount, Asset: e.Asset, Among: e.Among, Owner: e.Owner,
	}
}

// Assets are those that the entry bears on.
func (e *Entry) Assets() []string {
	if e.Asset != "" {
		return []string{e.Asset}
	}
	out := make([]string, len(e.Among))
	for i, a := range e.Among {
		out[i] = a.Asset
	}
	return out
}
