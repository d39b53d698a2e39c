package fleet

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/carbon"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// buildingPlan is what a result depends on beside the telemetry.
type buildingPlan struct {
	*building.Plan
	registered devices.Building
	site       devices.Site
	loc        *time.Location
	tolerance  float64
	weather    devices.Ref     // the other device that measures it; zero: none
	imported   []prepare.Point // °C; nil: measured
	typical    []prepare.Point
	revisions  map[string]int64 // of what was read beside the plan
}

// plan reads everything that was entered about a building.
func (b *Buildings) plan(ctx context.Context, id string) (*buildingPlan, error) {
	p := &buildingPlan{Plan: &building.Plan{Building: id, Rules: b.Rules}, loc: time.UTC, revisions: map[string]int64{}}
	var err error
	if p.registered, err = b.Sites.GetBuilding(ctx, id); err != nil {
		return nil, err
	}
	p.FloorM2 = p.registered.FloorAreaM2
	if p.registered.SiteID != "" {
		if p.site, err = b.Sites.GetSite(ctx, p.registered.SiteID); err != nil {
			return nil, err
		}
		if p.loc, err = zoneOf(p.site.TimeZone); err != nil {
			return nil, err
		}
	}
	p.Zone = p.loc.String()
	if err := b.entered(ctx, p); err != nil {
		return nil, err
	}
	p.tolerance = p.Settings.ToleranceC()
	if err := b.weatherOf(ctx, p); err != nil {
		return nil, err
	}
	return p, b.rates(ctx, p)
}

// entered reads the settings, measures and adjustments.
func (b *Buildings) entered(ctx context.Context, p *buildingPlan) error {
	settings, err := decoded[building.Settings](ctx, b.Entries, ledger.Settings, p.Building)
	if err != nil {
		return err
	}
	if len(settings) > 0 {
		p.Settings = settings[0]
	}
	if p.Interventions, err = decoded[building.Intervention](ctx, b.Entries, ledger.Interventions, p.Building); err != nil {
		return err
	}
	p.Adjustments, err = decoded[building.Adjustment](ctx, b.Entries, ledger.Adjustments, p.Building)
	return err
}

// decoded are the entries of a scope.
func decoded[T any](ctx context.Context, entries BuildingEntries, c ledger.Collection, scope string) ([]T, error) {
	all, err := entries.Entries(ctx, c, scope)
	if err != nil {
		return nil, err
	}
	out := make([]T, len(all))
	for i, e := range all {
		if err := json.Unmarshal(e.Payload, &out[i]); err != nil {
			return nil, fmt.Errorf("%s %s of %s: %w", c, e.ID, scope, err)
		}
	}
	return out, nil
}

// weatherOf finds the source of the temperature, and a typical year.
func (b *Buildings) weatherOf(ctx context.Context, p *buildingPlan) error {
	scopes := []string{"building/" + p.Building}
	if p.registered.SiteID != "" {
		scopes = append(scopes, "site/"+p.registered.SiteID)
	}
	typical, found, err := b.firstSeries(ctx, p, ledger.TypicalWeather, scopes)
	if err != nil {
		return err
	}
	if found {
		p.typical = typical.Values
	}
	switch source := p.Settings.Weather; {
	case source == building.Imported:
		measured, _, err := b.firstSeries(ctx, p, ledger.MeasuredWeather, scopes)
		if err != nil {
			return err
		}
		// Without an import there is no temperature, rather than another one.
		p.imported = building.HourlyMeans(measured.Values, p.loc)
	case strings.Contains(string(source), "/"):
		if p.weather, err = devices.ParseRef(string(source)); err != nil {
			return err
		}
	}
	return nil
}

func (b *Buildings) firstSeries(ctx context.Context, p *buildingPlan, kind ledger.SeriesKind, scopes []string) (ledger.ImportedSeries, bool, error) {
	for _, scope := range scopes {
		s, found, err := b.Entries.Series(ctx, kind, scope)
		if err != nil {
			return s, false, err
		}
		if found {
			p.revisions[string(kind)+" "+scope] = s.Revision
			return s, true, nil
		}
	}
	return ledger.ImportedSeries{}, false, nil
}

// rates reads the tariffs and emission factors that the meters name.
func (b *Buildings) rates(ctx context.Context, p *buildingPlan) error {
	p.Tariffs, p.Grids = map[string]*tariff.Tariff{}, map[string]*carbon.Grid{}
	for _, m := range building.Used() {
		o := p.Options(m)
		if o.Tariff != "" {
			t, err := named[tariff.Tariff](ctx, b, p, ledger.Tariffs, o.Tariff)
			if err != nil {
				return err
			}
			if t != nil {
				// One that says its prices are imported has none until they are.
				prices, err := b.steps(ctx, p, ledger.Prices, o.Tariff)
				if err != nil {
					return err
				}
				if prices != nil {
					t.Dynamic = prices
				}
			}
			p.Tariffs[o.Tariff] = t
		}
		if o.Grid != "" {
			g, err := named[building.Factors](ctx, b, p, ledger.Grids, o.Grid)
			if err != nil {
				return err
			}
			if g == nil {
				continue
			}
			series, err := b.steps(ctx, p, ledger.Factors, o.Grid)
			if err != nil {
				return err
			}
			p.Grids[o.Grid] = g.Grid(series)
		}
	}
	return nil
}

// named is one shared entry, nil where there is none.
func named[T any](ctx context.Context, b *Buildings, p *buildingPlan, c ledger.Collection, id string) (*T, error) {
	all, err := b.Entries.Entries(ctx, c, "")
	if err != nil {
		return nil, err
	}
	for _, e := range all {
		if e.ID != id {
			continue
		}
		v := new(T)
		if err := json.Unmarshal(e.Payload, v); err != nil {
			return nil, fmt.Errorf("%s %s: %w", c, id, err)
		}
		p.revisions[string(c)+" "+id] = e.Revision
		return v, nil
	}
	return nil, nil
}

// steps is an imported series as values that hold; nil where there is none.
func (b *Buildings) steps(ctx context.Context, p *buildingPlan, kind ledger.SeriesKind, id string) (*energy.Steps, error) {
	s, found, err := b.Entries.Series(ctx, kind, id)
	if err != nil || !found {
		return nil, err
	}
	p.revisions[string(kind)+" "+id] = s.Revision
	return building.StepsOf(s.Values, s.To), nil
}
