package api

import (
	"crypto/sha256"
	"crypto/subtle"
	"net/http"
	"strings"

	"github.com/gofiber/fiber/v2"
)

// securityScheme is the name of the admin key in the OpenAPI document.
const securityScheme = "adminKey"

// guard admits requests that carry the admin key as a bearer token (RFC 6750)
// and answers 401 to all others, whether or not their route exists. The key is
// kept as its digest, and digests are compared, so that neither the time taken
// nor a dump of the process tells about the key.
func guard(key string) fiber.Handler {
	want := sha256.Sum256([]byte(key))
	return func(c *fiber.Ctx) error {
		if c.Method() == fiber.MethodOptions {
			return c.Next() // tells which methods a route has, as /openapi.json does
		}
		scheme, token, _ := strings.Cut(c.Get(fiber.HeaderAuthorization), " ")
		got := sha256.Sum256([]byte(strings.TrimSpace(token)))
		if strings.EqualFold(scheme, "Bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1 {
			return c.Next()
		}
		challenge := `Bearer realm="fleetwatt"`
		if token != "" {
			challenge += `, error="invalid_token"`
		}
		c.Set(fiber.HeaderWWWAuthenticate, challenge)
		return writeProblem(c, http.StatusUnauthorized, "send the admin key as Authorization: Bearer <key>")
	}
}
