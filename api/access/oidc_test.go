package access_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"errors"
	"maps"
	"net/http"
	"net/http/httptest"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
)

// issuer is a real identity provider on loopback, as far as tokens go.
type issuer struct {
	*httptest.Server
	key *ecdsa.PrivateKey
	id  string // of the key
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.rotate(t, "one")
	mux := http.NewServeMux()
	answer := func(path string, body func() any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(body())
		})
	}
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	answer("/.well-known/openid-configuration", func() any {
		return map[string]any{"issuer": i.URL, "jwks_uri": i.URL + "/keys", "authorization_endpoint": i.URL, "token_endpoint": i.URL,
			"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"}}
	})
	answer("/keys", func() any {
		return jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: i.key.Public(), KeyID: i.id, Algorithm: "ES256", Use: "sig"}}}
	})
	return i
}

func (i *issuer) rotate(t *testing.T, id string) {
	t.Helper()
	var err error
	if i.key, err = ecdsa.GenerateKey(elliptic.P256(), rand.Reader); err != nil {
		t.Fatal(err)
	}
	i.id = id
}

func (i *issuer) sign(t *testing.T, alg jose.SignatureAlgorithm, key any, claims map[string]any) string {
	t.Helper()
	s, err := jose.NewSigner(jose.SigningKey{Algorithm: alg, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", i.id))
	if err != nil {
		t.Fatal(err)
	}
	text, err := jwt.Signed(s).Claims(claims).Serialize()
	if err != nil {
		t.Fatal(err)
	}
	return text
}

func TestTokens(t *testing.T) {
	i := newIssuer(t)
	now := time.Now()
	tokens, err := access.NewTokens(access.Issuer{
		URL: i.URL, Audience: "fleetwatt", RoleClaim: "role", OwnerClaim: "owner", DeviceClaim: "device",
	}, i.Client(), func() time.Time { return now })
	if err != nil {
		t.Fatal(err)
	}
	base := map[string]any{
		"iss": i.URL, "aud": "fleetwatt", "sub": "anna", "exp": now.Add(time.Hour).Unix(), "iat": now.Unix(), "role": "owner", "owner": "o1",
	}
	with := func(change map[string]any) map[string]any {
		c := maps.Clone(base)
		maps.Copy(c, change)
		return c
	}
	other, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	good := i.sign(t, jose.ES256, i.key, base)
	for _, tt := range []struct {
		name  string
		token string
		err   error
		want  access.Principal
	}{
		{"owner", good, nil, access.Principal{Name: "subject anna", Role: access.Owner, OwnerID: "o1"}},
		{"admin", i.sign(t, jose.ES256, i.key, with(map[string]any{"role": "admin"})), nil, access.Principal{Name: "subject anna", Role: access.Admin}},
		{"device", i.sign(t, jose.ES256, i.key, with(map[string]any{"role": "device", "device": "station/s1"})), nil,
			access.Principal{Name: "subject anna", Role: access.Device, Device: devices.Ref{Kind: devices.KindStation, ID: "s1"}}},
		{"expired", i.sign(t, jose.ES256, i.key, with(map[string]any{"exp": now.Add(-time.Minute).Unix()})), access.ErrExpired, access.Principal{}},
		{"other audience", i.sign(t, jose.ES256, i.key, with(map[string]any{"aud": "billing"})), access.ErrUnknown, access.Principal{}},
		{"other issuer", i.sign(t, jose.ES256, i.key, with(map[string]any{"iss": "https://evil.example"})), access.ErrUnknown, access.Principal{}},
		{"foreign key", i.sign(t, jose.ES256, other, base), access.ErrUnknown, access.Principal{}},
		{"shared secret", i.sign(t, jose.HS256, []byte("0123456789abcdef0123456789abcdef"), base), access.ErrUnknown, access.Principal{}},
		{"unsigned", "eyJhbGciOiJub25lIn0.eyJyb2xlIjoiYWRtaW4ifQ.", access.ErrUnknown, access.Principal{}},
		{"no role", i.sign(t, jose.ES256, i.key, with(map[string]any{"role": ""})), access.ErrUnknown, access.Principal{}},
		{"role of another type", i.sign(t, jose.ES256, i.key, with(map[string]any{"role": []string{"admin"}})), access.ErrUnknown, access.Principal{}},
		{"owner without", i.sign(t, jose.ES256, i.key, with(map[string]any{"owner": ""})), access.ErrUnknown, access.Principal{}},
		{"viewer without an owner", i.sign(t, jose.ES256, i.key, with(map[string]any{"role": "viewer", "owner": ""})), access.ErrUnknown, access.Principal{}},
		{"cut", good[:len(good)-3], access.ErrUnknown, access.Principal{}},
		{"nothing", "", access.ErrUnknown, access.Principal{}},
		{"text", "a.b.c", access.ErrUnknown, access.Principal{}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			got, err := tokens.Authenticate(t.Context(), tt.token)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			got.Expires = time.Time{}
			if got != tt.want {
				t.Errorf("got %+v, want %+v", got, tt.want)
			}
		})
	}
	i.rotate(t, "two")
	if _, err := tokens.Authenticate(t.Context(), i.sign(t, jose.ES256, i.key, base)); err != nil {
		t.Errorf("after the issuer changed its key: %v", err)
	}
}

// An issuer that can't be reached is no reason to call a token wrong.
func TestTokensWithoutTheirIssuer(t *testing.T) {
	i := newIssuer(t)
	tokens, err := access.NewTokens(access.Issuer{URL: i.URL, Audience: "a", RoleClaim: "r", OwnerClaim: "o", DeviceClaim: "d"}, i.Client(), time.Now)
	if err != nil {
		t.Fatal(err)
	}
	token := i.sign(t, jose.ES256, i.key, map[string]any{"iss": i.URL, "aud": "a", "sub": "x", "exp": time.Now().Add(time.Hour).Unix(), "r": "admin"})
	url := i.URL
	i.Close()
	if _, err := tokens.Authenticate(t.Context(), token); !errors.Is(err, access.ErrUnavailable) {
		t.Errorf("with %s closed: got %v, want ErrUnavailable", url, err)
	}
	cancelled, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tokens.Authenticate(cancelled, token); err == nil {
		t.Error("got no error with a cancelled context")
	}
}
