package mqtt

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"os"
)

// TLSOptions say whom to trust, and who the source is, where Broker is an ssl://
// or wss:// address. Files are PEM. They are read when the source is made, and
// the client's certificate again at each connection.
type TLSOptions struct {
	CAFile     string // who signs the broker's certificate; empty: those the system trusts
	CertFile   string // the source's own certificate; empty: none
	KeyFile    string
	ServerName string // that the broker's certificate must be for; empty: the host of Broker
}

// Config is what they say, as crypto/tls takes it.
func (o TLSOptions) Config() (*tls.Config, error) {
	config := &tls.Config{MinVersion: tls.VersionTLS12, ServerName: o.ServerName}
	if o.CAFile != "" {
		pem, err := os.ReadFile(o.CAFile)
		if err != nil {
			return nil, fmt.Errorf("read the broker's CA file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("the broker's CA file %s holds no certificate in PEM", o.CAFile)
		}
	}
	if (o.CertFile == "") != (o.KeyFile == "") {
		return nil, errors.New("a client certificate and its key go together, and one of the files is missing")
	}
	if o.CertFile == "" {
		return config, nil
	}
	if _, err := o.certificate(); err != nil {
		return nil, err
	}
	config.GetClientCertificate = func(*tls.CertificateRequestInfo) (*tls.Certificate, error) { return o.certificate() }
	return config, nil
}

func (o TLSOptions) certificate() (*tls.Certificate, error) {
	cert, err := tls.LoadX509KeyPair(o.CertFile, o.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("client certificate %s with key %s: %w", o.CertFile, o.KeyFile, err)
	}
	return &cert, nil
}
