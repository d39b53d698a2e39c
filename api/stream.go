package api

import (
	"context"
	"io"
	"math"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
)

// heartbeat is how often a stream says something, so that what lies between
// server and client keeps it open, and a client that has gone is noticed.
const heartbeat = 15 * time.Second

type streamInput struct {
	Topics      []string `query:"topics" enum:"telemetry,event,job" doc:"comma-separated; default: all"`
	Kind        string   `query:"kind" enum:"battery,building,station" doc:"only devices of this kind, and no jobs"`
	Devices     []string `query:"devices" maxItems:"1000" doc:"comma-separated ids; only these devices, and no jobs"`
	LastEventID string   `header:"Last-Event-ID" maxLength:"64" doc:"id of the last event that was seen: those since are sent first"`

	conn net.Conn
	jobs bool // the client may know of them
}

// Resolve keeps the connection that the request came on.
func (in *streamInput) Resolve(ctx huma.Context) []error {
	in.conn = humafiber.Unwrap(ctx).Context().Conn()
	return nil
}

var _ huma.Resolver = (*streamInput)(nil)

type streamOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Body        func(huma.Context)
}

func (a *API) routeStream() {
	if a.opts.Live == nil {
		return
	}
	add(a, operation{
		right: access.Read, id: "stream", method: http.MethodGet, path: "/stream", tag: "telemetry", patient: true,
		summary: "What happens, as it happens: readings, events, runs of jobs",
		notes: "Server-Sent Events. event: telemetry is the newest reading of a message that was stored; event: event is something that happened to a device; " +
			"event: job is a run that began or ended, for those who may operate. After event: gap something was missed: ask for what is stored. After event: dropped " +
			"the stream ends, as its reader was too slow. A comment comes every 15 seconds at least. Reconnecting with Last-Event-ID goes on from there, as far as events are kept. " +
			"A stream ends within two minutes of its key.",
		content: map[string]*huma.MediaType{"text/event-stream": {Schema: &huma.Schema{Type: huma.TypeString}}},
	}, a.stream)
}

func (a *API) stream(ctx context.Context, in *streamInput) (*streamOutput, error) {
	seen := &visible{begins: a.begins, admitted: admitted, ctx: ctx, timeout: a.opts.RequestTimeout, known: map[devices.Ref]int64{}, asked: time.Now()}
	in.jobs = access.From(ctx).Role.May(access.Operate)
	who, missed := a.opts.Live.listen(in.wants, in.LastEventID)
	if who == nil {
		return nil, unavailable("there are too many streams, or the server is stopping; try again", 10*time.Second)
	}
	s := &stream{live: a.opts.Live, who: who, visible: seen, timeout: a.opts.WriteTimeout, conn: in.conn, part: []byte("retry: 3000\n\n")}
	if missed {
		s.part = append(s.part, "event: gap\ndata: {}\n\n"...)
	}
	return &streamOutput{ContentType: "text/event-stream", Body: s.send}, nil
}

// begins is since when the caller may see a device that is registered.
func (a *API) begins(ctx context.Context, ref devices.Ref) (int64, error) {
	if err := a.exists(ctx, ref); err != nil {
		return 0, err
	}
	return a.fleet.since(ctx, ref)
}

// wants tells whether the stream carries what happened.
func (in *streamInput) wants(h *happening) bool {
	if len(in.Topics) > 0 && !slices.Contains(in.Topics, h.topic) {
		return false
	}
	if h.topic == "job" && !in.jobs {
		return false
	}
	if in.Kind != "" && string(h.device.Kind) != in.Kind {
		return false
	}
	return len(in.Devices) == 0 || slices.Contains(in.Devices, h.device.ID)
}

// visible tells which devices the client may know of and from when on, and whether
// it may know of any still. What it has found out it believes for a minute.
type visible struct {
	begins   func(context.Context, devices.Ref) (int64, error) // an error: may not know of it
	admitted func(context.Context) bool
	ctx      context.Context
	timeout  time.Duration
	known    map[devices.Ref]int64
	asked    time.Time
}

// current forgets what is older than a minute, and is false once the client's key
// has ended.
func (v *visible) current() bool {
	now := time.Now()
	if now.Sub(v.asked) <= time.Minute {
		return true
	}
	clear(v.known)
	v.asked = now
	ctx, cancel := context.WithTimeout(v.ctx, v.timeout)
	defer cancel()
	return v.admitted(ctx)
}

// never is the beginning of what may be seen of a device that the client may not
// know of.
const never = math.MaxInt64

// since is from when on the client may see the device, in Unix milliseconds.
func (v *visible) since(ref devices.Ref) int64 {
	since, ok := v.known[ref]
	if !ok {
		ctx, cancel := context.WithTimeout(v.ctx, v.timeout)
		defer cancel()
		var err error
		if since, err = v.begins(ctx, ref); err != nil {
			since = never
		}
		v.known[ref] = since
	}
	return since
}

// shows tells whether the client may see what happened: what a device did before
// its owner had it he is not told, be it kept or late.
func (v *visible) shows(h *happening) bool {
	return h.device == (devices.Ref{}) || h.ts >= v.since(h.device)
}

// names takes out of what is passed on what the client may not know of.
func (v *visible) names() *names {
	if access.From(v.ctx).SeesAll() {
		return nil
	}
	return &names{func(ref devices.Ref) (bool, error) { return v.since(ref) != never, nil }}
}

// stream is the body of an answer that does not end by itself. It is read and
// closed by the connection's goroutine.
type stream struct {
	live    *Live
	who     *listener
	visible *visible
	part    []byte // still to be sent
	timeout time.Duration
	conn    net.Conn
	ended   bool
	once    sync.Once
}

// send makes the stream the body of the answer.
func (s *stream) send(ctx huma.Context) {
	request := humafiber.Unwrap(ctx).Context()
	if request.IsHead() {
		_ = s.Close() // never fails
		return
	}
	request.Response.Header.Set("X-Accel-Buffering", "no") // proxies are not to gather it
	request.Response.ImmediateHeaderFlush = true
	request.SetBodyStream(s, -1)
}

// Read waits for something to send. It moves the deadline of the connection, which
// the server sets once for a whole answer.
func (s *stream) Read(p []byte) (int, error) {
	if len(s.part) == 0 {
		if s.ended {
			return 0, io.EOF
		}
		s.next()
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(s.timeout)); err != nil {
		return 0, err
	}
	n := copy(p, s.part)
	s.part = s.part[n:]
	return n, nil
}

// next puts together what is waiting.
func (s *stream) next() {
	tick := time.NewTimer(heartbeat)
	defer tick.Stop()
	for len(s.part) == 0 {
		if !s.visible.current() {
			s.end()
			return
		}
		select {
		case h, ok := <-s.who.waiting:
			if !ok {
				s.end()
				return
			}
			if s.visible.shows(&h) {
				h.data, _ = s.visible.names().json(h.data) // visible has no error
				s.part = s.append(s.part, &h)
			}
		case <-tick.C:
			s.part = append(s.part, ": still here\n\n"...)
		}
	}
}

func (s *stream) end() {
	s.ended = true
	word := "event: closing\ndata: {}\n\n"
	if s.who.behind.Load() {
		word = "event: dropped\ndata: {\"reason\":\"the reader was too slow\"}\n\n"
	}
	s.part = append(s.part, word...)
}

func (s *stream) append(b []byte, h *happening) []byte {
	b = append(b, "id: "...)
	b = append(b, s.live.id(h)...)
	b = append(b, "\nevent: "...)
	b = append(b, h.topic...)
	b = append(b, "\ndata: "...)
	b = append(b, h.data...) // JSON of one line
	return append(b, "\n\n"...)
}

// Close takes the listener away.
func (s *stream) Close() error {
	s.once.Do(func() { s.live.leave(s.who) })
	return nil
}
