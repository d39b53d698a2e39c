package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/tariff"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Tariff is what energy costs. Prices are minor units (cents, pence) per unit of
// the meter: kWh of electricity and gas, m³ of water.
type Tariff struct {
	ID       string         `json:"id,omitempty" readOnly:"true"`
	Version  string         `json:"version" minLength:"1" maxLength:"100" doc:"of the prices; bills name it"`
	Currency string         `json:"currency" pattern:"^[A-Z]{3}$" doc:"ISO 4217"`
	Bands    []TariffBand   `json:"bands,omitempty" maxItems:"200" doc:"prices by time of use; read from the top, the first that fits counts"`
	Demand   []TariffDemand `json:"demand,omitempty" maxItems:"20" doc:"charges on the highest demand of a month"`
	Dynamic  bool           `json:"dynamic,omitempty" doc:"prices are imported; until they are, and where they have a hole, nothing is priced"`
	PerDay   float64        `json:"per_day,omitempty" minimum:"0" doc:"standing charge, minor units a local day"`
	Prices   *ImportedInfo  `json:"prices,omitempty" readOnly:"true" doc:"the dynamic prices that were imported; they are added to the band's"`
}

// TariffBand is a price at some times of the week in some months.
type TariffBand struct {
	Name     string  `json:"name" minLength:"1" maxLength:"100"`
	Months   []int   `json:"months,omitempty" maxItems:"12" doc:"1 to 12; none: all"`
	Weekdays []int   `json:"weekdays,omitempty" maxItems:"7" doc:"0, Sunday, to 6; none: all"`
	From     string  `json:"from,omitempty" pattern:"^([01][0-9]|2[0-3]):[0-5][0-9]$" doc:"local clock; default 00:00; of an hour that it cuts, each part has its price"`
	To       string  `json:"to,omitempty" pattern:"^(([01][0-9]|2[0-3]):[0-5][0-9]|24:00)$" doc:"exclusive; default midnight; before from: beyond midnight"`
	Price    float64 `json:"price" doc:"minor units per unit"`
}

// TariffDemand is a charge on the highest demand of each month.
type TariffDemand struct {
	Name    string      `json:"name" minLength:"1" maxLength:"100"`
	Price   float64     `json:"price" minimum:"0" doc:"minor units per kW and month"`
	Within  *TariffBand `json:"within,omitempty" doc:"the hours that count; absent: all"`
	Ratchet float64     `json:"ratchet,omitempty" minimum:"0" maximum:"1" doc:"bills at least this share of the highest demand of the eleven months before"`
}

// ImportedInfo describes a series that was imported.
type ImportedInfo struct {
	Source    string `json:"source"`
	Points    int    `json:"points"`
	From      Time   `json:"from"`
	To        Time   `json:"to" doc:"until when the last value holds"`
	Revision  int64  `json:"revision" doc:"greater after every change"`
	UpdatedAt Time   `json:"updated_at"`
}

func importedInfo(s ledger.SeriesInfo) *ImportedInfo {
	return &ImportedInfo{
		Source: s.Source, Points: s.Points, From: timeOf(s.From), To: timeOf(s.To), Revision: s.Revision, UpdatedAt: timeOf(s.UpdatedAt),
	}
}

// Grid is the emission factors of a grid or a fuel, location-based: one constant,
// or a series that is imported.
type Grid struct {
	ID       string        `json:"id,omitempty" readOnly:"true"`
	Version  string        `json:"version" minLength:"1" maxLength:"100" doc:"of the data; results name it"`
	Source   string        `json:"source,omitempty" maxLength:"500"`
	Constant *float64      `json:"constant_kg_per_unit,omitempty" minimum:"0" doc:"kg CO₂e per unit of the meter, where no series was imported"`
	Factors  *ImportedInfo `json:"factors,omitempty" readOnly:"true" doc:"the hourly factors that were imported"`
}

func timeOfDay(text string) time.Duration {
	var h, m int
	if n, err := fmt.Sscanf(text, "%d:%d", &h, &m); n != 2 || err != nil {
		return 0
	}
	return time.Duration(h)*time.Hour + time.Duration(m)*time.Minute
}

func (b TariffBand) domain() tariff.Band {
	out := tariff.Band{Name: b.Name, From: timeOfDay(b.From), To: timeOfDay(b.To), Price: b.Price}
	for _, m := range b.Months {
		out.Months = append(out.Months, time.Month(m))
	}
	for _, d := range b.Weekdays {
		out.Weekdays = append(out.Weekdays, time.Weekday(d))
	}
	return out
}

// domain is the tariff as bills are made with it.
func (t Tariff) domain() tariff.Tariff {
	out := tariff.Tariff{ID: t.ID, Version: t.Version, Currency: t.Currency, PerDay: t.PerDay}
	for _, b := range t.Bands {
		out.Bands = append(out.Bands, b.domain())
	}
	for _, d := range t.Demand {
		charge := tariff.Demand{Name: d.Name, Price: d.Price, Ratchet: d.Ratchet}
		if d.Within != nil {
			within := d.Within.domain()
			charge.Within = &within
		}
		out.Demand = append(out.Demand, charge)
	}
	if t.Dynamic {
		out.Dynamic = &energy.Steps{}
	}
	return out
}

// check reports what the schema cannot.
func (t Tariff) check() error {
	var p []building.Problem
	bands := t.Bands
	for _, d := range t.Demand {
		if d.Within != nil {
			bands = append(bands[:len(bands):len(bands)], *d.Within)
		}
	}
	for i, b := range bands {
		for _, m := range b.Months {
			if m < 1 || m > 12 {
				p = append(p, building.Problem{Field: fmt.Sprintf("bands[%d].months", i), Detail: fmt.Sprintf("%d is no month from 1 to 12", m)})
			}
		}
		for _, d := range b.Weekdays {
			if d < 0 || d > 6 {
				p = append(p, building.Problem{Field: fmt.Sprintf("bands[%d].weekdays", i), Detail: fmt.Sprintf("%d is no weekday from 0 to 6", d)})
			}
		}
	}
	if len(p) == 0 {
		d := t.domain()
		d.ID = "entered" // under the id of the path
		if err := d.Check(); err != nil {
			detail := err.Error()
			if len(t.Bands) == 0 && !t.Dynamic {
				detail += ": enter bands, or dynamic and import prices"
			}
			p = append(p, building.Problem{Field: "bands", Detail: detail})
		}
	}
	return wrong(p)
}

// named is the routes of a kind of entry that buildings share, with its imported
// series.
type named[N any] struct {
	api             *API
	of              ledger.Collection
	series          ledger.SeriesKind
	one, many, what string
	imported        string // what the series is called in paths
	unit            string
	check           func(*N) error
	stored          func(*N, string) any // as the job reads it, under its id
	shown           func([]byte, *ImportedInfo) (N, error)
}

type namedInput[N any] struct {
	DevicePath
	Body N
}

type importInput struct {
	DevicePath
	Scale    float64 `query:"scale" default:"1" doc:"that every value is multiplied by: 100 for prices in a major unit"`
	TimeZone string  `query:"time_zone" default:"UTC" maxLength:"64" doc:"IANA name; of times without an offset"`
	Source   string  `query:"source" maxLength:"200" doc:"where the values are from, in words"`
	RawBody  []byte  `contentType:"text/csv"`
}

func (c named[N]) route() {
	all, one := "/"+c.many, "/"+c.many+"/{id}"
	missing := []int{http.StatusNotFound}
	add(c.api, operation{
		id: "list-" + c.many, method: http.MethodGet, path: all, tag: c.many, summary: "List " + c.many + " by id", right: access.Read,
	}, c.list)
	add(c.api, operation{
		id: "get-" + c.one, method: http.MethodGet, path: one, tag: c.many, summary: "One " + c.one, right: access.Read, errors: missing,
	}, c.get)
	add(c.api, operation{
		id: "put-" + c.one, method: http.MethodPut, path: one, tag: c.many, summary: "Enter or change a " + c.one, right: access.Operate,
		notes:  c.what,
		errors: []int{http.StatusBadRequest, http.StatusUnsupportedMediaType},
	}, c.put)
	add(c.api, operation{
		id: "delete-" + c.one, method: http.MethodDelete, path: one, tag: c.many, summary: "Remove a " + c.one, right: access.Operate,
		status: http.StatusNoContent, errors: missing,
	}, c.remove)
	add(c.api, operation{
		id: "import-" + c.one + "-" + c.imported, method: http.MethodPost, path: one + "/" + c.imported, tag: c.many,
		summary: "Import " + c.imported + " from CSV", right: access.Operate,
		notes: "A header, then a time and a value (" + c.unit + ") on each line; each value holds until the next. Times are RFC 3339, Unix milliseconds " +
			"or local, as 2006-01-02 15:04. An empty value is missing, and a value holds for twice the usual step at most. Values join those imported before; of two of one time the newer import stands. The body may be gzip.",
		errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusRequestEntityTooLarge}, file: true,
	}, c.take)
	add(c.api, operation{
		id: "delete-" + c.one + "-" + c.imported, method: http.MethodDelete, path: one + "/" + c.imported, tag: c.many,
		summary: "Remove the imported " + c.imported, right: access.Operate, status: http.StatusNoContent, errors: missing,
	}, func(ctx context.Context, in *DevicePath) (*struct{}, error) {
		return nil, noEntry(c.api.opts.Buildings.DeleteSeries(ctx, c.series, in.ID))
	})
}

func (c named[N]) view(ctx context.Context, e ledger.Entry) (v N, err error) {
	info, found, err := c.api.opts.Buildings.SeriesInfo(ctx, c.series, e.ID)
	if err != nil {
		return v, err
	}
	if !found {
		return c.shown(e.Payload, nil)
	}
	return c.shown(e.Payload, importedInfo(info))
}

func (c named[N]) list(ctx context.Context, _ *struct{}) (*entriesOutput[N], error) {
	found, err := c.api.opts.Buildings.Entries(ctx, c.of, "")
	if err != nil {
		return nil, err
	}
	out := &entriesOutput[N]{Body: items[N]{Items: make([]N, len(found))}}
	for i, e := range found {
		if out.Body.Items[i], err = c.view(ctx, e); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (c named[N]) get(ctx context.Context, in *DevicePath) (*itemOutput[N], error) {
	e, err := c.api.opts.Buildings.Entry(ctx, c.of, "", in.ID)
	if err != nil {
		return nil, noEntry(err)
	}
	v, err := c.view(ctx, e)
	return &itemOutput[N]{Body: v}, err
}

func (c named[N]) put(ctx context.Context, in *namedInput[N]) (*itemOutput[N], error) {
	if err := c.check(&in.Body); err != nil {
		return nil, err
	}
	e, err := c.api.opts.Buildings.PutEntry(ctx, c.of, "", in.ID, "", c.stored(&in.Body, in.ID))
	if err != nil {
		return nil, err
	}
	v, err := c.view(ctx, e)
	return &itemOutput[N]{Body: v}, err
}

func (c named[N]) remove(ctx context.Context, in *DevicePath) (*struct{}, error) {
	return nil, noEntry(c.api.opts.Buildings.DeleteEntry(ctx, c.of, "", in.ID))
}

func (c named[N]) take(ctx context.Context, in *importInput) (*itemOutput[ImportedInfo], error) {
	if _, err := c.api.opts.Buildings.Entry(ctx, c.of, "", in.ID); err != nil {
		return nil, noEntry(err)
	}
	loc, err := zoneNamed(in.TimeZone)
	if err != nil {
		return nil, err
	}
	body, err := plain(in.RawBody)
	if err != nil {
		return nil, err
	}
	values, until, err := building.ReadSeries(body, loc, in.Scale)
	if err != nil {
		return nil, badParameter("body", err.Error(), nil)
	}
	return c.api.imported(ctx, ledger.ImportedSeries{
		SeriesInfo: ledger.SeriesInfo{Kind: c.series, ID: in.ID, Source: in.Source, To: until}, Values: values,
	})
}

func zoneNamed(name string) (*time.Location, error) {
	loc, err := time.LoadLocation(name)
	if err != nil || name == "Local" {
		return nil, badParameter("query.time_zone", "is no name of an IANA time zone", name)
	}
	return loc, nil
}

func (a *API) routeTariffs() {
	named[Tariff]{
		api: a, of: ledger.Tariffs, series: ledger.Prices, one: "tariff", many: "tariffs", imported: "prices", unit: "minor units per unit of energy",
		what:  "Settings of buildings name it by its id. A change has the bills worked out again when the job of buildings runs next.",
		check: func(t *Tariff) error { return t.check() },
		stored: func(t *Tariff, id string) any {
			t.ID, t.Prices = id, nil
			return storedTariff{View: *t, Tariff: t.domain()}
		},
		shown: func(payload []byte, info *ImportedInfo) (Tariff, error) {
			var s storedTariff
			err := json.Unmarshal(payload, &s)
			s.View.Prices = info
			return s.View, err
		},
	}.route()
}

// storedTariff is a tariff as bills are made with it, beside what was entered.
type storedTariff struct {
	tariff.Tariff
	View Tariff `json:"entered"`
}

func (a *API) routeGrids() {
	named[Grid]{
		api: a, of: ledger.Grids, series: ledger.Factors, one: "grid", many: "grids", imported: "factors", unit: "kg CO₂e per unit of energy",
		what:  "Settings of buildings name it by its id. A change has the emissions worked out again when the job of buildings runs next.",
		check: func(*Grid) error { return nil },
		stored: func(g *Grid, id string) any {
			return building.Factors{ID: id, Version: g.Version, Source: g.Source, Constant: g.Constant}
		},
		shown: func(payload []byte, info *ImportedInfo) (Grid, error) {
			var f building.Factors
			err := json.Unmarshal(payload, &f)
			return Grid{ID: f.ID, Version: f.Version, Source: f.Source, Constant: f.Constant, Factors: info}, err
		},
	}.route()
}
