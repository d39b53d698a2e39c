package app

import (
	"context"
	"errors"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/broker"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug"
)

func (a *App) openEmbedded() (source, error) {
	o := broker.Options{
		Listen: a.cfg.MQTTListen, Authenticate: a.registry.Authenticate, Anonymous: a.cfg.MQTTAnonymous,
		Gateway: a.gatewayOf, Submit: a.pipeline.Submit, Now: a.now, Logger: a.log,
		MaxClients: a.cfg.MQTTMaxConns, MaxPerAddress: a.cfg.MQTTMaxPerIP,
		MessagesPerSecond: float64(a.cfg.MQTTMaxRate), BytesPerSecond: float64(a.cfg.MQTTMaxBytes),
	}
	if a.cfg.MQTTTLSListen != "" {
		o.TLS = &broker.TLSOptions{
			Listen: a.cfg.MQTTTLSListen, CertFile: a.cfg.MQTTTLSCert, KeyFile: a.cfg.MQTTTLSKey,
			ClientCAFile: a.cfg.MQTTTLSClientCA, RequireClientCert: a.cfg.MQTTTLSRequire,
		}
		if a.cfg.MQTTTLSClientCA != "" {
			o.AuthenticateCert = a.registry.AuthenticateCertificate
		}
	}
	e := &embedded{}
	if a.cfg.SparkplugHost != "" {
		if err := a.openSparkplug(e.publish); err != nil {
			return nil, err
		}
		e.sparkplug = a.sparkplug
		o.Sparkplug, o.SubmitSparkplug = a.edgeNodes(), a.sparkplug.Receive
	}
	b, err := broker.New(o)
	if err != nil {
		return nil, err
	}
	e.b = b
	a.onClose(b.Close)
	return e, nil
}

func (a *App) gatewayOf(ref devices.Ref) devices.Ref {
	gateway, _ := a.registry.Lookup(ref)
	return gateway
}

// embedded is the broker as a source, with the Sparkplug host beside it.
type embedded struct {
	b         *broker.Broker
	sparkplug *sparkplug.Host // nil: none
}

func (e *embedded) publish(_ context.Context, p sparkplug.Publication) error {
	return e.b.Publish(p.Topic, p.Payload, p.Retain)
}

// Run serves clients until ctx ends, and then hands on what the Sparkplug host
// holds back. The host's birth is the first message on its way to subscribers,
// before there are any.
func (e *embedded) Run(ctx context.Context) error {
	if e.sparkplug == nil {
		if err := e.b.Start(); err != nil {
			return err
		}
		<-ctx.Done()
		return nil
	}
	e.sparkplug.Connecting()
	if err := e.sparkplug.Connected(ctx); err != nil {
		return err
	}
	if err := e.b.Start(); err != nil {
		return err
	}
	return drained(ctx, e.sparkplug.Run(ctx), e.sparkplug)
}

// drained is how a source with a Sparkplug host ends, with err: what the host
// still holds back is handed on, as far as the pipeline takes it in time. The
// host's Run must have returned, for it may be waiting for the pipeline in its
// turn.
func drained(ctx context.Context, err error, host interface{ Drain(context.Context) error }) error {
	ending, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	return errors.Join(err, host.Drain(ending))
}

// farewell bounds how long the Sparkplug host may take to hand on what it holds
// back. What it can't stays unacknowledged.
const farewell = 5 * time.Second

func (e *embedded) Quiesce() {
	if e.sparkplug != nil {
		_ = e.sparkplug.Disconnecting(context.Background()) // it does not wait; nobody may be left to be told
	}
	e.b.Quiesce()
}

func (e *embedded) Close()          { _ = e.b.Close() }
func (e *embedded) Trouble() string { return "" }

// Addr is that of the listener without TLS, if there is one.
func (e *embedded) Addr() string {
	if addr := e.b.Addr(); addr != "" {
		return addr
	}
	return e.b.TLSAddr()
}

func (e *embedded) Describe() string {
	text := "embedded broker on"
	if addr := e.b.Addr(); addr != "" {
		text += " " + addr
	}
	if addr := e.b.TLSAddr(); addr != "" {
		text += " " + addr + " (TLS)"
	}
	return text
}

func (e *embedded) Kick(ref devices.Ref) { e.b.Kick(ref) }
func (e *embedded) Dropped() uint64      { return e.b.Counters().Dropped }

// expose registers the broker's counters.
func (e *embedded) expose(reg prometheus.Registerer) {
	count := func(name, help string, labels prometheus.Labels, get func(broker.Counters) float64) {
		reg.MustRegister(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help, ConstLabels: labels},
			func() float64 { return get(e.b.Counters()) }))
	}
	reg.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{Name: "fleetwatt_mqtt_connections", Help: "Clients signed in to the embedded broker."},
		func() float64 { return float64(e.b.Counters().Connections) }))
	count("fleetwatt_mqtt_connects_total", "Sign-ins to the embedded broker.", nil, func(c broker.Counters) float64 { return float64(c.Connects) })
	count("fleetwatt_mqtt_publishes_total", "Publishes received.", nil, func(c broker.Counters) float64 { return float64(c.Publishes) })
	count("fleetwatt_mqtt_publish_bytes_total", "Bytes of the publishes received.", nil, func(c broker.Counters) float64 { return float64(c.PublishBytes) })
	count("fleetwatt_mqtt_publishes_refused_total", "Publishes on topics that their sender may not publish to.", nil, func(c broker.Counters) float64 { return float64(c.PublishesRefused) })
	count("fleetwatt_mqtt_acknowledged_total", "Acknowledgements written.", nil, func(c broker.Counters) float64 { return float64(c.Acknowledged) })
	count("fleetwatt_mqtt_throttled_total", "Publishes that waited because their device is over its limit.", nil, func(c broker.Counters) float64 { return float64(c.Throttled) })
	for cause := range e.b.Counters().Refused {
		count("fleetwatt_mqtt_refused_total", "Clients refused or disconnected, by cause.", prometheus.Labels{"cause": cause},
			func(c broker.Counters) float64 { return float64(c.Refused[cause]) })
	}
}

// openSparkplug makes the host of what edge nodes publish.
func (a *App) openSparkplug(publish func(context.Context, sparkplug.Publication) error) (err error) {
	mapping := sparkplug.Mapping{Rules: a.cfg.Sparkplug.Rules}
	if len(mapping.Rules) == 0 {
		mapping = sparkplug.DefaultMapping()
	}
	a.sparkplug, err = sparkplug.New(sparkplug.Options{
		HostID: a.cfg.SparkplugHost, Schema: a.schema, Mapping: mapping, Limits: a.limits(),
		Submit: a.pipeline.SubmitDecoded, MaySpeak: a.pipeline.MaySpeak, Publish: publish, Now: a.now, Logger: a.log,
	})
	return err
}

// edgeNodes are the edge nodes that credentials may speak as.
func (a *App) edgeNodes() func(devices.Ref) (group, node string, ok bool) {
	type edge struct{ group, node string }
	nodes := make(map[devices.Ref]edge)
	for _, n := range a.cfg.Sparkplug.Nodes {
		if ref, err := devices.ParseRef(n.Device); err == nil { // validated with the configuration
			nodes[ref] = edge{n.Group, n.Node}
		}
	}
	return func(ref devices.Ref) (string, string, bool) {
		e, ok := nodes[ref]
		return e.group, e.node, ok
	}
}

// replaySparkplug submits a quarantined Sparkplug message again.
func (a *App) replaySparkplug(ctx context.Context, m ingest.Message) error {
	if a.sparkplug == nil {
		return errors.New("a Sparkplug message can be replayed only where sparkplug-host-id is set")
	}
	return a.sparkplug.Replay(ctx, m)
}
