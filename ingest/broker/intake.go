package broker

import (
	"sync/atomic"

	"github.com/mochi-mqtt/server/v2/packets"

	"github.com/fleetwatt/fleetwatt/ingest"
)

const (
	// maxAliases bounds the topic aliases of a connection (MQTT 5 §3.3.2.3.4).
	maxAliases = 64
	// maxTopics bounds the topics that a session remembers: those of a gateway
	// with the devices behind it.
	maxTopics = 256
)

// intake is what the reading goroutine of a session keeps between publishes.
type intake struct {
	last     *topic            // of the publish before
	topics   map[string]*topic // seen lately
	aliases  map[uint16]*topic
	slab     []byte // payloads of one read share memory
	now      int64  // Unix milliseconds of the last read
	messages uint64 // counted since the last read
	bytes    uint64

	// step is odd while a publish is being handed on, and differs for each. The
	// janitor closes a connection whose step stands still: its client may be
	// gone, which nobody notices while nobody reads.
	step atomic.Uint64
}

// topic is a topic as a session publishes to it. The string is made once: the
// device's id in it is kept for long in directories, and must not keep a packet
// with it.
type topic struct {
	name      string
	sparkplug bool // the message is the Sparkplug host's
	fleet     bool // it is one of fleet/v1
	passed    bool // subscribers get it
	retained  bool // and it is kept for those that come later, if its sender asks
	foreign   bool // not the session's to publish to; the pipeline may not know

	audience atomic.Uint64 // see fanOut.heard
}

// publish takes one PUBLISH: it waits until there is room for it and hands it
// on. The acknowledgement, and the copy to subscribers, follow after the commit.
// own says that body is not used again.
func (s *session) publish(flags byte, body []byte, own bool) error {
	p, err := parsePublish(flags, body, s.version)
	if err != nil {
		return s.fail(err)
	}
	t, err := s.topic(&p)
	if err != nil {
		return s.fail(err)
	}
	if p.qos == 2 && s.owed() >= s.hook.opts.MaxUnacked {
		return s.fail(packets.ErrReceiveMaximum)
	}
	s.intake.messages++
	s.intake.bytes += uint64(len(body))
	if err := s.quota.wait(s.lives(), len(body), s.hook.counts, &s.conn.throttledSince); err != nil {
		return errEnded
	}
	if s.hook.ctx.Err() != nil {
		return nil // closing: neither stored nor acknowledged
	}
	s.intake.step.Add(1)
	defer s.intake.step.Add(1)
	if !s.reserve() {
		return errEnded
	}
	if !own {
		p.payload = s.keep(p.payload)
	}
	if err := s.submitter(t)(s.lives(), s.message(&p, t)); err != nil {
		s.release(1)
	}
	return nil
}

// submitter is who takes the messages of a topic.
func (s *session) submitter(t *topic) Submit {
	if t.sparkplug {
		return s.hook.opts.SubmitSparkplug
	}
	return s.hook.opts.Submit
}

// message is the publish as the pipeline takes it. Of the packet, only the
// payload is kept until the commit.
func (s *session) message(p *publish, t *topic) ingest.Message {
	id, qos, retain, payload := p.id, p.qos, p.retain, p.payload
	return ingest.Message{
		Topic:       t.name,
		Payload:     payload,
		ReceivedMS:  s.intake.now,
		Redelivered: p.dup,
		Principal:   s.principal,
		Done:        func(o ingest.Outcome) { s.settle(t, payload, id, qos, retain, o) },
	}
}

// settle acknowledges a committed publish and passes it on. It is called by the
// committer, and does not block.
func (s *session) settle(t *topic, payload []byte, id uint16, qos byte, retain bool, o ingest.Outcome) {
	var reason byte
	if o.Refused != "" || t.foreign {
		reason = packets.ErrNotAuthorized.Code
		s.hook.counts.publishesRefused.Add(1)
	}
	s.passOn(t, payload, retain, o)
	if qos == 0 {
		s.release(1)
		return
	}
	s.acknowledge(id, qos, reason)
}

// passOn passes a committed message to subscribers, unless it is its sender's
// alone: refused, or all of it in quarantine. What the store makes of a message
// is nothing to subscribers of other protocols.
func (s *session) passOn(t *topic, payload []byte, retain bool, o ingest.Outcome) {
	useless := t.fleet && o.Records > 0 && o.Quarantined >= o.Records
	if o.Refused != "" || t.foreign || !t.passed || useless {
		return
	}
	retain = retain && t.retained
	if retain || s.hook.fan.heard(t) {
		s.hook.fan.pass(outgoing{t.name, payload, retain, s.client.ID})
	}
}

// topic finds the publish's topic among those of the session.
func (s *session) topic(p *publish) (*topic, error) {
	in := &s.intake
	if len(p.topic) == 0 {
		t, ok := in.aliases[p.alias]
		if !ok {
			return nil, packets.ErrProtocolViolationNoTopic
		}
		return t, nil
	}
	t := in.last
	if t == nil || t.name != string(p.topic) {
		known, ok := in.topics[string(p.topic)]
		if !ok {
			var err error
			if known, err = s.learn(p.topic); err != nil {
				return nil, err
			}
		}
		t = known
		in.last = t
	}
	if p.alias != 0 {
		if in.aliases == nil {
			in.aliases = make(map[uint16]*topic)
		}
		in.aliases[p.alias] = t
	}
	return t, nil
}

// learn adds a topic.
func (s *session) learn(name []byte) (*topic, error) {
	if !validTopic(name) {
		s.hook.refuse(refusedTopic, "client", s.client.ID, "topic", string(name[:min(len(name), maxFilter)]))
		return nil, packets.ErrTopicNameInvalid
	}
	t := s.rights.topic(string(name), s.hook.opts.SubmitSparkplug != nil)
	in := &s.intake
	if in.topics == nil || len(in.topics) >= maxTopics {
		in.topics = make(map[string]*topic)
	}
	in.topics[t.name] = t
	return t, nil
}

// keep copies a payload out of the read buffer. Payloads of one read share
// memory that is no larger than what was read: a message that waits for long
// keeps little beside itself alive.
func (s *session) keep(payload []byte) []byte {
	in := &s.intake
	if len(payload) > cap(in.slab)-len(in.slab) {
		in.slab = make([]byte, 0, len(payload)+s.conn.w-s.conn.r)
	}
	from := len(in.slab)
	in.slab = append(in.slab, payload...)
	return in.slab[from:len(in.slab):len(in.slab)]
}

// pause is called before the network is read.
func (s *session) pause() {
	in := &s.intake
	in.slab = nil
	if in.messages > 0 {
		s.hook.counts.publishes.Add(in.messages)
		s.hook.counts.publishBytes.Add(in.bytes)
		in.messages, in.bytes = 0, 0
	}
}

// resume is called when something has come.
func (s *session) resume() { s.intake.now = s.hook.opts.Now().UnixMilli() }
