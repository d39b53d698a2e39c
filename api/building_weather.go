package api

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/weather"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// plain is a body that may be gzip.
func plain(body []byte) (*bytes.Reader, error) {
	if len(body) < 2 || body[0] != 0x1f || body[1] != 0x8b {
		return bytes.NewReader(body), nil
	}
	r, err := gzip.NewReader(bytes.NewReader(body))
	if err != nil {
		return nil, badParameter("body", "is no whole gzip", nil)
	}
	raw, err := io.ReadAll(io.LimitReader(r, MaxUnpacked+1))
	if err != nil {
		return nil, badParameter("body", "is no whole gzip", nil)
	}
	if len(raw) > MaxUnpacked {
		return nil, huma.Error413RequestEntityTooLarge("the body has more than 32 MiB once it is unpacked")
	}
	return bytes.NewReader(raw), nil
}

// WeatherInfo says which temperatures were imported.
type WeatherInfo struct {
	Measured *ImportedInfo `json:"measured,omitempty" doc:"hours of the past; used where the building's settings say import"`
	Typical  *ImportedInfo `json:"typical,omitempty" doc:"a typical year; normalised savings use it"`
}

type weatherInput struct {
	DevicePath
	Format  string `query:"format" enum:"csv,epw" default:"csv" doc:"csv: measured, °C, or °F where the column says so; epw: a typical year"`
	Source  string `query:"source" maxLength:"200" doc:"where the values are from, in words"`
	RawBody []byte `contentType:"text/csv"`
}

// routeWeather takes outdoor temperatures from files, of a site or of one
// building.
func (a *API) routeWeather() {
	for _, of := range []struct {
		one, many string
		zone      func(ctx context.Context, id string) (*time.Location, error)
	}{
		{"site", "sites", a.zoneOfSite}, {"building", "buildings", a.zoneOfBuilding},
	} {
		path := "/" + of.many + "/{id}/weather"
		add(a, operation{
			id: "get-" + of.one + "-weather", method: http.MethodGet, path: path, tag: of.many,
			summary: "Which outdoor temperatures were imported", right: access.Read, errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *DevicePath) (*itemOutput[WeatherInfo], error) {
			if _, err := of.zone(ctx, in.ID); err != nil {
				return nil, err
			}
			return a.weatherInfo(ctx, of.one+"/"+in.ID)
		})
		add(a, operation{
			id: "import-" + of.one + "-weather", method: http.MethodPost, path: path, tag: of.many,
			summary: "Import outdoor temperatures from a file", right: access.Enter,
			notes: "CSV: a header with a time (time, datetime, timestamp, date, ts) and a temperature (temp…, air_temp…, outdoor…; °F where a word of the name is f, degf or fahrenheit), times without an offset in the " +
				"site's zone; it joins what was imported before. EPW: an EnergyPlus weather file of nine tenths of a year at least; it takes the place of the typical year. The body may be gzip.",
			errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge}, file: true,
		}, func(ctx context.Context, in *weatherInput) (*itemOutput[ImportedWeather], error) {
			loc, err := of.zone(ctx, in.ID)
			if err != nil {
				return nil, err
			}
			return a.takeWeather(ctx, of.one+"/"+in.ID, loc, in)
		})
		add(a, operation{
			id: "delete-" + of.one + "-weather", method: http.MethodDelete, path: path, tag: of.many,
			summary: "Remove the imported temperatures, measured and typical", right: access.Enter, status: http.StatusNoContent, errors: []int{http.StatusNotFound},
		}, func(ctx context.Context, in *DevicePath) (*struct{}, error) {
			return nil, a.dropWeather(ctx, of.one+"/"+in.ID)
		})
	}
}

func (a *API) zoneOfSite(ctx context.Context, id string) (*time.Location, error) {
	s, err := a.opts.Registry.GetSite(ctx, id)
	if err != nil {
		return nil, err
	}
	return siteZone(s), nil
}

func (a *API) zoneOfBuilding(ctx context.Context, id string) (*time.Location, error) {
	b, err := a.opts.Registry.GetBuilding(ctx, id)
	if err != nil || b.SiteID == "" {
		return time.UTC, err
	}
	return a.zoneOfSite(ctx, b.SiteID)
}

// siteZone is the zone of a site, which the registry has checked.
func siteZone(s devices.Site) *time.Location {
	loc, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.UTC
	}
	return loc
}

func (a *API) weatherInfo(ctx context.Context, scope string) (*itemOutput[WeatherInfo], error) {
	out := &itemOutput[WeatherInfo]{}
	for kind, into := range map[ledger.SeriesKind]**ImportedInfo{ledger.MeasuredWeather: &out.Body.Measured, ledger.TypicalWeather: &out.Body.Typical} {
		info, found, err := a.opts.Buildings.SeriesInfo(ctx, kind, scope)
		if err != nil {
			return nil, err
		}
		if found {
			*into = importedInfo(info)
		}
	}
	return out, nil
}

// The temperatures that an import may have, °C; a file beyond them is in another
// unit.
const (
	coldestC = -90.0
	hottestC = 60.0
)

// ImportedWeather describes temperatures that were imported, and the file that
// was taken last.
type ImportedWeather struct {
	ImportedInfo
	Unit string  `json:"unit" enum:"°C,°F" doc:"that the file was read in"`
	MinC float64 `json:"min_c" doc:"of the file, °C"`
	MaxC float64 `json:"max_c" doc:"of the file, °C"`
}

func (a *API) takeWeather(ctx context.Context, scope string, loc *time.Location, in *weatherInput) (*itemOutput[ImportedWeather], error) {
	body, err := plain(in.RawBody)
	if err != nil {
		return nil, err
	}
	s := ledger.ImportedSeries{SeriesInfo: ledger.SeriesInfo{Kind: ledger.MeasuredWeather, ID: scope, Source: in.Source}}
	unit := weather.Celsius
	if in.Format == "epw" {
		var station weather.Station
		if station, s.Values, err = weather.EPW(body, building.TypicalYear()); err == nil {
			err = weather.WholeYear(s.Values)
		}
		s.Kind, s.Replace = ledger.TypicalWeather, true
		if s.Source == "" {
			s.Source = station.Name + " " + station.Country
		}
	} else {
		s.Values, unit, err = weather.CSV(body, loc)
	}
	if err == nil {
		err = plausible(s.Values, unit)
	}
	if err != nil {
		return nil, badParameter("body", err.Error(), nil)
	}
	s.To = time.UnixMilli(s.Values[len(s.Values)-1].TS).Add(time.Hour).UTC()
	info, err := a.imported(ctx, s)
	if err != nil {
		return nil, err
	}
	low, high := extremes(s.Values)
	return &itemOutput[ImportedWeather]{Body: ImportedWeather{ImportedInfo: info.Body, Unit: string(unit), MinC: low, MaxC: high}}, nil
}

func extremes(values []prepare.Point) (low, high float64) {
	low, high = math.Inf(1), math.Inf(-1)
	for _, v := range values {
		low, high = min(low, v.Value), max(high, v.Value)
	}
	return low, high
}

func plausible(values []prepare.Point, unit weather.Unit) error {
	if len(values) == 0 {
		return errors.New("there is no temperature in it")
	}
	if low, high := extremes(values); low < coldestC || high > hottestC {
		return fmt.Errorf("the temperatures, read as %s, reach from %.0f to %.0f °C: is the column in °F? name it so, as temp_f", unit, low, high)
	}
	if values[0].TS < 0 || values[len(values)-1].TS >= time.Date(maxYear, 1, 1, 0, 0, 0, 0, time.UTC).UnixMilli() {
		return errors.New("the times reach beyond 1970 to 2199")
	}
	return nil
}

func (a *API) imported(ctx context.Context, s ledger.ImportedSeries) (*itemOutput[ImportedInfo], error) {
	info, err := a.opts.Buildings.MergeSeries(ctx, s)
	if errors.Is(err, ledger.ErrTooLong) {
		return nil, badParameter("body", ledger.ErrTooLong.Error(), nil)
	}
	if err != nil {
		return nil, err
	}
	return &itemOutput[ImportedInfo]{Body: *importedInfo(info)}, nil
}

func (a *API) dropWeather(ctx context.Context, scope string) error {
	gone := 0
	for _, kind := range []ledger.SeriesKind{ledger.MeasuredWeather, ledger.TypicalWeather} {
		switch err := a.opts.Buildings.DeleteSeries(ctx, kind, scope); {
		case err == nil:
			gone++
		case !errors.Is(err, ledger.ErrNoEntry):
			return err
		}
	}
	if gone == 0 {
		return huma.Error404NotFound("no temperatures were imported")
	}
	return nil
}
