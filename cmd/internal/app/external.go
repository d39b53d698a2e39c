package app

import (
	"context"
	"crypto/tls"

	"golang.org/x/sync/errgroup"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest/mqtt"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/link"
)

func (a *App) openExternal() (source, error) {
	options := mqtt.TLSOptions{CAFile: a.cfg.MQTTBrokerCA, CertFile: a.cfg.MQTTBrokerCert, KeyFile: a.cfg.MQTTBrokerKey, ServerName: a.cfg.MQTTBrokerName}
	s, err := mqtt.New(mqtt.Options{
		Broker: a.cfg.MQTTBroker, ClientID: a.cfg.MQTTClientID, Username: a.cfg.MQTTUsername, Password: a.cfg.MQTTPassword,
		TLS: options, Group: a.cfg.MQTTGroup, Submit: a.pipeline.Submit, Now: a.now, Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	e := &external{Source: s, url: a.cfg.MQTTBroker}
	if a.cfg.SparkplugHost == "" {
		return e, nil
	}
	config, err := options.Config()
	if err != nil {
		return nil, err
	}
	return e, a.openLink(e, config)
}

// openLink connects the Sparkplug host: a connection of its own, because its
// session must be clean and its last will is the host's death.
func (a *App) openLink(e *external, config *tls.Config) (err error) {
	e.link, err = link.New(link.Options{
		Broker: a.cfg.MQTTBroker, ClientID: a.cfg.MQTTClientID + "-sparkplug", HostID: a.cfg.SparkplugHost,
		Username: a.cfg.MQTTUsername, Password: a.cfg.MQTTPassword, TLS: config, Now: a.now, Logger: a.log,
	})
	if err != nil {
		return err
	}
	if err := a.openSparkplug(e.link.Publish); err != nil {
		return err
	}
	e.host = a.sparkplug
	return nil
}

// host is a Sparkplug host that holds some messages back.
type host interface {
	link.Host
	Run(ctx context.Context) error
	Drain(ctx context.Context) error
}

// external is another broker as a source; Run ending is its quiescence.
type external struct {
	*mqtt.Source
	url  string
	link *link.Link // nil: no Sparkplug
	host host
}

// Run takes messages until ctx ends, and hands on what the Sparkplug host holds
// back.
func (e *external) Run(ctx context.Context) error {
	if e.link == nil {
		return e.Source.Run(ctx)
	}
	g, running := errgroup.WithContext(ctx)
	g.Go(func() error { return e.Source.Run(running) })
	g.Go(func() error { return e.link.Run(running, e.host) })
	g.Go(func() error { return e.host.Run(running) })
	return drained(ctx, g.Wait(), e.host)
}

// Trouble says what is wrong with either connection.
func (e *external) Trouble() string {
	if what := e.Source.Trouble(); what != "" || e.link == nil {
		return what
	}
	if what := e.link.Trouble(); what != "" {
		return "Sparkplug: " + what
	}
	return ""
}

func (e *external) Quiesce()         {}
func (e *external) Kick(devices.Ref) {}
func (e *external) Dropped() uint64  { return 0 }
func (e *external) Addr() string     { return "" }
func (e *external) Describe() string { return "external broker " + e.url }
