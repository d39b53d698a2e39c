package statement

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/money"
)

// Book is all that a month is closed from. Events of other months are left out,
// and the order of none of the lists matters.
type Book struct {
	Events    []Event
	Owned     []Ownership
	Contracts []Contract
	Zone      *time.Location // whose midnights divide months and days
}

// part is an event's part for one asset, or for an owner and no asset, as it
// stands in a statement.
type part struct {
	Entry
	owner string
	asset string
	kind  Kind
	swaps int64
}

// sharedPart is what an agreement took of a part.
type sharedPart struct {
	part
	contract, agreement, party string
}

// Build closes a month for every owner. An asset's events are those of who owned
// it when they happened. What does not add up to the last minor unit is not handed
// out, but ErrReconcile.
func Build(b Book, m Month) (Closing, error) {
	parts, unowned, err := b.parts(m)
	if err != nil {
		return Closing{}, err
	}
	list, by, err := pools(b.Contracts)
	if err != nil {
		return Closing{}, err
	}
	out := Closing{Unowned: unowned, Settlements: []Settlement{}, Statements: []Statement{}}
	var shared []sharedPart
	for _, p := range parts {
		if err := take(by, p); err != nil {
			return Closing{}, err
		}
		shared = append(shared, sharedPart{part: p})
	}
	slices.SortFunc(list, func(a, b *pool) int { return cmp.Compare(a.ID, b.ID) })
	for _, p := range list {
		s, err := p.settle(m, b.Zone)
		if err != nil {
			return Closing{}, err
		}
		taken, err := p.lines(s)
		if err != nil {
			return Closing{}, err
		}
		out.Settlements = append(out.Settlements, s)
		shared = append(shared, taken...)
	}
	if out.Statements, err = b.statements(m, shared, out.Settlements); err != nil {
		return Closing{}, err
	}
	if err := out.reconcile(b, m); err != nil {
		return Closing{}, err
	}
	return out, nil
}

// parts divides the month's events among assets and finds whose they are, by time
// and event.
func (b *Book) parts(m Month) (parts []part, unowned []Unowned, err error) {
	events, err := once(b.Events)
	if err != nil {
		return nil, nil, err
	}
	owned, err := newOwners(b.Owned)
	if err != nil {
		return nil, nil, err
	}
	from, to := m.Bounds(b.Zone)
	unowned = []Unowned{}
	events = slices.DeleteFunc(events, func(e Event) bool { return e.At < from || e.At >= to })
	slices.SortFunc(events, func(a, b Event) int { return cmp.Or(cmp.Compare(a.At, b.At), cmp.Compare(a.ID, b.ID)) })
	for i := range events {
		of, err := events[i].divide()
		if err != nil {
			return nil, nil, err
		}
		for _, p := range of {
			if p.owner != "" {
				parts = append(parts, p)
			} else if owner, ok := owned.at(p.asset, p.At); ok {
				p.owner = owner
				parts = append(parts, p)
			} else {
				unowned = append(unowned, Unowned{p.kind, p.asset, p.Entry})
			}
		}
	}
	return parts, unowned, nil
}

// divide returns the event's parts, signed as they stand in a statement. The swaps
// go with the first.
func (e *Event) divide() ([]part, error) {
	amount := e.Amount
	if e.Kind.PaidOut() {
		amount.Minor = -amount.Minor // check has kept the one out that can't be
	}
	if len(e.Among) == 0 {
		return []part{{Entry{e.ID, e.At, amount}, e.Owner, e.Asset, e.Kind, e.Swaps}}, nil
	}
	weights := make([]int64, len(e.Among))
	for i, p := range e.Among {
		if p.Asset == "" {
			return nil, fmt.Errorf("%w %q: a part of it is of no asset", ErrEvent, e.ID)
		}
		weights[i] = p.Weight
	}
	amounts, err := amount.Allocate(weights...)
	if err != nil {
		return nil, fmt.Errorf("%w %q: %w", ErrEvent, e.ID, err)
	}
	parts := make([]part, len(amounts))
	for i, a := range amounts {
		parts[i] = part{Entry{e.ID, e.At, a}, "", e.Among[i].Asset, e.Kind, 0}
	}
	parts[0].swaps = e.Swaps
	return parts, nil
}

// purse is one owner's money of one currency.
type purse struct {
	owner    string
	currency money.Currency
}

// statements makes each owner's statement. Every owner of an asset in the month,
// of a contract or of an event has one.
func (b *Book) statements(m Month, parts []sharedPart, settled []Settlement) ([]Statement, error) {
	from, to := m.Bounds(b.Zone)
	names := map[string]bool{}
	for _, o := range b.Owned {
		if o.From < to && o.To > from {
			names[o.Owner] = true
		}
	}
	content := map[purse][]sharedPart{}
	for _, p := range parts {
		names[p.owner] = true
		k := purse{p.owner, p.Amount.Currency}
		content[k] = append(content[k], p)
	}
	settlements := map[purse][]Settlement{}
	for _, s := range settled {
		names[s.Owner] = true
		k := purse{s.Owner, s.Currency}
		settlements[k] = append(settlements[k], s)
		if content[k] == nil {
			content[k] = []sharedPart{} // a section without lines, that tells of the settlement
		}
	}
	sections := map[string][]Section{}
	for _, k := range slices.SortedFunc(maps.Keys(content), func(a, b purse) int { return cmp.Compare(a.currency, b.currency) }) {
		section, err := newSection(k.currency, content[k])
		if err != nil {
			return nil, fmt.Errorf("statement of %q: %w", k.owner, err)
		}
		section.Settlements = append(section.Settlements, settlements[k]...)
		sections[k.owner] = append(sections[k.owner], section)
	}
	out := make([]Statement, 0, len(names))
	for _, name := range slices.Sorted(maps.Keys(names)) {
		s := Statement{Owner: name, Month: m, Zone: b.Zone.String(), From: from, To: to, Sections: []Section{}}
		s.Sections = append(s.Sections, sections[name]...)
		out = append(out, s)
	}
	return out, nil
}
