package fleet

import (
	"context"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// memory is a ledger in memory.
type memory struct {
	mu      sync.Mutex
	runs    []ledger.Run
	marks   map[string]ledger.Watermark
	dirty   []ledger.DirtyDay
	seq     int64
	changes []ledger.Changes
	fail    error // of Commit
	page    int   // most days at once; 0: all
}

func newMemory() *memory { return &memory{marks: map[string]ledger.Watermark{}} }

func (m *memory) BeginRun(_ context.Context, job string, start time.Time, trigger string) (int64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.runs = append(m.runs, ledger.Run{ID: int64(len(m.runs) + 1), Job: job, Start: start, Trigger: trigger})
	return int64(len(m.runs)), nil
}

func (m *memory) EndRun(_ context.Context, id int64, r ledger.RunResult) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	run := &m.runs[id-1]
	run.End, run.Window, run.Rows, run.Err = r.End, r.Window, r.Rows, r.Err
	return nil
}

func (m *memory) LastRun(_ context.Context, job string) (ledger.Run, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for i := len(m.runs) - 1; i >= 0; i-- {
		if m.runs[i].Job == job {
			return m.runs[i], true, nil
		}
	}
	return ledger.Run{}, false, nil
}

func (m *memory) all() []ledger.Run {
	m.mu.Lock()
	defer m.mu.Unlock()
	return append([]ledger.Run(nil), m.runs...)
}

func (m *memory) Watermark(_ context.Context, job string) (ledger.Watermark, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.marks[job], nil
}

func (m *memory) DirtyOf(_ context.Context, q ledger.DirtyQuery) (days []ledger.DirtyDay, upTo int64, more bool, err error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if upTo = m.seq; q.UpTo > 0 {
		upTo = max(min(upTo, q.UpTo), q.After)
	}
	for _, d := range m.dirty { // by their numbers
		if d.Seq <= q.After || q.UpTo > 0 && d.Seq > q.UpTo || !slices.Contains(q.Kinds, d.Kind) || d.Day < q.FromDay || d.Day >= q.ToDay {
			continue
		}
		if more = m.page > 0 && len(days) >= m.page && d.Seq > days[len(days)-1].Seq; more {
			upTo = days[len(days)-1].Seq
			break
		}
		days = append(days, d)
	}
	slices.SortStableFunc(days, func(a, b ledger.DirtyDay) int { return strings.Compare(a.Device, b.Device) })
	return days, upTo, more, nil
}

func (m *memory) Revisions(context.Context) (ledger.Revisions, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return ledger.Revisions{Days: m.seq}, nil
}

// left are the days that are still to be worked off.
func (m *memory) left(t *testing.T, j *Job, today int64) []ledger.DirtyDay {
	t.Helper()
	at, err := j.progress(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	due, _, err := j.due(t.Context(), m, &at, today)
	if err != nil {
		t.Fatal(err)
	}
	return due
}

func (m *memory) Commit(_ context.Context, c ledger.Changes) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.fail != nil {
		return m.fail
	}
	m.changes = append(m.changes, c)
	if c.Watermark != nil {
		m.marks[c.Job] = *c.Watermark
	}
	return nil
}

func (m *memory) MarkDirty(_ context.Context, days []telemetry.DeviceDay) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.seq++
	for _, d := range days {
		m.dirty = append(m.dirty, ledger.DirtyDay{DeviceDay: d, Seq: m.seq})
	}
	return nil
}

func (m *memory) mark(t *testing.T, device string, days ...int64) {
	t.Helper()
	for _, d := range days {
		if err := m.MarkDirty(t.Context(), []telemetry.DeviceDay{{Kind: devices.KindBattery, Device: device, Day: d}}); err != nil {
			t.Fatal(err)
		}
	}
}
