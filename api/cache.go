package api

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync"

	"github.com/cespare/xxhash/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"
	"github.com/gofiber/fiber/v2"
)

const (
	// minGzip is the length in bytes from which packing an answer saves a packet.
	minGzip = 1400
	// packedTag ends the entity tag of an answer that was packed: a strong tag
	// stands for the very bytes (RFC 9110, 8.8.1).
	packedTag = `-gzip"`
)

// delivery is how a finished answer leaves: validated, so that a client that has
// it already is spared it, and packed where the client can unpack it. It may be
// used from any goroutine.
type delivery struct{ writers sync.Pool }

// digest stands for a body, with all replicas alike. Who writes what is in an answer
// could make two of 64 bits agree, and have nothing of it but that a client is told
// his later one is the earlier one. No secret must go in: it goes out to everybody.
func digest(body []byte) string { return strconv.FormatUint(xxhash.Sum64(body), 36) }

// send gives a good answer to a GET its entity tag, and takes its body away
// where the client has the same. Streams and errors go out as they are.
func (d *delivery) send(c *fiber.Ctx) error {
	if c.Method() != fiber.MethodGet && c.Method() != fiber.MethodHead || c.Response().IsBodyStream() || c.Response().StatusCode() != http.StatusOK {
		return nil
	}
	c.Vary(fiber.HeaderAccept, fiber.HeaderAcceptEncoding, fiber.HeaderAuthorization)
	body := c.Response().Body()
	packed := len(body) >= minGzip && len(c.Response().Header.ContentEncoding()) == 0 && negotiation.SelectQValue(c.Get(fiber.HeaderAcceptEncoding), []string{"gzip"}) != ""
	if len(c.Response().Header.Peek(fiber.HeaderETag)) == 0 {
		tag := `"` + digest(body)
		if packed {
			tag += packedTag
		} else {
			tag += `"`
		}
		c.Set(fiber.HeaderETag, tag)
	}
	if strings.HasPrefix(c.Path(), prefix) {
		c.Set(fiber.HeaderCacheControl, "private, no-cache")
	}
	if matches(c.Get(fiber.HeaderIfNoneMatch), c.GetRespHeader(fiber.HeaderETag)) {
		c.Status(http.StatusNotModified).Response().ResetBody()
		c.Response().Header.Del(fiber.HeaderContentType)
		return nil
	}
	if packed {
		return d.pack(c, body)
	}
	return nil
}

// pack replaces the body by its gzip.
func (d *delivery) pack(c *fiber.Ctx, body []byte) error {
	out := bytes.NewBuffer(make([]byte, 0, len(body)/4))
	w, ok := d.writers.Get().(*gzip.Writer)
	if !ok {
		var err error
		if w, err = gzip.NewWriterLevel(nil, gzip.BestSpeed); err != nil {
			return fmt.Errorf("gzip: %w", err)
		}
	}
	defer d.writers.Put(w)
	w.Reset(out)
	if _, err := w.Write(body); err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("gzip: %w", err)
	}
	c.Set(fiber.HeaderContentEncoding, "gzip")
	c.Response().SetBodyRaw(out.Bytes())
	return nil
}

// matches compares If-None-Match with a tag, weakly, as RFC 9110, 13.1.2 says:
// packed or not, it is the same answer.
func matches(header, tag string) bool {
	plain := func(t string) string {
		t = strings.TrimPrefix(strings.TrimSpace(t), "W/")
		return strings.TrimSuffix(strings.TrimSuffix(t, packedTag), `"`)
	}
	for _, t := range strings.Split(header, ",") {
		if strings.TrimSpace(t) == "*" || strings.TrimSpace(t) != "" && plain(t) == plain(tag) {
			return true
		}
	}
	return false
}
