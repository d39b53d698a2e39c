package waterfall

import (
	"fmt"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// span is a part of the month on which the same agreements are in force.
type span struct {
	from, to       daycount.Date
	revenue, swaps int64
}

// spans cuts the month where an agreement begins or ends, and adds up what was
// earned in each part.
func (m *Month) spans(in []Agreement) []span {
	cuts := []daycount.Date{m.From, m.To}
	for i := range in {
		if in[i].days(m.From, m.To) == 0 {
			continue
		}
		cuts = append(cuts, max(in[i].From, m.From))
		if in[i].To != nil {
			cuts = append(cuts, min(*in[i].To, m.To))
		}
	}
	slices.Sort(cuts)
	cuts = slices.Compact(cuts)
	spans := make([]span, len(cuts)-1)
	for i := range spans {
		spans[i] = span{from: cuts[i], to: cuts[i+1]}
	}
	for _, e := range m.Earned {
		i, found := slices.BinarySearch(cuts, e.Date)
		if !found {
			i--
		}
		spans[i].revenue += e.Revenue
		spans[i].swaps += e.Swaps
	}
	return spans
}

// claim is what an agreement has come to so far.
type claim struct {
	*Agreement
	days           int64
	tiers          []Tier // thresholds by the days in force
	minimum, fixed int64
	revenue, swaps int64 // on its days so far: where it stands in its tiers
	shared         int64
	perSwap        int64
}

func newClaim(a *Agreement, days, of int64) claim {
	c := claim{Agreement: a, days: days, minimum: prorate(a.Minimum, days, of), fixed: prorate(a.Fee, days, of), tiers: a.Tiers}
	if days < of {
		c.tiers = slices.Clone(a.Tiers)
		for i := range c.tiers {
			c.tiers[i].Above = prorate(c.tiers[i].Above, days, of)
		}
	}
	return c
}

func (c *claim) row(carried int64) Row {
	r := Row{
		Agreement: c.ID, Party: c.Party, Days: c.days, Carried: carried,
		Fee: c.fixed + c.perSwap, Share: c.shared, TopUp: max(0, c.minimum-c.shared),
	}
	r.Due = r.Fee + r.Share + r.TopUp + r.Carried
	return r
}

// share gives each agreement in force its part of the span's revenue.
func (sp span) share(claims []claim) error {
	var in []*claim
	for i := range claims {
		if claims[i].Agreement.days(sp.from, sp.to) > 0 {
			in = append(in, &claims[i])
		}
	}
	if len(in) == 0 {
		return nil
	}
	swaps := max(sp.swaps, 1)
	bySwap := make([]int64, len(in)) // share in ppm, times the swaps
	for i, c := range in {
		if c.Basis == BySwaps {
			bySwap[i] = c.blend(sp.swaps)
		}
	}
	weights := make([]int64, len(in)+1)
	parts := make([]int64, len(in)+1)
	for done := int64(0); done < sp.revenue; {
		n := sp.revenue - done
		rest := Whole * swaps
		for i, c := range in {
			weights[i] = bySwap[i]
			if c.Basis == ByRevenue {
				share, until := c.tierAt(c.revenue)
				weights[i] = share * swaps
				n = min(n, until-c.revenue)
			}
			rest -= weights[i]
		}
		if rest < 0 {
			return fmt.Errorf("%w: from %v, above a revenue of %d minor units", ErrOver, sp.from, done)
		}
		weights[len(in)] = rest
		apportion(n, weights, parts)
		for i, c := range in {
			c.shared += parts[i]
			c.revenue += n
		}
		done += n
	}
	for _, c := range in {
		c.swaps += sp.swaps
	}
	return nil
}

// tierAt is the share above a revenue, and the threshold up to which it holds.
func (c *claim) tierAt(revenue int64) (share, until int64) {
	until = math.MaxInt64
	for _, t := range c.tiers {
		if t.Above > revenue {
			return share, t.Above
		}
		share = t.Share
	}
	return share, until
}

// blend goes through the span's swaps: it adds the fees by swap, and returns the
// sum of each swap's share. A span with revenue and no swap has the share of its
// next swap.
func (c *claim) blend(swaps int64) (shares int64) {
	if swaps == 0 {
		share, _ := c.tierAt(c.swaps)
		return share
	}
	for i, t := range c.tiers {
		until := int64(math.MaxInt64)
		if i+1 < len(c.tiers) {
			until = c.tiers[i+1].Above
		}
		n := min(c.swaps+swaps, until) - max(c.swaps, t.Above)
		if n > 0 {
			shares += n * t.Share
			c.perSwap += n * t.PerSwap
		}
	}
	return shares
}
