package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

func TestResourcesFromCreateToPatch(t *testing.T) {
	const at = "2026-03-02T12:00:00.000Z"
	for _, tt := range []struct {
		many   string
		create string
		want   object
		patch  string
		then   object // what the patch changes
	}{
		{
			"owners", `{"id":"o:2","name":"Two"}`,
			object{"id": "o:2", "name": "Two", "created_at": at, "updated_at": at},
			`{"name":"Zwei"}`, object{"name": "Zwei"},
		},
		{
			"sites", `{"id":"s2","owner_id":"o1","name":"Depot","time_zone":"Europe/London","latitude":51.5,"longitude":-0.1}`,
			object{
				"id": "s2", "owner_id": "o1", "name": "Depot", "time_zone": "Europe/London", "latitude": 51.5, "longitude": -0.1,
				"created_at": at, "updated_at": at,
			},
			`{"owner_id":null,"latitude":52}`, object{"owner_id": nil, "latitude": 52.0},
		},
		{
			"stations", `{"id":"st.1","owner_id":"o1","site_id":"s1","slots":12}`,
			object{"id": "st.1", "owner_id": "o1", "site_id": "s1", "status": "active", "slots": 12.0, "created_at": at, "updated_at": at},
			`{"name":"North","status":"retired"}`, object{"name": "North", "status": "retired"},
		},
		{
			"batteries", `{"id":"B_1","commissioned":"2026-01-01T02:00:00+02:00","chemistry":"LFP","rated_capacity_ah":50,"rated_voltage_v":48,"cutoff_voltage_v":40}`,
			object{
				"id": "B_1", "status": "unclaimed", "commissioned": "2026-01-01T00:00:00.000Z", "chemistry": "LFP",
				"rated_capacity_ah": 50.0, "rated_voltage_v": 48.0, "cutoff_voltage_v": 40.0, "created_at": at, "updated_at": at,
				"health": object{"status": "insufficient_data", "capacity_ah": nil, "soh_pct": nil, "measured_at": nil},
			},
			`{"owner_id":"o1","rated_capacity_ah":51,"chemistry":null}`,
			object{"owner_id": "o1", "status": "active", "rated_capacity_ah": 51.0, "chemistry": nil},
		},
		{
			"buildings", `{"id":"b-1","owner_id":"o1","floor_area_m2":1200.5}`,
			object{"id": "b-1", "owner_id": "o1", "status": "active", "floor_area_m2": 1200.5, "created_at": at, "updated_at": at},
			`{}`, object{},
		},
	} {
		t.Run(tt.many, func(t *testing.T) {
			s := start(t)
			s.must("owner", `{"id":"o1","name":"One"}`)
			s.must("site", `{"id":"s1","name":"Site","time_zone":"UTC"}`)
			created := s.do(http.MethodPost, "/api/v1/"+tt.many, tt.create)
			if created.status != http.StatusCreated {
				t.Fatalf("create: got %d %s", created.status, created.body)
			}
			var got object
			created.into(t, &got)
			tt.want["version"] = 1.0
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("created (-want +got):\n%s", diff)
			}
			self := created.header.Get("Location")
			if want := "/api/v1/" + tt.many + "/" + tt.want["id"].(string); self != want {
				t.Errorf("Location: got %q, want %q", self, want)
			}
			if diff := cmp.Diff(tt.want, must[object](s, http.StatusOK, http.MethodGet, self, "")); diff != "" {
				t.Errorf("read (-want +got):\n%s", diff)
			}
			for k, v := range tt.then {
				if tt.want[k] = v; v == nil {
					delete(tt.want, k)
				}
			}
			tt.want["version"] = 2.0
			if diff := cmp.Diff(tt.want, must[object](s, http.StatusOK, http.MethodPatch, self, tt.patch)); diff != "" {
				t.Errorf("patched (-want +got):\n%s", diff)
			}
			refused(t, s.do(http.MethodPost, "/api/v1/"+tt.many, tt.create), http.StatusConflict)
			refused(t, s.get("/api/v1/"+tt.many+"/absent"), http.StatusNotFound)
			refused(t, s.do(http.MethodPatch, "/api/v1/"+tt.many+"/absent", `{}`), http.StatusNotFound)
			for _, bad := range []struct{ id, where string }{{"a%20b", "path.id"}, {strings.Repeat("x", 65), "path.id"}} {
				p := refused(t, s.get("/api/v1/"+tt.many+"/"+bad.id), http.StatusUnprocessableEntity)
				if at := p.locations(); len(at) == 0 || at[0] != bad.where {
					t.Errorf("%s: locations %v, want %s", bad.id, at, bad.where)
				}
			}
			unknown := s.do(http.MethodPatch, self, `{"nmae":"x"}`)
			if at := refused(t, unknown, http.StatusUnprocessableEntity).locations(); len(at) != 1 || at[0] != "body.nmae" {
				t.Errorf("unknown property: locations %v, want body.nmae", at)
			}
		})
	}
}

func TestBadBodiesNameTheProperty(t *testing.T) {
	s := start(t)
	s.must("battery", `{"id":"B1","rated_voltage_v":48}`)
	s.must("site", `{"id":"s1","name":"Site","time_zone":"UTC","latitude":1,"longitude":2}`)
	s.changed.taken() // what making them had computed
	for _, tt := range []struct {
		name, method, path, body string
		status                   int
		where                    string
	}{
		{"no body", "POST", "owners", ``, 400, ""},
		{"cut off", "POST", "owners", `{"id":"o1"`, 400, "body"},
		{"not an object", "POST", "owners", `[]`, 422, "body"},
		{"missing name", "POST", "owners", `{"id":"o1"}`, 422, "body"},
		{"bad id", "POST", "owners", `{"id":"o 1","name":"One"}`, 422, "body.id"},
		{"bad zone", "POST", "sites", `{"id":"s2","name":"S","time_zone":"Mars/Base"}`, 422, "body.time_zone"},
		{"unknown owner", "POST", "batteries", `{"id":"B2","owner_id":"nobody"}`, 422, "body.owner_id"},
		{"wrong type", "PATCH", "batteries/B1", `{"rated_capacity_ah":"50"}`, 422, "body.rated_capacity_ah"},
		{"negative rating", "PATCH", "batteries/B1", `{"rated_capacity_ah":-1}`, 422, "body.rated_capacity_ah"},
		{"removed rating", "PATCH", "batteries/B1", `{"rated_capacity_ah":null}`, 422, "body.rated_capacity_ah"},
		{"removed status", "PATCH", "batteries/B1", `{"status":null}`, 422, "body.status"},
		{"removed latitude", "PATCH", "sites/s1", `{"latitude":null}`, 422, "body.latitude"},
		{"bad time", "PATCH", "batteries/B1", `{"commissioned":"yesterday"}`, 422, "body.commissioned"},
		{"not JSON by its type", "PATCH", "batteries/B1", `{}`, 415, "body"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			header := map[string]string{"Authorization": "Bearer " + testKey}
			if tt.status == http.StatusUnsupportedMediaType {
				header["Content-Type"] = "text/csv"
			}
			p := refused(t, s.send(tt.method, "/api/v1/"+tt.path, tt.body, header), tt.status)
			at := p.locations()
			if tt.where == "" && len(at) == 0 {
				return
			}
			if len(at) == 0 || at[0] != tt.where {
				t.Errorf("locations: got %v, want %s", at, tt.where)
			}
		})
	}
	if got := s.changed.taken(); len(got) != 0 {
		t.Errorf("refused patches had %v computed anew", got)
	}
}

func TestRatingsAreComputedAnew(t *testing.T) {
	s := start(t)
	s.must("battery", `{"id":"B1"}`)
	b1 := []devices.Ref{{Kind: devices.KindBattery, ID: "B1"}}
	if diff := cmp.Diff(b1, s.changed.taken()); diff != "" { // it may have sent data before
		t.Errorf("registered (-want +got):\n%s", diff)
	}
	for _, tt := range []struct {
		body string
		want []devices.Ref
	}{
		{`{"rated_capacity_ah":50}`, b1},
		{`{"rated_capacity_ah":50}`, b1}, // repeated after an error, perhaps
		{`{"cutoff_voltage_v":40}`, b1},
		{`{"rated_voltage_v":48}`, b1},
		{`{"chemistry":"NMC"}`, b1},
		{`{"commissioned":"2025-03-01T00:00:00Z"}`, b1},
		{`{"name":"x","serial":"y"}`, nil},
		{`{}`, nil},
	} {
		must[object](s, http.StatusOK, http.MethodPatch, "/api/v1/batteries/B1", tt.body)
		if diff := cmp.Diff(tt.want, s.changed.taken()); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.body, diff)
		}
	}
	s.changed.mu.Lock()
	s.changed.err = errors.New("ledger is full")
	s.changed.mu.Unlock()
	refused(t, s.do(http.MethodPatch, "/api/v1/batteries/B1", `{"rated_capacity_ah":60}`), http.StatusInternalServerError)
}

// linkTo finds a relation in a Link header.
func linkTo(t *testing.T, header, rel string) string {
	t.Helper()
	m := regexp.MustCompile(`<([^>]*)>; rel="` + rel + `"`).FindStringSubmatch(header)
	if m == nil {
		return ""
	}
	if _, err := url.Parse(m[1]); err != nil {
		t.Errorf("link %s: %v", m[1], err)
	}
	return m[1]
}

func TestPagesWalk(t *testing.T) {
	s := start(t)
	s.must("owner", `{"id":"o1","name":"One"}`)
	const total = 25
	for i := range total {
		s.must("battery", fmt.Sprintf(`{"id":"B%02d","owner_id":"o1"}`, i))
	}
	s.must("battery", `{"id":"other"}`)

	var ids []string
	pages := 0
	next := "/api/v1/batteries?limit=10&owner_id=o1&status=active"
	for next != "" {
		a := s.get(next)
		if got := a.header.Get("X-Total-Count"); got != fmt.Sprint(total) {
			t.Fatalf("X-Total-Count: got %s, want %d", got, total)
		}
		var body struct{ Items []Battery }
		a.into(t, &body)
		for _, b := range body.Items {
			ids = append(ids, b.ID)
		}
		links := a.header.Get("Link")
		if first := linkTo(t, links, "first"); first != "/api/v1/batteries?limit=10&offset=0&owner_id=o1&status=active" {
			t.Errorf("first: got %s", first)
		}
		if last := linkTo(t, links, "last"); last != "/api/v1/batteries?limit=10&offset=20&owner_id=o1&status=active" {
			t.Errorf("last: got %s", last)
		}
		if prev := linkTo(t, links, "prev"); (prev != "") != (pages > 0) {
			t.Errorf("page %d: prev %q", pages, prev)
		}
		next = linkTo(t, links, "next")
		pages++
	}
	if pages != 3 || len(ids) != total || ids[0] != "B00" || ids[total-1] != "B24" {
		t.Errorf("got %d items on %d pages: %v", len(ids), pages, ids)
	}
}

func TestListFilters(t *testing.T) {
	s := start(t)
	s.must("owner", `{"id":"o1","name":"One"}`)
	s.must("site", `{"id":"s1","owner_id":"o1","name":"Site","time_zone":"UTC"}`)
	s.must("station", `{"id":"st1","owner_id":"o1","site_id":"s1"}`)
	s.must("station", `{"id":"st2"}`)
	s.must("station", `{"id":"st3","status":"retired"}`)
	for _, tt := range []struct {
		query string
		want  []string
	}{
		{"", []string{"st1", "st2", "st3"}},
		{"?owner_id=o1", []string{"st1"}},
		{"?site_id=s1", []string{"st1"}},
		{"?status=unclaimed", []string{"st2"}},
		{"?status=retired", []string{"st3"}},
		{"?offset=1&limit=1", []string{"st2"}},
		{"?offset=99", nil},
		{"?owner_id=nobody", nil},
	} {
		body := must[struct{ Items []Station }](s, http.StatusOK, http.MethodGet, "/api/v1/stations"+tt.query, "")
		var got []string
		for _, st := range body.Items {
			got = append(got, st.ID)
		}
		if body.Items == nil {
			t.Errorf("%s: items is null, want an array", tt.query)
		}
		if diff := cmp.Diff(tt.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", tt.query, diff)
		}
	}
	for _, tt := range []struct{ path, where string }{
		{"stations?limit=0", "query.limit"},
		{"stations?limit=1001", "query.limit"},
		{"stations?limit=ten", "query.limit"},
		{"stations?offset=-1", "query.offset"},
		{"stations?status=lost", "query.status"},
		{"stations?lmit=3", "query.lmit"},
		{"owners?owner_id=o1", "query.owner_id"},
	} {
		p := refused(t, s.get("/api/v1/"+tt.path), http.StatusUnprocessableEntity)
		if at := p.locations(); len(at) != 1 || at[0] != tt.where {
			t.Errorf("%s: locations %v, want %s", tt.path, at, tt.where)
		}
	}
}

// counting counts the questions to the ledger.
type counting struct {
	Results
	latest, all atomic.Int64
}

func (c *counting) LatestCapacities(ctx context.Context, k devices.Kind) (map[string][]battery.Capacity, error) {
	c.latest.Add(1)
	return c.Results.LatestCapacities(ctx, k)
}

func (c *counting) Capacities(ctx context.Context, r devices.Ref) ([]battery.Capacity, error) {
	c.all.Add(1)
	return c.Results.Capacities(ctx, r)
}

// countingRegistry counts the questions for single batteries.
type countingRegistry struct {
	Registry
	gets atomic.Int64
}

func (c *countingRegistry) GetBattery(ctx context.Context, id string) (devices.Battery, error) {
	c.gets.Add(1)
	return c.Registry.GetBattery(ctx, id)
}

func TestListOfBatteriesAsksOnce(t *testing.T) {
	var (
		results counting
		reg     countingRegistry
	)
	s := start(t, func(o *Options) {
		results.Results, o.Results = o.Results, &results
		reg.Registry, o.Registry = o.Registry, &reg
		o.BatteryChanges, o.ResultChanges = nil, nil // nothing is remembered
	})
	for i := range 20 {
		s.must("battery", fmt.Sprintf(`{"id":"B%02d"}`, i))
	}
	results.latest.Store(0)
	results.all.Store(0)
	body := must[struct{ Items []Battery }](s, http.StatusOK, http.MethodGet, "/api/v1/batteries", "")
	if len(body.Items) != 20 {
		t.Fatalf("got %d batteries, want 20", len(body.Items))
	}
	if l, a, g := results.latest.Load(), results.all.Load(), reg.gets.Load(); l != 1 || a != 0 || g != 0 {
		t.Errorf("asked %d times for the latest, %d times for all and %d times for a battery; want 1, 0, 0", l, a, g)
	}
}

func TestRegistryErrorsThatAreNotTheClients(t *testing.T) {
	s := start(t, func(o *Options) { o.Registry = brokenRegistry{o.Registry} })
	a := s.get("/api/v1/owners")
	if p := refused(t, a, http.StatusInternalServerError); p.Detail != "internal error" || strings.Contains(a.body, "inode") {
		t.Errorf("got %s, want an internal error and no more", a.body)
	}
}

type brokenRegistry struct{ Registry }

func (brokenRegistry) ListOwners(context.Context, registry.Filter) ([]devices.Owner, int, error) {
	return nil, 0, errors.New("bad inode 7")
}
