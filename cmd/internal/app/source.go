package app

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest/broker"
	"github.com/fleetwatt/fleetwatt/ingest/mqtt"
)

// source is where messages come from.
type source interface {
	// Run takes messages until ctx ends.
	Run(ctx context.Context) error
	// Quiesce takes no more, but keeps the connections for acknowledgements.
	Quiesce()
	Close()
	Addr() string     // that devices connect to; empty: not ours
	Describe() string // for the log
	Trouble() string  // what is wrong; empty: nothing
	Kick(devices.Ref) // ends the connections of a device
	Dropped() uint64  // messages that did not reach slow subscribers
}

func (a *App) openSource() (err error) {
	switch {
	case a.cfg.MQTTBroker != "":
		a.source, err = a.openExternal()
	case a.cfg.MQTTListen != "":
		a.source, err = a.openEmbedded()
	default:
		a.source = noSource{}
	}
	return err
}

func (a *App) openEmbedded() (source, error) {
	b, err := broker.New(broker.Options{
		Listen: a.cfg.MQTTListen, Authenticate: a.registry.Authenticate, Anonymous: a.cfg.MQTTAnonymous,
		MaxClients: a.cfg.MQTTMaxConns, Submit: a.pipeline.Submit, Now: a.now, Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	a.onClose(b.Close)
	return embedded{b}, nil
}

func (a *App) openExternal() (source, error) {
	s, err := mqtt.New(mqtt.Options{
		Broker: a.cfg.MQTTBroker, ClientID: a.cfg.MQTTClientID, Username: a.cfg.MQTTUsername, Password: a.cfg.MQTTPassword,
		Group: a.cfg.MQTTGroup, Submit: a.pipeline.Submit, Now: a.now, Logger: a.log,
	})
	if err != nil {
		return nil, err
	}
	return external{s, a.cfg.MQTTBroker}, nil
}

// embedded is the broker as a source.
type embedded struct{ b *broker.Broker }

func (e embedded) Run(ctx context.Context) error {
	if err := e.b.Start(); err != nil {
		return err
	}
	<-ctx.Done()
	return nil
}

func (e embedded) Quiesce()         { e.b.Quiesce() }
func (e embedded) Close()           { _ = e.b.Close() }
func (e embedded) Addr() string     { return e.b.Addr() }
func (e embedded) Describe() string { return "embedded broker on " + e.b.Addr() }
func (e embedded) Trouble() string  { return "" }

func (e embedded) Kick(ref devices.Ref) { e.b.Kick(ref) }
func (e embedded) Dropped() uint64      { return e.b.Dropped() }

// external is another broker as a source; Run ending is its quiescence.
type external struct {
	*mqtt.Source
	url string
}

func (e external) Quiesce()         {}
func (e external) Kick(devices.Ref) {}
func (e external) Dropped() uint64  { return 0 }
func (e external) Addr() string     { return "" }
func (e external) Describe() string { return "external broker " + e.url }

// noSource takes nothing: the API of a server that only computes.
type noSource struct{}

func (noSource) Run(ctx context.Context) error { <-ctx.Done(); return nil }
func (noSource) Quiesce()                      {}
func (noSource) Close()                        {}
func (noSource) Addr() string                  { return "" }
func (noSource) Describe() string              { return "off" }
func (noSource) Trouble() string               { return "" }
func (noSource) Kick(devices.Ref)              {}
func (noSource) Dropped() uint64               { return 0 }
