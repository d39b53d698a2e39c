package main

import (
	"math"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/battery/passporttest"
	"github.com/fleetwatt/fleetwatt/ingest/servertest"
)

type health struct {
	Status string
	SoHPct float64 `json:"soh_pct"`
	Cycles []struct {
		Cycle      int
		CapacityAh float64 `json:"capacity_ah"`
	}
}

// withMosquittoAndInflux is a server in front of the real ones, and the broker
// to publish to.
func withMosquittoAndInflux(t *testing.T) (*server, string) {
	t.Helper()
	mosquitto, influxd := servertest.StartMosquitto(t), servertest.StartInfluxd(t)
	s := serve(t, "--mqtt-broker", mosquitto.URL, "--influx-url", influxd.URL, "--influx-bucket", "telemetry")
	return s, mosquitto.URL
}

// NASA's B0005, 168 discharges over MQTT at QoS 1: the capacity of every cycle
// is the published one, whatever stands in for broker and store.
func TestNASA(t *testing.T) {
	t.Parallel()
	stacks := []struct {
		name  string
		start func(t *testing.T) (s *server, broker string)
	}{
		{"embedded", func(t *testing.T) (*server, string) { s := serve(t); return s, "tcp://" + s.mqtt }},
		{"mosquitto and influxdb", withMosquittoAndInflux},
	}
	for _, st := range stacks {
		t.Run(st.name, func(t *testing.T) {
			file := measured.File(t, "battery", "nasa", "B0005_discharge_raw.csv.gz")
			want := measured.NASACapacities(t, "B0005")
			s, broker := st.start(t)
			if out, errs, code := program(t, "replay", "--broker", broker, "--mapping", example("nasa-b0005.yaml"), file); code != 0 {
				t.Fatalf("replay: exit code %d\n%s%s", code, out, errs)
			}
			s.eventually("everything stored", time.Minute, func() bool { a := s.accounting(); return a.Stored >= 50285 && a.Pending == 0 })
			s.call(http.StatusOK, http.MethodPatch, "/api/v1/batteries/B0005", `{"rated_capacity_ah": 2, "cutoff_voltage_v": 2.7}`)
			s.runJob("battery")

			h := get[health](s, "/api/v1/batteries/B0005/health")
			if len(h.Cycles) != len(want) {
				t.Fatalf("got %d cycles, want %d", len(h.Cycles), len(want))
			}
			worst, below := 0.0, 0
			for i, c := range h.Cycles {
				worst = max(worst, math.Abs(c.CapacityAh/want[i]-1))
				if below == 0 && c.CapacityAh < 1.4 {
					below = c.Cycle
				}
			}
			if worst > 0.001 {
				t.Errorf("worst relative error %.2g, want at most 0.001", worst)
			}
			if below != 125 {
				t.Errorf("first cycle below 1.4 Ah is %d, want 125", below)
			}
			if h.Status != "ok" || math.Abs(h.SoHPct-66.254) > 0.01 {
				t.Errorf("got status %s and a state of health of %.3f %%, want ok and 66.254 %%", h.Status, h.SoHPct)
			}
			t.Logf("168 cycles, worst relative error %.3g; cycle 1 %.6f Ah, cycle 168 %.6f Ah", worst, h.Cycles[0].CapacityAh, h.Cycles[167].CapacityAh)
		})
	}
}

// Cambridge's building b4 in 2018, hourly consumption into a register: the days
// add up to the year, asked of the readings and of the roll-ups.
func TestCambridge(t *testing.T) {
	t.Parallel()
	file := measured.File(t, "building", "cambridge", "b4_electricity_2018.csv")
	s := serve(t)
	if out, errs, code := program(t, "replay", "--broker", "tcp://"+s.mqtt, "--mapping", example("cambridge-b4.yaml"), file); code != 0 {
		t.Fatalf("replay: exit code %d\n%s%s", code, out, errs)
	}
	const want, tolerance = 143_718.6, 1e-4
	span := "from=2018-01-01T00:00:00Z&to=2019-01-01T00:00:00Z"
	days := get[struct {
		Items []struct {
			EnergyWh float64 `json:"energy_wh"`
		}
	}](s, "/api/v1/buildings/b4/telemetry?fields=energy_wh&every=1d&aggregate=delta&"+span)
	sum := 0.0
	for _, d := range days.Items {
		sum += d.EnergyWh / 1000
	}
	if len(days.Items) != 365 || math.Abs(sum/want-1) > tolerance {
		t.Errorf("telemetry: %d days add up to %.3f kWh, want 365 and %.1f", len(days.Items), sum, want)
	}
	t.Logf("telemetry: %d days, %.4f kWh", len(days.Items), sum)

	s.runJob("rollup")
	rolled := get[struct {
		Items []struct {
			Stats []struct {
				Field string
				Delta *float64
			}
		}
	}](s, "/api/v1/buildings/b4/rollups?every=1d&"+span)
	sum = 0
	for _, d := range rolled.Items {
		for _, st := range d.Stats {
			if st.Field == "energy_wh" && st.Delta != nil {
				sum += *st.Delta / 1000
			}
		}
	}
	if len(rolled.Items) != 365 || math.Abs(sum/want-1) > tolerance {
		t.Errorf("roll-ups: %d days add up to %.3f kWh, want 365 and %.1f", len(rolled.Items), sum, want)
	}
	s.stop()
}

// The demonstration comes up by itself: 60 batteries, each with 90 days of
// telemetry, a capacity and a state of health, and all of it came over MQTT.
func TestDemo(t *testing.T) {
	t.Parallel()
	s := launch(t, 2*time.Minute, "demo", "--data", t.TempDir(), "--days", "90")
	s.eventually("history computed", 10*time.Minute, func() bool { return strings.Contains(s.log.String(), "goes on live") })

	type item struct {
		ID        string
		Telemetry struct{ From, To time.Time }
		Health    struct {
			CapacityAh float64 `json:"capacity_ah"`
			SoHPct     float64 `json:"soh_pct"`
			Status     string
		}
	}
	list := get[struct{ Items []item }](s, "/api/v1/batteries?limit=60").Items
	if len(list) != 60 {
		t.Fatalf("got %d batteries, want 60", len(list))
	}
	for _, b := range list {
		if days := b.Telemetry.To.Sub(b.Telemetry.From).Hours() / 24; days < 90 {
			t.Errorf("%s: telemetry over %.1f days, want 90", b.ID, days)
		}
		if b.Health.Status != "ok" || b.Health.CapacityAh <= 0 || b.Health.SoHPct < 60 || b.Health.SoHPct > 110 {
			t.Errorf("%s: got health %+v", b.ID, b.Health)
		}
	}
	for kind, want := range map[string]int{"owners": 2, "stations": 4, "buildings": 2} {
		if got := len(get[struct{ Items []any }](s, "/api/v1/"+kind).Items); got != want {
			t.Errorf("got %d %s, want %d", got, kind, want)
		}
	}
	// 90 days of 96 readings from each of 66 devices, and events.
	if a := s.accounting(); a.Stored < 90*96*66 || a.Quarantined != 0 {
		t.Errorf("got accounting %+v, want at least %d stored and none in quarantine", a, 90*96*66)
	}
	live := s.accounting().Received
	s.eventually("live readings", time.Minute, func() bool { return s.accounting().Received > live+66 })
	for _, line := range strings.Split(s.log.String(), "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "curl ") {
			s.checkCurl(line)
		}
	}
	s.checkPassports(60) // last, because it skips where the schema is missing
	s.stop()
}

// checkPassports fetches the passport of every battery and holds the documents to
// the schema of the model.
func (s *server) checkPassports(want int) {
	s.t.Helper()
	schema := passporttest.Open(s.t)
	valid := 0
	for _, b := range get[struct{ Items []struct{ ID string } }](s, "/api/v1/batteries?fields=id&limit=1000").Items {
		p := get[struct {
			Complete bool
			Document any
			Missing  []any
		}](s, "/api/v1/batteries/"+b.ID+"/passport")
		if wrong := schema.Check(p.Document); len(wrong) > 0 || !p.Complete {
			s.t.Errorf("%s: passport complete %t: %v, missing %v", b.ID, p.Complete, wrong, p.Missing)
			continue
		}
		valid++
	}
	if valid != want {
		s.t.Errorf("%d passports pass the schema, want %d", valid, want)
	}
}

// Started again, the demonstration goes on with the same fleet: its registers do
// not jump, and its history is not published again.
func TestDemoStartsAgain(t *testing.T) {
	t.Parallel()
	live := func(s *server) {
		s.eventually("live", 2*time.Minute, func() bool { return strings.Contains(s.log.String(), "goes on live") })
		s.eventually("two readings of each device", time.Minute, func() bool { return s.accounting().Stored > 132 })
	}
	s := launch(t, 2*time.Minute, "demo", "--data", t.TempDir(), "--days", "2")
	live(s)
	history := s.accounting().Received
	s.stop()
	s.log.reset()
	s.start(60 * time.Second)
	live(s)
	if again := s.accounting().Received; again > history/2 {
		t.Errorf("got %d records after the second start, %d after the first", again, history)
	}
	s.runJob("rollup")
	rolled := get[struct {
		Items []struct {
			Stats []struct {
				Field  string
				Resets int
			}
		}
	}](s, "/api/v1/buildings/bld-01/rollups?every=1d&from="+time.Now().UTC().AddDate(0, 0, -3).Format(time.RFC3339))
	for _, d := range rolled.Items {
		for _, st := range d.Stats {
			if st.Resets > 0 {
				t.Errorf("%s: %d resets", st.Field, st.Resets)
			}
		}
	}
	s.stop()
}

// The demonstration tells its key to no proxy, also where it serves all interfaces.
func TestDemoGoesPastProxies(t *testing.T) {
	t.Parallel()
	var asked atomic.Int32
	proxy := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		asked.Add(1)
		w.WriteHeader(http.StatusBadGateway)
	}))
	defer proxy.Close()
	cmd := command(t, "demo", "--once", "--days", "1", "--data", t.TempDir(), "--admin-key", adminKey,
		"--http-listen", "0.0.0.0:0", "--mqtt-listen", "127.0.0.1:0")
	cmd.Env = append(cmd.Env, "HTTP_PROXY="+proxy.URL, "http_proxy="+proxy.URL, "NO_PROXY=", "no_proxy=")
	if out, err := cmd.CombinedOutput(); err != nil || asked.Load() > 0 {
		t.Errorf("got %v and %d calls of the proxy: %s", err, asked.Load(), out)
	}
}

// checkCurl fetches what a printed line would.
func (s *server) checkCurl(line string) {
	s.t.Helper()
	if strings.Contains(line, "/stream") {
		return // it does not end
	}
	key, target, ok := strings.Cut(strings.TrimSpace(line), `" "$API`)
	if !ok || key != `curl -H "$KEY` {
		s.t.Errorf("odd line %q", line)
		return
	}
	if b := s.call(http.StatusOK, http.MethodGet, "/api/v1"+strings.TrimSuffix(target, `"`), ""); len(b) < 50 {
		s.t.Errorf("%s: answered %s", line, b)
	}
}
