package api

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// areaChanged makes a building's results be worked out anew where a patch names
// its floor or its site, also with the value that it has.
func (a *API) areaChanged(ctx context.Context, id string, p registry.BuildingPatch) error {
	if p.FloorAreaM2 == nil && p.SiteID == nil {
		return nil
	}
	return a.buildingChanged(ctx, id)
}

// zoneChanged does so for the buildings of a site whose zone a patch names.
func (a *API) zoneChanged(ctx context.Context, id string, p registry.SitePatch) error {
	if p.TimeZone == nil {
		return nil
	}
	all, err := a.fleet.standing(ctx, id)
	if err != nil {
		return err
	}
	for _, b := range all {
		if err := a.buildingChanged(ctx, b); err != nil {
			return err
		}
	}
	return nil
}

func (a *API) buildingChanged(ctx context.Context, id string) error {
	if err := a.opts.OnDeviceChanged(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id}); err != nil {
		return fmt.Errorf("recompute building %s: %w", id, err)
	}
	return nil
}

// limits is what the server is to ask once the header of a request is there, and
// before its body is read: one that brings a file may have a longer body. Its
// types are those of the server, which the first parameter tells.
func limits[H interface {
	Method() []byte
	RequestURI() []byte
}, C any](_ func(H) C, file C, imports func(path string) bool) func(H) C {
	return func(h H) (usual C) {
		path, _, _ := strings.Cut(string(h.RequestURI()), "?")
		if string(h.Method()) == http.MethodPost && imports(path) {
			return file
		}
		return usual
	}
}

// limitBodies has the server take longer bodies where files are imported.
func (a *API) limitBodies() {
	server := a.app.Server()
	file := zeroOf(server.HeaderReceived)
	file.MaxRequestBodySize = maxImport
	server.HeaderReceived = limits(server.HeaderReceived, file, a.takesFile)
}

// zeroOf is a value of what a function returns.
func zeroOf[H, C any](func(H) C) (zero C) { return zero }

// takesFile reports whether a file may be sent to a path.
func (a *API) takesFile(path string) bool {
	segments := strings.Split(path, "/")
	return slices.ContainsFunc(a.imports, func(of []string) bool {
		return slices.EqualFunc(of, segments, func(s, given string) bool { return s == given || strings.HasPrefix(s, "{") })
	})
}
