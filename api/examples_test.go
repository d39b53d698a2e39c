package api

import (
	"bytes"
	"encoding/json"
	"flag"
	"net/http"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

// update has the answers of the examples written anew. What requests say is
// written by hand.
var update = flag.Bool("update", false, "write docs/examples.json anew")

// exampleRequest is a request of the examples that changes something, and its path.
// {kind} stands for each kind of device.
type exampleRequest struct{ id, path, csv string }

// exampleRequests are in an order in which they can be made. What reads comes after.
func exampleRequests() []exampleRequest {
	return []exampleRequest{
		{id: "create-owner", path: "/owners"},
		{id: "patch-owner", path: "/owners/south-owner"},
		{id: "restore-owner", path: "/owners/south-owner/restore"},
		{id: "create-site", path: "/sites"},
		{id: "patch-site", path: "/sites/south-site"},
		{id: "restore-site", path: "/sites/south-site/restore"},
		{id: "create-station", path: "/stations"},
		{id: "create-battery", path: "/batteries"},
		{id: "create-building", path: "/buildings"},
		{id: "patch-station", path: "/stations/south-station"},
		{id: "patch-battery", path: "/batteries/south-battery"},
		{id: "patch-building", path: "/buildings/south-building"},
		{id: "restore-station", path: "/stations/south-station/restore"},
		{id: "restore-battery", path: "/batteries/south-battery/restore"},
		{id: "restore-building", path: "/buildings/south-building/restore"},
		{id: "create-station-credential", path: "/stations/south-station/credential"},
		{id: "create-battery-credential", path: "/batteries/south-battery/credential"},
		{id: "create-building-credential", path: "/buildings/south-building/credential"},
		{id: "rotate-station-credential", path: "/stations/south-station/credential/rotate"},
		{id: "rotate-battery-credential", path: "/batteries/south-battery/credential/rotate"},
		{id: "rotate-building-credential", path: "/buildings/south-building/credential/rotate"},
		{id: "put-station-credential", path: "/stations/south-station/credential"},
		{id: "put-battery-credential", path: "/batteries/south-battery/credential"},
		{id: "put-building-credential", path: "/buildings/south-building/credential"},
		{id: "put-station-certificate", path: "/stations/south-station/certificates"},
		{id: "put-battery-certificate", path: "/batteries/south-battery/certificates"},
		{id: "put-building-certificate", path: "/buildings/south-building/certificates"},
		{id: "import-registry", path: "/import?kind=owner", csv: "id,name\nwest-owner,West GmbH\n"},
		{id: "put-battery-sheet", path: "/batteries/north-battery/passport/sheet"},
		{id: "put-tariff", path: "/tariffs/time-of-use"},
		{id: "import-tariff-prices", path: "/tariffs/shared/prices", csv: "time,price\n2026-01-01 00:00,11\n2026-01-01 00:30,12\n"},
		{id: "put-grid", path: "/grids/gb"},
		{id: "import-grid-factors", path: "/grids/shared/factors", csv: "time,kg\n2026-01-01 00:00,0.2\n2026-01-01 00:30,0.21\n"},
		{id: "import-site-weather", path: "/sites/north-site/weather", csv: "time,temp_c\n2026-02-01T00:00:00Z,5\n2026-02-01T01:00:00Z,6\n"},
		{id: "import-building-weather", path: "/buildings/north-building/weather", csv: "time,temp_c\n2026-02-01T00:00:00Z,5\n2026-02-01T01:00:00Z,6\n"},
		{id: "put-building-settings", path: "/buildings/north-building/settings"},
		{id: "create-building-intervention", path: "/buildings/north-building/interventions"},
		{id: "put-building-intervention", path: "/buildings/north-building/interventions/INTERVENTION"},
		{id: "create-building-adjustment", path: "/buildings/north-building/adjustments"},
		{id: "put-building-adjustment", path: "/buildings/north-building/adjustments/ADJUSTMENT"},
		{id: "put-price", path: "/money/prices/south-swaps"},
		{id: "put-contract", path: "/money/contracts/south-operator"},
		{id: "enter-money", path: "/money/entries/rent-2026-02"},
		{id: "reverse-money", path: "/money/entries/rent-2026-02/reversal"},
		{id: "import-money", path: "/money/import", csv: "id,at,kind,asset,amount,currency\nrent-2026-01,2026-01-01T00:00:00Z,rent,station/north-station,850.00,EUR\n"},
		{id: "close-statement", path: "/owners/north-owner/statements/2026-01/close"},
		{id: "create-key", path: "/keys"},
		{id: "rotate-key", path: "/keys/KEY/rotate"},
		{id: "run-job", path: "/jobs/rollup/run?wait=true"},
		{id: "replay-quarantined", path: "/quarantine/1/replay"},
		{id: "replay-quarantine", path: "/quarantine/replay"},
		{id: "purge-quarantine", path: "/quarantine?all=true"},
	}
}

// TestExamples holds the examples of the OpenAPI document to its schemas: every
// operation that takes or answers JSON has one, and the server takes those of
// requests. With -update it writes down what is answered now.
func TestExamples(t *testing.T) {
	all, err := examples()
	if err != nil {
		t.Fatal(err)
	}
	x := startTenants(t, "north")
	answers := x.exchangeAll(all)
	if *update {
		writeExamples(t, all, answers)
		return
	}
	doc := decode(t, x.get("/openapi.json").body).(map[string]any)
	s := schemas{doc["components"].(map[string]any)["schemas"].(map[string]any)}
	known, requests, replies := map[string]bool{}, 0, 0
	check := func(what string, media map[string]any) {
		t.Helper()
		e, ok := media["example"]
		if !ok {
			t.Errorf("%s has no example: see TestExamples", what)
			return
		}
		for _, wrong := range s.check(media["schema"].(map[string]any), e, what, false) {
			t.Errorf("example of %s; go test ./api -run TestExamples -update takes answers anew", wrong)
		}
	}
	for _, path := range doc["paths"].(map[string]any) {
		for _, o := range path.(map[string]any) {
			op := o.(map[string]any)
			id := op["operationId"].(string)
			known[id] = true
			if media := jsonOf(op["requestBody"]); media != nil {
				requests++
				check(id+": request", media)
			}
			for status, r := range op["responses"].(map[string]any) {
				if media := jsonOf(r); media != nil && status[0] == '2' {
					replies++
					check(id+": "+status, media)
				}
			}
		}
	}
	for id := range all {
		if !known[id] {
			t.Errorf("there is an example of %s, and no such operation", id)
		}
	}
	t.Logf("%d requests and %d answers have an example", requests, replies)
}

// jsonOf is the JSON of a body of the document; nil: it has none.
func jsonOf(body any) map[string]any {
	b, _ := body.(map[string]any)
	content, _ := b["content"].(map[string]any)
	media, _ := content["application/json"].(map[string]any)
	return media
}

// exemplary makes that there is something of which tenants have nothing.
func (x *tenants) exemplary() {
	x.t.Helper()
	x.quarantined(2)
	id, err := x.ledger.BeginRun(x.t.Context(), "rollup", clock, "schedule")
	if err == nil {
		err = x.ledger.EndRun(x.t.Context(), id, ledger.RunResult{End: clock.Add(time.Second), Rows: 72})
	}
	if err != nil {
		x.t.Fatal(err)
	}
	var days []ledger.RollupDay
	for _, ref := range refsOf("north") {
		stat := rollup.Stat{Field: "power_w", Samples: 60, Coverage: 1, Mean: ptr(1200.0), Min: ptr(800.0), Max: ptr(2100.0), Last: ptr(950.0)}
		start := clock.Truncate(24 * time.Hour).UnixMilli()
		days = append(days, ledger.RollupDay{
			DeviceDay: telemetry.DeviceDay{Kind: ref.Kind, Device: ref.ID, Day: telemetry.DayOf(start)},
			Day:       rollup.Day{Hours: []rollup.Bucket{{Start: start, Stats: []rollup.Stat{stat}}}, Total: rollup.Bucket{Start: start, Stats: []rollup.Stat{stat}}},
		})
	}
	x.commit(ledger.Changes{Rollups: days})
}

// exchangeAll makes the requests of the examples, and then asks for all that can
// be read. It returns what was answered in JSON, by operation.
func (x *tenants) exchangeAll(all map[string]example) map[string]json.RawMessage {
	x.t.Helper()
	methods, answers := map[string]string{}, map[string]json.RawMessage{}
	x.document().each(func(method, _ string, op specified) { methods[op.OperationID] = method })
	put := func(id string, a answer) {
		x.t.Helper()
		if a.status/100 != 2 {
			x.t.Errorf("%s: got %d %s", id, a.status, a.body)
		}
		if strings.HasPrefix(a.header.Get("Content-Type"), "application/json") {
			answers[id] = json.RawMessage(a.body)
		}
	}
	x.exemplary()
	last := map[string]string{} // ids that the server made
	for _, e := range exampleRequests() {
		path := strings.NewReplacer("INTERVENTION", last["create-building-intervention"], "ADJUSTMENT", last["create-building-adjustment"],
			"KEY", last["create-key"]).Replace(e.path)
		body, mime := string(all[e.id].Request), "application/json"
		if e.csv != "" {
			body, mime = e.csv, "text/csv"
		}
		a := x.with(methods[e.id], prefix+path, body, map[string]string{"Content-Type": mime})
		put(e.id, a)
		var key struct{ Prefix string }
		_ = json.Unmarshal([]byte(a.body), &key) // of a key alone
		at := a.header.Get("Location")
		last[e.id] = at[strings.LastIndex(at, "/")+1:] + key.Prefix
	}
	x.quarantined(1)
	entries := must[struct{ Items []struct{ ID json.Number } }](x.server, http.StatusOK, http.MethodGet, prefix+"/quarantine", "")
	x.document().each(func(method, path string, op specified) {
		if method != http.MethodGet || op.OperationID == "stream" || op.OperationID == "export-telemetry" {
			return
		}
		target := x.target(path, "north", op, "")
		if op.OperationID == "get-quarantined" {
			target = prefix + "/quarantine/" + entries.Items[0].ID.String()
		}
		put(op.OperationID, x.get(target))
	})
	return answers
}

// writeExamples writes the requests as they are and the answers, short.
func writeExamples(t *testing.T, all map[string]example, answers map[string]json.RawMessage) {
	t.Helper()
	for id, body := range answers {
		short, err := json.Marshal(shorten(decode(t, string(body))))
		if err != nil {
			t.Fatal(err)
		}
		all[id] = example{Request: all[id].Request, Answer: short}
	}
	var file bytes.Buffer
	e := json.NewEncoder(&file)
	e.SetEscapeHTML(false)
	e.SetIndent("", " ")
	if err := e.Encode(all); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile("docs/examples.json", file.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
}

// shorten leaves one item in lists, and shows of secrets the beginning alone.
func shorten(v any) any {
	switch v := v.(type) {
	case []any:
		for k := range v {
			v[k] = shorten(v[k])
		}
		return v[:min(len(v), 1)]
	case map[string]any:
		for name, child := range v {
			text, _ := child.(string)
			if (name == "secret" || name == "key") && len(text) > 20 {
				v[name] = text[:16] + "…"
				continue
			}
			v[name] = shorten(child)
		}
	}
	return v
}
