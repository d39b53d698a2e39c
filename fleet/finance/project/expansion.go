package project

import (
	"cmp"
	"fmt"
	"math"
	"slices"

	"gonum.org/v1/gonum/stat"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
)

// Peer is a station that has run for a while: what it returned, and what its site
// is like. Features are numbers in the same order for all, as traffic, power price,
// stations nearby.
type Peer struct {
	ID       string
	Return   float64 // a year
	Features []float64
}

// Neighbour is a peer and how unlike the new site it is: the distance in standard
// deviations of the features among all peers, by the root of the mean square.
type Neighbour struct {
	ID       string  `json:"id"`
	Return   float64 `json:"return"`
	Distance float64 `json:"distance"`
	features []float64
}

// Expansion is what a new station at a site may return, by stations at sites like
// it.
type Expansion struct {
	Status finance.Status `json:"status"`
	Reason string         `json:"reason,omitempty"`
	Count  int            `json:"count"` // peers it rests on
	Median *float64       `json:"median"`
	Mean   *float64       `json:"mean"`
	// Low and High are between what one more station like these returns, by Level
	// of all such stations: at least the level asked for, or the most that so few
	// peers can tell.
	Low   *float64    `json:"low"`
	High  *float64    `json:"high"`
	Level float64     `json:"level"`
	Peers []Neighbour `json:"peers"` // nearest first
	// Outside are the features, by their place, in which the site lies beyond all of
	// these peers: what is told of it there is a guess.
	Outside []int `json:"outside"`
}

// LeastPeers is the fewest that an expansion is told of. The range of five covers a
// sixth one four times in six.
const LeastPeers = 5

// Expand takes the peers most like a site, at most most of them, and tells what
// they returned. The interval is of the order statistics: of n peers and the new
// station, all taken to be of one kind, each place is as likely for the new one, so
// it falls between the j-th smallest and the j-th largest with probability
// (n+1−2j)/(n+1) (Wilks 1941, Ann. Math. Stat. 12:91), whatever the distribution. It
// says nothing of a site that none of the peers is like: that, the distances and
// Outside tell.
func Expand(site []float64, peers []Peer, most int, level float64) (Expansion, error) {
	if !(level > 0 && level < 1) || most < LeastPeers {
		return Expansion{}, fmt.Errorf("%w: level %v of at most %d peers", ErrPlan, level, most)
	}
	near, err := neighbours(site, peers)
	if err != nil {
		return Expansion{}, err
	}
	near = near[:min(len(near), most)]
	n := len(near)
	e := Expansion{Status: finance.Insufficient, Count: n, Peers: near, Outside: outside(site, near)}
	if n < LeastPeers {
		e.Reason = fmt.Sprintf("only %d stations like it, of %d needed", n, LeastPeers)
		return e, nil
	}
	returns := make([]float64, n)
	for i, p := range near {
		returns[i] = p.Return
	}
	slices.Sort(returns)
	median, mean := quantile(returns, 0.5), stat.Mean(returns, nil)
	// A rounding error must not turn a level that can be had into the next wider.
	j := max(1, int(math.Floor(float64(n+1)*(1-level)/2+1e-9)))
	e.Status, e.Median, e.Mean = finance.OK, &median, &mean
	e.Low, e.High = &returns[j-1], &returns[n-j]
	e.Level = float64(n+1-2*j) / float64(n+1)
	return e, nil
}

// neighbours are the peers by their distance from a site.
func neighbours(site []float64, peers []Peer) ([]Neighbour, error) {
	scale, err := spread(site, peers)
	if err != nil {
		return nil, err
	}
	out := make([]Neighbour, 0, len(peers))
	for _, p := range peers {
		var sum float64
		for i, v := range p.Features {
			if scale[i] > 0 {
				d := (v - site[i]) / scale[i]
				sum += d * d
			}
		}
		out = append(out, Neighbour{p.ID, p.Return, math.Sqrt(sum / float64(max(1, len(site)))), p.Features})
	}
	slices.SortFunc(out, func(a, b Neighbour) int {
		return cmp.Or(cmp.Compare(a.Distance, b.Distance), cmp.Compare(a.ID, b.ID))
	})
	return out, nil
}

func outside(site []float64, near []Neighbour) []int {
	out := []int{}
	for i, v := range site {
		below := func(p Neighbour) bool { return p.features[i] <= v }
		above := func(p Neighbour) bool { return p.features[i] >= v }
		if !slices.ContainsFunc(near, below) || !slices.ContainsFunc(near, above) {
			out = append(out, i)
		}
	}
	return out
}

// spread is each feature's standard deviation among the peers; 0 for one that all
// of them share, which can't tell them apart.
func spread(site []float64, peers []Peer) ([]float64, error) {
	columns := make([][]float64, len(site))
	for _, p := range peers {
		if len(p.Features) != len(site) {
			return nil, fmt.Errorf("%w: %d features of peer %q, %d of the site", ErrPlan, len(p.Features), p.ID, len(site))
		}
		for i, v := range append(slices.Clone(p.Features), p.Return) {
			if math.IsNaN(v) || math.IsInf(v, 0) {
				return nil, fmt.Errorf("%w: %v of peer %q", ErrPlan, v, p.ID)
			}
			if i < len(site) {
				columns[i] = append(columns[i], v)
			}
		}
	}
	scale := make([]float64, len(site))
	for i, column := range columns {
		if math.IsNaN(site[i]) || math.IsInf(site[i], 0) {
			return nil, fmt.Errorf("%w: feature %v of the site", ErrPlan, site[i])
		}
		if len(column) > 1 {
			scale[i] = stat.StdDev(column, nil)
		}
	}
	return scale, nil
}
