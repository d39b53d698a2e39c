package api

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// entry is whatever the registry keeps with a version.
type entry interface{ Entry() devices.Record }

// entryOutput is one entry of the registry.
type entryOutput[V any] struct {
	ETag string `header:"ETag" doc:"the version, for If-Match of a change, and the state shown, for If-None-Match"`
	Body V
}

// entryOf is the answer that shows e as view. What is shown may change without
// the entry, for results are shown with it; so both are in the tag.
func entryOf[E entry, V any](e E, view V) entryOutput[V] {
	raw, err := json.Marshal(view)
	if err != nil {
		raw = nil // the answer itself will say so
	}
	sum := sha256.Sum256(raw)
	tag := fmt.Sprintf("%q", strconv.FormatInt(e.Entry().Version, 10)+"-"+base64.RawURLEncoding.EncodeToString(sum[:9]))
	return entryOutput[V]{ETag: tag, Body: view}
}

// IfMatch makes a change depend on the version of what it changes.
type IfMatch struct {
	Tags string `header:"If-Match" maxLength:"1000" doc:"ETags of the versions to change; * or absent: any"`
}

// versions are those of the tags; false where any will do. Of another maker's
// tag no version is known, and so none matches.
func (m IfMatch) versions() (of []int64, some bool) {
	for _, tag := range strings.Split(m.Tags, ",") {
		tag = strings.TrimSpace(tag)
		if tag == "*" {
			return nil, false
		}
		if text, quoted := strings.CutPrefix(tag, `"`); quoted {
			number, _, _ := strings.Cut(strings.TrimSuffix(text, `"`), "-")
			if v, err := strconv.ParseInt(number, 10, 64); err == nil && v > 0 {
				of = append(of, v)
			}
		}
	}
	return of, m.Tags != ""
}

// wanted is the version that a change is for; 0: whichever it is. Error:
// registry.ErrVersion where none can be.
func (r resource[E, P, V, N, M]) wanted(ctx context.Context, id string, m IfMatch) (int64, error) {
	versions, some := m.versions()
	switch {
	case !some:
		return 0, nil
	case len(versions) == 1:
		return versions[0], nil
	}
	now, err := r.get(ctx, id)
	if err != nil {
		return 0, err
	}
	if v := now.Entry().Version; slices.Contains(versions, v) {
		return v, nil
	}
	return 0, fmt.Errorf("%s %s: %w", r.one, id, registry.ErrVersion)
}

type removalInput struct {
	DevicePath
	IfMatch
}

// routeRemoval registers delete and restore of the collection.
func (r resource[E, P, V, N, M]) routeRemoval(a *API) {
	add(a, operation{
		id: "delete-" + r.one, method: http.MethodDelete, path: "/" + r.many + "/{id}", tag: r.many, summary: "Take a " + r.one + " out of the fleet", right: access.Operate,
		notes:  "It is marked as deleted and leaves lists, but for those with deleted=true. What it did stays, and it can be restored. A device can't sign in any more.",
		status: http.StatusNoContent, errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}, func(ctx context.Context, in *removalInput) (*struct{}, error) {
		version, err := r.wanted(ctx, in.ID, in.IfMatch)
		if err != nil {
			return nil, err
		}
		if _, err := r.remove(ctx, in.ID, version); err != nil {
			return nil, err
		}
		if r.gone == nil {
			return nil, nil
		}
		return nil, r.gone(ctx, in.ID)
	})
	add(a, operation{
		id: "restore-" + r.one, method: http.MethodPost, path: "/" + r.many + "/{id}/restore", tag: r.many, summary: "Bring a deleted " + r.one + " back", right: access.Operate,
		notes:  "Its owner owns it from now on. What is not deleted stays as it is.",
		errors: []int{http.StatusNotFound, http.StatusConflict, http.StatusPreconditionFailed},
	}, func(ctx context.Context, in *removalInput) (*entryOutput[V], error) {
		version, err := r.wanted(ctx, in.ID, in.IfMatch)
		if err != nil {
			return nil, err
		}
		restored, err := r.restore(ctx, in.ID, version)
		if err != nil {
			return nil, err
		}
		return r.show(ctx, restored)
	})
}

// signsOut takes away what a deleted device signs in with.
func (a *API) signsOut(kind devices.Kind) func(context.Context, string) error {
	return func(ctx context.Context, id string) error {
		err := a.opts.Credentials.RevokeCredential(ctx, devices.Ref{Kind: kind, ID: id})
		if errors.Is(err, registry.ErrNotFound) {
			return nil // it had nothing
		}
		return err
	}
}
