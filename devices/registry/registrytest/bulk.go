package registrytest

import (
	"bytes"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// files are one of each kind, in the order in which they need one another.
func files() [][2]string {
	return [][2]string{
		{"owner", "id,name\nacme,\"Acme, Inc.\"\nbolt,Bölt\n"},
		{"site", "id,owner_id,owner_since,name,time_zone,city,latitude,longitude\nx,acme,2025-03-10T00:00:00Z,Depot,Asia/Kolkata,Bengaluru,12.97,77.59\ny,,,Yard,UTC,,,\n"},
		{"station", "id,owner_id,owner_since,site_id,name,serial,status,gateway,commissioned,slots\ns,acme,,x,South,SN-1,active,,2025-01-01T00:00:00Z,12\n"},
		{"battery", "id,owner_id,owner_since,site_id,name,serial,status,gateway,commissioned,chemistry,rated_capacity_ah,rated_voltage_v,cutoff_voltage_v\n" +
			"b1,bolt,2025-06-01T00:00:00Z,,,,active,station/s,,LFP,50.5,51.2,40\nb2,,,,,,unclaimed,,,,,,\n"},
		{"building", "id,owner_id,owner_since,site_id,name,serial,status,gateway,commissioned,floor_area_m2\ng,acme,,y,,,retired,,,1234.5\n"},
	}
}

// What is exported imports as the same, here and into an empty registry.
func testBulk(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	imported := func(kind, file string, dry bool, want registry.Imported) {
		t.Helper()
		same(t, "import of "+kind, must[registry.Imported](t)(r.Import(ctx, kind, strings.NewReader(file), dry)), want)
	}
	for _, f := range files() {
		kind, file := f[0], f[1]
		lines := strings.Count(file, "\n") - 1
		for _, dry := range []bool{true, true, false} {
			imported(kind, file, dry, registry.Imported{Created: lines})
		}
		imported(kind, file, false, registry.Imported{Unchanged: lines})
		var out bytes.Buffer
		ok(t, r.Export(ctx, kind, &out))
		same(t, "export of "+kind, out.String(), file)
	}
	b := must[devices.Battery](t)(r.GetBattery(ctx, "b1"))
	if b.Version != 1 || b.RatedCapacityAh != 50.5 || b.OwnerSince == nil || b.Gateway != "station/s" {
		t.Errorf("imported twice: got %+v, want version 1 with all properties", b)
	}
	if gateway, known := r.Lookup(battery("b1")); !known || gateway != station("s") {
		t.Errorf("Lookup: got %v, %v, want the gateway", gateway, known)
	}
	// Some columns in another order, a date, spaces, and the mark of a spreadsheet.
	imported("battery", "\ufeffname , id,owner_id,owner_since\nFirst,b2,acme,2025-07-01\n,b1,bolt,\n", false, registry.Imported{Updated: 1, Unchanged: 1})
	b = must[devices.Battery](t)(r.GetBattery(ctx, "b2"))
	if b.Name != "First" || b.Status != devices.StatusActive || b.Version != 2 || !b.OwnerSince.Equal(time.Date(2025, 7, 1, 0, 0, 0, 0, time.UTC)) {
		t.Errorf("changed: got %+v", b)
	}
	imported("owner", "id\nacme\n", false, registry.Imported{Unchanged: 1})
	imported("owner", "id,name\n", false, registry.Imported{})
}

func testRefusedImports(t *testing.T, open Opener) {
	r, ctx := start(t, open), t.Context()
	anOwner(t, r, "acme")
	for _, id := range []string{"gone", "left"} {
		must[devices.Battery](t)(r.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: id}}))
		must[devices.Battery](t)(r.DeleteBattery(ctx, id, 0))
	}
	const file = `id,owner_id,rated_capacity_ah,commissioned,name
fine,acme,50,,
far,nobody,-1,,
bad id,,,,
b3,,many,yesterday,
short,acme
fine,acme,51,,
gone,,,,"back
again"
last,acme,NaN,,
left,,,,
`
	for _, dry := range []bool{true, false} {
		got := must[registry.Imported](t)(r.Import(ctx, "battery", strings.NewReader(file), dry))
		type at struct {
			line   int
			column string
		}
		var places []at
		for _, p := range got.Problems {
			places = append(places, at{p.Line, p.Column})
			if p.Detail == "" {
				t.Errorf("line %d, %s: got no detail", p.Line, p.Column)
			}
		}
		want := []at{{3, "owner_id"}, {3, "rated_capacity_ah"}, {4, "id"}, {5, "rated_capacity_ah"}, {5, "commissioned"}, {6, ""}, {7, "id"}, {8, "name"}, {10, "rated_capacity_ah"}, {11, ""}}
		if len(places) != len(want) || got.Created != 1 {
			t.Errorf("dry %v: got %+v, want one created and problems at %v", dry, got, want)
			continue
		}
		for i := range want {
			if places[i] != want[i] {
				t.Errorf("dry %v: got a problem at %v, want %v", dry, places[i], want[i])
			}
		}
	}
	if _, known := r.Lookup(battery("fine")); known {
		t.Error("a line of a refused file was imported")
	}
	if _, total, err := r.Changes(ctx, registry.ChangeFilter{Kind: "battery", ObjectID: "fine"}); err != nil || total != 0 {
		t.Errorf("a refused file left %d changes in the audit log, %v", total, err)
	}
	for what, file := range map[string]string{
		"empty": "", "no id": "name\nx\n", "unknown column": "id,nmae\nx,y\n", "a column twice": "id,name,name\n", "no CSV": "id,name\n\"x\n",
	} {
		_, err := r.Import(ctx, "battery", strings.NewReader(file), true)
		invalid(t, what, err, "file")
	}
	_, err := r.Import(ctx, "robot", strings.NewReader("id\n"), true)
	invalid(t, "no such kind", err, "kind")
	invalid(t, "no such kind", r.Export(ctx, "robot", &bytes.Buffer{}), "kind")
}

func testAnswers(t *testing.T, open Opener) {
	var now hands
	now.ms.Store(1_767_225_600_000)
	r, ctx := open(t, registry.Options{Now: now.read}), t.Context()
	defer func() { closed(t, r) }()
	request := registry.Request{Actor: "ada", Key: "k", Digest: [32]byte{1}}
	begins := func(what string, q registry.Request) {
		t.Helper()
		if _, answered, err := r.BeginAnswer(ctx, q); err != nil || answered {
			t.Errorf("%s: got answered %v, %v, want it to be made", what, answered, err)
		}
	}
	begins("first", request)
	_, _, err := r.BeginAnswer(ctx, request)
	is(t, "under way", err, registry.ErrUnanswered)
	ok(t, r.DropAnswer(ctx, request))
	begins("after it came to nothing", request)
	now.advance(2 * time.Minute)
	begins("after it was cut off", request)
	_, _, err = r.BeginAnswer(ctx, request)
	is(t, "under way again", err, registry.ErrUnanswered)
	want := registry.Answer{Status: 201, Headers: "{}", Body: []byte("made")}
	ok(t, r.KeepAnswer(ctx, request, want))
	for range 2 {
		got, answered, err := r.BeginAnswer(ctx, request)
		if err != nil || !answered {
			t.Fatalf("answered: got %v, %v", answered, err)
		}
		same(t, "answer", got, want)
		ok(t, r.DropAnswer(ctx, request)) // which is of one that is under way alone
	}
	other := request
	other.Digest[0]++
	_, _, err = r.BeginAnswer(ctx, other)
	is(t, "another request", err, registry.ErrReused)
	other.Actor = "bob"
	begins("of another", other)
	now.advance(registry.KeepAnswers)
	begins("a day later", request)
}
