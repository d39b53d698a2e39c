package api

import (
	"context"
	"net/http"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// Keys are the keys to this API. Errors: registry.ErrNotFound, ErrExists,
// ErrConflict and *registry.Invalid.
type Keys interface {
	CreateKey(ctx context.Context, k registry.Key, hash registry.KeyHash) (registry.Key, error)
	// Keys returns a page by prefix, and how many there are.
	Keys(ctx context.Context, limit, offset int) ([]registry.Key, int, error)
	// RotateKey puts a fresh key in the place of an old one, which works for
	// grace longer.
	RotateKey(ctx context.Context, old string, fresh registry.Key, hash registry.KeyHash, grace time.Duration) (registry.Key, error)
	RevokeKey(ctx context.Context, prefix string) error
}

// AccessKey is a key to this API, without its text.
type AccessKey struct {
	Prefix     string `json:"prefix" doc:"names the key; the beginning of its text"`
	Name       string `json:"name"`
	Role       string `json:"role" enum:"admin,operator,owner,viewer,device"`
	OwnerID    string `json:"owner_id,omitempty" doc:"whose assets it sees"`
	Device     string `json:"device,omitempty" doc:"kind/id, of the role device"`
	Status     string `json:"status" enum:"active,expired,revoked"`
	CreatedAt  Time   `json:"created_at"`
	CreatedBy  string `json:"created_by"`
	ExpiresAt  *Time  `json:"expires_at,omitempty" doc:"absent: never"`
	LastUsedAt *Time  `json:"last_used_at,omitempty" doc:"to five minutes; absent: never"`
	RevokedAt  *Time  `json:"revoked_at,omitempty"`
}

// NewAccessKey is a new key with its text, which can't be had again.
type NewAccessKey struct {
	AccessKey
	Key string `json:"key" doc:"shown once; send it as Authorization: Bearer <key>"`
}

type createKeyInput struct {
	Body struct {
		Name      string    `json:"name" minLength:"1" maxLength:"128" doc:"whom or what it is for"`
		Role      string    `json:"role" enum:"admin,operator,owner,viewer,device"`
		OwnerID   string    `json:"owner_id,omitempty" doc:"whose assets it sees; owner needs one, viewer may have one"`
		Device    string    `json:"device,omitempty" doc:"kind/id, for the role device"`
		ExpiresAt time.Time `json:"expires_at,omitempty" doc:"absent: never"`
	} `nameHint:"KeyRequest"`
}

// KeyPath names a key; exported, as huma fills no embedded struct that is not.
type KeyPath struct {
	Prefix string `path:"prefix" maxLength:"16" doc:"the beginning of the key, as lists show it"`
}

type rotateKeyInput struct {
	KeyPath
	Body *struct {
		Grace     string    `json:"grace,omitempty" doc:"how long the old key still works: 0s to 90d; default 24h"`
		ExpiresAt time.Time `json:"expires_at,omitempty" doc:"of the new key; absent: never"`
	} `nameHint:"KeyRotation"`
}

// Me is the caller.
type Me struct {
	Name    string `json:"name"`
	Role    string `json:"role" enum:"admin,operator,owner,viewer,device"`
	OwnerID string `json:"owner_id,omitempty" doc:"whose assets are seen"`
	Device  string `json:"device,omitempty" doc:"kind/id"`
	Expires *Time  `json:"expires_at,omitempty" doc:"of the key or token; absent: never"`
}

func (a *API) routeKeys() {
	add(a, operation{
		right: access.Self, id: "get-me", method: http.MethodGet, path: "/me", tag: "access", summary: "Who is calling, and what that may see",
	}, func(ctx context.Context, _ *struct{}) (*itemOutput[Me], error) {
		p := access.From(ctx)
		return &itemOutput[Me]{Body: Me{
			Name: p.Name, Role: string(p.Role), OwnerID: p.OwnerID, Device: deviceName(p.Device), Expires: timePtr(&p.Expires),
		}}, nil
	})
	if a.opts.Keys == nil {
		return
	}
	add(a, operation{
		id: "create-key", method: http.MethodPost, path: "/keys", tag: "access", status: http.StatusCreated,
		summary: "Make a key to this API", notes: "Its text is shown once and kept nowhere.",
		errors: []int{http.StatusBadRequest, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, a.createKey)
	add(a, operation{
		id: "list-keys", method: http.MethodGet, path: "/keys", tag: "access",
		summary: "List the keys to this API", notes: "Those that were revoked or have expired are among them.",
	}, a.listKeys)
	add(a, operation{
		id: "rotate-key", method: http.MethodPost, path: "/keys/{prefix}/rotate", tag: "access",
		summary: "Put a new key in the place of another, and let the old one work for a while",
		notes:   "409 for a key that does not work any more. The body may be left out.",
		errors:  []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, a.rotateKey)
	add(a, operation{
		id: "revoke-key", method: http.MethodDelete, path: "/keys/{prefix}", tag: "access",
		summary: "End a key at once", errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *KeyPath) (*struct{}, error) {
		return nil, a.opts.Keys.RevokeKey(ctx, in.Prefix)
	})
}

func (a *API) createKey(ctx context.Context, in *createKeyInput) (*itemOutput[NewAccessKey], error) {
	p := access.Principal{Name: in.Body.Name, Role: access.Role(in.Body.Role), OwnerID: in.Body.OwnerID}
	if in.Body.Device != "" {
		var err error
		if p.Device, err = devices.ParseRef(in.Body.Device); err != nil {
			return nil, badParameter("body.device", err.Error(), in.Body.Device)
		}
	}
	if p.Role != access.Device && p.Device != (devices.Ref{}) {
		return nil, badParameter("body.device", "only the role device has one", in.Body.Device)
	}
	if err := p.Validate(); err != nil {
		return nil, badParameter("body.role", err.Error(), in.Body.Role)
	}
	fresh := access.NewKey()
	k, err := a.opts.Keys.CreateKey(ctx, registry.Key{
		Prefix: fresh.Prefix, Name: p.Name, Role: string(p.Role), OwnerID: p.OwnerID, Device: p.Device,
		CreatedBy: access.From(ctx).Name, ExpiresAt: in.Body.ExpiresAt,
	}, fresh.Hash)
	if err != nil {
		return nil, err
	}
	return &itemOutput[NewAccessKey]{Body: NewAccessKey{AccessKey: viewKey(k, a.opts.Now()), Key: fresh.Text}}, nil
}

func (a *API) listKeys(ctx context.Context, in *struct{ Page }) (*listOutput[AccessKey], error) {
	keys, total, err := a.opts.Keys.Keys(ctx, in.Limit, in.Offset)
	if err != nil {
		return nil, err
	}
	views := make([]AccessKey, len(keys))
	for i, k := range keys {
		views[i] = viewKey(k, a.opts.Now())
	}
	return list(in.Page, views, total), nil
}

func (a *API) rotateKey(ctx context.Context, in *rotateKeyInput) (*itemOutput[NewAccessKey], error) {
	grace, expires := 24*time.Hour, time.Time{}
	if in.Body != nil {
		expires = in.Body.ExpiresAt
		if g := in.Body.Grace; g == "0s" || g == "0" {
			grace = 0
		} else if g != "" {
			var err error
			if grace, err = parseEvery(g); err != nil {
				return nil, badParameter("body.grace", err.Error(), g)
			}
		}
	}
	fresh := access.NewKey()
	k, err := a.opts.Keys.RotateKey(ctx, in.Prefix, registry.Key{
		Prefix: fresh.Prefix, CreatedBy: access.From(ctx).Name, ExpiresAt: expires,
	}, fresh.Hash, grace)
	if err != nil {
		return nil, err
	}
	return &itemOutput[NewAccessKey]{Body: NewAccessKey{AccessKey: viewKey(k, a.opts.Now()), Key: fresh.Text}}, nil
}

func viewKey(k registry.Key, now time.Time) AccessKey {
	v := AccessKey{
		Prefix: k.Prefix, Name: k.Name, Role: k.Role, OwnerID: k.OwnerID, Device: deviceName(k.Device), Status: "active",
		CreatedAt: Time(k.CreatedAt.UnixMilli()), CreatedBy: k.CreatedBy,
		ExpiresAt: timePtr(&k.ExpiresAt), LastUsedAt: timePtr(&k.LastUsedAt), RevokedAt: timePtr(&k.RevokedAt),
	}
	switch {
	case !k.RevokedAt.IsZero():
		v.Status = "revoked"
	case !k.ExpiresAt.IsZero() && !k.ExpiresAt.After(now):
		v.Status = "expired"
	}
	return v
}

// deviceName is kind/id; empty for none.
func deviceName(ref devices.Ref) string {
	if ref == (devices.Ref{}) {
		return ""
	}
	return ref.String()
}
