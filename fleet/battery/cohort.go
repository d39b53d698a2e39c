package battery

import (
	"cmp"
	"math"
	"slices"
	"time"
)

// CohortVersion names the rules of Cohorts and Outliers.
const CohortVersion = "cohort/2"

// Member is a battery's state of health at one age.
type Member struct {
	ID           string
	Commissioned time.Time
	AgeDays      float64
	SoHPct       float64
}

// CohortCell is the health of the batteries of one commissioning month at one
// age.
type CohortCell struct {
	Month     string  `json:"month"`      // of commissioning, YYYY-MM, UTC
	AgeMonths int     `json:"age_months"` // whole, of 30.4375 days
	Batteries int     `json:"batteries"`
	MedianPct float64 `json:"median_soh_pct"`
	P10Pct    float64 `json:"p10_soh_pct"`
	P90Pct    float64 `json:"p90_soh_pct"`
}

// monthDays is a twelfth of a Julian year.
const monthDays = 30.4375

type cohort struct {
	month string
	age   int
}

func (m Member) cohort() cohort {
	return cohort{m.Commissioned.UTC().Format("2006-01"), int(m.AgeDays / monthDays)}
}

// Cohorts tabulates state of health by commissioning month and age, as retention
// tables do customers, ascending by both. A battery with several points at one
// age counts once, with their mean.
func Cohorts(members []Member) []CohortCell {
	type key struct {
		cohort
		id string
	}
	points := map[key][]float64{}
	for _, m := range members {
		k := key{m.cohort(), m.ID}
		points[k] = append(points[k], m.SoHPct)
	}
	cells := map[cohort][]float64{}
	for k, v := range points {
		cells[k.cohort] = append(cells[k.cohort], sum(v)/float64(len(v)))
	}
	out := []CohortCell{}
	for c, v := range cells {
		slices.Sort(v)
		out = append(out, CohortCell{c.month, c.age, len(v), quantile(v, 0.5), quantile(v, 0.1), quantile(v, 0.9)})
	}
	slices.SortFunc(out, func(a, b CohortCell) int {
		return cmp.Or(cmp.Compare(a.Month, b.Month), cmp.Compare(a.AgeMonths, b.AgeMonths))
	})
	return out
}

// Outlier is a battery that is unlike the others of its cohort.
type Outlier struct {
	ID        string  `json:"id"`
	Month     string  `json:"month"`
	AgeMonths int     `json:"age_months"`
	SoHPct    float64 `json:"soh_pct"`
	MedianPct float64 `json:"median_soh_pct"` // of the cohort
	Score     float64 `json:"score"`          // below 0: worse than the others
}

// Outliers lists the batteries whose modified z-score, (x − median)/(1.4826·MAD),
// is beyond 3.5 (Iglewicz & Hoaglin 1993), the worst first, once for each such
// point. Median and MAD are of the batteries, each of which counts once, with the
// mean of its points; a cohort of less than five batteries says nothing. The spread
// is taken to be 0.5 % at least, so that batteries that are nearly the same don't
// make outliers of each other.
func Outliers(members []Member) []Outlier {
	const beyond, leastSpread, leastMembers = 3.5, 0.5, 5
	groups := map[cohort][]Member{}
	for _, m := range members {
		groups[m.cohort()] = append(groups[m.cohort()], m)
	}
	out := []Outlier{}
	for c, group := range groups {
		points := map[string][]float64{}
		for _, m := range group {
			points[m.ID] = append(points[m.ID], m.SoHPct)
		}
		if len(points) < leastMembers {
			continue
		}
		var v []float64
		for _, p := range points {
			v = append(v, sum(p)/float64(len(p)))
		}
		mid := median(v)
		sd := max(leastSpread, spread(v, mid))
		for _, m := range group {
			if z := (m.SoHPct - mid) / sd; math.Abs(z) > beyond {
				out = append(out, Outlier{m.ID, c.month, c.age, m.SoHPct, mid, z})
			}
		}
	}
	slices.SortFunc(out, func(a, b Outlier) int { return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.ID, b.ID)) })
	return out
}
