package duckdb

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Latest returns the newest samples; see telemetry.Reader. It asks the segments,
// then what is remembered of sealed readings, and reads parts only for what
// neither has. Of more devices than gatheredAtOnce, a batch that is appended
// meanwhile may show for some and for others not.
func (s *Store) Latest(ctx context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error) {
	fields, err := q.Resolve(s.schema)
	if err != nil {
		return nil, fmt.Errorf("latest: %w", err)
	}
	var samples []telemetry.Sample
	err = s.use(ctx, func(ctx context.Context, e *engine) (err error) {
		if q.Window.Empty() || len(fields) == 0 {
			return nil
		}
		samples, err = e.latest(ctx, q, fields, s.page)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("latest: %w", err)
	}
	return samples, nil
}

// searchedAtOnce is for how many devices parts are read at once, which bounds
// what is held of them.
const searchedAtOnce = 8192

// gatheredAtOnce is of how many devices what is in memory is gathered without
// waiting for a turn, as that takes no longer than an append.
const gatheredAtOnce = 1024

func (e *engine) latest(ctx context.Context, q telemetry.RangeQuery, fields []*devices.Field, page int64) ([]telemetry.Sample, error) {
	t := e.tables[q.Kind]
	names := t.candidates(q)
	var ver *version
	var found []telemetry.Sample
	var open []int
	gather := func() error {
		ver, found, open = e.gather(q, names, fields)
		return nil
	}
	if len(names) <= gatheredAtOnce {
		_ = gather()
	} else if err := e.admitted(ctx, gather); err != nil {
		return nil, err
	}
	defer e.versions.release(ver)
	l := ver.layouts[q.Kind]
	for some := range slices.Chunk(open, searchedAtOnce) {
		v := e.viewOf(t, l)
		s := newSearch(v, q, fields, page)
		for _, i := range some {
			s.add(names[i])
		}
		if err := e.admitted(ctx, func() error { return s.run(ctx) }); err != nil {
			return nil, err
		}
		for k, i := range some {
			for j, f := range fields {
				found[i*len(fields)+j] = s.sought[k].found[f.Index]
			}
		}
	}
	return slices.DeleteFunc(found, func(s telemetry.Sample) bool { return s.Device == "" }), nil
}

// gather finds what is in memory: in segments, and remembered of what is sealed.
// found has a sample for each field of each name; open are the names of which the
// parts of the version, which is to be released, may have newer ones.
func (e *engine) gather(q telemetry.RangeQuery, names []string, fields []*devices.Field) (ver *version, found []telemetry.Sample, open []int) {
	t := e.tables[q.Kind]
	found = make([]telemetry.Sample, len(names)*len(fields))
	// A segment is remembered before it leaves the version, so nothing is in
	// neither. What was written, frozen and remembered since the segments were
	// asked may be of some devices only: they are asked again then.
	for {
		began := t.remembered.Load()
		ver = e.versions.acquire()
		for _, seg := range slices.Backward(ver.layouts[q.Kind].segments) {
			seg.table.Latest(names, fields, q.Window, found)
		}
		open = open[:0]
		for i, name := range names {
			if t.of(name).sealed.recall(name, fields, q.Window, t.gone.Load(), found[i*len(fields):][:len(fields)], nil) {
				open = append(open, i)
			}
		}
		if len(names) == 1 || t.remembered.Load() == began {
			return ver, found, open
		}
		e.versions.release(ver)
		clear(found)
	}
}

// search reads back through the parts, twice as many days at each step, for
// samples of some devices, until all have the asked fields that the older parts
// could still give them. What it finds is remembered.
type search struct {
	view   *view
	query  telemetry.RangeQuery
	asked  []bool // by field
	page   int64
	sought []*sought // ascending by device

	reading []*devices.Field // at the present step
	from    int64            // of it
}

// sought is a device. What is found is of all its fields: to remember how far
// back one has looked they all have to be there.
type sought struct {
	device   string
	memory   *memory
	found    []telemetry.Sample // by field
	till     []int64            // by field, the time before which parts may have a newer sample
	looked   int64              // as in memory, when the search began
	complete bool               // all that is newer than the present step is looked at
	done     bool
}

func newSearch(v *view, q telemetry.RangeQuery, asked []*devices.Field, page int64) *search {
	s := &search{view: v, query: q, asked: make([]bool, len(v.table.measurement.Fields)), page: page}
	for _, f := range asked {
		s.asked[f.Index] = true
	}
	return s
}

// add adds a device, in ascending order.
func (s *search) add(device string) {
	t := s.view.table
	fields := t.measurement.Fields
	one := &sought{
		device: device, memory: &t.of(device).sealed,
		found: make([]telemetry.Sample, len(fields)), till: make([]int64, len(fields)),
	}
	for _, seg := range slices.Backward(s.view.layout.segments) {
		seg.table.Latest([]string{device}, fields, s.query.Window, one.found)
	}
	one.looked = one.memory.lookedBack()
	one.memory.recall(device, fields, s.query.Window, t.gone.Load(), one.found, one.till)
	s.sought = append(s.sought, one)
}

// lacks reports whether parts in the rest of the window may have a newer sample.
func (o *sought) lacks(field int, rest int64) bool {
	return o.till[field] > rest && missing(o.found[field], o.till[field])
}

func (s *search) run(ctx context.Context) error {
	w := s.query.Window
	to := w.From
	for _, o := range s.sought {
		for field, till := range o.till {
			if s.asked[field] && o.lacks(field, w.From) {
				to = max(to, till)
			}
		}
	}
	for _, o := range s.sought {
		o.complete = o.looked <= to
	}
	for span := 1; ; span *= 2 {
		names := s.rest(to)
		if len(names) == 0 {
			return nil
		}
		s.from = w.From
		if days := s.days(names, telemetry.Window{From: w.From, To: to}); len(days) > span {
			s.from = max(w.From, startOf(days[span-1]))
		}
		step := telemetry.RangeQuery{Kind: s.query.Kind, Devices: names, Window: telemetry.Window{From: s.from, To: to}}
		if err := s.view.plan(step, s.view.table.fieldColumns(s.reading), s.page, true).each(ctx, s.fold); err != nil {
			return err
		}
		for _, o := range s.sought {
			for _, f := range s.reading {
				o.till[f.Index] = min(o.till[f.Index], s.from)
			}
		}
		to = s.from
	}
}

// rest are the devices that lack something that parts of before to may have. It
// sets which fields are to be read.
func (s *search) rest(to int64) (names []string) {
	w := s.query.Window
	read := make([]bool, len(s.asked))
	for _, o := range s.sought {
		if o.done {
			continue
		}
		o.done = true
		for field, asked := range s.asked {
			if asked && o.lacks(field, w.From) {
				o.done = false
			}
		}
		if o.done {
			if o.complete {
				o.memory.learn(o.found, false, to)
			}
			continue
		}
		names = append(names, o.device)
		for field, asked := range s.asked {
			read[field] = read[field] || (asked || o.complete) && o.lacks(field, w.From)
		}
	}
	s.reading = s.reading[:0]
	for _, f := range s.view.table.measurement.Fields {
		if read[f.Index] {
			s.reading = append(s.reading, f)
		}
	}
	return names
}

// days are those in w that have parts of the devices and the fields to be read,
// the newest first.
func (s *search) days(names []string, w telemetry.Window) []int64 {
	var days []int64
	for _, p := range slices.Backward(s.view.within(w)) {
		if len(p.among(names)) > 0 && slices.ContainsFunc(s.reading, func(f *devices.Field) bool { return p.fields[f.Name] }) {
			days = append(days, p.day)
		}
	}
	return slices.Compact(days)
}

// fold takes in what of a run is newer than what was found.
func (s *search) fold(r *run) error {
	at, wanted := slices.BinarySearchFunc(s.sought, r.device, func(o *sought, device string) int { return strings.Compare(o.device, device) })
	if !wanted {
		return nil
	}
	o := s.sought[at]
	for i, f := range s.reading {
		x := &o.found[f.Index]
		for row := len(r.ts) - 1; row >= 0 && (x.Device == "" || r.ts[row] > x.TS); row-- {
			if v, ok := r.values[i].value(f, row); ok {
				*x = telemetry.Sample{Device: o.device, TS: r.ts[row], Value: v}
			}
		}
	}
	return nil
}
