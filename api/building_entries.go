package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// collection is the routes of one kind of entry of a building: N is what a client
// enters.
type collection[N any] struct {
	api             *API
	of              ledger.Collection
	one, many, path string
	check           func(*N) []building.Problem
	name            func(*N, string) // gives it its id
}

type newEntryInput[N any] struct {
	BuildingPath
	Body N
}

type putEntryInput[N any] struct {
	BuildingEntryPath
	Body N
}

type enteredOutput[N any] struct {
	Location string `header:"Location"`
	Body     N
}

type entriesOutput[N any] struct{ Body items[N] }

func (c collection[N]) route() {
	at, one := "/buildings/{id}/"+c.path, "/buildings/{id}/"+c.path+"/{entry}"
	bad := []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnsupportedMediaType}
	add(c.api, operation{
		id: "list-building-" + c.path, method: http.MethodGet, path: at, tag: buildingsTag,
		summary: "What was entered: " + c.many, right: access.Read, errors: []int{http.StatusNotFound},
	}, c.list)
	add(c.api, operation{
		id: "create-building-" + c.one, method: http.MethodPost, path: at, tag: buildingsTag, summary: "Enter " + c.many, right: access.Enter,
		notes:  "The results are worked out again when the job of buildings runs next.",
		status: http.StatusCreated, errors: append(bad[:len(bad):len(bad)], http.StatusConflict),
	}, c.create)
	add(c.api, operation{
		id: "get-building-" + c.one, method: http.MethodGet, path: one, tag: buildingsTag, summary: "One of the " + c.many, right: access.Read,
		errors: []int{http.StatusNotFound},
	}, c.get)
	add(c.api, operation{
		id: "put-building-" + c.one, method: http.MethodPut, path: one, tag: buildingsTag, summary: "Change one of the " + c.many + ", or enter it under an id of your own",
		right:  access.Enter,
		errors: append(bad[:len(bad):len(bad)], http.StatusConflict),
	}, c.put)
	add(c.api, operation{
		id: "delete-building-" + c.one, method: http.MethodDelete, path: one, tag: buildingsTag, summary: "Remove one of the " + c.many, right: access.Enter,
		status: http.StatusNoContent, errors: []int{http.StatusNotFound},
	}, c.remove)
}

func (c collection[N]) list(ctx context.Context, in *BuildingPath) (*entriesOutput[N], error) {
	if err := c.api.buildingExists(ctx, in.ID); err != nil {
		return nil, err
	}
	found, err := c.api.opts.Buildings.Entries(ctx, c.of, in.ID)
	if err != nil {
		return nil, err
	}
	out := &entriesOutput[N]{Body: items[N]{Items: make([]N, len(found))}}
	for i, e := range found {
		if err := json.Unmarshal(e.Payload, &out.Body.Items[i]); err != nil {
			return nil, fmt.Errorf("%s %s: %w", c.of, e.ID, err)
		}
	}
	return out, nil
}

func (c collection[N]) create(ctx context.Context, in *newEntryInput[N]) (*enteredOutput[N], error) {
	if err := c.api.buildingExists(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := wrong(c.check(&in.Body)); err != nil {
		return nil, err
	}
	made := in.Body
	e, err := c.api.opts.Buildings.CreateEntry(ctx, c.of, in.ID, func(id string) any {
		made = in.Body
		c.name(&made, id)
		return made
	})
	if err != nil {
		return nil, noRoom(err)
	}
	return &enteredOutput[N]{Location: prefix + "/buildings/" + in.ID + "/" + c.path + "/" + e.ID, Body: made}, nil
}

func (c collection[N]) get(ctx context.Context, in *BuildingEntryPath) (*itemOutput[N], error) {
	e, err := c.api.opts.Buildings.Entry(ctx, c.of, in.ID, in.Entry)
	if err != nil {
		return nil, noEntry(err)
	}
	out := &itemOutput[N]{}
	return out, json.Unmarshal(e.Payload, &out.Body)
}

func (c collection[N]) put(ctx context.Context, in *putEntryInput[N]) (*itemOutput[N], error) {
	if err := c.api.buildingExists(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := wrong(c.check(&in.Body)); err != nil {
		return nil, err
	}
	c.name(&in.Body, in.Entry)
	_, err := c.api.opts.Buildings.PutEntry(ctx, c.of, in.ID, in.Entry, "", in.Body)
	return &itemOutput[N]{Body: in.Body}, noRoom(err)
}

// noRoom is the client's conflict where a building has no room for an entry.
func noRoom(err error) error {
	if errors.Is(err, ledger.ErrTooMany) {
		return huma.Error409Conflict(ledger.ErrTooMany.Error())
	}
	return err
}

func (c collection[N]) remove(ctx context.Context, in *BuildingEntryPath) (*struct{}, error) {
	return nil, noEntry(c.api.opts.Buildings.DeleteEntry(ctx, c.of, in.ID, in.Entry))
}

func (a *API) routeInterventions() {
	collection[building.Intervention]{
		api: a, of: ledger.Interventions, one: "intervention", many: "measures that are to save something", path: "interventions",
		check: (*building.Intervention).Check, name: func(i *building.Intervention, id string) { i.ID = id },
	}.route()
}

func (a *API) routeAdjustments() {
	collection[building.Adjustment]{
		api: a, of: ledger.Adjustments, one: "adjustment", many: "non-routine adjustments", path: "adjustments",
		check: (*building.Adjustment).Check, name: func(i *building.Adjustment, id string) { i.ID = id },
	}.route()
}

type settingsInput struct {
	BuildingPath
	Body building.Settings
}

// routeBuildingSettings is how a building is judged: one entry, which is there
// with its defaults before anybody has entered it.
func (a *API) routeBuildingSettings() {
	const path = "/buildings/{id}/settings"
	add(a, operation{
		id: "get-building-settings", method: http.MethodGet, path: path, tag: buildingsTag,
		summary: "How the building is judged: meters, weather, tariffs, factors", right: access.Read, errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *BuildingPath) (*itemOutput[building.Settings], error) {
		if err := a.buildingExists(ctx, in.ID); err != nil {
			return nil, err
		}
		out := &itemOutput[building.Settings]{}
		found, err := a.opts.Buildings.Entries(ctx, ledger.Settings, in.ID)
		if err != nil || len(found) == 0 {
			return out, err
		}
		return out, json.Unmarshal(found[0].Payload, &out.Body)
	})
	add(a, operation{
		id: "put-building-settings", method: http.MethodPut, path: path, tag: buildingsTag, summary: "Set how the building is judged", right: access.Enter,
		notes:  "What is left out has its default. The results are worked out again when the job of buildings runs next.",
		errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusUnsupportedMediaType},
	}, a.putSettings)
}

func (a *API) putSettings(ctx context.Context, in *settingsInput) (*itemOutput[building.Settings], error) {
	if err := a.buildingExists(ctx, in.ID); err != nil {
		return nil, err
	}
	if err := wrong(in.Body.Check()); err != nil {
		return nil, err
	}
	refers := ""
	if ref, err := devices.ParseRef(string(in.Body.Weather)); err == nil {
		if err := a.exists(ctx, ref); err != nil {
			return nil, badParameter("body.weather", "there is no such device", string(in.Body.Weather))
		}
		refers = ref.String()
	} else if w := in.Body.Weather; w != "" && w != building.OwnSensor && w != building.Imported {
		return nil, badParameter("body.weather", err.Error(), string(w))
	}
	if err := a.ratesExist(ctx, in.Body.Meters); err != nil {
		return nil, err
	}
	_, err := a.opts.Buildings.PutEntry(ctx, ledger.Settings, in.ID, "", refers, in.Body)
	return &itemOutput[building.Settings]{Body: in.Body}, err
}

// ratesExist names the tariffs and grids of settings that nobody has entered: a
// building would wait for its bill in vain.
func (a *API) ratesExist(ctx context.Context, meters map[building.Meter]*building.MeterOptions) error {
	var p []building.Problem
	for _, m := range building.Used() {
		o := meters[m]
		if o == nil {
			continue
		}
		for _, of := range []struct {
			name, id string
			in       ledger.Collection
		}{{"tariff", o.Tariff, ledger.Tariffs}, {"grid", o.Grid, ledger.Grids}} {
			if of.id == "" {
				continue
			}
			_, err := a.opts.Buildings.Entry(ctx, of.in, "", of.id)
			if errors.Is(err, ledger.ErrNoEntry) {
				p = append(p, building.Problem{Field: "meters." + string(m) + "." + of.name, Detail: fmt.Sprintf("there is no %s %q", of.name, of.id)})
			} else if err != nil {
				return err
			}
		}
	}
	return wrong(p)
}
