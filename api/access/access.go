// Package access knows who calls the API and what that lets them do: roles, what
// each may do, API keys as text, bearer tokens of an identity provider, and how
// often a caller may call. It knows nothing of routes, nor where keys are kept.
package access

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Role says what a caller is.
type Role string

// The roles.
const (
	Admin    Role = "admin"    // everything, keys and the audit log among it
	Operator Role = "operator" // runs the fleet of all owners
	Owner    Role = "owner"    // sees its own assets, and enters what only it knows of them
	Viewer   Role = "viewer"   // sees the assets of one owner, or of all where it has none
	Device   Role = "device"   // sees itself
)

// Roles lists all roles.
func Roles() []Role { return []Role{Admin, Operator, Owner, Viewer, Device} }

// ParseRole reads the name of a role.
func ParseRole(s string) (Role, error) {
	if r := Role(s); slices.Contains(Roles(), r) {
		return r, nil
	}
	names := make([]string, len(Roles()))
	for i, r := range Roles() {
		names[i] = string(r)
	}
	return "", fmt.Errorf("%q is not a role: want one of %s", s, strings.Join(names, ", "))
}

// Right is what an operation takes.
type Right string

// The rights. The zero value is Administer, so that an operation that says
// nothing is open to nobody else.
const (
	Administer Right = ""        // keys, the audit log
	Operate    Right = "operate" // the registry, credentials, jobs, quarantine, the server
	Enter      Right = "enter"   // what an owner knows: interventions, tariffs, costs
	Read       Right = "read"    // assets, their telemetry and results
	Self       Right = "self"    // the caller itself
)

// May reports whether the role has the right. That it has it of a certain asset
// is for Principal.Sees to say.
func (r Role) May(right Right) bool {
	switch right {
	case Self:
		return slices.Contains(Roles(), r)
	case Read:
		return slices.Contains(Roles(), r)
	case Enter:
		return r == Admin || r == Operator || r == Owner
	case Operate:
		return r == Admin || r == Operator
	default:
		return r == Admin
	}
}

// Principal is a caller whose identity was proven.
type Principal struct {
	Name    string      // for logs and the audit: of the key, or the subject of the token
	KeyID   string      // of the API key; empty: there is none
	Role    Role        //
	OwnerID string      // whose assets it sees; empty: those of all, but for Owner
	Device  devices.Ref // of Device
	Expires time.Time   // zero: never
}

// Validate reports a principal that could see what it must not.
func (p Principal) Validate() error {
	switch {
	case !slices.Contains(Roles(), p.Role):
		return fmt.Errorf("role %q does not exist", p.Role)
	case p.Role == Owner && p.OwnerID == "":
		return errors.New("the role owner needs an owner")
	case p.Role == Device && p.Device == (devices.Ref{}):
		return errors.New("the role device needs a device")
	case (p.Role == Admin || p.Role == Operator) && p.OwnerID != "":
		return fmt.Errorf("the role %s is not bound to an owner", p.Role)
	}
	return nil
}

// SeesAll reports whether the caller sees the assets of every owner.
func (p Principal) SeesAll() bool {
	return p.Role == Admin || p.Role == Operator || p.Role == Viewer && p.OwnerID == ""
}

// SeesOwner reports whether the caller sees what belongs to the owner; nobody's
// (empty) is seen by those who see all.
func (p Principal) SeesOwner(id string) bool {
	if p.SeesAll() {
		return true
	}
	return p.Role != Device && id != "" && id == p.OwnerID
}

// Sees reports whether the caller sees the device, which belongs to the owner.
func (p Principal) Sees(ref devices.Ref, ownerID string) bool {
	if p.Role == Device {
		return p.Device == ref
	}
	return p.SeesOwner(ownerID)
}

type contextKey struct{}

// With gives the context its caller.
func With(ctx context.Context, p Principal) context.Context {
	return context.WithValue(ctx, contextKey{}, p)
}

// From is the caller of a context; the zero value, who sees nothing, where it has
// none.
func From(ctx context.Context) Principal {
	p, _ := ctx.Value(contextKey{}).(Principal)
	return p
}

// Errors of authentication.
var (
	// ErrUnknown: the token is nobody's, or no longer.
	ErrUnknown = errors.New("the key or token is not known")
	// ErrExpired: it was somebody's until a while ago.
	ErrExpired = errors.New("the key or token has expired")
	// ErrUnavailable: who it is can't be found out at present.
	ErrUnavailable = errors.New("the identity provider can't be reached")
)

// Authenticator finds out whose token it is. Errors: ErrUnknown, ErrExpired,
// ErrUnavailable.
type Authenticator interface {
	Authenticate(ctx context.Context, token string) (Principal, error)
}
