package config

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

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

// A file of an older version is taken; what it says that means nothing any more is
// told.
func TestRetiredKeys(t *testing.T) {
	c, _, err := load(t, "capacity-schedule: 0 2 * * *\nhttp-listen: 127.0.0.1:5\n", nil)
	if err != nil || c.HTTPListen != "127.0.0.1:5" || !slices.Equal(c.Retired, []string{"capacity-schedule"}) {
		t.Errorf("got %q at %s, %v, want the one key", c.Retired, c.HTTPListen, err)
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

// What is wrong with a section is said, and nothing that follows from it.
func TestSections(t *testing.T) {
	const rules = "\n  rules: [{kind: battery, metrics: {Temp: {field: foo_c}}}]\n"
	for _, tt := range []struct{ name, file, want, not string }{
		{"empty", "sparkplug:\nfields:\n", "", ""},
		{"misspelt", "sparkplug:\n  nods: []\n  nodes: [{device: battery/b, group: g, node: n}]\n", "sparkplug: yaml: unmarshal errors:\n  line 1: field nods not found", "sparkplug-host-id"},
		{"rules with the fields that are wrong", "sparkplug-host-id: h\nfields:\n- {kind: battery, name: foo_c, mim: -40, max: 1}\nsparkplug:" + rules, "mim", "sparkplug: "},
		{"rules without a host", "sparkplug:" + rules, "needs sparkplug-host-id", ""},
		{"no section", "sparkplug: [1]\n", "sparkplug: ", "sparkplug-host-id"},
		{"no scalar", "data: [1]\n", "data: line 1: want a single value", ""},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c, _, err := load(t, tt.file, nil)
			err = errors.Join(err, c.Validate())
			if tt.want == "" {
				if err != nil {
					t.Errorf("got %v, want none", err)
				}
				return
			}
			if err == nil || !strings.Contains(err.Error(), tt.want) || tt.not != "" && strings.Contains(err.Error(), tt.not) {
				t.Errorf("got %v, want %q and not %q", err, tt.want, tt.not)
			}
		})
	}
	for _, file := range []string{"data: [", "- no\n- mapping\n"} {
		if _, _, err := load(t, file, nil); !errors.Is(err, ErrUnread) {
			t.Errorf("%q: got %v, want ErrUnread", file, err)
		}
	}
}

func TestNodes(t *testing.T) {
	b1, b2 := SparkplugNode{"battery/b1", "g", "n1"}, SparkplugNode{"battery/b2", "g", "n2"}
	for _, tt := range []struct {
		name  string
		nodes []SparkplugNode
		want  string
	}{
		{"two", []SparkplugNode{b1, b2}, ""},
		{"the same node of another group", []SparkplugNode{b1, {"battery/b2", "h", "n1"}}, ""},
		{"a device that is two nodes", []SparkplugNode{b1, b2, {"battery/b1", "g", "n3"}}, "battery/b1 is two nodes, g/n1 and g/n3"},
		{"a node that is two devices", []SparkplugNode{b1, b2, {"station/b1", "g", "n1"}}, "node g/n1 is two devices, battery/b1 and station/b1"},
		{"twice the same", []SparkplugNode{b1, b1}, "battery/b1 is two nodes"},
		{"no device", []SparkplugNode{{"b1", "g", "n"}}, `node of "b1"`},
		{"no node", []SparkplugNode{{"battery/b1", "g", ""}}, "want both"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			c := Default()
			c.SparkplugHost, c.Sparkplug.Nodes = "h", tt.nodes
			err := c.Validate()
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
		})
	}
}

// What would have no effect is an error: its author believes that it has one.
func TestSettingsWithoutEffect(t *testing.T) {
	for _, tt := range []struct{ args, want string }{
		{"--mqtt-tls-require-client-cert", "mqtt-tls-listen:"},
		{"--mqtt-tls-client-ca=ca.pem", "mqtt-tls-listen:"},
		{"--mqtt-broker-ca=ca.pem", "mqtt-broker-ca:"},
		{"--mqtt-broker-cert=c.pem", "mqtt-broker-cert:"},
		{"--mqtt-broker-key=k.pem", "mqtt-broker-key:"},
		{"--mqtt-broker-name=example.org", "mqtt-broker-name:"},
		{"--mqtt-broker=ssl://example.org:8883 --mqtt-broker-ca=ca.pem --mqtt-broker-name=example.org", ""},
	} {
		c, _, err := load(t, "", nil, strings.Fields(tt.args)...)
		if err != nil {
			t.Fatal(err)
		}
		if err = c.Validate(); (err == nil) != (tt.want == "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: got %v, want %q", tt.args, err, tt.want)
		}
	}
}

func TestDays(t *testing.T) {
	const day = 24 * time.Hour
	c, _, err := load(t, "quarantine-max-age: 36h\n", map[string]string{"FLEETWATT_RETENTION": "7d"})
	if err != nil || c.Retention != 7*day || c.QuarantineAge != 36*time.Hour {
		t.Errorf("got %s, %s, %v, want 7 days and 36 hours", c.Retention, c.QuarantineAge, err)
	}
	for _, bad := range []string{"7 d", "-1d", "-24h", "1.5d", "d", "week", "99999d"} {
		_, _, err := load(t, "retention: "+bad+"\n", nil)
		if err == nil || !strings.Contains(err.Error(), "24h or 7d") {
			t.Errorf("%s: got %v, want an error that says how", bad, err)
		}
	}
}
