package main

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"
)

type quarantined struct {
	ID         int64
	ReceivedAt time.Time `json:"received_at"`
	Topic      string
	Device     string
	Reason     string
	Detail     string
	Payload    string
}

// gzipped are n times 4 MiB of spaces, compressed once: a gzip stream may follow
// another.
func gzipped(t *testing.T, n int) []byte {
	t.Helper()
	var b bytes.Buffer
	z := gzip.NewWriter(&b)
	if _, err := z.Write(bytes.Repeat([]byte(" "), 4<<20)); err != nil {
		t.Fatal(err)
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return bytes.Repeat(b.Bytes(), n)
}

// Whatever is wrong with a message, it is acknowledged, in quarantine with its
// reason, and counted; and the next good one is stored.
func TestBadInput(t *testing.T) {
	t.Parallel()
	const own = "fleet/v1/station/s1/telemetry"
	tests := []struct {
		name    string
		topic   string
		payload []byte
		reason  string
	}{
		{"not JSON", own, []byte("queue is three"), "malformed"},
		{"cut off", own, []byte(`{"ts":1767225600000,"queue":`), "malformed"},
		{"wrong type", own, []byte(`{"queue":"three"}`), "wrong_type"},
		{"not a number", own, []byte(`{"queue":NaN}`), "not_finite"},
		{"out of bounds", own, []byte(`{"ambient_c":451}`), "out_of_bounds"},
		{"unknown field", own, []byte(`{"queues":3}`), "unknown_field"},
		{"unknown topic", "fleet/v1/rocket/s1/telemetry", []byte(`{"queue":3}`), "unknown_topic"},
		{"foreign device", "fleet/v1/station/s2/telemetry", []byte(`{"queue":3}`), "foreign_device"},
		{"from the future", own, fmt.Appendf(nil, `{"ts":%d,"queue":3}`, time.Now().Add(time.Hour).UnixMilli()), "future"},
		{"from before the times", own, []byte(`{"ts":"1999-12-31T23:59:59Z","queue":3}`), "ancient"},
		{"2 MiB", own, bytes.Repeat([]byte("x"), 2<<20), "too_large"},
		{"gzip bomb", own, gzipped(t, 64), "gzip_too_large"},
		{"invalid UTF-8", own, []byte("{\"state\":\"\xff\xfe\"}"), "invalid_utf8"},
	}
	s := serve(t)
	for _, id := range []string{"s1", "s2"} {
		s.call(http.StatusCreated, http.MethodPost, "/api/v1/stations", fmt.Sprintf(`{"id":%q}`, id))
	}
	var cred struct{ Username, Secret string }
	if err := json.Unmarshal(s.call(http.StatusOK, http.MethodPut, "/api/v1/stations/s1/credential", ""), &cred); err != nil {
		t.Fatal(err)
	}
	device := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + s.mqtt).SetClientID("s1").
		SetUsername(cred.Username).SetPassword(cred.Secret))
	if token := device.Connect(); !token.WaitTimeout(time.Minute) || token.Error() != nil {
		t.Fatal(token.Error())
	}
	defer device.Disconnect(0)

	for i, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			send(t, device, tt.topic, tt.payload)
			newest := get[struct{ Items []quarantined }](s, "/api/v1/quarantine?limit=1").Items
			if len(newest) != 1 {
				t.Fatal("nothing in quarantine")
			}
			q := newest[0]
			if q.Reason != tt.reason || q.Topic != tt.topic || q.Detail == "" || time.Since(q.ReceivedAt) > time.Minute {
				t.Errorf("got %s on %s (%s) at %s, want %s on %s", q.Reason, q.Topic, q.Detail, q.ReceivedAt, tt.reason, tt.topic)
			}
			if a := s.accounting(); a.Quarantined != uint64(i+1) || a.Received != uint64(i+1) || a.Pending != 0 {
				t.Errorf("got accounting %+v, want %d received and in quarantine", a, i+1)
			}
		})
	}
	send(t, device, own, []byte(`{"ts":1767225600000,"queue":3}`))
	send(t, device, own, []byte(`{"ts":1767225600000,"queue":3}`))
	n := uint64(len(tests))
	if got, want := s.accounting(), (accounting{Received: n + 2, Stored: 1, Duplicate: 1, Quarantined: n}); got != want {
		t.Errorf("got accounting %+v, want %+v", got, want)
	}
	if got := len(get[struct{ Items []any }](s, "/api/v1/stations/s1/telemetry?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00Z").Items); got != 1 {
		t.Errorf("got %d readings stored, want 1", got)
	}
	// What was refused for want of a field is stored once the server has it.
	s.stop()
	config := filepath.Join(t.TempDir(), "fields.yaml")
	if err := os.WriteFile(config, []byte("fields:\n- {kind: station, name: queues, max: 10}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s.args = append(s.args, "--config", config)
	s.start(30 * time.Second)
	var replayed struct{ Entries, Stored, Quarantined int }
	if err := json.Unmarshal(s.call(http.StatusOK, http.MethodPost, "/api/v1/quarantine/replay", ""), &replayed); err != nil {
		t.Fatal(err)
	}
	// All but the foreign one are tried, and fail again but for the field.
	if replayed.Entries != len(tests)-1 || replayed.Stored != 1 || replayed.Quarantined != len(tests)-2 {
		t.Errorf("replay: got %+v, want %d entries, 1 stored", replayed, len(tests)-1)
	}
	left := get[struct{ Items []quarantined }](s, "/api/v1/quarantine?limit=1000").Items
	if len(left) != len(tests)-1 {
		t.Errorf("got %d entries left, want %d", len(left), len(tests)-1)
	}
	for _, q := range left {
		if q.Reason == "foreign_device" {
			s.call(http.StatusConflict, http.MethodPost, fmt.Sprintf("/api/v1/quarantine/%d/replay", q.ID), "")
		}
	}
	if a := s.accounting(); a.Stored != 1 || a.Quarantined != n-2 {
		t.Errorf("got accounting %+v after the replay", a)
	}
	metrics := s.call(http.StatusOK, http.MethodGet, "/metrics", "")
	if want := fmt.Sprintf("fleetwatt_ingest_quarantined_total %d", n-2); !bytes.Contains(metrics, []byte(want)) {
		t.Errorf("metrics lack %q", want)
	}
}
