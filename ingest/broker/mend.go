package broker

import (
	"bytes"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"
)

// clone keeps bytes without the packet that they are in.
func clone(b []byte) []byte { return bytes.Clone(b) }

// OnPacketRead mends what mochi makes of some packets before it acts on them.
func (h *hook) OnPacketRead(_ *mqtt.Client, pk packets.Packet) (packets.Packet, error) {
	switch pk.FixedHeader.Type {
	case packets.Connect:
		mendConnect(&pk)
	case packets.Disconnect:
		// The CONNACK has said that no session outlives its connection. A client
		// that asks for it here leaves in good order all the same, without its will.
		pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 0, false
	}
	return pk, nil
}

func mendConnect(pk *packets.Packet) {
	// No session outlives its connection: it would collect memory, and a packet id
	// remembered from before a reboot would be acknowledged without a commit. An
	// MQTT 3.1.1 client that wants one and has no id is for mochi to refuse
	// (MQTT 3.1.1 §3.1.3.1).
	if pk.Connect.ClientIdentifier != "" || pk.ProtocolVersion >= 5 {
		pk.Connect.Clean = true
	}
	// An empty password is a password (MQTT 3.1.1 §3.1.3.5, MQTT 5 §3.1.3.6), but
	// mochi calls it a protocol error.
	if len(pk.Connect.Password) == 0 {
		pk.Connect.PasswordFlag = false
	}
}

// OnPacketEncode tells MQTT 5 clients of limits that mochi does not tell.
func (h *hook) OnPacketEncode(_ *mqtt.Client, pk packets.Packet) packets.Packet {
	if pk.FixedHeader.Type == packets.Connack && pk.ReasonCode == 0 {
		pk.Properties.MaximumPacketSize = uint32(h.opts.MaxPacket)
		pk.Properties.TopicAliasMaximum = maxAliases
		pk.Properties.SessionExpiryInterval, pk.Properties.SessionExpiryIntervalFlag = 0, true
	}
	return pk
}
