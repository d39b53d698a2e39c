package config

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"

	"github.com/fleetwatt/fleetwatt/devices"
)

// load is what a command does: defaults, flags, environment, file.
func load(t *testing.T, file string, env map[string]string, args ...string) (Config, *pflag.FlagSet, error) {
	t.Helper()
	c := Default()
	flags := pflag.NewFlagSet("test", pflag.ContinueOnError)
	c.Bind(flags)
	if err := flags.Parse(args); err != nil {
		t.Fatal(err)
	}
	path := ""
	if file != "" {
		path = filepath.Join(t.TempDir(), "fleetwatt.yaml")
		if err := os.WriteFile(path, []byte(file), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	err := c.Load(flags, path, func(name string) (string, bool) { v, ok := env[name]; return v, ok })
	return c, flags, err
}

func TestPrecedence(t *testing.T) {
	file := "http-listen: 127.0.0.1:1\ndata: from-file\nmqtt-anonymous: true\nmqtt-listen: \"\"\nmax-ahead: 1m\n"
	env := map[string]string{"FLEETWATT_HTTP_LISTEN": "127.0.0.1:2", "FLEETWATT_DATA": "from-env"}
	c, _, err := load(t, file, env, "--http-listen", "127.0.0.1:3")
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTPListen != "127.0.0.1:3" || c.Data != "from-env" || !c.MQTTAnonymous || c.MQTTListen != "" || c.MaxAhead.String() != "1m0s" {
		t.Errorf("got %+v: want the flag, then the environment, then the file", c)
	}
}

func TestLoadReportsEverything(t *testing.T) {
	_, _, err := load(t, "hppt-listen: x\nmax-pending-mib: many\n", map[string]string{"FLEETWATT_MQTT_ANONYMOUS": "perhaps"})
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"hppt-listen", "max-pending-mib", "many", "FLEETWATT_MQTT_ANONYMOUS", "perhaps"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q: %v", want, err)
		}
	}
}

func TestValidateReportsEverything(t *testing.T) {
	c := Default()
	c.Data, c.LogLevel, c.LogFormat, c.HTTPListen = "", "loud", "xml", "nowhere"
	c.MQTTListen, c.MQTTAnonymous, c.AdminKey = "0.0.0.0:1883", true, "short"
	c.InfluxURL, c.InfluxBucket, c.MaxPendingMiB, c.RollupSchedule = "localhost", "", 1, "daily"
	c.Fields = []Field{{Kind: "battery", Name: "Bad Name", Max: 1}}
	err := c.Validate()
	if err == nil {
		t.Fatal("no error")
	}
	for _, want := range []string{"data:", "log-level:", "log-format:", "http-listen:", "mqtt-anonymous:", "admin-key:",
		"influx-url:", "influx-bucket:", "max-pending-mib:", "rollup-schedule:", "fields:"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the error lacks %q:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "short") {
		t.Errorf("the error tells the admin key:\n%v", err)
	}
	d := Default()
	if err := d.Validate(); err != nil {
		t.Errorf("the default: %v", err)
	}
}

func TestAnonymousWantsLoopback(t *testing.T) {
	for address, ok := range map[string]bool{
		"127.0.0.1:1883": true, "[::1]:1883": true, "localhost:1883": true, "127.8.8.8:0": true,
		"0.0.0.0:1883": false, ":1883": false, "[::]:1883": false, "192.168.1.2:1883": false, "example.org:1883": false,
	} {
		c := Default()
		c.MQTTListen, c.MQTTAnonymous = address, true
		if err := c.Validate(); (err == nil) != ok {
			t.Errorf("%s: got %v, want allowed: %v", address, err, ok)
		}
	}
}

func TestFields(t *testing.T) {
	c, _, err := load(t, "fields:\n- {kind: battery, name: fan_rpm, unit: rpm, max: 20000}\n- {kind: building, name: heat_wh, unit: Wh, role: counter, max: 1e12}\n- {kind: station, name: firmware, type: text}\n", nil)
	if err != nil {
		t.Fatal(err)
	}
	s, err := c.Schema()
	if err != nil {
		t.Fatal(err)
	}
	if f := s.Field(devices.KindBattery, "fan_rpm"); f == nil || f.Max != 20000 {
		t.Errorf("got %+v", f)
	}
	if f := s.Field(devices.KindBuilding, "heat_wh"); f == nil || f.Role != devices.Counter {
		t.Errorf("got %+v", f)
	}
	if f := s.Field(devices.KindStation, "firmware"); f == nil || f.Type != devices.Text {
		t.Errorf("got %+v", f)
	}
}

func TestMisspeltFieldKey(t *testing.T) {
	_, _, err := load(t, "fields:\n- {kind: battery, name: foo_c, mim: -40, max: 1}\n", nil)
	if err == nil || !strings.Contains(err.Error(), "mim") {
		t.Errorf("got %v, want it to name the key", err)
	}
}

// What is printed can be read again, and tells no secret.
func TestPrint(t *testing.T) {
	c, flags, err := load(t, "", nil, "--admin-key", "0123456789abcdef", "--influx-token", "tell-nobody", "--data", "there", "--mqtt-listen", "")
	if err != nil {
		t.Fatal(err)
	}
	c.Fields = []Field{{Kind: "battery", Name: "fan_rpm", Max: 1}}
	var b bytes.Buffer
	if err := c.Print(&b, flags); err != nil {
		t.Fatal(err)
	}
	for _, secret := range []string{"0123456789abcdef", "tell-nobody"} {
		if strings.Contains(b.String(), secret) {
			t.Errorf("the output tells %q:\n%s", secret, b.String())
		}
	}
	var keys map[string]any
	if err := yaml.Unmarshal(b.Bytes(), &keys); err != nil {
		t.Fatal(err)
	}
	flags.VisitAll(func(f *pflag.Flag) {
		if _, ok := keys[f.Name]; !ok {
			t.Errorf("%s is missing", f.Name)
		}
	})
	again, _, err := load(t, b.String(), nil)
	if err != nil {
		t.Fatalf("what was printed can't be read: %v\n%s", err, b.String())
	}
	if again.Data != "there" || again.MQTTListen != "" || len(again.Fields) != 1 {
		t.Errorf("read again: got %+v", again)
	}
}
