package ledger_test

import (
	"path/filepath"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

func event(kind devices.Kind, device, id string, ts int64, typ string) telemetry.Event {
	return telemetry.Event{Kind: kind, Device: device, ID: id, TS: ts, Type: typ, Data: []byte(`{"id":"` + id + `"}`)}
}

func TestAppendEvents(t *testing.T) {
	path := filepath.Join(t.TempDir(), "ledger.db")
	l := open(t, path)
	first := []telemetry.Event{
		event(devices.KindStation, "s", "e1", 20, "swap.completed"),
		event(devices.KindStation, "s", "e2", 10, "fault.opened"),
		event(devices.KindStation, "r", "e1", 30, "swap.completed"),
		event(devices.KindBattery, "s", "e1", 10, "charge.completed"),
	}
	changed := event(devices.KindStation, "s", "e1", 99, "fault.closed")
	for _, tt := range []struct {
		name   string
		events []telemetry.Event
		want   int
	}{
		{"none", nil, 0},
		{"new", first, 4},
		{"the same again", first, 0},
		{"one new, twice in the call", []telemetry.Event{first[0], event(devices.KindStation, "s", "e3", 5, "x"), event(devices.KindStation, "s", "e3", 5, "x")}, 1},
		{"same id, other content", []telemetry.Event{changed}, 0},
		{"no data", []telemetry.Event{{Kind: devices.KindBuilding, Device: "g", ID: "e", TS: 1, Type: "x"}}, 1},
	} {
		if got, err := l.AppendEvents(t.Context(), tt.events); err != nil || got != tt.want {
			t.Errorf("%s: got %d, %v, want %d", tt.name, got, err, tt.want)
		}
	}
	closed(t, l)
	l = open(t, path)
	defer closed(t, l)
	got, total, err := l.Events(t.Context(), ledger.EventQuery{Kind: devices.KindStation, Device: "s", Types: []string{"swap.completed"}})
	if err != nil || total != 1 {
		t.Fatalf("Events: got total %d, %v, want 1", total, err)
	}
	same(t, "the first one stays", got, first[:1])
}

// Events is held to a model: a filter over a slice.
func TestEventsModel(t *testing.T) {
	l := fresh(t)
	var all []telemetry.Event
	for i, device := range []string{"a", "b", "A"} {
		for j := range int64(12) {
			kind := devices.Kinds()[(i+int(j))%3]
			all = append(all, event(kind, device, string(rune('z'-j)), j/3, []string{"swap.completed", "swap.failed", "fault.opened"}[j%3]))
		}
	}
	if n, err := l.AppendEvents(t.Context(), all); err != nil || n != len(all) {
		t.Fatalf("AppendEvents: got %d, %v, want %d", n, err, len(all))
	}
	slices.SortFunc(all, func(a, b telemetry.Event) int {
		return slices.Compare([]string{string(rune(a.TS)), string(a.Kind), a.Device, a.ID}, []string{string(rune(b.TS)), string(b.Kind), b.Device, b.ID})
	})
	rapid.Check(t, func(rt *rapid.T) {
		q := ledger.EventQuery{
			Kind:   rapid.SampledFrom([]devices.Kind{"", devices.KindBattery, devices.KindStation}).Draw(rt, "kind"),
			Device: rapid.SampledFrom([]string{"", "a", "A", "none"}).Draw(rt, "device"),
			Types:  rapid.SampledFrom([][]string{nil, {"swap.failed"}, {"swap.failed", "fault.opened"}, {"none"}}).Draw(rt, "types"),
			Window: rapid.SampledFrom([]telemetry.Window{{}, {From: 1, To: 3}, {From: 2, To: 2}, {From: -5, To: 1}}).Draw(rt, "window"),
			Limit:  rapid.IntRange(0, 5).Draw(rt, "limit"),
			Offset: rapid.IntRange(0, 40).Draw(rt, "offset"),
		}
		want := []telemetry.Event{}
		for _, e := range all {
			if (q.Kind == "" || e.Kind == q.Kind) && (q.Device == "" || e.Device == q.Device) &&
				(q.Types == nil || slices.Contains(q.Types, e.Type)) && (q.Window == telemetry.Window{} || q.Window.Contains(e.TS)) {
				want = append(want, e)
			}
		}
		got, total, err := l.Events(t.Context(), q)
		if err != nil || total != len(want) {
			rt.Fatalf("%+v: got total %d, %v, want %d", q, total, err, len(want))
		}
		want = want[min(q.Offset, len(want)):]
		if q.Limit > 0 {
			want = want[:min(q.Limit, len(want))]
		}
		same(t, "events", got, want)
	})
}
