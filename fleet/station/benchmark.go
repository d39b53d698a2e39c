package station

import (
	"cmp"
	"slices"
)

// BenchmarkVersion names the rules of Rank and RollUp.
const BenchmarkVersion = "benchmark/1"

// Entry is one asset's value of a measure, and the group it is compared in: a
// model, a chemistry, an owner, a city.
type Entry struct {
	ID    string
	Group string
	Value float64
}

// Standing is where an asset stands in its group.
type Standing struct {
	ID    string  `json:"id"`
	Group string  `json:"group"`
	Value float64 `json:"value"`
	// Percentile is the share of the group that it is better than, those equal
	// counting half, in %; 50 is the middle. Null in a group of fewer than
	// three.
	Percentile *float64 `json:"percentile"`
}

// Group is what a group looks like.
type Group struct {
	Group string  `json:"group"`
	Count int     `json:"count"`
	Mean  float64 `json:"mean"`
	Sum   float64 `json:"sum"`
	P10   float64 `json:"p10"`
	P25   float64 `json:"p25"`
	P50   float64 `json:"p50"`
	P75   float64 `json:"p75"`
	P90   float64 `json:"p90"`
}

// minGroup is the size from which a percentile says something.
const minGroup = 3

func grouped(entries []Entry) map[string][]float64 {
	groups := map[string][]float64{}
	for _, e := range entries {
		groups[e.Group] = append(groups[e.Group], e.Value)
	}
	for _, v := range groups {
		slices.Sort(v)
	}
	return groups
}

// Rank compares each entry with its group, in the order given. lowIsGood says
// that a smaller value is the better one.
func Rank(entries []Entry, lowIsGood bool) []Standing {
	groups := grouped(entries)
	out := make([]Standing, 0, len(entries))
	for _, e := range entries {
		s := Standing{ID: e.ID, Group: e.Group, Value: e.Value}
		if v := groups[e.Group]; len(v) >= minGroup {
			below, _ := slices.BinarySearch(v, e.Value)
			upTo := below
			for upTo < len(v) && v[upTo] == e.Value {
				upTo++
			}
			p := 100 * (float64(below) + float64(upTo-below)/2) / float64(len(v))
			if lowIsGood {
				p = 100 - p
			}
			s.Percentile = &p
		}
		out = append(out, s)
	}
	return out
}

// RollUp describes each group, ascending by name. Groups by site or by city are
// the geographic view.
func RollUp(entries []Entry) []Group {
	out := []Group{}
	for name, v := range grouped(entries) {
		sum := total(v)
		out = append(out, Group{
			Group: name, Count: len(v), Mean: sum / float64(len(v)), Sum: sum,
			P10: quantile(v, 0.10), P25: quantile(v, 0.25), P50: quantile(v, 0.50), P75: quantile(v, 0.75), P90: quantile(v, 0.90),
		})
	}
	slices.SortFunc(out, func(a, b Group) int { return cmp.Compare(a.Group, b.Group) })
	return out
}
