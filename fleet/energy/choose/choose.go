// Package choose picks the baseline model of a building by how well it predicts
// what it has not seen, and reports the rivals.
//
// It is pure.
package choose

import (
	"cmp"
	"errors"
	"math"
	"slices"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// Version names the rules of this package in results.
const Version = "choose/1"

// Options are the choices of a cross-validation. The zero value takes the
// defaults.
type Options struct {
	Folds     int // 6 by default
	BlockDays int // 14 by default: longer than residuals remember, short enough that no fold lacks a season
}

// Score is how one model did on rows it was not fitted to.
type Score struct {
	Model      string   `json:"model"`
	Parameters int      `json:"parameters"`
	CVRMSE     *float64 `json:"cvrmse_out_of_sample"`
	NMBE       *float64 `json:"nmbe_out_of_sample"`
	Coverage   float64  `json:"coverage"` // share of the rows that it predicted, 0…1
	InSample   *float64 `json:"cvrmse_in_sample"`
	AdjR2      *float64 `json:"r_squared_adjusted"`
	Error      string   `json:"error,omitempty"` // why it is not in the running
	// Provisional: see energy.Fitter.
	Provisional bool `json:"provisional"`

	order int // of the fitters, the plainest first
}

// Choice is the model chosen, and how it compares.
type Choice struct {
	Version string         `json:"version"`
	Chosen  string         `json:"chosen"`
	Reason  string         `json:"reason"`
	Folds   int            `json:"folds"`
	Block   int            `json:"block_days"`
	Scores  []Score        `json:"scores"` // best first
	Verdict energy.Verdict `json:"verdict"`
}

// The limits of the choice. A plainer model wins against one that is better by
// less than near of its CV(RMSE), and one that an auditor can redo against a
// provisional one that is better by less than ahead. A model that is biased by
// more than maxBias is behind all that are not, and one that cannot predict
// enough rows is out.
const (
	near        = 0.02
	ahead       = 0.05
	maxBias     = 0.05
	minCoverage = 0.9
)

// The codes of the verdict.
const (
	NoModel   = "no_model"
	AllBiased = "all_models_biased"
	Useless   = "no_model_beats_the_mean"
)

// Best fits every model to the rows but for one fold, predicts that fold, and
// does so for every fold. A fold is every so many blocks of consecutive days, so
// that neighbouring days, which resemble each other, are held out together
// (Roberts et al. 2017, Cross-validation strategies for data with temporal
// structure, Ecography 40). The model of the lowest pooled CV(RMSE) wins and is
// fitted to all rows. The error wraps energy.ErrInsufficientData where none can
// be.
func Best(rows []energy.Row, fitters []energy.Fitter, o Options) (energy.Model, Choice, error) {
	if o.Folds == 0 {
		o.Folds = 6
	}
	if o.BlockDays == 0 {
		o.BlockDays = 14
	}
	c := Choice{
		Version: Version, Folds: o.Folds, Block: o.BlockDays,
		Verdict: energy.Verdict{Sufficient: true, Criteria: Version, Reasons: []energy.Reason{}},
	}
	fold := folds(rows, o)
	models := map[string]energy.Model{}
	for i, f := range fitters {
		m, s := validate(rows, fold, f, o.Folds)
		s.order = i
		if m != nil {
			models[f.ID] = m
		}
		c.Scores = append(c.Scores, s)
	}
	slices.SortStableFunc(c.Scores, compare)
	c.pick()
	if c.Chosen == "" {
		c.Verdict.Add(energy.Reason{Code: NoModel, Critical: true, Text: "no model can be fitted and checked"})
		return nil, c, c.Verdict.Err()
	}
	return models[c.Chosen], c, nil
}

// folds gives each row the number of the fold that holds it out.
func folds(rows []energy.Row, o Options) []int {
	out := make([]int, len(rows))
	for i, r := range rows {
		days := r.Start.Sub(rows[0].Start).Hours() / 24
		out[i] = int(days) / o.BlockDays % o.Folds
	}
	return out
}

func validate(rows []energy.Row, fold []int, f energy.Fitter, n int) (energy.Model, Score) {
	s := Score{Model: f.ID, Provisional: f.Provisional}
	model, err := f.Fit(rows)
	if err != nil {
		s.Error = err.Error()
		return nil, s
	}
	fit := model.Describe()
	s.Parameters, s.InSample, s.AdjR2 = fit.Statistics.Parameters, fit.Statistics.CVRMSE, fit.Statistics.AdjR2
	observed, predicted := make([]float64, len(rows)), make([]float64, len(rows))
	known := 0
	for i, r := range rows {
		observed[i], predicted[i] = r.Use, math.NaN()
		if r.Whole() {
			known++
		}
	}
	for k := range n {
		var train, test []energy.Row
		var at []int
		for i, r := range rows {
			if fold[i] == k {
				test, at = append(test, r), append(at, i)
			} else {
				train = append(train, r)
			}
		}
		m, err := f.Fit(train)
		if err != nil || len(test) == 0 {
			continue
		}
		for j, p := range m.Predict(test) {
			predicted[at[j]] = p
		}
	}
	out := energy.Measure(observed, predicted, 0)
	s.CVRMSE, s.NMBE, s.Coverage = out.CVRMSE, out.NMBE, float64(out.N)/float64(max(known, 1))
	if s.Coverage < minCoverage {
		s.Error = "it cannot predict enough of the rows that were held out"
	} else if s.CVRMSE == nil {
		s.Error = "the rows that were held out have no mean"
	}
	return model, s
}

// class puts the models that are in the running and unbiased first.
func (s *Score) class() int {
	switch {
	case s.Error != "":
		return 2
	case s.NMBE == nil || math.Abs(*s.NMBE) > maxBias:
		return 1
	}
	return 0
}

func compare(a, b Score) int {
	if d := cmp.Compare(a.class(), b.class()); d != 0 || a.class() == 2 {
		return d
	}
	return cmp.Compare(*a.CVRMSE, *b.CVRMSE)
}

// pick takes the plainest model among those that are about as good as the best.
func (c *Choice) pick() {
	if len(c.Scores) == 0 || c.Scores[0].class() == 2 {
		return
	}
	best := c.confirmed()
	chosen := best
	for _, s := range c.Scores {
		if s.class() == best.class() && (best.Provisional || !s.Provisional) &&
			*s.CVRMSE <= *best.CVRMSE*(1+near) && plainer(s, chosen) {
			chosen = s
		}
	}
	c.Chosen = chosen.Model
	switch {
	case chosen.Model != best.Model:
		c.Reason = "about as good out of sample as " + best.Model + ", with fewer parameters"
	case best.Model != c.Scores[0].Model:
		c.Reason = "not clearly behind " + c.Scores[0].Model + " out of sample, which no reference implementation confirms"
	default:
		c.Reason = "lowest CV(RMSE) out of sample"
	}
	if best.class() == 1 {
		c.Verdict.Add(energy.Reason{Code: AllBiased, Text: "every model is biased by more than 5 % out of sample"})
	}
	if chosen.AdjR2 == nil || *chosen.AdjR2 <= 0 {
		c.Verdict.Add(energy.Reason{Code: Useless, Text: "no model explains the use better than its mean"})
	}
}

// confirmed is the best score, or the best that is not provisional where it is
// not clearly behind.
func (c *Choice) confirmed() Score {
	best := c.Scores[0]
	if !best.Provisional {
		return best
	}
	for _, s := range c.Scores[1:] {
		if !s.Provisional && s.class() == best.class() && *s.CVRMSE <= *best.CVRMSE*(1+ahead) {
			return s
		}
	}
	return best
}

func plainer(a, b Score) bool {
	return a.Parameters < b.Parameters || a.Parameters == b.Parameters && a.order < b.order
}

// ErrNoChoice is returned by Winner where a choice has none.
var ErrNoChoice = errors.New("no model was chosen")

// Winner is the score of the model chosen.
func (c *Choice) Winner() (Score, error) {
	for _, s := range c.Scores {
		if s.Model == c.Chosen && c.Chosen != "" {
			return s, nil
		}
	}
	return Score{}, ErrNoChoice
}
