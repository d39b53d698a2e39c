package api

import (
	"fmt"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// fuzzer makes requests from the OpenAPI document: mostly such as the document
// allows, some of which are spoilt.
type fuzzer struct {
	*server
	schemas
	rand *rand.Rand
	ids  []string // that exist
	wild bool     // the present request may be spoilt
}

// call is one request of the fuzzer.
type call struct {
	method, path, body string
	header             map[string]string
	sparse             bool // asks for some properties only
}

func (c call) String() string { return fmt.Sprintf("%s %s %.300s", c.method, c.path, c.body) }

// TestNoRequestBreaksTheDocument sends each operation what its schemas allow and
// what they do not: there is no answer 5xx but 503, none of a status, a media
// type or a shape that the document does not have. FLEETWATT_FUZZ_ROUNDS says how
// many requests for each operation, FLEETWATT_FUZZ_SEED from where.
func TestNoRequestBreaksTheDocument(t *testing.T) {
	rounds, seed := setting(t, "FLEETWATT_FUZZ_ROUNDS", 40), setting(t, "FLEETWATT_FUZZ_SEED", 1)
	s := start(t)
	ids := s.populate()
	doc := decode(t, s.send(http.MethodGet, "/openapi.json", "", nil).body).(map[string]any)
	f := fuzzer{
		server: s, schemas: schemas{doc["components"].(map[string]any)["schemas"].(map[string]any)},
		rand: rand.New(rand.NewPCG(uint64(seed), 1)), ids: ids,
	}
	requests, good, seen := 0, 0, map[string]bool{}
	paths := doc["paths"].(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(paths)) {
		for _, method := range slices.Sorted(maps.Keys(paths[path].(map[string]any))) {
			op := paths[path].(map[string]any)[method].(map[string]any)
			if op["operationId"] == "stream" { // its answer does not end by itself
				continue
			}
			for range rounds {
				c := f.call(strings.ToUpper(method), path, op)
				a := s.send(c.method, c.path, c.body, c.header)
				requests++
				if a.status < 300 {
					good++
				}
				for _, wrong := range f.judge(op, c, a) {
					if told := fmt.Sprint(op["operationId"], a.status, wrong); !seen[told] { // once is enough
						seen[told] = true
						t.Errorf("%s\n  %d %.300s\n  %s", c, a.status, a.body, wrong)
					}
				}
			}
		}
	}
	t.Logf("%d requests, %d of them answered well", requests, good)
	if good < requests/5 {
		t.Errorf("only %d of %d requests were answered well: the others reach nothing", good, requests)
	}
	if text := s.log.String(); strings.Contains(text, "level=ERROR") {
		t.Errorf("the log has errors:\n%.2000s", text[strings.Index(text, "level=ERROR"):])
	}
}

func setting(t *testing.T, name string, preset int) int {
	text := os.Getenv(name)
	if text == "" {
		return preset
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return n
}

// populate registers one of each and gives them telemetry and results.
func (s *server) populate() []string {
	s.must("owner", `{"id":"o1","name":"One"}`)
	s.must("site", `{"id":"s1","name":"Here","time_zone":"Europe/Berlin"}`)
	s.must("station", `{"id":"d1","slots":8,"owner_id":"o1","site_id":"s1"}`)
	s.must("battery", `{"id":"d1","owner_id":"o1","rated_capacity_ah":2,"rated_voltage_v":3.7,"cutoff_voltage_v":2.7,"chemistry":"NMC"}`)
	s.must("battery", `{"id":"d2"}`)
	s.must("building", `{"id":"d1","floor_area_m2":300}`)
	for k := range int64(50) {
		ts := clock.Add(-time.Duration(k) * 30 * time.Minute).UnixMilli()
		s.readings.put(devices.KindBattery, "d1", ts, "soc_pct", 50.0, "voltage_v", 3.7, "current_a", -1.0, "state", "idle")
		s.readings.put(devices.KindStation, "d1", ts, "slots_ready", 3.0, "energy_wh", float64(1000-k))
		s.readings.put(devices.KindBuilding, "d1", ts, "power_w", 400.0)
	}
	s.capacities("d1")
	s.quarantined(3)
	return []string{"d1", "d2", "o1", "s1", "rollup", "1"}
}

// call makes a request to the operation.
func (f *fuzzer) call(method, path string, op map[string]any) call {
	f.wild = f.rand.IntN(2) == 0
	c := call{method: method, header: map[string]string{"Authorization": "Bearer " + testKey}}
	query := url.Values{}
	parameters, _ := op["parameters"].([]any)
	for _, p := range parameters {
		p := p.(map[string]any)
		name, in, schema := p["name"].(string), p["in"].(string), f.resolve(p["schema"].(map[string]any))
		value := f.text(schema)
		switch {
		case in == "path":
			if f.rand.IntN(4) > 0 && schema["enum"] == nil {
				value = f.ids[f.rand.IntN(len(f.ids))]
			}
			if value == "" || strings.ContainsAny(value, "/?#") || value == "." || value == ".." {
				value = "d1"
			}
			path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(value))
		case in == "query" && (p["required"] == true || f.rand.IntN(4) == 0):
			query.Set(name, value)
			c.sparse = c.sparse || name == "fields"
		case in == "header" && f.rand.IntN(4) == 0:
			c.header[name] = strings.Map(printable, value)
		}
	}
	if f.wild && f.rand.IntN(20) == 0 {
		query.Set("no_such_parameter", "1")
	}
	c.path = path
	if len(query) > 0 {
		c.path += "?" + query.Encode()
	}
	if body, ok := op["requestBody"].(map[string]any); ok {
		c.body = f.body(body)
	}
	if f.rand.IntN(8) == 0 {
		c.header["Accept"] = []string{"text/csv", "text/html", "*/*", "application/json;q=0", ";;,", ""}[f.rand.IntN(6)]
	}
	return c
}

func printable(r rune) rune {
	if r < ' ' || r > '~' {
		return -1
	}
	return r
}
