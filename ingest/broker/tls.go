package broker

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"
)

// TLSOptions configure the listener for MQTT over TLS, 1.2 or newer. Files are
// PEM; they are read again when they have changed, so that certificates are
// renewed without a restart.
type TLSOptions struct {
	Listen   string // host:port; port 0 takes a free one
	CertFile string // the server's certificate, and those between it and its root
	KeyFile  string
	// ClientCAFile names who signs the certificates of clients. Such a
	// certificate signs in as the device that its common name stands for; a user
	// name beside it must be right as well, and of the same device. Empty: client
	// certificates are not asked for.
	ClientCAFile      string
	RequireClientCert bool // refuse clients without a certificate
}

// recheck is how long a look at the files holds: a rush of handshakes does not
// become a rush on the file system.
const recheck = time.Second

// certificates is the TLS configuration as the files have it.
type certificates struct {
	opts TLSOptions
	log  *slog.Logger

	mu      sync.Mutex
	config  *tls.Config
	tried   [3]stamp // of the files when they were last read
	checked time.Time
}

// stamp tells whether a file has changed.
type stamp struct {
	changed time.Time
	size    int64
}

func newCertificates(opts TLSOptions, log *slog.Logger) (*certificates, error) {
	if opts.RequireClientCert && opts.ClientCAFile == "" {
		return nil, errors.New("client certificates are required, and no client CA file says who signs them")
	}
	c := &certificates{opts: opts, log: log}
	c.tried = c.look()
	config, err := opts.load()
	if err != nil {
		return nil, err
	}
	c.config = config
	return c, nil
}

// server is the configuration of a listener: each handshake takes the latest.
func (c *certificates) server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return c.current(), nil },
	}
}

// current is the configuration as the files have it now. Files that can't be
// used, as between the renewal of a certificate and that of its key, leave the
// one before in force.
func (c *certificates) current() *tls.Config {
	c.mu.Lock()
	defer c.mu.Unlock()
	if time.Since(c.checked) < recheck {
		return c.config
	}
	c.checked = time.Now()
	stamps := c.look()
	if stamps == c.tried {
		return c.config
	}
	c.tried = stamps
	config, err := c.opts.load()
	if err != nil {
		c.log.Error("the changed TLS files can't be used; serving with the certificate of before", "err", err)
		return c.config
	}
	c.log.Info("TLS files read again", "cert_file", c.opts.CertFile)
	c.config = config
	return config
}

func (c *certificates) look() (s [3]stamp) {
	for i, path := range []string{c.opts.CertFile, c.opts.KeyFile, c.opts.ClientCAFile} {
		if path == "" {
			continue
		}
		if info, err := os.Stat(path); err == nil {
			s[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return s
}

func (o TLSOptions) load() (*tls.Config, error) {
	certPEM, err := os.ReadFile(o.CertFile)
	if err != nil {
		return nil, fmt.Errorf("read the certificate file: %w", err)
	}
	keyPEM, err := os.ReadFile(o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("read the key file: %w", err)
	}
	cert, err := tls.X509KeyPair(certPEM, keyPEM)
	if err != nil {
		return nil, fmt.Errorf("certificate %s with key %s: %w", o.CertFile, o.KeyFile, err)
	}
	config := &tls.Config{MinVersion: tls.VersionTLS12, Certificates: []tls.Certificate{cert}}
	if o.ClientCAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(o.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("read the client CA file: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("client CA file %s holds no certificate in PEM", o.ClientCAFile)
	}
	config.ClientAuth = tls.VerifyClientCertIfGiven
	if o.RequireClientCert {
		config.ClientAuth = tls.RequireAndVerifyClientCert
	}
	return config, nil
}

// commonName is the subject of the certificate that the client has proven to
// hold; empty where it showed none.
func commonName(state tls.ConnectionState) string {
	if len(state.VerifiedChains) == 0 || len(state.PeerCertificates) == 0 {
		return ""
	}
	return state.PeerCertificates[0].Subject.CommonName
}
