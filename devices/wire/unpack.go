package wire

import (
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"slices"
	"unicode/utf8"
)

// unpack returns the text of a payload: unzipped where it is gzip, within the
// limits, valid UTF-8 and not blank. Otherwise it returns the fault.
func (d *Decoder) unpack(payload []byte) ([]byte, *Fault) {
	if len(payload) > d.limits.MaxPayload {
		return nil, &Fault{ReasonTooLarge, fmt.Sprintf("%d bytes: want at most %d", len(payload), d.limits.MaxPayload), payload}
	}
	body := payload
	if isGzip(payload) {
		var fault *Fault
		if body, fault = d.gunzip(payload); fault != nil {
			return nil, fault
		}
	}
	if !utf8.Valid(body) {
		return nil, &Fault{ReasonInvalidUTF8, fmt.Sprintf("byte %d is not UTF-8", firstInvalid(body)), body}
	}
	if blank(body) {
		return nil, &Fault{ReasonEmpty, "an empty payload", body}
	}
	return body, nil
}

func isGzip(b []byte) bool { return len(b) >= 2 && b[0] == 0x1f && b[1] == 0x8b }

// gunzip unpacks at most one byte beyond the limit, so a bomb costs no more
// than the limit. All members of the stream count.
func (d *Decoder) gunzip(payload []byte) ([]byte, *Fault) {
	zr, err := d.unzipper(payload)
	if err != nil {
		return nil, badGzip(payload, err)
	}
	defer d.unzips.Put(zr)
	limit := d.limits.MaxUnpacked
	body := make([]byte, 0, min(8*len(payload), limit)+1)
	for {
		n, err := zr.Read(body[len(body):min(cap(body), limit+1)])
		body = body[:len(body)+n]
		switch {
		case len(body) > limit:
			return nil, &Fault{ReasonGzipTooLarge, fmt.Sprintf("unpacks to more than %d bytes", limit), payload}
		case errors.Is(err, io.EOF) && isGzip(body):
			return nil, &Fault{ReasonBadGzip, "gzip within gzip", payload}
		case errors.Is(err, io.EOF):
			return body, nil
		case err != nil:
			return nil, badGzip(payload, err)
		case len(body) == cap(body):
			body = slices.Grow(body, len(body))
		}
	}
}

func (d *Decoder) unzipper(payload []byte) (*gzip.Reader, error) {
	zr, ok := d.unzips.Get().(*gzip.Reader)
	if !ok {
		return gzip.NewReader(bytes.NewReader(payload))
	}
	return zr, zr.Reset(bytes.NewReader(payload))
}

func badGzip(payload []byte, err error) *Fault {
	detail := err.Error()
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		detail = "gzip: cut off"
	}
	return &Fault{ReasonBadGzip, detail, payload}
}

func blank(b []byte) bool {
	for _, c := range b {
		if !isSpace(c) {
			return false
		}
	}
	return true
}

func firstInvalid(b []byte) int {
	at := 0
	for at < len(b) {
		r, n := utf8.DecodeRune(b[at:])
		if r == utf8.RuneError && n <= 1 {
			break
		}
		at += n
	}
	return at
}
