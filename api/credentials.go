package api

import (
	"context"
	"fmt"
	"net/http"

	"github.com/fleetwatt/fleetwatt/devices"
)

type credentialInput struct {
	DevicePath
	Body *struct {
		Username string `json:"username,omitempty" maxLength:"128" doc:"default: the device's id"`
	} `nameHint:"NewCredential"`
}

// Secret is a new credential; the secret can't be had again.
type Secret struct {
	Username string `json:"username"`
	Secret   string `json:"secret" doc:"shown once"`
}

// Credential is what a device signs in with, without its secret.
type Credential struct {
	Device    string `json:"device" doc:"kind/id"`
	Username  string `json:"username"`
	CreatedAt Time   `json:"created_at"`
}

type credentialsOutput struct{ Body items[Credential] }

func (a *API) routeCredential(kind devices.Kind) {
	path := "/" + kind.Plural() + "/{id}/credential"
	add(a, operation{
		id: "put-" + string(kind) + "-credential", method: http.MethodPut, path: path, tag: "credentials",
		summary: "Give the device a new MQTT credential", notes: "It replaces the one the device had. The body may be left out.",
		errors: []int{http.StatusBadRequest, http.StatusNotFound, http.StatusConflict, http.StatusUnsupportedMediaType},
	}, func(ctx context.Context, in *credentialInput) (*itemOutput[Secret], error) {
		return a.setCredential(ctx, devices.Ref{Kind: kind, ID: in.ID}, in)
	})
	add(a, operation{
		id: "delete-" + string(kind) + "-credential", method: http.MethodDelete, path: path, tag: "credentials",
		summary: "Take the device's credential away", errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *DevicePath) (*struct{}, error) {
		return nil, a.opts.Credentials.RevokeCredential(ctx, devices.Ref{Kind: kind, ID: in.ID})
	})
}

func (a *API) setCredential(ctx context.Context, ref devices.Ref, in *credentialInput) (*itemOutput[Secret], error) {
	username := ref.ID
	if in.Body != nil && in.Body.Username != "" {
		username = in.Body.Username
	}
	secret, err := a.opts.Credentials.SetCredential(ctx, ref, username)
	if err != nil {
		return nil, err
	}
	return &itemOutput[Secret]{Body: Secret{Username: username, Secret: secret}}, nil
}

func (a *API) routeCredentials() {
	add(a, operation{
		id: "list-credentials", method: http.MethodGet, path: "/credentials", tag: "credentials",
		summary: "Who can sign in, by device",
	}, func(ctx context.Context, _ *struct{}) (*credentialsOutput, error) {
		all, err := a.opts.Credentials.Credentials(ctx)
		if err != nil {
			return nil, fmt.Errorf("list credentials: %w", err)
		}
		out := &credentialsOutput{Body: items[Credential]{Items: make([]Credential, 0, len(all))}}
		for _, c := range all {
			out.Body.Items = append(out.Body.Items, Credential{
				Device: c.Device.String(), Username: c.Username, CreatedAt: timeOf(c.CreatedAt),
			})
		}
		return out, nil
	})
}
