package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"sync"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/adapters/humafiber"
	"github.com/gofiber/fiber/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/export"
)

const (
	// maxExports bounds the exports at once: each holds a page of readings.
	maxExports = 2
	// rowCountTrailer comes after a whole export, and tells it from one that
	// was cut off.
	rowCountTrailer = "X-Row-Count"
)

type exportInput struct {
	Interval
	Kind    string   `path:"kind" enum:"battery,building,station" doc:"kind of device"`
	Devices []string `query:"devices" doc:"comma-separated ids; default: all devices with readings"`
	Fields  []string `query:"fields" doc:"comma-separated field names; default: all"`
	Format  string   `query:"format" enum:"csv,parquet" default:"csv"`
	Time    string   `query:"time" enum:"rfc3339,epoch_ms" default:"rfc3339" doc:"how CSV writes times; Parquet has Unix milliseconds"`

	conn net.Conn
}

// Resolve keeps the connection that the request came on.
func (in *exportInput) Resolve(ctx huma.Context) []error {
	in.conn = humafiber.Unwrap(ctx).Context().Conn()
	return nil
}

var _ huma.Resolver = (*exportInput)(nil)

type exportOutput struct {
	ContentType        string `header:"Content-Type"`
	ContentDisposition string `header:"Content-Disposition"`
	Body               func(huma.Context)
}

func (a *API) routeExport() {
	slots := make(chan struct{}, maxExports)
	const path = "/export/{kind}"
	add(a, operation{
		right: access.Read, id: "export-telemetry", method: http.MethodGet, path: path, tag: "telemetry",
		summary: "Readings of many devices as a file", patient: true,
		notes: "Sorted by device and time. The trailer " + rowCountTrailer + " comes after a whole file; a file that can't " +
			"be finished ends without it, in the midst of a chunk. Parquet is sent when it is complete.",
		errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *exportInput) (*exportOutput, error) {
		select {
		case slots <- struct{}{}:
		default:
			return nil, unavailable(fmt.Sprintf("%d exports are running; try again", maxExports), 10*time.Second)
		}
		return a.export(access.From(ctx), in, func() { <-slots })
	})
	a.huma.OpenAPI().Paths[prefix+path].Get.Responses["200"].Content = map[string]*huma.MediaType{
		"text/csv":                 {Schema: &huma.Schema{Type: huma.TypeString}},
		export.Parquet.MediaType(): {Schema: &huma.Schema{Type: huma.TypeString, Format: "binary"}},
	}
}

// export answers with the file, or with a problem where not even its start can
// be had. Up to that, which for Parquet is all of it, nothing is written by which
// one could tell that the client has gone: so its connection is watched. It calls
// release when it has ended.
func (a *API) export(caller access.Principal, in *exportInput, release func()) (out *exportOutput, err error) {
	base := access.With(a.base, caller)
	d := &download{ctx: base, release: release, timeout: a.opts.WriteTimeout, failed: func(err error) {
		a.opts.Log.Warn("export cut off", "kind", in.Kind, "err", err)
	}}
	defer func() {
		if err != nil {
			err = errors.Join(err, d.Close())
		}
	}()
	window, err := in.window(a.opts.Now())
	if err != nil {
		return nil, err
	}
	kind := devices.Kind(in.Kind)
	if _, err := a.fields(kind, in.Fields, nil); err != nil {
		return nil, err
	}
	for _, id := range in.Devices {
		if err := a.exists(base, devices.Ref{Kind: kind, ID: id}); err != nil {
			return nil, err
		}
	}
	format := export.Format(in.Format)
	ctx, ignore := watched(base, in.conn)
	defer ignore()
	d.file, err = export.New(ctx, a.opts.Telemetry, a.opts.Schema, telemetry.RangeQuery{
		Kind: kind, Devices: in.Devices, Fields: in.Fields, Window: window,
	}, export.Options{Format: format, Times: export.Times(in.Time), TempDir: a.opts.TempDir})
	if err != nil {
		return nil, err
	}
	if err := d.next(ctx); err != nil && !errors.Is(err, io.EOF) {
		if ctx.Err() != nil {
			a.opts.Log.Info("export dropped: its client has gone, or the server stops", "kind", in.Kind)
		}
		return nil, err
	}
	const stamp = "20060102T150405Z"
	name := fmt.Sprintf("%s_%s_%s.%s", kind, time.UnixMilli(window.From).UTC().Format(stamp), time.UnixMilli(window.To).UTC().Format(stamp), format)
	return &exportOutput{
		ContentType: format.MediaType(), ContentDisposition: `attachment; filename="` + name + `"`, Body: d.send,
	}, nil
}

// download is the body of an answer. It is read by the connection's goroutine
// after the handler has returned, and closed by it, however that ends.
type download struct {
	ctx     context.Context
	file    *export.Export // nil: there is none yet
	part    []byte         // of it, still to be sent
	timeout time.Duration  // for the client to take a bit of it
	conn    net.Conn
	done    func(rows int64) // called at the end of a whole file
	failed  func(error)
	release func()
	once    sync.Once
}

// send makes the download the body of the answer.
func (d *download) send(ctx huma.Context) {
	request := humafiber.Unwrap(ctx).Context()
	if request.IsHead() { // a stream's trailer would be sent all the same
		if err := d.Close(); err != nil {
			d.failed(err)
		}
		return
	}
	d.conn = request.Conn()
	answer := &request.Response
	d.done = func(rows int64) { answer.Header.Set(rowCountTrailer, strconv.FormatInt(rows, 10)) }
	if err := answer.Header.SetTrailer(rowCountTrailer); err != nil {
		d.failed(err)
	}
	answer.SetBodyStream(d, -1)
}

func (d *download) next(ctx context.Context) (err error) {
	d.part, err = d.file.Next(ctx)
	return err
}

// Read moves the deadline of the connection, which the server sets once for a
// whole answer: an export may take as long as its client takes it.
func (d *download) Read(p []byte) (int, error) {
	var end error
	if len(d.part) == 0 {
		if end = d.next(d.ctx); end != nil && !errors.Is(end, io.EOF) {
			d.failed(end)
			return 0, end
		}
	}
	if err := d.conn.SetWriteDeadline(time.Now().Add(d.timeout)); err != nil {
		return 0, err
	}
	if end != nil {
		d.done(d.file.Rows())
		return 0, io.EOF
	}
	n := copy(p, d.part)
	d.part = d.part[n:]
	return n, nil
}

// Close frees the export and its place.
func (d *download) Close() (err error) {
	d.once.Do(func() {
		if d.file != nil {
			err = d.file.Close()
		}
		d.release()
	})
	return err
}

// bodyBytes is the length of an answer that is held in memory; to ask for that
// of a stream would read all of it.
func bodyBytes(c *fiber.Ctx) int {
	if c.Response().IsBodyStream() {
		return -1
	}
	return len(c.Response().Body())
}
