package main

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	paho "github.com/eclipse/paho.mqtt.golang"

	"github.com/fleetwatt/fleetwatt/devices/processtest"
)

func TestVersion(t *testing.T) {
	out, _, code := program(t, "version")
	if code != 0 || !strings.HasPrefix(out, "fleetwatt ") {
		t.Errorf("got %q, exit code %d", out, code)
	}
}

func TestUnknownCommand(t *testing.T) {
	_, errs, code := program(t, "server")
	if code == 0 || !strings.Contains(errs, "server") {
		t.Errorf("got %q, exit code %d", errs, code)
	}
}

// Whoever mistypes is told what, and what to do.
func TestMisuse(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "fleetwatt.yaml")
	if err := os.WriteFile(file, []byte("mqtt-lissten: x\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	nobody := fmt.Sprintf("127.0.0.1:%d", processtest.FreePort(t))
	for _, tt := range []struct {
		args []string
		want []string
	}{
		{[]string{"serv"}, []string{`"serv"`, "did you mean serve?"}},
		{[]string{"turbo"}, []string{`"turbo"`, "fleetwatt --help lists the commands"}},
		{[]string{"keys", "crate"}, []string{`"crate"`, "did you mean create?"}},
		{[]string{"keys", "create", "x"}, []string{"accepts 2 arg(s)", "usage: fleetwatt keys create NAME ROLE"}},
		{[]string{"replay"}, []string{"usage: fleetwatt replay"}},
		{[]string{"serve", "--mqtt-listne", "x"}, []string{"--mqtt-listne", "fleetwatt serve --help"}},
		{[]string{"demo", "extra"}, []string{"extra", "usage: fleetwatt demo"}},
		{[]string{"serve", "--config", file}, []string{file, "mqtt-lissten", "serve --help says what each setting is"}},
		{[]string{"simulate", "--broker", "tcp://" + nobody, "--days", "1"}, []string{nobody, "--broker"}},
		{[]string{"registry", "export"}, []string{"kind", "battery", "owner"}},
	} {
		_, errs, code := program(t, tt.args...)
		if code != 1 {
			t.Errorf("%v: got exit code %d, want 1", tt.args, code)
		}
		wants(t, strings.Join(tt.args, " "), errs, tt.want...)
	}
}

// A directory that may not be written is named, and so is the way out.
func TestDirectoryNotWritable(t *testing.T) {
	dir := t.TempDir()
	if err := os.Chmod(dir, 0o500); err != nil {
		t.Fatal(err)
	}
	if os.Getuid() == 0 {
		dir = "/sys/fleetwatt" // where not even root may write
	}
	_, errs, code := program(t, "serve", "--data", dir, "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0")
	if code != 1 {
		t.Errorf("got exit code %d, want 1", code)
	}
	wants(t, "not writable", errs, dir, "--data")
}

// Everything that is wrong is told at once, by key, and nothing starts.
func TestRefusals(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		args []string
		want []string
	}{
		{"open to the world without credentials", []string{"--mqtt-listen", "0.0.0.0:0", "--mqtt-anonymous"}, []string{"mqtt-anonymous", "loopback"}},
		{"several at once", []string{"--http-listen", "nowhere", "--log-level", "loud", "--rollup-schedule", "daily"}, []string{"http-listen", "log-level", "rollup-schedule"}},
		{"short admin key", []string{"--admin-key", "secret"}, []string{"admin-key", "16"}},
		{"no such file", []string{"--config", "missing.yaml"}, []string{"missing.yaml"}},
		{"days", []string{"--retention", "7x", "--quarantine-max-age", "7d"}, []string{"retention", "24h or 7d"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			args := append([]string{"serve", "--data", t.TempDir(), "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0"}, tt.args...)
			_, errs, code := program(t, args...)
			if code != 1 {
				t.Errorf("got exit code %d, want 1", code)
			}
			for _, want := range tt.want {
				if !strings.Contains(errs, want) {
					t.Errorf("the message lacks %q:\n%s", want, errs)
				}
			}
		})
	}
}

// A database that is not there is waited for; whoever is told to stop meanwhile
// stops in order.
func TestDatabaseNotThereYet(t *testing.T) {
	t.Parallel()
	s := &server{t: t}
	s.cmd = command(t, "serve", "--data", t.TempDir(), "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0", "--influx-url", "http://127.0.0.1:1")
	s.cmd.Stdout, s.cmd.Stderr = &s.log, &s.log
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(s.kill)
	s.eventually("told", time.Minute, func() bool { return strings.Contains(s.log.String(), "127.0.0.1:1") })
	s.stop()
}

// Devices whose credential changes are thrown out, and come back with the new
// one only.
func TestRevokedCredential(t *testing.T) {
	t.Parallel()
	s := serve(t, "--mqtt-anonymous=false")
	s.call(http.StatusCreated, http.MethodPost, "/api/v1/stations", `{"id":"s1"}`)
	secret := func() string {
		var c struct{ Secret string }
		if err := json.Unmarshal(s.call(http.StatusOK, http.MethodPut, "/api/v1/stations/s1/credential", ""), &c); err != nil {
			t.Fatal(err)
		}
		return c.Secret
	}
	dial := func(password string) (lost chan struct{}, err error) {
		lost = make(chan struct{})
		c := paho.NewClient(paho.NewClientOptions().AddBroker("tcp://" + s.mqtt).SetClientID("s1").SetUsername("s1").SetPassword(password).
			SetAutoReconnect(false).SetConnectionLostHandler(func(paho.Client, error) { close(lost) }))
		token := c.Connect()
		token.WaitTimeout(time.Minute)
		t.Cleanup(func() { c.Disconnect(0) })
		return lost, token.Error()
	}
	first := secret()
	lost, err := dial(first)
	if err != nil {
		t.Fatal(err)
	}
	second := secret()
	select {
	case <-lost:
	case <-time.After(time.Minute):
		t.Error("the old credential stays in")
	}
	if _, err := dial(first); err == nil {
		t.Error("the old secret still opens")
	}
	if _, err := dial(second); err != nil {
		t.Errorf("the new secret: %v", err)
	}
}

// A second server on the same directory says so and leaves the first alone.
func TestDirectoryInUse(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, "--data", dir)
	_, errs, code := program(t, "serve", "--data", dir, "--http-listen", "127.0.0.1:0", "--mqtt-listen", "127.0.0.1:0")
	if code != 1 || !strings.Contains(errs, dir) {
		t.Errorf("got exit code %d and %q", code, errs)
	}
	s.call(http.StatusOK, http.MethodGet, "/api/v1/fleet/summary", "")
	s.stop()
}

// The admin key is made once, for its owner's eyes only.
func TestAdminKeyIsGenerated(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := serve(t, "--data", dir, "--admin-key", "")
	info, err := os.Stat(filepath.Join(dir, "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode().Perm() != 0o600 {
		t.Errorf("got mode %o, want 600", info.Mode().Perm())
	}
	first, err := os.ReadFile(filepath.Join(dir, "admin.key"))
	if err != nil {
		t.Fatal(err)
	}
	try := func(key string) int {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/api/v1/owners", nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+key)
		res, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		res.Body.Close()
		return res.StatusCode
	}
	if got := try(strings.TrimSpace(string(first))); got != http.StatusOK {
		t.Errorf("the generated key: got %d", got)
	}
	if got := try(adminKey); got != http.StatusUnauthorized {
		t.Errorf("another key: got %d, want 401", got)
	}
	s.kill()
	s.start(time.Minute)
	if again, _ := os.ReadFile(filepath.Join(dir, "admin.key")); string(again) != string(first) {
		t.Error("the key changed over a restart")
	}
	if strings.Contains(s.log.String(), strings.TrimSpace(string(first))) {
		t.Error("the key is in the log")
	}
}

// A simulated fleet, registered over the API, by the command line alone.
func TestSimulate(t *testing.T) {
	t.Parallel()
	s := serve(t)
	ledger := filepath.Join(t.TempDir(), "acknowledged")
	out, errs, code := program(t, "simulate", "--broker", "tcp://"+s.mqtt, "--api", s.url, "--admin-key", adminKey,
		"--days", "3", "--stations", "2", "--batteries", "8", "--buildings", "1", "--ledger", ledger)
	if code != 0 || !strings.Contains(out, "readings") {
		t.Fatalf("got %q %q, exit code %d", out, errs, code)
	}
	want := uint64(3 * 96 * 11)
	b, err := os.ReadFile(ledger)
	if err != nil {
		t.Fatal(err)
	}
	if got := uint64(strings.Count(string(b), "reading ")); got != want {
		t.Errorf("the ledger has %d readings, want %d", got, want)
	}
	if a := s.accounting(); a.Stored < want || a.Quarantined != 0 {
		t.Errorf("got accounting %+v, want at least %d stored", a, want)
	}
	unclaimed := get[struct{ Items []any }](s, "/api/v1/batteries?status=unclaimed").Items
	if len(unclaimed) != 0 {
		t.Errorf("got %d unclaimed batteries, want none", len(unclaimed))
	}
	const sheet = "/api/v1/batteries/bat-0001/passport/sheet"
	type declared struct {
		MaxV float64 `json:"max_voltage_v"`
	}
	if got := get[declared](s, sheet); got.MaxV != 57.6 {
		t.Errorf("declared of an LFP battery: got %v V, want 57.6", got.MaxV)
	}
	// What an operator declared stays.
	s.call(http.StatusOK, http.MethodPut, sheet, `{"max_voltage_v":58}`)
	if out, errs, code := program(t, "simulate", "--broker", "tcp://"+s.mqtt, "--api", s.url, "--admin-key", adminKey,
		"--days", "1", "--stations", "2", "--batteries", "8", "--buildings", "1"); code != 0 {
		t.Fatalf("again: got %q %q, exit code %d", out, errs, code)
	}
	if got := get[declared](s, sheet); got.MaxV != 58 {
		t.Errorf("declared by an operator: got %v V, want 58", got.MaxV)
	}
	_, errs, _ = program(t, "simulate", "--broker", "tcp://"+s.mqtt, "--api", s.url, "--admin-key", "wrong", "--days", "1")
	wants(t, "a wrong key", errs, s.url, "--admin-key")
}

func TestReplayTellsTheRow(t *testing.T) {
	t.Parallel()
	s := serve(t)
	file := filepath.Join(t.TempDir(), "bad.csv")
	if err := os.WriteFile(file, []byte("datetime,equipment load [kWh]\n2018-01-01 00:00:00,4.4\n2018-01-01 01:00:00,many\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, errs, code := program(t, "replay", "--broker", "tcp://"+s.mqtt, "--mapping", example("cambridge-b4.yaml"), file)
	if code != 1 || !strings.Contains(errs, "bad.csv") || !strings.Contains(errs, "many") {
		t.Errorf("got exit code %d and %q", code, errs)
	}
	_, errs, code = program(t, "replay", "--broker", fmt.Sprintf("tcp://127.0.0.1:%d", processtest.FreePort(t)), "--mapping", example("cambridge-b4.yaml"), file)
	if code != 1 || !strings.Contains(errs, "connect") {
		t.Errorf("without a broker: got exit code %d and %q", code, errs)
	}
}
