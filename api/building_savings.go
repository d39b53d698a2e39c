package api

import (
	"context"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/assess"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// BuildingSaving is what one measure did to one meter. Numbers are in the unit of
// the meter, and null where they cannot be told.
type BuildingSaving struct {
	Intervention string `json:"intervention" doc:"id of the measure"`
	Title        string `json:"title"`
	Meter        string `json:"meter" enum:"electricity,gas,water"`
	Unit         string `json:"unit"`
	BuildingBasis
	Option        string   `json:"ipmvp_option,omitempty"`
	Interval      string   `json:"interval,omitempty" doc:"length of the rows of the baseline"`
	Model         string   `json:"model,omitempty" doc:"id of the baseline's model"`
	ModelVersion  string   `json:"model_version,omitempty"`
	Formula       string   `json:"formula,omitempty"`
	BaselineFrom  Time     `json:"baseline_from"`
	BaselineTo    Time     `json:"baseline_to"`
	ReportingFrom Time     `json:"reporting_from"`
	ReportingTo   Time     `json:"reporting_to"`
	Expected      *float64 `json:"expected_saving" doc:"share, as it was entered"`

	Saving      *float64 `json:"saving" doc:"adjusted baseline less use"`
	PlusMinus   *float64 `json:"plus_minus" doc:"half width of its interval: fractional savings uncertainty of ASHRAE Guideline 14 with CalTRACK's correction"`
	SlowPlus    *float64 `json:"slow_plus_minus" doc:"half width that noise of days and weeks leaves; a saving within it is not significant"`
	Confidence  *float64 `json:"confidence"`
	Significant *bool    `json:"significant" doc:"beyond both intervals"`
	Fraction    *float64 `json:"fraction" doc:"of the adjusted baseline"`
	Observed    *float64 `json:"observed"`
	Baseline    *float64 `json:"adjusted_baseline"`
	Adjustments *float64 `json:"adjustments_total"`
	Normalised  *float64 `json:"normalised_saving" doc:"in the weather of a typical year"`
	NormPlus    *float64 `json:"normalised_plus_minus"`

	SavedMinor     *int64   `json:"saved_minor" doc:"money, minor units"`
	SavedPlusMinor *int64   `json:"saved_plus_minus_minor"`
	Currency       string   `json:"currency,omitempty"`
	AvoidedKG      *float64 `json:"avoided_kg" doc:"CO₂e, location-based"`
	AvoidedPlusKG  *float64 `json:"avoided_plus_minus_kg"`

	Assessment Detail `json:"assessment" doc:"coefficients, statistics, rivals, Guideline 14; with series=true the days, too"`
	Cost       Detail `json:"cost"`
	Carbon     Detail `json:"carbon"`
}

// BuildingSavings are the savings of a building.
type BuildingSavings struct {
	Building string `json:"building"`
	AsOf     *Time  `json:"as_of" nullable:"true" doc:"end of the newest whole local day that they take in; null before the first result"`
	Status   string `json:"status" enum:"ok,insufficient_data" doc:"of the building as a whole"`
	Reason   string `json:"reason,omitempty"`
	// Headline is what was said in short.
	Headline *BuildingRow     `json:"headline,omitempty"`
	Items    []BuildingSaving `json:"items" nullable:"false" doc:"by meter, then by start of the measure; empty where as_of lies before the newest result, of which the headline is kept"`
}

type savingsInput struct {
	BuildingPath
	AsOf
	Meter        string `query:"meter" enum:"electricity,gas,water" doc:"only of this meter"`
	Intervention string `query:"intervention" maxLength:"64" doc:"only of this measure"`
	Series       bool   `query:"series" doc:"with the days of the reporting period"`
}

func (a *API) routeBuildingSavings() {
	add(a, operation{
		id: "get-building-savings", method: http.MethodGet, path: "/buildings/{id}/savings", tag: buildingsTag,
		summary: "What the measures saved on each meter, how sure that is, and what it is worth", right: access.Read,
		notes:  "A saving that cannot be told is null, with the reasons. as_of answers with what was said then.",
		errors: []int{http.StatusNotFound},
	}, a.savings)
	addTable(a, operation{
		id: "list-building-history", path: "/buildings/{id}/history", tag: buildingsTag,
		summary: "What was said of the building at the end of each day", right: access.Read, errors: []int{http.StatusNotFound},
	}, tableSpec{name: "building-history", sort: []string{"as_of"}},
		func(ctx context.Context, in *struct {
			Query
			BuildingPath
			Span
		}) ([]BuildingRow, error) {
			return a.buildingHistory(ctx, in.ID, in.Span)
		})
}

func (a *API) buildingHistory(ctx context.Context, id string, span Span) ([]BuildingRow, error) {
	if err := a.buildingExists(ctx, id); err != nil {
		return nil, err
	}
	interval, err := span.interval()
	if err != nil {
		return nil, err
	}
	w, err := interval.open()
	if err != nil {
		return nil, err
	}
	found, err := a.opts.Buildings.BuildingHistory(ctx, id, w.From, w.To)
	if err != nil {
		return nil, err
	}
	rows := make([]BuildingRow, len(found))
	for i := range found {
		rows[i] = buildingRow(&found[i])
	}
	return rows, nil
}

func (a *API) savings(ctx context.Context, in *savingsInput) (*itemOutput[BuildingSavings], error) {
	if err := a.buildingExists(ctx, in.ID); err != nil {
		return nil, err
	}
	at, given, err := in.AsOf.at()
	if err != nil {
		return nil, err
	}
	r, found, err := a.opts.Buildings.BuildingResult(ctx, in.ID, ledger.PartSavings, ledger.PartHeadline)
	if err != nil {
		return nil, err
	}
	out := &itemOutput[BuildingSavings]{Body: BuildingSavings{
		Building: in.ID, Status: string(building.Insufficient), Reason: ErrNoReport.Error(), Items: []BuildingSaving{},
	}}
	if !found {
		return out, nil
	}
	if given && r.AsOf.After(at) {
		return out, a.savedThen(ctx, &out.Body, at.UnixMilli())
	}
	out.Body.head(&r.Headline)
	for i := range r.Savings {
		s := &r.Savings[i]
		if (in.Meter == "" || in.Meter == string(s.Meter)) && (in.Intervention == "" || in.Intervention == s.Intervention) {
			out.Body.Items = append(out.Body.Items, viewSaving(s, in.Series))
		}
	}
	return out, nil
}

// savedThen answers with what was said up to an instant.
func (a *API) savedThen(ctx context.Context, out *BuildingSavings, at int64) error {
	found, err := a.opts.Buildings.BuildingHistory(ctx, out.Building, 0, at+1)
	if err != nil {
		return err
	}
	if n := len(found); n > 0 {
		out.head(&found[n-1])
	} else {
		out.Reason = "nothing was said of the building by then"
	}
	return nil
}

func (s *BuildingSavings) head(h *building.Headline) {
	row := buildingRow(h)
	s.AsOf, s.Status, s.Reason, s.Headline = row.AsOf, row.Status, row.Reason, &row
}

func viewSaving(s *building.Saving, series bool) BuildingSaving {
	v := BuildingSaving{
		Intervention: s.Intervention, Title: s.Title, Meter: string(s.Meter), Unit: s.Unit, BuildingBasis: buildingBasisOf(s.Basis),
		BaselineFrom: timeOf(s.Baseline.From), BaselineTo: timeOf(s.Baseline.To),
		ReportingFrom: timeOf(s.Reporting.From), ReportingTo: timeOf(s.Reporting.To), Expected: s.Expected,
	}
	if s.Cost != nil {
		v.SavedMinor, v.SavedPlusMinor, v.Currency, v.Cost = &s.Cost.Saved.Minor, s.Cost.Plus, s.Cost.Saved.Currency, Detail{s.Cost}
	}
	if s.Carbon != nil {
		v.AvoidedKG, v.AvoidedPlusKG, v.Carbon = &s.Carbon.AvoidedKG, s.Carbon.PlusKG, Detail{s.Carbon}
	}
	if s.Assessment != nil {
		v.assessed(s.Assessment, series)
	}
	return v
}

func (v *BuildingSaving) assessed(a *assess.Assessment, series bool) {
	with := *a
	if f := a.Fit; f != nil {
		v.Model, v.ModelVersion, v.Formula, v.Interval = f.Model, f.Version, f.Formula, string(f.Interval)
	}
	if n := a.Normalised; n != nil && n.Verdict.Sufficient {
		v.Normalised = &n.Saving
		if n.Uncertainty != nil {
			v.NormPlus = &n.Uncertainty.Plus
		}
	}
	if s := a.Avoided; s != nil {
		v.Option, v.Saving, v.Fraction, v.Significant = string(s.Option), &s.Saving, s.Fraction, &s.Significant
		v.Observed, v.Baseline, v.Adjustments, v.SlowPlus = &s.Observed, &s.Baseline, &s.Adjusted, s.SlowPlus
		if u := s.Uncertainty; u != nil {
			v.PlusMinus, v.Confidence = &u.Plus, &u.Confidence
		}
		if !series {
			short := *s
			short.Series = nil
			with.Avoided = &short
		}
	}
	v.Assessment = Detail{&with}
}
