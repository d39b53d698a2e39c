package access

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Issuer says whose tokens are taken, and where in them is who the bearer is.
type Issuer struct {
	URL      string // of the issuer; its /.well-known/openid-configuration names its keys
	Audience string // that a token must be meant for
	// RoleClaim and OwnerClaim are the names of the claims that hold the role and
	// the owner; DeviceClaim that of kind/id.
	RoleClaim, OwnerClaim, DeviceClaim string
}

// Validate reports what is missing.
func (i Issuer) Validate() error {
	var errs []error
	if !strings.HasPrefix(i.URL, "https://") && !strings.HasPrefix(i.URL, "http://127.0.0.1") && !strings.HasPrefix(i.URL, "http://localhost") {
		errs = append(errs, fmt.Errorf("issuer %q: want a URL that begins with https://", i.URL))
	}
	if i.Audience == "" {
		errs = append(errs, errors.New("audience: missing; without one a token for any other service would be taken"))
	}
	if i.RoleClaim == "" || i.OwnerClaim == "" || i.DeviceClaim == "" {
		errs = append(errs, errors.New("claims: want the names of role, owner and device"))
	}
	return errors.Join(errs...)
}

// Tokens takes the bearer tokens (JWT, RFC 7519) of one issuer. Its keys are
// fetched when first needed and again when a token names a new one. Signatures
// are RS256, ES256, EdDSA or their longer kin, never none and never a shared
// secret.
type Tokens struct {
	issuer Issuer
	client *http.Client
	now    func() time.Time

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
}

// NewTokens takes the tokens of the issuer; client fetches its keys.
func NewTokens(i Issuer, client *http.Client, now func() time.Time) (*Tokens, error) {
	if err := i.Validate(); err != nil {
		return nil, err
	}
	return &Tokens{issuer: i, client: client, now: now}, nil
}

// Authenticate checks signature, issuer, audience and times of a token and reads
// who its bearer is. A token that is not one is ErrUnknown.
func (t *Tokens) Authenticate(ctx context.Context, token string) (Principal, error) {
	if strings.Count(token, ".") != 2 {
		return Principal{}, ErrUnknown
	}
	v, err := t.ready(ctx)
	if err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	verified, err := v.Verify(oidc.ClientContext(ctx, t.client), token)
	var expired *oidc.TokenExpiredError
	switch {
	case errors.As(err, &expired):
		return Principal{}, ErrExpired
	case err != nil && strings.Contains(err.Error(), "fetching keys"):
		return Principal{}, fmt.Errorf("%w: %w", ErrUnavailable, err)
	case err != nil:
		return Principal{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	var claims map[string]any
	if err := verified.Claims(&claims); err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return t.principal(verified, claims)
}

// ready asks the issuer where its keys are, until it has answered once.
func (t *Tokens) ready(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.verifier != nil {
		return t.verifier, nil
	}
	// The provider keeps its context for fetching keys later.
	p, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), t.client), t.issuer.URL)
	if err != nil {
		return nil, err
	}
	t.verifier = p.Verifier(&oidc.Config{ClientID: t.issuer.Audience, Now: t.now, SupportedSigningAlgs: []string{
		oidc.RS256, oidc.RS384, oidc.RS512, oidc.ES256, oidc.ES384, oidc.ES512, oidc.PS256, oidc.PS384, oidc.PS512, oidc.EdDSA,
	}})
	return t.verifier, nil
}

func (t *Tokens) principal(token *oidc.IDToken, claims map[string]any) (Principal, error) {
	text := func(name string) string { s, _ := claims[name].(string); return s }
	role, err := ParseRole(text(t.issuer.RoleClaim))
	if err != nil {
		return Principal{}, fmt.Errorf("%w: claim %s: %w", ErrUnknown, t.issuer.RoleClaim, err)
	}
	p := Principal{Name: "subject " + token.Subject, Role: role, Expires: token.Expiry}
	switch role {
	case Owner, Viewer:
		p.OwnerID = text(t.issuer.OwnerClaim)
		if role == Viewer && p.OwnerID == "" {
			// A provider that forgets the claim must not open all doors.
			return Principal{}, fmt.Errorf("%w: claim %s is missing", ErrUnknown, t.issuer.OwnerClaim)
		}
	case Device:
		if p.Device, err = devices.ParseRef(text(t.issuer.DeviceClaim)); err != nil {
			return Principal{}, fmt.Errorf("%w: claim %s: %w", ErrUnknown, t.issuer.DeviceClaim, err)
		}
	}
	if err := p.Validate(); err != nil {
		return Principal{}, fmt.Errorf("%w: %w", ErrUnknown, err)
	}
	return p, nil
}
