package statement

import (
	"cmp"
	"fmt"
	"math"
	"slices"
)

// Forever is the end of an ownership that has none.
const Forever = math.MaxInt64

// Ownership is who owned an asset in [From, To), Unix milliseconds: what happens
// at the instant of a sale is the new owner's.
type Ownership struct {
	Asset string
	Owner string
	From  int64
	To    int64
}

// owners are the ownerships of each asset, by time.
type owners map[string][]Ownership

// newOwners refuses an asset that has two owners at once. One that has none for
// some time is no error: what happens then is told as unowned.
func newOwners(all []Ownership) (owners, error) {
	by := owners{}
	for _, o := range all {
		if o.Asset == "" || o.Owner == "" || o.To <= o.From {
			return nil, fmt.Errorf("%w: %q of %q from %d to %d", ErrOwnership, o.Asset, o.Owner, o.From, o.To)
		}
		by[o.Asset] = append(by[o.Asset], o)
	}
	for asset, list := range by {
		slices.SortFunc(list, func(a, b Ownership) int { return cmp.Compare(a.From, b.From) })
		for i := 1; i < len(list); i++ {
			if list[i].From < list[i-1].To {
				return nil, fmt.Errorf("%w: %q has both %q and %q at %d", ErrOwnership, asset, list[i-1].Owner, list[i].Owner, list[i].From)
			}
		}
	}
	return by, nil
}

// at is who owned the asset at an instant.
func (o owners) at(asset string, ts int64) (owner string, ok bool) {
	list := o[asset]
	i, found := slices.BinarySearchFunc(list, ts, func(w Ownership, ts int64) int { return cmp.Compare(w.From, ts) })
	if !found {
		i--
	}
	if i < 0 || ts >= list[i].To {
		return "", false
	}
	return list[i].Owner, true
}
