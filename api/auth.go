package api

import (
	"context"
	"crypto/subtle"
	"errors"
	"net/http"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/gofiber/fiber/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
)

// securityScheme is the name of keys and tokens in the OpenAPI document.
const securityScheme = "bearer"

// wrongRate is how many wrong keys an address may send a second in the long run;
// Options.WrongKeys, how many at once. Keys can't be guessed; looking them up costs.
const wrongRate = 5

// guard admits requests that carry a key or token as a bearer token (RFC 6750)
// and answers 401 to all others, whether or not their route exists.
type guard struct {
	opts   *Options
	admin  [32]byte        // digest of the admin key
	calls  *access.Limiter // by caller
	wrong  *access.Limiter // by address
	logged *access.Limiter // of refusals, so that they can't fill the log
}

func newGuard(o *Options) *guard {
	return &guard{
		opts: o, admin: access.Digest(o.AdminKey), calls: access.NewLimiter(o.Rate, o.Burst), wrong: access.NewLimiter(wrongRate, o.WrongKeys), logged: access.NewLimiter(1, 10),
	}
}

// identify finds out whose token it is. Of the admin key digests are compared, so
// that neither the time taken nor a dump of the process tells about it.
func (g *guard) identify(ctx context.Context, token string) (access.Principal, error) {
	if got := access.Digest(token); subtle.ConstantTimeCompare(got[:], g.admin[:]) == 1 {
		return access.Principal{Name: "admin", Role: access.Admin}, nil
	}
	if g.opts.Access == nil {
		return access.Principal{}, access.ErrUnknown
	}
	return g.opts.Access.Authenticate(ctx, token)
}

func (g *guard) admit(c *fiber.Ctx) error {
	if c.Method() == fiber.MethodOptions {
		return c.Next() // tells which methods a route has, as /openapi.json does
	}
	scheme, token, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
	token = strings.TrimSpace(token)
	if !strings.EqualFold(scheme, "Bearer") || token == "" {
		return g.turnAway(c, token != "", "send a key as Authorization: Bearer <key>")
	}
	now := g.opts.Now()
	p, err := g.identify(c.UserContext(), token)
	switch {
	case err == nil:
	case errors.Is(err, access.ErrUnknown), errors.Is(err, access.ErrExpired):
		g.log(c, err)
		if wait, ok := g.wrong.Allow(c.IP(), now); !ok {
			return tooMany(c, wait, "too many wrong keys from this address")
		}
		return g.turnAway(c, true, reasonOf(err))
	default:
		g.opts.Log.Warn("caller can't be identified", "err", err)
		c.Set(fiber.HeaderRetryAfter, "5")
		return writeProblem(c, http.StatusServiceUnavailable, "who you are can't be found out at present; try again")
	}
	if p.Role != access.Admin {
		if wait, ok := g.calls.Allow(p.Name, now); !ok {
			return tooMany(c, wait, "too many requests with this key")
		}
	}
	ctx := context.WithValue(c.UserContext(), admission{}, func(ctx context.Context) bool { return g.still(ctx, token, p) })
	c.SetUserContext(access.With(ctx, p))
	return c.Next()
}

// admission is the key of a function in a context that tells whether the caller
// would be let in again.
type admission struct{}

// still reports whether the token still is whose it was. Where that can't be found
// out at present, it is.
func (g *guard) still(ctx context.Context, token string, p access.Principal) bool {
	now, err := g.identify(ctx, token)
	if errors.Is(err, access.ErrUnknown) || errors.Is(err, access.ErrExpired) {
		return false
	}
	return err != nil || now.Role == p.Role && now.OwnerID == p.OwnerID && now.Device == p.Device
}

// admitted reports whether the caller of a context would be let in again: for
// answers that outlast the key.
func admitted(ctx context.Context) bool {
	again, ok := ctx.Value(admission{}).(func(context.Context) bool)
	return ok && again(ctx)
}

// reasonOf is what the caller may know.
func reasonOf(err error) string {
	if errors.Is(err, access.ErrExpired) {
		return access.ErrExpired.Error()
	}
	return access.ErrUnknown.Error()
}

func (g *guard) turnAway(c *fiber.Ctx, sent bool, detail string) error {
	challenge := `Bearer realm="fleetwatt"`
	if sent {
		challenge += `, error="invalid_token"`
	}
	c.Set(fiber.HeaderWWWAuthenticate, challenge)
	return writeProblem(c, http.StatusUnauthorized, detail)
}

func (g *guard) log(c *fiber.Ctx, err error) {
	if _, ok := g.logged.Allow("", g.opts.Now()); ok {
		g.opts.Log.Warn("caller turned away", "address", c.IP(), "method", c.Method(), "path", c.Path(), "err", err)
	}
}

func tooMany(c *fiber.Ctx, wait time.Duration, detail string) error {
	c.Set(fiber.HeaderRetryAfter, seconds(wait))
	return writeProblem(c, http.StatusTooManyRequests, detail)
}

// permit lets a request through to an operation that the caller's role has the
// right to, before anything of the request is read: who may not do a thing does
// not learn how it is asked for. What does not say who may is for administrators.
func (a *API) permit(ctx huma.Context, next func(huma.Context)) {
	op, p := ctx.Operation(), access.From(ctx.Context())
	public, _ := op.Metadata[metaPublic].(bool)
	right, _ := op.Metadata[metaRight].(access.Right)
	if public || p.Role.May(right) {
		next(ctx)
		return
	}
	a.opts.Log.WarnContext(ctx.Context(), "access refused", "caller", p.Name, "role", string(p.Role), "operation", op.OperationID)
	// What can go wrong here is the writing to a client that has gone.
	_ = huma.WriteErr(a.huma, ctx, http.StatusForbidden, "the role "+string(p.Role)+" may not do this")
}
