package battery

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"time"
)

// CohortVersion names the rules of CohortTable and Outliers.
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

// cohort is a month of commissioning, counted from year 0, and an age in months.
type cohort struct {
	month, age int
}

func (c cohort) name() string { return fmt.Sprintf("%04d-%02d", c.month/12, c.month%12+1) }

func (m Member) cohort() cohort {
	at := m.Commissioned.UTC()
	return cohort{at.Year()*12 + int(at.Month()) - 1, int(m.AgeDays / monthDays)}
}

// CohortTable tabulates state of health by commissioning month and age, as
// retention tables do customers. It holds four bytes for each battery and month of
// its age.
type CohortTable struct {
	cells map[cohort][]float32
	// What is being added up: the points of one battery at one age.
	id   string
	at   cohort
	sum  float64
	many int
}

// Add adds a point. Those of a battery come one after another, ascending by age.
// Where it has several at one age it counts once, with their mean.
func (t *CohortTable) Add(m Member) {
	if at := m.cohort(); m.ID != t.id || at != t.at {
		t.close()
		t.id, t.at = m.ID, at
	}
	t.sum += m.SoHPct
	t.many++
}

func (t *CohortTable) close() {
	if t.many == 0 {
		return
	}
	if t.cells == nil {
		t.cells = map[cohort][]float32{}
	}
	t.cells[t.at] = append(t.cells[t.at], float32(t.sum/float64(t.many)))
	t.sum, t.many = 0, 0
}

// Cells are the cells of what was added, ascending by month, then age.
func (t *CohortTable) Cells() []CohortCell {
	t.close()
	out := make([]CohortCell, 0, len(t.cells))
	var v []float64
	for c, cell := range t.cells {
		v = v[:0]
		for _, soh := range cell {
			v = append(v, float64(soh))
		}
		slices.Sort(v)
		out = append(out, CohortCell{c.name(), c.age, len(v), quantile(v, 0.5), quantile(v, 0.1), quantile(v, 0.9)})
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
				out = append(out, Outlier{m.ID, c.name(), c.age, m.SoHPct, mid, z})
			}
		}
	}
	slices.SortFunc(out, func(a, b Outlier) int { return cmp.Or(cmp.Compare(a.Score, b.Score), cmp.Compare(a.ID, b.ID)) })
	return out
}
