package quarantine_test

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

// One device that goes wrong pushes out its own entries, not the others'.
func TestOneSenderDoesNotPushOutOthers(t *testing.T) {
	q, ctx := fresh(t, quarantine.Options{MaxBytes: 100 << 10}), t.Context()
	for i := range 20 {
		ok(t, q.Put(ctx, []quarantine.Entry{{Principal: fmt.Sprintf("good-%02d", i), Reason: wire.ReasonFuture, Payload: make([]byte, 1000)}}))
	}
	for range 500 {
		ok(t, q.Put(ctx, []quarantine.Entry{{Principal: "broken", Reason: wire.ReasonMalformed, Payload: make([]byte, 2000)}}))
	}
	_, good := list(t, q, quarantine.Filter{Reason: wire.ReasonFuture})
	_, broken := list(t, q, quarantine.Filter{Reason: wire.ReasonMalformed})
	if good != 20 || broken == 0 || broken > 40 {
		t.Errorf("got %d entries of the others and %d of the broken one, want 20 and what room is left", good, broken)
	}
	// Among equals the room is shared.
	for i := range 300 {
		ok(t, q.Put(ctx, []quarantine.Entry{{Principal: fmt.Sprintf("late-%d", i%2), Reason: wire.ReasonEmpty, Payload: make([]byte, 2000)}}))
	}
	per := map[string]int{}
	entries, _ := list(t, q, quarantine.Filter{})
	for _, e := range entries {
		per[e.Principal]++
	}
	if d := per["late-0"] - per["late-1"]; d < -1 || d > 1 || per["broken"]-per["late-0"] > 1 {
		t.Errorf("got %v, want the three loud ones about equal", per)
	}
	if len(per) != 23 {
		t.Errorf("got %d principals, want all 23: %v", len(per), per)
	}
}

func TestFilterByTimeAndID(t *testing.T) {
	q, ctx := fresh(t, quarantine.Options{}), t.Context()
	for i := range 6 {
		ok(t, q.Put(ctx, []quarantine.Entry{{ReceivedAt: noon.Add(time.Duration(i) * time.Second), Reason: wire.ReasonEmpty, Topic: fmt.Sprint(i)}}))
	}
	tests := []struct {
		name   string
		filter quarantine.Filter
		want   string // topics in order
	}{
		{"since, inclusive", quarantine.Filter{Since: noon.Add(4 * time.Second)}, "54"},
		{"since, within a millisecond", quarantine.Filter{Since: noon.Add(4*time.Second + 1)}, "5"},
		{"until, exclusive", quarantine.Filter{Until: noon.Add(2 * time.Second)}, "10"},
		{"until, within a millisecond", quarantine.Filter{Until: noon.Add(2*time.Second + 1)}, "210"},
		{"both", quarantine.Filter{Since: noon.Add(time.Second), Until: noon.Add(3 * time.Second)}, "21"},
		{"ids", quarantine.Filter{After: 2, Through: 4}, "32"},
		{"oldest first", quarantine.Filter{After: 2, OldestFirst: true, Limit: 2, Offset: 1}, "34"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			entries, _, err := q.List(ctx, tt.filter)
			ok(t, err)
			got := ""
			for _, e := range entries {
				got += e.Topic
			}
			if got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}

func TestDrop(t *testing.T) {
	const each = overhead + 5 + 100 // bytes of an entry
	fill := func(t *testing.T) *quarantine.Quarantine {
		q := fresh(t, quarantine.Options{})
		for i := range 10 {
			reason := wire.ReasonEmpty
			if i%2 == 1 {
				reason = wire.ReasonBadTime
			}
			ok(t, q.Put(t.Context(), []quarantine.Entry{{
				ReceivedAt: noon.Add(time.Duration(i) * time.Hour), Reason: reason, Payload: make([]byte, 105-len(reason)),
			}}))
		}
		return q
	}
	tests := []struct {
		name   string
		filter quarantine.Filter
		keep   int64
		want   quarantine.Dropped
	}{
		{"everything", quarantine.Filter{}, 0, quarantine.Dropped{Entries: 10, Bytes: 10 * each}},
		{"of a reason", quarantine.Filter{Reason: wire.ReasonBadTime}, 0, quarantine.Dropped{Entries: 5, Bytes: 5 * each}},
		{"older than", quarantine.Filter{Until: noon.Add(3 * time.Hour)}, 0, quarantine.Dropped{Entries: 3, Bytes: 3 * each}},
		{"down to a size", quarantine.Filter{}, 4 * each, quarantine.Dropped{Entries: 6, Bytes: 6 * each}},
		{"down to a size that is no whole entry", quarantine.Filter{}, 4*each - 1, quarantine.Dropped{Entries: 7, Bytes: 7 * each}},
		{"small enough already", quarantine.Filter{}, 10 * each, quarantine.Dropped{}},
		{"of a reason, down to a size", quarantine.Filter{Reason: wire.ReasonEmpty}, 2 * each, quarantine.Dropped{Entries: 3, Bytes: 3 * each}},
		{"nothing", quarantine.Filter{Device: "battery/none"}, 0, quarantine.Dropped{}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			q := fill(t)
			for _, dry := range []bool{true, false} {
				got, err := q.Drop(t.Context(), tt.filter, tt.keep, dry)
				ok(t, err)
				if diff := cmp.Diff(tt.want, got); diff != "" {
					t.Errorf("dry run %v: want − got +\n%s", dry, diff)
				}
				want := 10
				if !dry {
					want -= tt.want.Entries
				}
				if _, total := list(t, q, quarantine.Filter{}); total != want {
					t.Errorf("dry run %v: got %d left, want %d", dry, total, want)
				}
			}
			if again, err := q.Drop(t.Context(), tt.filter, tt.keep, false); err != nil || again.Entries != 0 {
				t.Errorf("again: got %+v, %v, want nothing", again, err)
			}
		})
	}
}

// A purge of more than a batch, after which the books must still be right.
func TestDropInBatches(t *testing.T) {
	path := filepath.Join(t.TempDir(), "quarantine.db")
	const n, maxBytes = 2500, 2500 * (overhead + 6)
	q := open(t, path, quarantine.Options{MaxBytes: maxBytes})
	entries := make([]quarantine.Entry, n)
	for i := range entries {
		entries[i] = quarantine.Entry{Principal: fmt.Sprint(i % 10), Reason: wire.ReasonEmpty}
	}
	ok(t, q.Put(t.Context(), entries))
	if got, err := q.Drop(t.Context(), quarantine.Filter{Through: n - 1}, 0, false); err != nil || got.Entries != n-1 {
		t.Fatalf("got %+v, %v, want %d entries", got, err, n-1)
	}
	ok(t, q.Put(t.Context(), entries[1:]))
	if _, total := list(t, q, quarantine.Filter{}); total != n || q.Purged() != 0 {
		t.Errorf("got %d entries and %d purged, want %d and 0: the freed bytes count still", total, q.Purged(), n)
	}
	closed(t, q)
	q = open(t, path, quarantine.Options{MaxBytes: maxBytes})
	defer closed(t, q)
	ok(t, q.Put(t.Context(), entries[:1]))
	if _, total := list(t, q, quarantine.Filter{}); total != n || q.Purged() != 1 {
		t.Errorf("opened again: got %d entries and %d purged, want %d and 1", total, q.Purged(), n)
	}
}

// A file from before senders were counted apart.
func TestMigrationCountsWhatIsThere(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "quarantine.db"), t.Context()
	first, err := os.ReadFile(filepath.Join("migrations", "00001_quarantine.sql"))
	ok(t, err)
	db, err := database.Open(ctx, path, database.Options{Migrations: fstest.MapFS{"00001_quarantine.sql": {Data: first}}})
	ok(t, err)
	for i := range 4 {
		_, err := db.Write.ExecContext(ctx, `INSERT INTO entries (received_at, reason, size, device, principal, topic, detail, payload)
			VALUES (0, 'empty', $1, x'', $2, x'', x'', x'')`, 200, []byte{'a' + byte(i/3)})
		ok(t, err)
	}
	ok(t, db.Close())
	q := open(t, path, quarantine.Options{MaxBytes: 800})
	defer closed(t, q)
	ok(t, q.Put(ctx, []quarantine.Entry{{Principal: "c", Reason: wire.ReasonEmpty}}))
	entries, _ := list(t, q, quarantine.Filter{})
	got := ""
	for _, e := range entries {
		got += e.Principal
	}
	if got != "cbaa" {
		t.Errorf("got the senders %q, want cbaa: the one with three gives", got)
	}
}

// Of entries from before senders were kept, those speak for their device again
// whose senders the intake had let speak for it.
func TestMigrationOfSenders(t *testing.T) {
	path, ctx := filepath.Join(t.TempDir(), "quarantine.db"), t.Context()
	old := fstest.MapFS{}
	for _, name := range []string{"00001_quarantine.sql", "00002_principals.sql"} {
		data, err := os.ReadFile(filepath.Join("migrations", name))
		ok(t, err)
		old[name] = &fstest.MapFile{Data: data}
	}
	db, err := database.Open(ctx, path, database.Options{Migrations: old})
	ok(t, err)
	tests := []struct{ device, reason, want string }{
		{"battery/b", "malformed", "battery/b"},
		{"battery/b", "unknown_device", "battery/b"}, // the sender was let through, the device is not registered
		{"battery/b", "foreign_device", ""},
		{"", "unknown_topic", ""},  // nobody was asked
		{"", "unknown_device", ""}, // Sparkplug data without a birth
		{"", "empty", ""},
	}
	for _, tt := range tests {
		_, err := db.Write.ExecContext(ctx, `INSERT INTO entries (received_at, reason, size, device, principal, topic, detail, payload)
			VALUES (0, $1, 200, $2, x'61', x'', x'', x'')`, tt.reason, []byte(tt.device))
		ok(t, err)
	}
	ok(t, db.Close())
	q := open(t, path, quarantine.Options{})
	defer closed(t, q)
	entries, _, err := q.List(ctx, quarantine.Filter{OldestFirst: true})
	ok(t, err)
	if len(entries) != len(tests) {
		t.Fatalf("got %d entries, want %d", len(entries), len(tests))
	}
	for i, tt := range tests {
		if e := entries[i]; e.Sender != tt.want || e.Trusted {
			t.Errorf("%s of %q: got sender %q, trusted %v, want %q and not", tt.reason, tt.device, e.Sender, e.Trusted, tt.want)
		}
	}
}
