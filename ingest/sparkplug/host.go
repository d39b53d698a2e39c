package sparkplug

import (
	"container/list"
	"context"
	"errors"
	"fmt"
	"hash/maphash"
	"log/slog"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// Options configure a host. HostID, Schema, Submit, MaySpeak, Publish and Now are
// required.
type Options struct {
	HostID  string // unique among the hosts of the infrastructure
	Schema  *devices.Schema
	Mapping Mapping
	Limits  wire.Limits // of payloads and times; zero: wire.DefaultLimits

	// Submit hands on what a message became: (*ingest.Pipeline).SubmitDecoded.
	// It may block, and is called by one goroutine at a time.
	Submit func(ctx context.Context, m ingest.Message, t ingest.Translated) error
	// MaySpeak is the rule by which Submit judges senders:
	// (*ingest.Pipeline).MaySpeak. Who may not speak for a device does not keep
	// those who may from it. It is called for every message and must answer from
	// memory.
	MaySpeak func(sender ingest.Principal, ref devices.Ref) bool
	// Publish sends a message to the MQTT server that the host's messages come
	// from. It must not wait for the server's answer for long.
	Publish func(ctx context.Context, p Publication) error
	Now     func() time.Time
	Logger  *slog.Logger

	ReorderTimeout  time.Duration // how long a missing message is waited for before a rebirth is requested; default 5 s
	BirthTimeout    time.Duration // how long data is kept for the birth that explains it; default 30 s
	RebirthInterval time.Duration // least time between two requests to one node, doubled for each that is not answered; default 5 s
	Bounds          Bounds
}

// Bounds hold memory in check, whatever the nodes send. What waits counts for
// what it unpacks to, and is unpacked and handed on one message at a time. A zero
// is the default.
type Bounds struct {
	Nodes          int   // edge nodes followed; the one heard least recently is forgotten for a new one; default 10,000
	DevicesPerNode int   // default 1,000
	MetricsPerNode int   // in the births of a node and its devices, and in one payload; default 20,000
	SessionBytes   int64 // what births leave in memory, all nodes together; default 256 MiB
	WaitingBytes   int64 // messages that wait for another, unpacked, all nodes together; default 64 MiB
	WaitingPerNode int64 // the same of one node; default 4 MiB
}

func (b Bounds) withDefaults() Bounds {
	set := func(n *int, d int) {
		if *n <= 0 {
			*n = d
		}
	}
	set64 := func(n *int64, d int64) {
		if *n <= 0 {
			*n = d
		}
	}
	set(&b.Nodes, 10_000)
	set(&b.DevicesPerNode, 1_000)
	set(&b.MetricsPerNode, 20_000)
	set64(&b.SessionBytes, 256<<20)
	set64(&b.WaitingBytes, 64<<20)
	set64(&b.WaitingPerNode, 4<<20)
	return b
}

// Host is a host application towards one MQTT server. A second server needs a
// second host: sessions and the timestamp of STATE belong to a server.
type Host struct {
	opts     Options
	rules    []*rule
	payloads payloads
	clock    clock
	presence *presence
	seed     maphash.Seed
	wake     chan struct{}
	opening  chan struct{} // slots for messages that are unpacked: bounds memory that nothing else counts

	// turn is held from taking a message to handing on what came of it, so that
	// messages are handed on in their order. Whoever changes the state holds it,
	// so it stays as it is while something is handed on.
	turn turn
	mute bool // the last publication failed; guarded by turn

	mu           sync.Mutex // held with turn for changes, alone for reading; never while handing on
	nodes        map[nodeKey]*node
	recent       *list.List // of *node, the one heard last first
	due          dueQueue
	claims       map[devices.Ref]claim
	waitingBytes int64
	sessionBytes int64
	counts       Counts
	unmapped     unmapped
}

// New returns a host. Run must be called for timeouts to have any effect.
func New(opts Options) (*Host, error) {
	if err := opts.check(); err != nil {
		return nil, fmt.Errorf("sparkplug host: %w", err)
	}
	rules, err := compile(opts.Mapping, opts.Schema)
	if err != nil {
		return nil, err
	}
	opts = opts.withDefaults()
	return &Host{
		opts:  opts,
		rules: rules,
		payloads: payloads{
			maxBytes:    opts.Limits.MaxPayload,
			maxUnpacked: opts.Limits.MaxUnpacked,
			maxMetrics:  opts.Bounds.MetricsPerNode,
		},
		clock:    clock{opts.Limits.MaxAhead, opts.Limits.MinTS},
		presence: &presence{topic: stateTopic(opts.HostID)},
		seed:     maphash.MakeSeed(),
		wake:     make(chan struct{}, 1),
		opening:  make(chan struct{}, 2*runtime.GOMAXPROCS(0)),
		turn:     make(turn, 1),
		nodes:    make(map[nodeKey]*node),
		recent:   list.New(),
		claims:   make(map[devices.Ref]claim),
		unmapped: make(unmapped),
	}, nil
}

func (o *Options) check() error {
	var errs []error
	if o.Schema == nil || o.Submit == nil || o.MaySpeak == nil || o.Publish == nil || o.Now == nil {
		errs = append(errs, errors.New("want Schema, Submit, MaySpeak, Publish and Now, which are required"))
	}
	if err := checkID(o.HostID); err != nil || strings.Contains(o.HostID, "/") {
		errs = append(errs, fmt.Errorf("host id %q: want UTF-8 without + / and #", o.HostID))
	}
	for name, d := range map[string]time.Duration{
		"reorder timeout": o.ReorderTimeout, "birth timeout": o.BirthTimeout, "rebirth interval": o.RebirthInterval,
	} {
		if d < 0 {
			errs = append(errs, fmt.Errorf("%s %s: want more than 0", name, d))
		}
	}
	return errors.Join(errs...)
}

func (o Options) withDefaults() Options {
	if o.Limits == (wire.Limits{}) {
		o.Limits = wire.DefaultLimits()
	}
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	for _, d := range []struct {
		to  *time.Duration
		def time.Duration
	}{{&o.ReorderTimeout, 5 * time.Second}, {&o.BirthTimeout, 30 * time.Second}, {&o.RebirthInterval, 5 * time.Second}} {
		if *d.to == 0 {
			*d.to = d.def
		}
	}
	o.Bounds = o.Bounds.withDefaults()
	return o
}
