package app

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices"
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
	case a.cfg.MQTTListen != "" || a.cfg.MQTTTLSListen != "":
		a.source, err = a.openEmbedded()
	default:
		a.source = noSource{}
	}
	return err
}

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
