package api

import (
	"context"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// resource is one collection of the registry as the API shows it: E is the
// registry's type, P its patch, V what a client sees, N what it creates from
// and M its merge patch.
type resource[E entry, P, V, N, M any] struct {
	one, many string // battery, batteries

	create func(context.Context, E) (E, error)
	get    func(context.Context, string) (E, error)
	list   func(context.Context, registry.Filter) ([]E, int, error)
	update func(context.Context, string, P) (E, error)
	// remove and restore take the version that they are for; 0: whichever it is.
	remove, restore func(ctx context.Context, id string, version int64) (E, error)

	// views shows a page; it may ask the ports, but not once for each item.
	views func(context.Context, []E) ([]V, error)
	id    func(E) string
	build func(N) E
	patch func(M) (P, error)
	at    func(P, int64) P // the patch for a version alone
	// gone is told of a removal that went well; nil: nobody is.
	gone func(context.Context, string) error
	// changed is told of an update that went well; nil: nobody is.
	changed func(context.Context, string, P) error
}

type createInput[N any] struct{ Body N }

type patchInput[M any] struct {
	DevicePath
	IfMatch
	Body M
}

type createOutput[V any] struct {
	Location string `header:"Location"`
	ETag     string `header:"ETag"`
	Body     V
}

type itemOutput[V any] struct{ Body V }

// route registers what concerns one entry of the collection.
func (r resource[E, P, V, N, M]) route(a *API) {
	collection := "/" + r.many
	add(a, operation{
		right: access.Operate, id: "create-" + r.one, method: http.MethodPost, path: collection, tag: r.many, summary: "Register a " + r.one,
		status: http.StatusCreated, errors: []int{http.StatusBadRequest, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, r.handleCreate)
	add(a, operation{
		right: access.Read, id: "get-" + r.one, method: http.MethodGet, path: collection + "/{id}", tag: r.many, summary: "One " + r.one,
		errors: []int{http.StatusNotFound},
	}, r.handleGet)
	add(a, operation{
		right: access.Operate, id: "patch-" + r.one, method: http.MethodPatch, path: collection + "/{id}", tag: r.many, summary: "Change a " + r.one,
		notes:  "A merge patch (RFC 7396): what is absent stays as it is; null removes a text. With If-Match, only the version that has this ETag is changed.",
		errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed, http.StatusUnsupportedMediaType},
	}, r.handlePatch)
	r.routeRemoval(a)
}

// listRoute registers the list of the collection. The input decides by what it
// can be narrowed.
func listRoute[I any, E entry, P, V, N, M any](a *API, r resource[E, P, V, N, M], narrow func(*I) (Page, registry.Filter)) {
	add(a, operation{
		right: access.Read, id: "list-" + r.many, method: http.MethodGet, path: "/" + r.many, tag: r.many, summary: "List " + r.many + " by id",
	}, func(ctx context.Context, in *I) (*listOutput[V], error) {
		p, f := narrow(in)
		f.Limit, f.Offset = p.Limit, p.Offset
		found, total, err := r.list(ctx, f)
		if err != nil {
			return nil, err
		}
		views, err := r.views(ctx, found)
		if err != nil {
			return nil, err
		}
		return list(p, views, total), nil
	})
}

func (r resource[E, P, V, N, M]) handleCreate(ctx context.Context, in *createInput[N]) (*createOutput[V], error) {
	created, err := r.create(ctx, r.build(in.Body))
	if err != nil {
		return nil, err
	}
	views, err := r.views(ctx, []E{created})
	if err != nil {
		return nil, err
	}
	return &createOutput[V]{
		Location: prefix + "/" + r.many + "/" + r.id(created), ETag: entryOf(created, views[0]).ETag, Body: views[0],
	}, nil
}

func (r resource[E, P, V, N, M]) handleGet(ctx context.Context, in *DevicePath) (*entryOutput[V], error) {
	found, err := r.get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	return r.show(ctx, found)
}

// show answers with one entry.
func (r resource[E, P, V, N, M]) show(ctx context.Context, e E) (*entryOutput[V], error) {
	views, err := r.views(ctx, []E{e})
	if err != nil {
		return nil, err
	}
	out := entryOf(e, views[0])
	return &out, nil
}

func (r resource[E, P, V, N, M]) handlePatch(ctx context.Context, in *patchInput[M]) (*entryOutput[V], error) {
	patch, err := r.patch(in.Body)
	if err != nil {
		return nil, err
	}
	version, err := r.wanted(ctx, in.ID, in.IfMatch)
	if err != nil {
		return nil, err
	}
	// A patch for one version can't be repeated once it is made. So whoever is told
	// of it is told before too: if only that comes through, nothing is missed.
	if r.changed != nil && version != 0 {
		if err := r.changed(ctx, in.ID, patch); err != nil {
			return nil, err
		}
	}
	updated, err := r.update(ctx, in.ID, r.at(patch, version))
	if err != nil {
		return nil, err
	}
	if r.changed != nil {
		if err := r.changed(ctx, in.ID, patch); err != nil {
			return nil, err
		}
	}
	return r.show(ctx, updated)
}
