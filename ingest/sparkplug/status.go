package sparkplug

import (
	"cmp"
	"slices"

	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

// Counts are numbers of messages or metrics since the host was made.
type Counts struct {
	Received    uint64 `json:"received"`     // messages
	Births      uint64 `json:"births"`       // of nodes and devices
	Deaths      uint64 `json:"deaths"`       // that ended something
	StaleDeaths uint64 `json:"stale_deaths"` // of a session that was over already
	Rebirths    uint64 `json:"rebirths"`     // requests sent
	Reordered   uint64 `json:"reordered"`    // messages that came before their turn
	Repeated    uint64 `json:"repeated"`     // messages that came twice
	Gaps        uint64 `json:"gaps"`         // missing messages that were given up
	Unexplained uint64 `json:"unexplained"`  // messages that no birth explained: in quarantine
	Unmapped    uint64 `json:"unmapped"`     // metrics that no rule maps: not stored
	Transient   uint64 `json:"transient"`    // mapped metrics not to be stored by their sender's word
	BadQuality  uint64 `json:"bad_quality"`  // mapped metrics that their sender calls bad or stale: not stored
	Forgotten   uint64 `json:"forgotten"`    // nodes dropped for newer ones
}

// Status is how the host's world looks now.
type Status struct {
	HostID string `json:"host_id"`
	Online bool   `json:"online"` // the host's birth is published
	Counts Counts `json:"counts"`

	Nodes         []NodeStatus `json:"nodes"` // by group and node; the first maxListed
	NodesTotal    int          `json:"nodes_total"`
	Unmapped      []Unmapped   `json:"unmapped"`       // by rule and metric
	UnmappedOther uint64       `json:"unmapped_other"` // metrics of more names than are listed

	WaitingBytes int64 `json:"waiting_bytes"`
	SessionBytes int64 `json:"session_bytes"`
}

// NodeStatus is an edge node with its devices.
type NodeStatus struct {
	Group      string         `json:"group"`
	Node       string         `json:"node"`
	Online     bool           `json:"online"`
	Since      int64          `json:"since"`            // Unix ms
	BdSeq      *uint64        `json:"bd_seq,omitempty"` // of the present session
	Stale      bool           `json:"stale"`            // the values of the node's own metrics
	WantsBirth bool           `json:"wants_birth"`      // a rebirth was requested and has not come
	Waiting    int            `json:"waiting"`          // messages that wait for another
	Devices    []DeviceStatus `json:"devices"`
}

// DeviceStatus is a device behind an edge node.
type DeviceStatus struct {
	Device  string `json:"device"`
	Online  bool   `json:"online"`
	Stale   bool   `json:"stale"` // its values are the last ones that were known
	Since   int64  `json:"since"` // Unix ms, of online or stale
	Rule    string `json:"rule,omitempty"`
	Mapped  string `json:"mapped,omitempty"`  // kind/id
	Trouble string `json:"trouble,omitempty"` // why it can't be mapped though a rule matches
	Metrics int    `json:"metrics"`           // in its birth
}

// Unmapped is a metric that no rule maps.
type Unmapped struct {
	Rule     string `json:"rule"` // empty: of devices that no rule matches
	Metric   string `json:"metric"`
	Datatype string `json:"datatype"` // of the first that was seen
	Count    uint64 `json:"count"`
}

// maxListed bounds each list of a status.
const maxListed = 1000

// Status returns the host's state. It does not wait for messages to be handed
// on.
func (h *Host) Status() Status {
	h.mu.Lock()
	defer h.mu.Unlock()
	s := Status{
		HostID: h.opts.HostID, Online: h.presence.isOnline(), Counts: h.counts,
		Nodes: []NodeStatus{}, NodesTotal: len(h.nodes),
		WaitingBytes: h.waitingBytes, SessionBytes: h.sessionBytes,
	}
	keys := make([]nodeKey, 0, len(h.nodes))
	for k := range h.nodes {
		keys = append(keys, k)
	}
	slices.SortFunc(keys, func(a, b nodeKey) int {
		return cmp.Or(cmp.Compare(a.group, b.group), cmp.Compare(a.node, b.node))
	})
	listed := 0
	for _, k := range keys {
		if listed >= maxListed {
			break
		}
		ns := h.nodes[k].status()
		listed += 1 + len(ns.Devices)
		s.Nodes = append(s.Nodes, ns)
	}
	s.Unmapped, s.UnmappedOther = h.unmapped.list()
	return s
}

func (p *presence) isOnline() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.online
}

func (n *node) status() NodeStatus {
	ns := NodeStatus{
		Group: n.key.group, Node: n.key.node, Online: n.born, Since: n.since.UnixMilli(), Stale: !n.born,
		WantsBirth: n.wantsBirth, Waiting: len(n.waiting), Devices: []DeviceStatus{},
	}
	if n.born && n.hasBdSeq {
		number := n.bdSeq
		ns.BdSeq = &number
	}
	for name, s := range n.scopes {
		if name != "" {
			ns.Devices = append(ns.Devices, s.status())
		}
	}
	slices.SortFunc(ns.Devices, func(a, b DeviceStatus) int { return cmp.Compare(a.Device, b.Device) })
	return ns
}

func (s *scope) status() DeviceStatus {
	d := DeviceStatus{Device: s.device, Online: s.born, Stale: !s.born, Since: s.since, Metrics: s.defined}
	if s.rule == nil {
		return d
	}
	d.Rule = s.rule.Name
	if s.unfit != nil {
		d.Trouble = s.unfit.detail
	} else {
		d.Mapped = s.ref.String()
	}
	return d
}

// unmapped counts metrics that no rule maps, by rule and name.
type unmapped map[unmappedKey]*Unmapped

type unmappedKey struct{ rule, metric string }

// otherMetrics counts what there is no room to list. No metric has an empty
// name.
var otherMetrics = unmappedKey{}

func (u unmapped) add(r *rule, metric string, dt tahu.DataType) {
	k := unmappedKey{metric: metric}
	if r != nil {
		k.rule = r.Name
	}
	e := u[k]
	if e == nil && len(u) >= maxListed {
		k = otherMetrics
		e = u[k]
	}
	if e == nil {
		e = &Unmapped{Rule: k.rule, Metric: k.metric, Datatype: dt.String()}
		u[k] = e
	}
	e.Count++
}

func (u unmapped) list() (listed []Unmapped, other uint64) {
	listed = []Unmapped{}
	for k, e := range u {
		if k == otherMetrics {
			other = e.Count
			continue
		}
		listed = append(listed, *e)
	}
	slices.SortFunc(listed, func(a, b Unmapped) int {
		return cmp.Or(cmp.Compare(a.Rule, b.Rule), cmp.Compare(a.Metric, b.Metric))
	})
	return listed, other
}
