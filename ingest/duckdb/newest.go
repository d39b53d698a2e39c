package duckdb

import (
	"math"
	"slices"
	"strings"
	"sync"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// memory is what is known of the newest sealed samples of a device. What of it
// is not known is read from parts once it is asked for.
type memory struct {
	mu sync.Mutex

	// No field has a sealed sample at looked or later that is newer than the one
	// in held. An older one in held may not be the newest.
	looked int64
	held   []held   // ascending by field
	texts  []string // of the text fields in held
}

// held is a sample that is stored, or was until retention took it away.
type held struct {
	ts    int64
	num   float64 // of a text field, its place among the texts
	field int
}

// recall adds to found, which has a sample for each of fields, those in w that
// are newer, and tells whether sealed readings may have newer ones yet. till, if
// not nil, gets by field the time before which they may. Samples from before
// gone may be stored no more.
func (m *memory) recall(device string, fields []*devices.Field, w telemetry.Window, gone int64, found []telemetry.Sample, till []int64) (open bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	rest := m.held
	for i, f := range fields {
		before := m.looked
		for len(rest) > 0 && rest[0].field < f.Index {
			rest = rest[1:]
		}
		if len(rest) > 0 && rest[0].field == f.Index {
			h := rest[0]
			switch {
			case !w.Contains(h.ts) || h.ts < gone:
				before = max(before, h.ts+1)
			case found[i].Device == "" || found[i].TS < h.ts:
				found[i] = telemetry.Sample{Device: device, TS: h.ts, Value: m.value(f, h)}
			}
		}
		before = min(before, w.To)
		if till != nil {
			till[i] = before
		}
		open = open || before > w.From && missing(found[i], before)
	}
	return open
}

func (m *memory) lookedBack() int64 {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.looked
}

// missing reports whether a sample that is older than before may be newer than
// the one that was found.
func missing(found telemetry.Sample, before int64) bool {
	return found.Device == "" || found.TS < before
}

func (m *memory) value(f *devices.Field, h held) telemetry.Value {
	if f.Numeric() {
		return telemetry.Value{Field: f, Num: h.num}
	}
	return telemetry.Value{Field: f, Text: m.texts[int(h.num)]}
}

// learn takes in samples, which ascend by field; those without a device are none.
// Of two from one time, that of a later segment holds. All fields are known from
// looked on then.
func (m *memory) learn(samples []telemetry.Sample, later bool, looked int64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.looked = min(m.looked, looked)
	for at, i := 0, 0; i < len(samples); i++ {
		s := &samples[i]
		if s.Device == "" {
			continue
		}
		field := s.Value.Field.Index
		for at < len(m.held) && m.held[at].field < field {
			at++
		}
		if at == len(m.held) || m.held[at].field > field {
			m.grow(samples[i:])
			m.held = slices.Insert(m.held, at, m.hold(s, len(m.texts)))
		} else if h := m.held[at]; h.ts < s.TS || h.ts == s.TS && later {
			m.held[at] = m.hold(s, int(h.num))
		}
	}
}

// grow makes room for samples where there is none, and for no more: there are
// many devices.
func (m *memory) grow(samples []telemetry.Sample) {
	if len(m.held) < cap(m.held) {
		return
	}
	n := len(m.held)
	for i := range samples {
		if samples[i].Device != "" && !slices.ContainsFunc(m.held, func(h held) bool { return h.field == samples[i].Value.Field.Index }) {
			n++
		}
	}
	m.held = append(make([]held, 0, n), m.held...)
}

// hold is s as it is held, with a text at a place among the texts.
func (m *memory) hold(s *telemetry.Sample, place int) held {
	h := held{ts: s.TS, num: s.Value.Num, field: s.Value.Field.Index}
	if s.Value.Field.Numeric() {
		return h
	}
	if place == len(m.texts) {
		m.texts = append(m.texts, "")
	}
	m.texts[place] = s.Value.Text
	h.num = float64(place)
	return h
}

// rememberedAtOnce is of how many devices of a segment samples are gathered.
const rememberedAtOnce = 1024

// remember takes in the newest samples of a frozen segment, which is going to be
// sealed.
func (t *table) remember(s *segment) {
	t.remembered.Add(1)
	var names []string
	s.table.Newest(func(device string, _ int64) { names = append(names, device) })
	fields := t.measurement.Fields
	for some := range slices.Chunk(names, rememberedAtOnce) {
		found := make([]telemetry.Sample, len(some)*len(fields))
		s.table.Latest(some, fields, telemetry.Window{From: math.MinInt64, To: math.MaxInt64}, found)
		for i, name := range some {
			t.of(name).sealed.learn(found[i*len(fields):][:len(fields)], true, math.MaxInt64)
		}
	}
}

// candidates are the devices of q that may have samples in its window,
// ascending.
func (t *table) candidates(q telemetry.RangeQuery) []string {
	t.mu.RLock()
	defer t.mu.RUnlock()
	var out []string
	if len(q.Devices) == 0 {
		for device, last := range t.newest {
			if last.ts.Load() >= q.Window.From {
				out = append(out, device)
			}
		}
	}
	for _, device := range q.Devices {
		if last, known := t.newest[device]; known && last.ts.Load() >= q.Window.From {
			out = append(out, device)
		}
	}
	slices.SortFunc(out, strings.Compare)
	return slices.Compact(out)
}
