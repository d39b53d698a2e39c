package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/json"
	"io"
	"maps"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/fleetwatt/fleetwatt/api"
)

// as sends a request with a key or token, and returns the status and the body.
func (s *server) as(key, method, path string) (int, http.Header, string) {
	s.t.Helper()
	req, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	if key != "" {
		req.Header.Set("Authorization", "Bearer "+key)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		s.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return res.StatusCode, res.Header, string(body)
}

func (s *server) expect(want int, what, key, path string) {
	s.t.Helper()
	if got, _, body := s.as(key, http.MethodGet, path); got != want {
		s.t.Errorf("%s: %s: got %d %.300s, want %d", what, path, got, body, want)
	}
}

// The life of a key by the command line, against the real server: what it opens,
// to the owner's own; that it ends; that no log has it.
func TestKeysCommands(t *testing.T) {
	t.Parallel()
	s := serve(t, "--log-level", "debug", "--http-rate", "1", "--http-burst", "20")
	for _, o := range []string{"acme", "bolt"} {
		s.call(http.StatusCreated, http.MethodPost, "/api/v1/owners", `{"id":"`+o+`","name":"`+o+`"}`)
		s.call(http.StatusCreated, http.MethodPost, "/api/v1/batteries", `{"id":"`+o+`-1","owner_id":"`+o+`"}`)
	}
	made := operateJSON[api.NewAccessKey](s, "keys", "create", "Anna, portal", "owner", "--owner", "acme", "--expires", "24h")
	if made.Role != "owner" || made.OwnerID != "acme" || made.ExpiresAt == nil || !strings.HasPrefix(made.Key, "fwk_"+made.Prefix+"_") {
		t.Errorf("create: got %+v", made.AccessKey)
	}
	out, _ := s.operate("keys", "create", "grafana", "viewer")
	wants(t, "create", out, "key", "fwk_", "prefix", "never")
	s.refuse("needs an owner", "keys", "create", "n", "owner")
	s.refuse("not found", "keys", "revoke", "nobody99")
	s.refuse("not found", "keys", "rotate", "nobody99")

	s.expect(http.StatusOK, "own", made.Key, "/api/v1/batteries/acme-1")
	s.expect(http.StatusNotFound, "another's", made.Key, "/api/v1/batteries/bolt-1")
	s.expect(http.StatusForbidden, "jobs", made.Key, "/api/v1/jobs")
	if _, _, body := s.as(made.Key, http.MethodGet, "/api/v1/batteries"); strings.Contains(body, "bolt") || !strings.Contains(body, "acme-1") {
		t.Errorf("the list of an owner: %s", body)
	}
	fresh := operateJSON[api.NewAccessKey](s, "keys", "rotate", made.Prefix, "--grace", "1h")
	s.expect(http.StatusOK, "old in its grace", made.Key, "/api/v1/me")
	s.expect(http.StatusOK, "new", fresh.Key, "/api/v1/me")
	out, _ = s.operate("keys", "revoke", made.Prefix)
	wants(t, "revoke", out, made.Prefix)
	s.expect(http.StatusUnauthorized, "revoked", made.Key, "/api/v1/me")
	last := operateJSON[api.NewAccessKey](s, "keys", "rotate", fresh.Prefix, "--grace", "0s")
	s.expect(http.StatusUnauthorized, "rotated without grace", fresh.Key, "/api/v1/me")
	out, _ = s.operate("keys", "list")
	wants(t, "list", out, "PREFIX", made.Prefix, "revoked", fresh.Prefix, "expired", last.Prefix, "active", "Anna, portal", "acme", "grafana")

	// Every operation of the document refuses who has no key, or one that ended.
	var doc struct {
		Paths map[string]map[string]struct {
			Security []any `json:"security"`
		} `json:"paths"`
	}
	if err := json.Unmarshal(s.call(http.StatusOK, http.MethodGet, "/openapi.json", ""), &doc); err != nil {
		t.Fatal(err)
	}
	guarded := 0
	for path, methods := range doc.Paths {
		for method, op := range methods {
			if len(op.Security) == 0 {
				continue
			}
			guarded++
			target := strings.NewReplacer("{", "", "}", "").Replace(path)
			if got, _, body := s.as("", strings.ToUpper(method), target); got != http.StatusUnauthorized {
				t.Errorf("%s %s without a key: got %d %.200s", method, path, got, body)
			}
		}
	}
	if guarded < 150 {
		t.Errorf("only %d operations ask for a key", guarded)
	}
	for _, key := range []string{made.Key, fresh.Key} {
		s.expect(http.StatusUnauthorized, "ended", key, "/api/v1/batteries/acme-1")
	}

	// Too many requests are told when to come back.
	for k := 0; ; k++ {
		status, header, _ := s.as(last.Key, http.MethodGet, "/api/v1/me")
		if status == http.StatusTooManyRequests {
			if header.Get("Retry-After") == "" {
				t.Error("429 without Retry-After")
			}
			break
		}
		if k == 2000 {
			t.Fatalf("2000 requests, and the limit of 20 was not reached: the last was %d", status)
		}
	}
	log := s.log.String()
	wants(t, "log", log, "access refused", "caller turned away", "list-jobs")
	for _, secret := range []string{made.Key, fresh.Key, last.Key, adminKey} {
		if strings.Contains(log, secret[len(secret)/2:]) {
			t.Error("the log has a key")
		}
	}
}

// provider is an OpenID Connect issuer on loopback, as far as tokens go.
func provider(t *testing.T) (url string, sign func(claims map[string]any) string) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	p := httptest.NewServer(mux)
	t.Cleanup(p.Close)
	answer := func(path string, body any) {
		mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) {
			w.Header().Set("Content-Type", "application/json")
			_ = json.NewEncoder(w).Encode(body)
		})
	}
	answer("/.well-known/openid-configuration", map[string]any{"issuer": p.URL, "jwks_uri": p.URL + "/keys", "authorization_endpoint": p.URL, "token_endpoint": p.URL,
		"response_types_supported": []string{"code"}, "subject_types_supported": []string{"public"}, "id_token_signing_alg_values_supported": []string{"ES256"}})
	answer("/keys", jose.JSONWebKeySet{Keys: []jose.JSONWebKey{{Key: key.Public(), KeyID: "k", Algorithm: "ES256", Use: "sig"}}})
	return p.URL, func(claims map[string]any) string {
		signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.ES256, Key: key}, (&jose.SignerOptions{}).WithHeader("kid", "k"))
		if err != nil {
			t.Fatal(err)
		}
		text, err := jwt.Signed(signer).Claims(claims).Serialize()
		if err != nil {
			t.Fatal(err)
		}
		return text
	}
}

// Tokens of an identity provider open what their claims say, and nothing else.
func TestServeWithAnIssuer(t *testing.T) {
	t.Parallel()
	url, sign := provider(t)
	s := serve(t, "--log-level", "debug", "--oidc-issuer", url, "--oidc-audience", "fleetwatt")
	for _, o := range []string{"acme", "bolt"} {
		s.call(http.StatusCreated, http.MethodPost, "/api/v1/owners", `{"id":"`+o+`","name":"`+o+`"}`)
		s.call(http.StatusCreated, http.MethodPost, "/api/v1/batteries", `{"id":"`+o+`-1","owner_id":"`+o+`"}`)
	}
	const role, owner, device = "fleetwatt_role", "fleetwatt_owner", "fleetwatt_device"
	base := map[string]any{"iss": url, "aud": "fleetwatt", "sub": "anna", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
	token := func(claims map[string]any) string {
		all := maps.Clone(base)
		maps.Copy(all, claims)
		return sign(all)
	}
	acme := token(map[string]any{role: "owner", owner: "acme"})
	s.expect(http.StatusOK, "own", acme, "/api/v1/batteries/acme-1")
	s.expect(http.StatusNotFound, "another's", acme, "/api/v1/batteries/bolt-1")
	s.expect(http.StatusForbidden, "keys", acme, "/api/v1/keys")
	self := token(map[string]any{role: "device", device: "battery/bolt-1"})
	s.expect(http.StatusOK, "itself", self, "/api/v1/batteries/bolt-1")
	s.expect(http.StatusNotFound, "another", self, "/api/v1/batteries/acme-1")
	s.expect(http.StatusOK, "administrator", token(map[string]any{role: "admin"}), "/api/v1/keys")
	for what, claims := range map[string]map[string]any{
		"no role":          {},
		"viewer of nobody": {role: "viewer"},
		"another audience": {role: "admin", "aud": "other"},
		"another issuer":   {role: "admin", "iss": "https://issuer.example"},
		"expired":          {role: "admin", "exp": time.Now().Add(-time.Hour).Unix()},
	} {
		s.expect(http.StatusUnauthorized, what, token(claims), "/api/v1/me")
	}
	if strings.Contains(s.log.String(), acme[len(acme)/2:]) {
		t.Error("the log has a token")
	}
}
