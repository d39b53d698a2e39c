package access

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"strings"
)

// A key is text like fwk_abcdefgh_… : what it is, a prefix that tells one key
// from another and may be shown, and the secret.
const (
	keyMark     = "fwk_"
	prefixBytes = 5  // 8 characters
	secretBytes = 32 // 52 characters
)

var letters = base32.NewEncoding("abcdefghijklmnopqrstuvwxyz234567").WithPadding(base32.NoPadding) // a value, never changed

// Key is a new API key. Its secret is 256 random bits, so that one round of
// SHA-256 is enough to keep it by.
type Key struct {
	Prefix string            // eight characters
	Text   string            // shown once
	Hash   [sha256.Size]byte // of Text
}

// NewKey makes a key.
func NewKey() Key {
	var b [prefixBytes + secretBytes]byte
	_, _ = rand.Read(b[:]) // it never fails, by its documentation
	k := Key{Prefix: letters.EncodeToString(b[:prefixBytes])}
	k.Text = keyMark + k.Prefix + "_" + letters.EncodeToString(b[prefixBytes:])
	k.Hash = Digest(k.Text)
	return k
}

// Digest is what is kept of a key.
func Digest(text string) [sha256.Size]byte { return sha256.Sum256([]byte(text)) }

// ErrNotAKey says that a token is something else than an API key.
var ErrNotAKey = errors.New("not an API key")

// KeyPrefix is the prefix of a key; ErrNotAKey where the text does not have the
// shape of one.
func KeyPrefix(text string) (string, error) {
	rest, ok := strings.CutPrefix(text, keyMark)
	if !ok {
		return "", ErrNotAKey
	}
	prefix, secret, ok := strings.Cut(rest, "_")
	if !ok || !encodes(prefix, prefixBytes) || !encodes(secret, secretBytes) {
		return "", ErrNotAKey
	}
	return prefix, nil
}

// encodes reports whether text stands for n bytes: nobody is asked for a key
// that can't be one.
func encodes(text string, n int) bool {
	raw, err := letters.DecodeString(text)
	return err == nil && len(raw) == n && len(text) == letters.EncodedLen(n)
}
