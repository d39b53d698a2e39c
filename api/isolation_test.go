package api

import (
	"net/http"
	"slices"
	"strings"
	"testing"
)

// rightsOf says what each operation takes: p nothing, s a caller, r to read, e to
// enter what an owner knows, o to operate, a to administer. It is written by hand,
// beside what the routes say of themselves: an operation that is not here fails
// the test, and so does one that is here and gone.
var rightsOf = map[string]string{
	"p": "get-healthz get-readyz",
	"s": "get-me",
	"r": `
		list-owners get-owner list-owner-assets list-sites get-site list-site-owners get-site-weather
		list-stations get-station list-station-owners get-station-latest get-station-telemetry get-station-rollups list-station-events get-station-presence
		get-station-service get-station-slots get-station-inventory get-station-reliability get-station-demand list-station-days
		list-batteries get-battery list-battery-owners get-battery-latest get-battery-telemetry get-battery-rollups list-battery-events get-battery-presence
		get-battery-health get-battery-assessment list-battery-assessments get-battery-outlook get-battery-utilization get-battery-usage
		get-battery-today list-battery-days list-battery-cycles get-battery-passport get-battery-sheet
		list-buildings get-building list-building-owners get-building-latest get-building-telemetry get-building-rollups list-building-events get-building-presence
		list-building-interventions get-building-intervention list-building-adjustments get-building-adjustment get-building-settings get-building-weather
		get-building-savings get-building-report list-building-history get-building-model get-building-demand get-building-carbon get-building-cost
		get-building-anomalies get-building-forecast get-building-targets get-building-usage
		get-fleet-summary get-fleet-health get-fleet-benchmarks list-fleet-ranks get-fleet-cohorts get-fleet-outliers get-fleet-replacements get-fleet-warranty
		get-fleet-geography list-station-results get-station-benchmarks list-building-results get-fleet-savings get-fleet-targets
		list-statements get-statement list-statement-events get-owner-finance get-station-finance get-battery-finance get-building-finance
		get-fleet-finance list-partner-finance get-expansion
		list-presence export-telemetry stream list-tariffs get-tariff list-grids get-grid`,
	"e": `
		put-battery-sheet delete-battery-sheet put-building-settings
		create-building-intervention put-building-intervention delete-building-intervention
		create-building-adjustment put-building-adjustment delete-building-adjustment
		import-building-weather delete-building-weather import-site-weather delete-site-weather`,
	"o": `
		create-owner patch-owner delete-owner restore-owner create-site patch-site delete-site restore-site
		create-station patch-station delete-station restore-station create-battery patch-battery delete-battery restore-battery
		create-building patch-building delete-building restore-building import-registry export-registry
		put-station-credential create-station-credential rotate-station-credential delete-station-credential put-station-certificate delete-station-certificate
		put-battery-credential create-battery-credential rotate-battery-credential delete-battery-credential put-battery-certificate delete-battery-certificate
		put-building-credential create-building-credential rotate-building-credential delete-building-credential put-building-certificate delete-building-certificate
		list-credentials list-jobs list-job-runs run-job get-ingest
		list-quarantine count-quarantine get-quarantined delete-quarantined purge-quarantine replay-quarantined replay-quarantine
		list-money-entries get-money-entry enter-money reverse-money import-money list-prices get-price put-price withdraw-price
		list-contracts get-contract put-contract withdraw-contract close-statement
		put-tariff delete-tariff import-tariff-prices delete-tariff-prices put-grid delete-grid import-grid-factors delete-grid-factors`,
	"a": "list-changes list-keys create-key rotate-key revoke-key",
}

// mayOf is what each role may do.
var mayOf = map[string]string{"admin": "psreoa", "operator": "psreo", "owner": "psre", "viewer": "psr", "device": "psr"}

// bodies are those that get past the checks of the operations that owners use.
var bodies = map[string]string{
	"put-battery-sheet": `{"max_voltage_v":54}`, "put-building-settings": `{}`,
	"create-building-intervention": intervention, "put-building-intervention": intervention,
	"create-building-adjustment": adjustment, "put-building-adjustment": adjustment,
	"import-building-weather": "time,temp_c\n2026-02-01T00:00:00Z,5\n2026-02-01T01:00:00Z,6\n",
	"import-site-weather":     "time,temp_c\n2026-02-01T00:00:00Z,5\n2026-02-01T01:00:00Z,6\n",
}

// queries are what some operations can't do without; OWNER is that of the target.
var queries = map[string]string{"export-registry": "?kind=battery", "get-expansion": "?site=OWNER-site"}

// caller is somebody with a key.
type caller struct {
	name, key, role string
	owner           string // whose assets it sees: of both with *
}

// sees reports whether the caller sees what the path names of the owner.
func (c caller) sees(path, owner string) bool {
	if c.role == "device" {
		own := strings.HasPrefix(path, prefix+"/batteries/") || strings.HasPrefix(path, prefix+"/sites/") // where it stands
		return own && owner == c.owner
	}
	return c.owner == "*" || c.owner == owner
}

// fill puts the ids of an owner into a path; owned says that it has one.
func (x *tenants) fill(path, owner string) (filled string, owned bool) {
	entries, ok := x.entries[owner]
	if !ok {
		entries = [2]string{"777777", "777777"}
	}
	entry := entries[0]
	if strings.Contains(path, "/adjustments/") {
		entry = entries[1]
	}
	id := "1" // of what has a number
	for of, one := range map[string]string{"owners": "owner", "sites": "site", "stations": "station", "batteries": "battery", "buildings": "building"} {
		if strings.HasPrefix(path, prefix+"/"+of+"/{id}") {
			id, owned = owner+"-"+one, true
		}
	}
	if strings.HasPrefix(path, prefix+"/tariffs") || strings.HasPrefix(path, prefix+"/grids") {
		id = "shared"
	}
	if strings.HasPrefix(path, prefix+"/money/") {
		id = owner + "-" + strings.Split(path, "/")[4]
	}
	return strings.NewReplacer("{id}", id, "{entry}", entry, "{kind}", "battery", "{name}", "rollup", "{prefix}", "unknown7", "{month}", "2026-01").Replace(path), owned
}

// callers are one of each role.
func (x *tenants) callers() (known []caller, strangers []caller) {
	x.t.Helper()
	key := func(name, role, more string) string {
		text, _ := x.key(`{"name":"` + name + `","role":"` + role + `"` + more + `}`)
		return text
	}
	known = []caller{
		{"admin", testKey, "admin", "*"},
		{"another admin", key("another admin", "admin", ""), "admin", "*"},
		{"operator", key("operator", "operator", ""), "operator", "*"},
		{"owner alpha", key("owner alpha", "owner", `,"owner_id":"alpha7f3-owner"`), "owner", alpha},
		{"owner bravo", key("owner bravo", "owner", `,"owner_id":"bravo9c2-owner"`), "owner", bravo},
		{"viewer of alpha", key("viewer of alpha", "viewer", `,"owner_id":"alpha7f3-owner"`), "viewer", alpha},
		{"viewer of all", key("viewer of all", "viewer", ""), "viewer", "*"},
		{"device of alpha", key("device of alpha", "device", `,"device":"battery/alpha7f3-battery"`), "device", alpha},
	}
	revoked, revokedPrefix := x.key(`{"name":"revoked","role":"admin"}`)
	if a := x.do(http.MethodDelete, prefix+"/keys/"+revokedPrefix, ""); a.status != http.StatusNoContent {
		x.t.Fatalf("revoke: got %d %s", a.status, a.body)
	}
	live := known[2].key
	strangers = []caller{
		{name: "nobody"},
		{name: "unknown key", key: "fwk_aaaaaaaa_" + strings.Repeat("b", 52)},
		{name: "changed key", key: live[:len(live)-1] + map[bool]string{true: "b", false: "a"}[strings.HasSuffix(live, "a")]},
		{name: "no key at all", key: "something"},
		{name: "expired key", key: key("expired", "admin", `,"expires_at":"`+clock.Add(30*60e9).Format("2006-01-02T15:04:05Z")+`"`)},
		{name: "revoked key", key: revoked},
	}
	return known, strangers
}

// TestAccessOfEveryRole calls every operation of the document with every kind of key, for
// assets of both owners, and holds the answers to the table.
func TestAccessOfEveryRole(t *testing.T) {
	x := startTenants(t, alpha, bravo)
	known, strangers := x.callers()
	rights := map[string]string{}
	for right, ids := range rightsOf {
		for _, id := range strings.Fields(ids) {
			rights[id] = right
		}
	}
	listed, calls := 0, 0
	expect := func(c caller, op specified, method, path string, want string, a answer) {
		t.Helper()
		calls++
		if !matchesStatus(a.status, want) {
			t.Errorf("%s: %s: %s %s: got %d %.300s, want %s", c.name, op.OperationID, method, path, a.status, a.body, want)
		}
		if a.status >= 400 {
			refused(t, a, a.status)
		}
	}
	call := func(c caller, op specified, method, path string) answer {
		body := bodies[op.OperationID]
		if body == "" && op.RequestBody != nil {
			body = "{}"
		}
		if op.OperationID == "stream" {
			method = http.MethodHead // its answer does not end by itself
		}
		return x.ask(c.key, method, path, body)
	}
	x.document().each(func(method, path string, op specified) {
		right, ok := rights[op.OperationID]
		if !ok {
			t.Errorf("%s %s: %s is not in the table: say who may", method, path, op.OperationID)
			return
		}
		listed++
		for _, owner := range []string{alpha, bravo} {
			target, owned := x.fill(path, owner)
			target += strings.ReplaceAll(queries[op.OperationID], "OWNER", owner)
			owned = owned || op.OperationID == "get-expansion"
			for _, c := range strangers {
				want := "401"
				if right == "p" {
					want = "2xx"
				}
				if a := call(c, op, method, target); op.OperationID != "stream" || a.status != 401 { // a HEAD has no body
					expect(c, op, method, target, want, a)
				}
			}
			for _, c := range known {
				may := strings.Contains(mayOf[c.role], right)
				switch {
				case !may && op.OperationID != "stream":
					expect(c, op, method, target, "403", call(c, op, method, target))
				case may && owned && !c.sees(target, owner):
					expect(c, op, method, target, "404", call(c, op, method, target))
				case may && method == http.MethodGet:
					want := "2xx"
					if strings.Contains(target, "/keys/") || op.OperationID == "get-quarantined" {
						want = "404" // there is none
					}
					if c.role == "device" && (op.OperationID == "get-fleet-finance" || op.OperationID == "list-partner-finance") {
						want = "404" // of nobody; an empty list of owners would be all
					}
					expect(c, op, method, target, want, call(c, op, method, target))
				case may && !owned && right == "o":
					// What it would do to both owners is not for this test: it is asked
					// for what is not there.
				case may:
					nowhere, _ := x.fill(path, ghost)
					expect(c, op, method, nowhere, "not 401 403 5xx", call(c, op, method, nowhere))
				}
			}
		}
	})
	if listed != len(rights) {
		t.Errorf("the table has %d operations, the document %d", len(rights), listed)
	}
	x.enterAll(known[3])
	t.Logf("%d operations, %d calls", listed, calls)
}

// enterAll has an owner enter and remove all that it may, of its own.
func (x *tenants) enterAll(owner caller) {
	x.t.Helper()
	type request struct{ id, method, path string }
	var requests []request
	x.document().each(func(method, path string, op specified) {
		if slices.Contains(strings.Fields(rightsOf["e"]), op.OperationID) {
			requests = append(requests, request{op.OperationID, method, path})
		}
	})
	order := []string{http.MethodPost, http.MethodPut, http.MethodDelete}
	slices.SortStableFunc(requests, func(a, b request) int { return slices.Index(order, a.method) - slices.Index(order, b.method) })
	for _, r := range requests {
		path, _ := x.fill(r.path, owner.owner)
		if a := x.ask(owner.key, r.method, path, bodies[r.id]); a.status/100 != 2 {
			x.t.Errorf("%s: %s %s: got %d %s, want it done", owner.name, r.method, path, a.status, a.body)
		}
	}
}

func matchesStatus(got int, want string) bool {
	switch want {
	case "2xx":
		return got/100 == 2
	case "not 401 403 5xx":
		return got != 401 && got != 403 && got < 500
	}
	return want == http.StatusText(got) || want == statusText(got)
}

func statusText(status int) string {
	return string([]byte{byte('0' + status/100), byte('0' + status/10%10), byte('0' + status%10)})
}
