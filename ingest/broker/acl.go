package broker

import (
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
)

const (
	// maxFilter bounds a filter in bytes: mochi's work on one grows with the square
	// of its levels.
	maxFilter = 256
	// sparkplugPrefix is the namespace of Sparkplug B.
	sparkplugPrefix = "spBv1.0/"
	statePrefix     = sparkplugPrefix + "STATE/"
)

// rights are what one principal may read and write.
type rights struct {
	trusted bool
	device  devices.Ref
	gateway func(devices.Ref) devices.Ref
	group   string // of its Sparkplug edge node; empty: it is none
	node    string
}

// read decides on a subscription and, with the topic for a filter, on every
// delivery: what a client may read may have changed since it subscribed. A device reads its own topics and those of the devices behind it, by
// exact topic or all of one device; an edge node reads its commands and the
// host's state. Nobody reads $SYS, and a shared subscription is no way round.
func (r *rights) read(filter string) bool {
	if len(filter) > maxFilter {
		return false
	}
	if hasFold(filter, "$share/") {
		_, inner, ok := strings.Cut(filter[len("$share/"):], "/")
		return ok && r.trusted && !strings.HasPrefix(inner, "$")
	}
	switch {
	case strings.HasPrefix(filter, "$"):
		return false
	case r.trusted:
		return true
	case strings.HasPrefix(filter, sparkplugPrefix):
		return r.readSparkplug(filter)
	}
	ref, rest, ok := splitTopic(filter)
	return ok && r.speaksFor(ref) && (rest == "#" || !strings.ContainsAny(rest, "+#"))
}

// hasFold reports whether s begins with prefix, whatever the case.
func hasFold(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// speaksFor reports whether ref is the device itself or behind it.
func (r *rights) speaksFor(ref devices.Ref) bool {
	return r.device != devices.Ref{} && (ref == r.device || r.gateway(ref) == r.device)
}

// splitTopic reads fleet/v1/{kind}/{id}/{rest}. Beside the channels that a
// device publishes on, rest may be one that only the host does.
func splitTopic(s string) (ref devices.Ref, rest string, ok bool) {
	s, ok = strings.CutPrefix(s, wire.Prefix)
	if !ok {
		return ref, "", false
	}
	kind, s, _ := strings.Cut(s, "/")
	id, rest, ok := strings.Cut(s, "/")
	if !ok || rest == "" {
		return ref, "", false
	}
	k, err := devices.ParseKind(kind)
	if err != nil || !devices.ValidID(id) {
		return ref, "", false
	}
	return devices.Ref{Kind: k, ID: id}, rest, true
}

// readSparkplug is read for filters on spBv1.0/ (Sparkplug 3.0 §6.4: an edge
// node subscribes to NCMD and DCMD of its own, and to the host's STATE).
func (r *rights) readSparkplug(filter string) bool {
	if r.group == "" {
		return false
	}
	if host, ok := strings.CutPrefix(filter, statePrefix); ok {
		return host == "+" || host == "#" || (host != "" && !strings.ContainsAny(host, "+#/"))
	}
	t, ok := splitSparkplug(filter)
	if !ok || t.group != r.group || t.node != r.node {
		return false
	}
	switch t.kind {
	case "NCMD":
		return t.device == "" || t.device == "#"
	case "DCMD":
		return t.device == "+" || t.device == "#" || (t.device != "" && !strings.ContainsAny(t.device, "+#"))
	}
	return false
}

// sparkplugTopic is spBv1.0/{group}/{kind}/{node}[/{device}].
type sparkplugTopic struct{ group, kind, node, device string }

func splitSparkplug(s string) (t sparkplugTopic, ok bool) {
	parts := strings.Split(s, "/")
	if len(parts) < 4 || len(parts) > 5 || parts[0]+"/" != sparkplugPrefix {
		return t, false
	}
	t = sparkplugTopic{group: parts[1], kind: parts[2], node: parts[3]}
	if len(parts) == 5 {
		t.device = parts[4]
		ok = t.device != ""
		return t, ok
	}
	return t, true
}

// writeSparkplug reports whether the edge node may publish to the topic: births,
// data and deaths of its own and of its devices.
func (r *rights) writeSparkplug(topic string) bool {
	t, ok := splitSparkplug(topic)
	if !ok || r.group == "" || t.group != r.group || t.node != r.node {
		return false
	}
	switch t.kind {
	case "NBIRTH", "NDATA", "NDEATH":
		return t.device == ""
	case "DBIRTH", "DDATA", "DDEATH":
		return t.device != ""
	}
	return false
}

// topic is what comes of a message to the topic. On fleet/v1/ the pipeline
// decides whether its sender may publish there, and keeps what it refuses;
// subscribers get it after that. Sparkplug is decided here, if it is hosted.
func (r *rights) topic(name string, hosted bool) *topic {
	t := &topic{name: name}
	if !strings.HasPrefix(name, sparkplugPrefix) {
		parsed, err := wire.ParseTopic(name)
		t.fleet = err == nil
		t.passed = t.fleet
		t.retained = t.passed && parsed.Channel == wire.Status
		return t
	}
	t.foreign = !r.trusted && !r.writeSparkplug(name)
	t.sparkplug = hosted && !t.foreign
	t.passed = t.sparkplug
	t.retained = r.trusted && strings.HasPrefix(name, statePrefix)
	return t
}

// will reports whether the topic may be that of a last will, and whether the
// will may be retained. Who signs in with another is told so at once, not when
// nobody is there to hear it.
func (r *rights) will(topic string) (ok, retained bool) {
	if !validTopic([]byte(topic)) {
		return false, false
	}
	if strings.HasPrefix(topic, sparkplugPrefix) {
		t, parsed := splitSparkplug(topic)
		own := parsed && t.kind == "NDEATH" && r.writeSparkplug(topic)
		return r.trusted || own, r.trusted && strings.HasPrefix(topic, statePrefix)
	}
	if r.trusted {
		return true, true
	}
	t, err := wire.ParseTopic(topic)
	ok = err == nil && t.Channel == wire.Status && r.speaksFor(t.Device)
	return ok, ok
}

// rightsOf are the rights of a principal as of now; what depends on the registry
// later is asked then.
func (h *hook) rightsOf(p ingest.Principal) rights {
	r := rights{trusted: p.Trusted, device: p.Device, gateway: h.opts.Gateway}
	if h.opts.Sparkplug != nil && p.Device != (devices.Ref{}) {
		if group, node, ok := h.opts.Sparkplug(p.Device); ok && group != "" && node != "" {
			r.group, r.node = group, node
		}
	}
	return r
}
