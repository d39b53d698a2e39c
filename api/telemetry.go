package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

const (
	defaultReadings = 10_000 // of a raw answer
	delta           = "delta"
)

// DevicePath is the id in a path.
type DevicePath struct {
	ID string `path:"id" minLength:"1" maxLength:"64" pattern:"^[A-Za-z0-9._:-]+$" doc:"id of the device"`
}

// Latest is the newest value of one field.
type Latest struct {
	Field string `json:"field"`
	Unit  string `json:"unit" doc:"empty for text, 1 for counts"`
	TS    Time   `json:"ts"`
	Value any    `json:"value" doc:"a number, or text for a text field"`
}

type latestOutput struct{ Body items[Latest] }

type telemetryInput struct {
	DevicePath
	Interval
	Fields    []string `query:"fields" doc:"comma-separated field names; default: all (with every: all that the aggregate can fold)"`
	Every     string   `query:"every" doc:"length of a window: a Go duration, d and w too (15m, 1h, 1d, 7d); default: raw readings"`
	Aggregate string   `query:"aggregate" enum:"mean,min,max,sum,count,first,last,delta" doc:"with every; default mean; delta is the consumption of a counter"`
	Limit     int      `query:"limit" minimum:"1" maximum:"100000" doc:"greatest number of items; default 10000 readings, or all windows"`

	target url.URL
}

// Resolve keeps the request's URL, from which the link to the next page is
// made.
func (in *telemetryInput) Resolve(ctx huma.Context) []error {
	in.target = ctx.URL()
	return nil
}

type telemetryOutput struct {
	Link string `header:"Link" doc:"RFC 8288 link to the next page, where there is one"`
	Body Telemetry
}

// Telemetry is one page of readings or of their aggregates.
type Telemetry struct {
	Items rows  `json:"items"`
	Next  *Time `json:"next,omitempty" doc:"the from of the next page; absent on the last"`
}

func (a *API) routeTelemetry(kind devices.Kind) {
	name, path := string(kind), "/"+kind.Plural()+"/{id}"
	add(a, operation{
		right: access.Read, id: "get-" + name + "-latest", method: http.MethodGet, path: path + "/latest", tag: kind.Plural(),
		summary: "Newest value of each field", errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *DevicePath) (*latestOutput, error) {
		return a.latest(ctx, devices.Ref{Kind: kind, ID: in.ID})
	})
	add(a, operation{
		right: access.Read, id: "get-" + name + "-telemetry", method: http.MethodGet, path: path + "/telemetry", tag: kind.Plural(),
		summary: "Readings, or their aggregates over windows of time",
		notes: "Windows are multiples of every since 1970-01-01T00:00:00Z, so the first may start before from; " +
			"only readings in [from, to) count. ts is the start of the window. With aggregate=delta a row also has " +
			"{field}_coverage, the share of the window over which the consumption is known, and {field}_resets where " +
			"the counter fell; the consumption is absent where nothing is known.",
		errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *telemetryInput) (*telemetryOutput, error) {
		return a.telemetry(ctx, devices.Ref{Kind: kind, ID: in.ID}, in)
	})
}

func (a *API) latest(ctx context.Context, ref devices.Ref) (*latestOutput, error) {
	if err := a.exists(ctx, ref); err != nil {
		return nil, err
	}
	samples, err := a.newest(ctx, ref)
	if err != nil {
		return nil, fmt.Errorf("read latest: %w", err)
	}
	out := &latestOutput{Body: items[Latest]{Items: make([]Latest, 0, len(samples))}}
	for _, s := range samples {
		f := s.Value.Field
		item := Latest{Field: f.Name, Unit: f.Unit, TS: Time(s.TS), Value: s.Value.Num}
		if !f.Numeric() {
			item.Value = s.Value.Text
		}
		out.Body.Items = append(out.Body.Items, item)
	}
	return out, nil
}

// longAgo is the widest window that a field is looked for in once others are found.
const longAgo = 128 * telemetry.Day

// newest looks for the newest value of each field, in the last day first: some
// stores read all of a window to find the newest in it. Only for the fields that
// are not there it looks back further, in the window before, which is eight times
// as wide, and in one that is wider than longAgo only where nothing was found at all.
func (a *API) newest(ctx context.Context, ref devices.Ref) ([]telemetry.Sample, error) {
	var missing []string
	for _, f := range a.opts.Schema.Measurement(ref.Kind).Fields {
		missing = append(missing, f.Name)
	}
	// Fast clocks have sent ahead of time.
	to := a.opts.Now().Add(defaultSpan).UnixMilli()
	var found []telemetry.Sample
	for reach := 2 * telemetry.Day; len(missing) > 0 && to > 0 && (len(found) == 0 || reach <= longAgo); reach *= 8 {
		from := max(0, to-reach)
		samples, err := a.opts.Telemetry.Latest(ctx, telemetry.RangeQuery{
			Kind: ref.Kind, Devices: []string{ref.ID}, Fields: missing, Window: telemetry.Window{From: from, To: to},
		})
		if err != nil {
			return nil, err
		}
		for _, s := range samples {
			missing = slices.DeleteFunc(missing, func(name string) bool { return name == s.Value.Field.Name })
		}
		found = append(found, samples...)
		to = from
	}
	slices.SortFunc(found, func(x, y telemetry.Sample) int { return x.Value.Field.Index - y.Value.Field.Index })
	return found, nil
}

func (a *API) telemetry(ctx context.Context, ref devices.Ref, in *telemetryInput) (*telemetryOutput, error) {
	window, err := in.window(a.opts.Now())
	if err != nil {
		return nil, err
	}
	every, err := in.every(window)
	if err != nil {
		return nil, err
	}
	fields, err := a.fields(ref.Kind, in.Fields, in.foldable())
	if err != nil {
		return nil, err
	}
	if err := a.exists(ctx, ref); err != nil {
		return nil, err
	}
	q := telemetry.RangeQuery{Kind: ref.Kind, Devices: []string{ref.ID}, Fields: fields, Window: window}
	var body Telemetry
	switch {
	case every == 0:
		body, err = a.readings(ctx, q, in.limit(defaultReadings))
	case in.Aggregate == delta:
		body, err = a.deltas(ctx, q, every, in.limit(maxWindows))
	default:
		body, err = a.aggregates(ctx, q, every, in.Aggregate, in.limit(maxWindows))
	}
	if err != nil {
		return nil, err
	}
	out := &telemetryOutput{Body: body}
	if body.Next != nil {
		set := map[string]string{"from": body.Next.String(), "to": Time(window.To).String()}
		out.Link = link(in.target, "next", set)
	}
	return out, nil
}

func (in *telemetryInput) limit(preset int) int {
	if in.Limit == 0 {
		return preset
	}
	return in.Limit
}

// every is the checked step, or 0 for raw readings.
func (in *telemetryInput) every(w telemetry.Window) (time.Duration, error) {
	if in.Every == "" {
		if in.Aggregate != "" {
			return 0, badParameter("query.every", "an aggregate needs the length of its windows", nil)
		}
		return 0, nil
	}
	every, err := parseEvery(in.Every)
	if err != nil {
		return 0, badParameter("query.every", err.Error(), in.Every)
	}
	if n := windows(w, every); n > maxWindows {
		return 0, badParameter("query.every", fmt.Sprintf("%d windows are more than %d: lengthen every or narrow [from, to)", n, maxWindows), in.Every)
	}
	return every, nil
}

// foldable tells which fields the request can be answered for, and what others
// lack; nil for all.
func (in *telemetryInput) foldable() *requirement {
	switch {
	case in.Every == "":
		return nil
	case in.Aggregate == delta:
		return &requirement{func(f *devices.Field) bool { return f.Role == devices.Counter }, "is not a counter"}
	}
	return &requirement{(*devices.Field).Numeric, "is text and can't be aggregated"}
}

// requirement is what a field must be for an aggregate.
type requirement struct {
	met   func(*devices.Field) bool
	unmet string
}

// fields checks the asked names against the schema and returns them. Without
// names it returns those that meet the requirement, or none for all fields.
func (a *API) fields(kind devices.Kind, names []string, need *requirement) ([]string, error) {
	measurement := a.opts.Schema.Measurement(kind)
	if len(names) == 0 {
		if need == nil {
			return nil, nil
		}
		var all []string
		for _, f := range measurement.Fields {
			if need.met(f) {
				all = append(all, f.Name)
			}
		}
		return all, nil
	}
	for _, name := range names {
		f := measurement.Field(name)
		if f == nil {
			return nil, badParameter("query.fields", fmt.Sprintf("a %s has no field %q", kind, name), name)
		}
		if need != nil && !need.met(f) {
			return nil, badParameter("query.fields", fmt.Sprintf("%q %s", name, need.unmet), name)
		}
	}
	return names, nil
}

var errPageFull = errors.New("page full")

// readings are the raw readings of q, up to limit.
func (a *API) readings(ctx context.Context, q telemetry.RangeQuery, limit int) (Telemetry, error) {
	var body Telemetry
	err := a.opts.Telemetry.Range(ctx, q, func(r telemetry.Reading) error {
		if body.Items.n == limit {
			next := Time(r.TS)
			body.Next = &next
			return errPageFull
		}
		return body.Items.add(r.TS, r.Values)
	})
	if err != nil && !errors.Is(err, errPageFull) {
		return body, fmt.Errorf("read telemetry: %w", err)
	}
	return body, nil
}

// aggregates are the windows of q that hold samples, up to limit.
func (a *API) aggregates(ctx context.Context, q telemetry.RangeQuery, every time.Duration, fn string, limit int) (Telemetry, error) {
	if fn == "" {
		fn = string(telemetry.Mean)
	}
	buckets, err := a.opts.Telemetry.Aggregate(ctx, telemetry.AggregateQuery{RangeQuery: q, Func: telemetry.Func(fn), Every: every})
	if err != nil {
		return Telemetry{}, fmt.Errorf("aggregate telemetry: %w", err)
	}
	return bucketPage(buckets, limit)
}

// bucketPage encodes up to limit buckets, ascending by start.
func bucketPage(buckets []telemetry.Bucket, limit int) (Telemetry, error) {
	var body Telemetry
	for _, b := range buckets {
		if body.Items.n == limit {
			next := Time(b.Start)
			body.Next = &next
			break
		}
		slices.SortFunc(b.Values, func(x, y telemetry.Value) int { return x.Field.Index - y.Field.Index })
		if err := body.Items.add(b.Start, b.Values); err != nil {
			return body, fmt.Errorf("encode window %s: %w", Time(b.Start), err)
		}
	}
	return body, nil
}
