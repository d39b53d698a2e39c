package api

import (
	"bytes"
	"net/url"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/gofiber/fiber/v2"
)

// Text that no database of ours holds, or not each of them, is refused at the
// edge: no handler has to think of it.

// storable reports whether a name from a request may go to the database.
func storable(text string) bool {
	return utf8.ValidString(text) && !strings.ContainsFunc(text, unicode.IsControl)
}

// storableURI is storable of what the path and the query say. A line feed or tab
// is let through: it can be stored, and what asks for it finds nothing.
func storableURI(c *fiber.Ctx, u *url.URL) bool {
	good := func(text string) bool { return utf8.ValidString(text) && !strings.Contains(text, "\x00") }
	all := good(u.Path)
	for name, value := range c.Request().URI().QueryArgs().All() {
		all = all && good(string(name)) && good(string(value))
	}
	return all
}

// isJSON reports whether the body is taken for JSON.
func isJSON(c *fiber.Ctx) bool {
	is := c.Get(fiber.HeaderContentType)
	return is == "" || strings.Contains(strings.ToLower(is), "json")
}

// storableJSON reports whether the strings of a JSON text, which may be broken,
// are UTF-8 without U+0000, escaped too.
func storableJSON(body []byte) bool {
	if !utf8.Valid(body) {
		return false
	}
	null := []byte(`\u0000`)
	for at := 0; ; {
		next := bytes.Index(body[at:], null)
		if next < 0 {
			return true
		}
		at += next
		// A backslash before it makes of it a backslash and plain text.
		before := len(body[:at]) - len(bytes.TrimRight(body[:at], `\`))
		if before%2 == 0 {
			return false
		}
		at += len(null)
	}
}
