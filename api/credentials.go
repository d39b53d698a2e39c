package api

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// minGrace is the shortest overlap of two secrets. Without any, the old one is
// replaced, which also ends its connections.
const minGrace = time.Minute

type credentialInput struct {
	DevicePath
	Body *struct {
		Username string `json:"username,omitempty" maxLength:"128" doc:"default: the device's id"`
	} `nameHint:"NewCredential"`
}

type rotationInput struct {
	DevicePath
	Body *struct {
		Grace string `json:"grace,omitempty" doc:"how long the old secret still works: 1m to 90d; default 24h"`
	} `nameHint:"Rotation"`
}

// A common name may hold any character, / and + and % too: it has no place in a
// path, where proxies and routers read these in different ways.
type certificateInput struct {
	DevicePath
	Body struct {
		CommonName string `json:"common_name" minLength:"1" maxLength:"128" doc:"of the client certificate"`
	} `nameHint:"NewCertificate"`
}

type certificateQuery struct {
	DevicePath
	CommonName string `query:"common_name" required:"true" minLength:"1" maxLength:"128" doc:"of the client certificate"`
}

type credentialsInput struct {
	Device string `query:"device" maxLength:"128" doc:"only of this device: kind/id"`
}

// Secret is a new credential; the secret can't be had again.
type Secret struct {
	Username      string `json:"username"`
	Secret        string `json:"secret" doc:"shown once"`
	PreviousUntil *Time  `json:"previous_until,omitempty" doc:"until then the old secret works too"`
}

// The types of credential.
const (
	typeSecret      = "secret"
	typeCertificate = "certificate"
)

// Credential is what a device signs in with, without its secret.
type Credential struct {
	Device        string `json:"device" doc:"kind/id"`
	Type          string `json:"type" enum:"secret,certificate"`
	Username      string `json:"username,omitempty" doc:"of a secret"`
	CommonName    string `json:"common_name,omitempty" doc:"of a certificate"`
	CreatedAt     Time   `json:"created_at"`
	PreviousUntil *Time  `json:"previous_until,omitempty" doc:"until then the secret before works too"`
}

type credentialsOutput struct{ Body items[Credential] }

func (a *API) routeCredential(kind devices.Kind) {
	name, path := string(kind), "/"+kind.Plural()+"/{id}/credential"
	add(a, operation{
		right: access.Operate, id: "put-" + name + "-credential", method: http.MethodPut, path: path, tag: "credentials",
		summary: "Give the device a new MQTT credential",
		notes:   "It replaces the one the device had, and ends its connections. The body may be left out.",
		errors:  []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, func(ctx context.Context, in *credentialInput) (*itemOutput[Secret], error) {
		return giveSecret(ctx, devices.Ref{Kind: kind, ID: in.ID}, in, a.opts.Credentials.SetCredential)
	})
	add(a, operation{
		right: access.Operate, id: "create-" + name + "-credential", method: http.MethodPost, path: path, tag: "credentials", status: http.StatusCreated,
		summary: "Give the device its first MQTT credential", notes: "409 where it has a secret. The body may be left out.",
		errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, func(ctx context.Context, in *credentialInput) (*itemOutput[Secret], error) {
		return giveSecret(ctx, devices.Ref{Kind: kind, ID: in.ID}, in, a.opts.Credentials.CreateCredential)
	})
	add(a, operation{
		right: access.Operate, id: "rotate-" + name + "-credential", method: http.MethodPost, path: path + "/rotate", tag: "credentials",
		summary: "Give the device a new secret, and let the old one work for a while",
		notes:   "409 while the old one of the last rotation still works: the device may use either. The body may be left out.",
		errors:  []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, func(ctx context.Context, in *rotationInput) (*itemOutput[Secret], error) {
		return a.rotateCredential(ctx, devices.Ref{Kind: kind, ID: in.ID}, in)
	})
	add(a, operation{
		right: access.Operate, id: "delete-" + name + "-credential", method: http.MethodDelete, path: path, tag: "credentials",
		summary: "Take the device's secrets and certificates away, and end its connections", errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *DevicePath) (*struct{}, error) {
		return nil, a.opts.Credentials.RevokeCredential(ctx, devices.Ref{Kind: kind, ID: in.ID})
	})
	a.routeCertificate(kind)
}

func (a *API) routeCertificate(kind devices.Kind) {
	name, path := string(kind), "/"+kind.Plural()+"/{id}/certificates"
	add(a, operation{
		right: access.Operate, id: "put-" + name + "-certificate", method: http.MethodPut, path: path, tag: "credentials",
		summary: "Let client certificates of this common name sign in as the device",
		notes:   "To bind the same again changes nothing.",
		errors:  []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, func(ctx context.Context, in *certificateInput) (*itemOutput[Credential], error) {
		c, err := a.opts.Credentials.BindCertificate(ctx, devices.Ref{Kind: kind, ID: in.ID}, in.Body.CommonName)
		if err != nil {
			return nil, err
		}
		return &itemOutput[Credential]{Body: viewCertificate(c)}, nil
	})
	add(a, operation{
		right: access.Operate, id: "delete-" + name + "-certificate", method: http.MethodDelete, path: path, tag: "credentials",
		summary: "Take one of the device's certificates away", errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *certificateQuery) (*struct{}, error) {
		return nil, a.opts.Credentials.RevokeCertificate(ctx, devices.Ref{Kind: kind, ID: in.ID}, in.CommonName)
	})
}

func giveSecret(ctx context.Context, ref devices.Ref, in *credentialInput,
	give func(context.Context, devices.Ref, string) (string, error)) (*itemOutput[Secret], error) {
	username := ref.ID
	if in.Body != nil && in.Body.Username != "" {
		username = in.Body.Username
	}
	secret, err := give(ctx, ref, username)
	if err != nil {
		return nil, err
	}
	return &itemOutput[Secret]{Body: Secret{Username: username, Secret: secret}}, nil
}

func (a *API) rotateCredential(ctx context.Context, ref devices.Ref, in *rotationInput) (*itemOutput[Secret], error) {
	grace := 24 * time.Hour
	if in.Body != nil && in.Body.Grace != "" {
		var err error
		if grace, err = parseEvery(in.Body.Grace); err != nil || grace < minGrace {
			return nil, badParameter("body.grace", "want a duration from 1m to 90d; to replace a secret at once, put a new one", in.Body.Grace)
		}
	}
	c, secret, err := a.opts.Credentials.RotateCredential(ctx, ref, grace)
	if err != nil {
		return nil, err
	}
	return &itemOutput[Secret]{Body: Secret{Username: c.Username, Secret: secret, PreviousUntil: timePtr(&c.PreviousUntil)}}, nil
}

func (a *API) routeCredentials() {
	add(a, operation{
		right: access.Operate, id: "list-credentials", method: http.MethodGet, path: "/credentials", tag: "credentials",
		summary: "Who can sign in, by device: secrets, then certificates",
	}, a.credentials)
}

func (a *API) credentials(ctx context.Context, in *credentialsInput) (*credentialsOutput, error) {
	if in.Device != "" {
		if _, err := devices.ParseRef(in.Device); err != nil {
			return nil, badParameter("query.device", err.Error(), in.Device)
		}
	}
	secrets, err := a.opts.Credentials.Credentials(ctx)
	if err != nil {
		return nil, fmt.Errorf("list credentials: %w", err)
	}
	certificates, err := a.opts.Credentials.Certificates(ctx)
	if err != nil {
		return nil, fmt.Errorf("list certificates: %w", err)
	}
	all := make([]Credential, 0, len(secrets)+len(certificates))
	for _, c := range secrets {
		all = append(all, Credential{
			Device: c.Device.String(), Type: typeSecret, Username: c.Username,
			CreatedAt: timeOf(c.CreatedAt), PreviousUntil: timePtr(&c.PreviousUntil),
		})
	}
	for _, c := range certificates {
		all = append(all, viewCertificate(c))
	}
	out := &credentialsOutput{Body: items[Credential]{Items: []Credential{}}}
	for _, c := range all {
		if in.Device == "" || c.Device == in.Device {
			out.Body.Items = append(out.Body.Items, c)
		}
	}
	return out, nil
}

func viewCertificate(c registry.Certificate) Credential {
	return Credential{Device: c.Device.String(), Type: typeCertificate, CommonName: c.CommonName, CreatedAt: timeOf(c.CreatedAt)}
}
