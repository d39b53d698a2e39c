package broker

import (
	"errors"
	"time"

	mqtt "github.com/mochi-mqtt/server/v2"
	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// errRefused ends a connection whose CONNACK has been sent.
var errRefused = errors.New("refused")

// OnConnect admits a client by its credentials, and only with a last will that
// it could publish itself. It answers those it refuses: mochi would know one
// reason for all.
func (h *hook) OnConnect(cl *mqtt.Client, pk packets.Packet) error {
	c, ok := cl.Net.Conn.(*conn)
	if !ok || h.ctx.Err() != nil {
		return packets.ErrServerShuttingDown
	}
	p, ok := h.principal(c, pk)
	if !ok {
		user := string(pk.Connect.Username)
		h.refuse(refusedCredential, "client", cl.ID, "user", user, "common_name", c.identity, "remote", cl.Net.Remote)
		h.guard.failed(c.ctx, h.ctx, c.origin, user)
		return h.turnAway(cl, packets.ErrBadUsernameOrPassword, packets.ErrBadUsernameOrPassword)
	}
	rights := h.rightsOf(p)
	if pk.Connect.WillFlag {
		if c.will, ok = takeWill(cl, rights, h.opts.SubmitSparkplug != nil); !ok {
			h.refuse(refusedWill, "client", cl.ID, "device", p.Device.String(), "will_topic", pk.Connect.WillTopic)
			return h.turnAway(cl, packets.ErrNotAuthorized, packets.ErrBadUsernameOrPassword)
		}
	}
	// A client id is its device's alone: nobody takes over another's session by
	// naming it.
	if p.Trusted {
		cl.ID = "-/" + cl.ID
	} else {
		cl.ID = p.Device.String() + "/" + cl.ID
	}
	if !p.Trusted {
		if !h.sessions.admit(cl, c, p.Device, h.opts.MaxPerDevice, time.Now()) {
			h.refuse(refusedDevice, "client", cl.ID, "device", p.Device.String())
			return h.turnAway(cl, packets.ErrQuotaExceeded, packets.ErrServerUnavailable)
		}
		c.onEnd = func() { h.sessions.leave(cl, p.Device) }
	}
	if !c.signedIn() {
		return packets.ErrServerBusy // its place was given to another just now
	}
	cl.Properties.Props.SessionExpiryInterval = 0
	c.admitted = true
	return nil
}

// turnAway answers a CONNECT with the code of MQTT 5, or with that of which
// mochi knows the MQTT 3.1.1 counterpart.
func (h *hook) turnAway(cl *mqtt.Client, v5, v3 packets.Code) error {
	code := v5
	if cl.Properties.ProtocolVersion < 5 {
		code = v3
	}
	return errors.Join(errRefused, h.server.SendConnack(cl, code, false, nil))
}

// OnConnectAuthenticate says what OnConnect has found.
func (h *hook) OnConnectAuthenticate(cl *mqtt.Client, _ packets.Packet) bool {
	c, ok := cl.Net.Conn.(*conn)
	return ok && c.admitted
}

// principal is who the CONNECT and the certificate say, and prove, it is. Where
// there are both, both must be right, and of the same device.
func (h *hook) principal(c *conn, pk packets.Packet) (ingest.Principal, bool) {
	user, password := string(pk.Connect.Username), string(pk.Connect.Password)
	var byCert, byUser devices.Ref
	var certOK, userOK bool
	shown := h.opts.AuthenticateCert != nil && c.identity != ""
	if shown {
		ref, err := h.opts.AuthenticateCert(h.ctx, c.identity)
		byCert, certOK = ref, err == nil
	}
	if h.opts.Authenticate != nil && user != "" {
		ref, err := h.opts.Authenticate(h.ctx, user, password)
		byUser, userOK = ref, err == nil
	}
	switch {
	case userOK && (!shown || certOK && byCert == byUser):
		return ingest.Principal{Name: user, Device: byUser}, true
	case certOK && user == "":
		return ingest.Principal{Name: c.identity, Device: byCert}, true
	case h.opts.Anonymous:
		return ingest.Principal{Name: string([]byte(pk.Connect.ClientIdentifier)), Trusted: true}, true
	}
	return ingest.Principal{}, false
}
