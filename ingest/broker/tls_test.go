package broker

import (
	"crypto/tls"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

func tlsOptions(t *testing.T) (*servertest.Authority, Options) {
	t.Helper()
	authority := servertest.NewAuthority(t)
	cert, key := authority.Issue("server")
	o := newPolicy(t).options("")
	o.TLS = &TLSOptions{Listen: "127.0.0.1:0", CertFile: cert, KeyFile: key, ClientCAFile: authority.CAFile}
	return authority, o
}

func TestTLSFiles(t *testing.T) {
	authority := servertest.NewAuthority(t)
	cert, key := authority.Issue("server")
	_, otherKey := authority.Issue("other")
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	tests := []struct {
		name string
		tls  TLSOptions
		want []string
	}{
		{"no certificate", TLSOptions{CertFile: cert + "x", KeyFile: key}, []string{"certificate file", cert + "x"}},
		{"no key", TLSOptions{CertFile: cert, KeyFile: key + "x"}, []string{"key file", key + "x"}},
		{"another's key", TLSOptions{CertFile: cert, KeyFile: otherKey}, []string{cert, otherKey, "does not match"}},
		{"empty certificate", TLSOptions{CertFile: empty, KeyFile: key}, []string{empty}},
		{"no client CA", TLSOptions{CertFile: cert, KeyFile: key, ClientCAFile: "/nowhere/ca.pem"}, []string{"client CA", "/nowhere/ca.pem"}},
		{"empty client CA", TLSOptions{CertFile: cert, KeyFile: key, ClientCAFile: empty}, []string{"client CA", empty}},
		{"required without CA", TLSOptions{CertFile: cert, KeyFile: key, RequireClientCert: true}, []string{"client CA"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			o := newPolicy(t).options("")
			tt.tls.Listen = "127.0.0.1:0"
			o.TLS = &tt.tls
			b, err := New(o)
			if err == nil {
				_ = b.Close()
				t.Fatal("got no error")
			}
			for _, want := range tt.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("got %q, want %q in it", err, want)
				}
			}
		})
	}
}

func TestTLSOnly(t *testing.T) {
	authority, o := tlsOptions(t)
	o.TLS.RequireClientCert = true
	b := serve(t, o)
	if b.Addr() != "" {
		t.Errorf("got a plain address %s", b.Addr())
	}
	if code := dialRaw(t, b.TLSAddr(), authority.Client("station/m1"), 5).connect("c", "", ""); code != 0 {
		t.Errorf("with a certificate: got CONNACK %#x, want 0", code)
	}
	if code := dialRaw(t, b.TLSAddr(), authority.Client(""), 5).connect("c", "station/s1", "secret of station/s1"); code != 0xff {
		t.Errorf("without: got CONNACK %#x, want no connection", code)
	}
	old := authority.Client("station/m1")
	old.MinVersion, old.MaxVersion = tls.VersionTLS10, tls.VersionTLS11
	if code := dialRaw(t, b.TLSAddr(), old, 5).connect("c", "", ""); code != 0xff {
		t.Errorf("TLS 1.1: got CONNACK %#x, want no connection", code)
	}
	if code := dialRaw(t, b.TLSAddr(), nil, 5).connect("c", "", ""); code != 0xff {
		t.Errorf("no TLS: got CONNACK %#x, want no connection", code)
	}
	if got := b.Counters().Refused["tls"]; got != 3 {
		t.Errorf("got %d handshakes refused, want 3", got)
	}
}

// A renewed certificate is served without a restart, and a broken one is not.
func TestCertificateIsRenewed(t *testing.T) {
	authority, o := tlsOptions(t)
	certs, err := newCertificates(*o.TLS, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	look := func() *tls.Config {
		certs.mu.Lock()
		certs.checked = time.Time{} // as if a second had passed
		certs.mu.Unlock()
		return certs.current()
	}
	touch := func(after time.Duration) {
		for _, path := range []string{o.TLS.CertFile, o.TLS.KeyFile} {
			if err := os.Chtimes(path, time.Time{}, time.Now().Add(after)); err != nil {
				t.Fatal(err)
			}
		}
	}
	first := look()
	if look() != first {
		t.Error("unchanged files were read again")
	}
	if err := os.WriteFile(o.TLS.KeyFile, []byte("half a key"), 0o600); err != nil {
		t.Fatal(err)
	}
	touch(time.Minute)
	if look() != first {
		t.Error("a broken key replaced the one that worked")
	}
	authority.Issue("server")
	touch(2 * time.Minute)
	second := look()
	if second == first {
		t.Fatal("the renewed certificate is not served")
	}
	if string(second.Certificates[0].Certificate[0]) == string(first.Certificates[0].Certificate[0]) {
		t.Error("got the old certificate")
	}
}

// A client that connects and says nothing keeps nobody else out.
func TestSilentHandshake(t *testing.T) {
	authority, o := tlsOptions(t)
	b := serve(t, o)
	for range 20 {
		conn, err := net.Dial("tcp", b.TLSAddr())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
	}
	if code := dialRaw(t, b.TLSAddr(), authority.Client("station/m1"), 5).connect("c", "", ""); code != 0 {
		t.Errorf("got CONNACK %#x, want 0", code)
	}
}
