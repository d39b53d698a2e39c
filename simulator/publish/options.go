package publish

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Options say where and how to publish.
type Options struct {
	Broker string // URL: tcp://host:port

	// ClientPrefix starts every MQTT client id, so that two fleets on one
	// broker don't take each other's sessions. Default "sim".
	ClientPrefix string

	// Credentials returns the user and password of a device. With shared
	// connections it is asked once for each, with the zero Ref. Nil: anonymous.
	Credentials func(devices.Ref) (user, password string)

	// Connections is the number of connections that all devices share, as
	// behind a gateway. 0: one for each device, with its own last will.
	Connections int

	MaxInflight int           // unacknowledged messages of a connection; default 8
	MaxBytes    int64         // payloads held in memory by the whole fleet; default 64 MiB, at least 1 MiB
	MaxBackoff  time.Duration // longest pause between attempts to connect; default 10 s
	KeepAlive   time.Duration // whole seconds; default 30 s

	Ledger   io.Writer // takes the identity of everything acknowledged, a line each; nil: none
	Progress Progress
	Logger   *slog.Logger // nil: none
}

// Progress is told how far the fleet is whenever a message is acknowledged. It
// is never called twice at once; while it runs, calls are left out. It must not
// call the fleet.
type Progress func(Stats)

const (
	minBytes = 1 << 20
	// Two of these fit in MaxBytes at its least.
	maxMessageBytes    = 512 << 10
	maxMessageReadings = 500
)

func (o Options) withDefaults() Options {
	if o.ClientPrefix == "" {
		o.ClientPrefix = "sim"
	}
	if o.Credentials == nil {
		o.Credentials = func(devices.Ref) (string, string) { return "", "" }
	}
	if o.MaxInflight == 0 {
		o.MaxInflight = 8
	}
	if o.MaxBytes == 0 {
		o.MaxBytes = 64 << 20
	}
	if o.MaxBackoff == 0 {
		o.MaxBackoff = 10 * time.Second
	}
	if o.KeepAlive == 0 {
		o.KeepAlive = 30 * time.Second
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	return o
}

func (o Options) validate() error {
	var errs []error
	if u, err := url.Parse(o.Broker); err != nil || u.Port() == "" || (u.Scheme != "tcp" && u.Scheme != "mqtt") {
		errs = append(errs, fmt.Errorf("broker %q: want tcp://host:port", o.Broker))
	}
	if o.Connections < 0 {
		errs = append(errs, fmt.Errorf("connections %d: want 0 or more", o.Connections))
	}
	if o.MaxInflight < 1 || o.MaxInflight > 65535 {
		errs = append(errs, fmt.Errorf("max inflight %d: want 1 to 65535", o.MaxInflight))
	}
	if o.MaxBytes < minBytes {
		errs = append(errs, fmt.Errorf("max bytes %d: want at least %d", o.MaxBytes, minBytes))
	}
	if o.MaxBackoff < 0 {
		errs = append(errs, fmt.Errorf("max backoff %s: want none below 0", o.MaxBackoff))
	}
	if o.KeepAlive < time.Second || o.KeepAlive%time.Second != 0 {
		errs = append(errs, fmt.Errorf("keep alive %s: want whole seconds", o.KeepAlive))
	}
	return errors.Join(errs...)
}
