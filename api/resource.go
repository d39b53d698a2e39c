package api

import (
	"context"
	"net/http"

	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// resource is one collection of the registry as the API shows it: E is the
// registry's type, P its patch, V what a client sees, N what it creates from
// and M its merge patch.
type resource[E, P, V, N, M any] struct {
	one, many string // battery, batteries

	create func(context.Context, E) (E, error)
	get    func(context.Context, string) (E, error)
	list   func(context.Context, registry.Filter) ([]E, int, error)
	update func(context.Context, string, P) (E, error)

	// views shows a page; it may ask the ports, but not once for each item.
	views func(context.Context, []E) ([]V, error)
	id    func(E) string
	build func(N) E
	patch func(M) (P, error)
	// changed is told of an update that went well; nil: nobody is.
	changed func(context.Context, string, P) error
}

type createInput[N any] struct{ Body N }

type patchInput[M any] struct {
	DevicePath
	Body M
}

type createOutput[V any] struct {
	Location string `header:"Location"`
	Body     V
}

type itemOutput[V any] struct{ Body V }

// route registers create, get and patch of the collection.
func (r resource[E, P, V, N, M]) route(a *API) {
	collection := "/" + r.many
	add(a, operation{
		id: "create-" + r.one, method: http.MethodPost, path: collection, tag: r.many, summary: "Register a " + r.one,
		status: http.StatusCreated, errors: []int{http.StatusBadRequest, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, r.handleCreate)
	add(a, operation{
		id: "get-" + r.one, method: http.MethodGet, path: collection + "/{id}", tag: r.many, summary: "One " + r.one,
		errors: []int{http.StatusNotFound},
	}, r.handleGet)
	add(a, operation{
		id: "patch-" + r.one, method: http.MethodPatch, path: collection + "/{id}", tag: r.many, summary: "Change a " + r.one,
		notes:  "A merge patch (RFC 7396): what is absent stays as it is; null removes a text.",
		errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, r.handlePatch)
}

// listRoute registers the list of the collection. The input decides by what it
// can be narrowed.
func listRoute[I, E, P, V, N, M any](a *API, r resource[E, P, V, N, M], narrow func(*I) (Page, registry.Filter)) {
	add(a, operation{
		id: "list-" + r.many, method: http.MethodGet, path: "/" + r.many, tag: r.many, summary: "List " + r.many + " by id",
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
	return &createOutput[V]{Location: prefix + "/" + r.many + "/" + r.id(created), Body: views[0]}, nil
}

func (r resource[E, P, V, N, M]) handleGet(ctx context.Context, in *DevicePath) (*itemOutput[V], error) {
	found, err := r.get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	views, err := r.views(ctx, []E{found})
	if err != nil {
		return nil, err
	}
	return &itemOutput[V]{Body: views[0]}, nil
}

func (r resource[E, P, V, N, M]) handlePatch(ctx context.Context, in *patchInput[M]) (*itemOutput[V], error) {
	patch, err := r.patch(in.Body)
	if err != nil {
		return nil, err
	}
	updated, err := r.update(ctx, in.ID, patch)
	if err != nil {
		return nil, err
	}
	if r.changed != nil {
		if err := r.changed(ctx, in.ID, patch); err != nil {
			return nil, err
		}
	}
	views, err := r.views(ctx, []E{updated})
	if err != nil {
		return nil, err
	}
	return &itemOutput[V]{Body: views[0]}, nil
}
