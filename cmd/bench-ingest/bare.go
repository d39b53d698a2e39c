package main

import (
	"context"
	"log/slog"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/listeners"
	"github.com/mochi-mqtt/server/v2/packets"
)

// bareCommand makes this program a bare mochi broker: no subscriber, nothing
// stored. It is the yardstick that the machine is measured with.
const bareCommand = "bare-mochi"

func serveBare(ctx context.Context, addr string) error {
	caps := mqtt.NewDefaultServerCapabilities()
	caps.ReceiveMaximum = 1024
	server := mqtt.New(&mqtt.Options{Capabilities: caps, Logger: slog.New(slog.DiscardHandler)})
	if err := server.AddHook(new(allow), nil); err != nil {
		return err
	}
	if err := server.AddListener(listeners.NewTCP(listeners.Config{ID: "tcp", Address: addr})); err != nil {
		return err
	}
	if err := server.Serve(); err != nil {
		return err
	}
	<-ctx.Done()
	return server.Close()
}

// allow lets everybody do everything.
type allow struct{ mqtt.HookBase }

// ID names the hook.
func (*allow) ID() string { return "allow" }

// Provides lists what the hook answers.
func (*allow) Provides(b byte) bool { return b == mqtt.OnConnectAuthenticate || b == mqtt.OnACLCheck }

// OnConnectAuthenticate admits every client.
func (*allow) OnConnectAuthenticate(*mqtt.Client, packets.Packet) bool { return true }

// OnACLCheck permits every topic.
func (*allow) OnACLCheck(*mqtt.Client, string, bool) bool { return true }
