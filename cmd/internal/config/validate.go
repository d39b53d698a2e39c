package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug"
)

// Validate reports every setting that makes no sense, each by its key.
func (c *Config) Validate() error {
	var v problems
	v.check(c.Data != "", "data", "must name a directory")
	v.check(c.Database == "" || database.IsURL(c.Database), "database", "want a URL that starts with postgres://") // it may hold a password
	v.check(slices.Contains([]string{"debug", "info", "warn", "error"}, c.LogLevel), "log-level", "%q: want debug, info, warn or error", c.LogLevel)
	v.check(slices.Contains([]string{"text", "json"}, c.LogFormat), "log-format", "%q: want text or json", c.LogFormat)
	c.validateMQTT(&v)
	v.address("http-listen", c.HTTPListen)
	v.check(c.AdminKey == "" || len(c.AdminKey) >= 16, "admin-key", "has %d characters: want at least 16", len(c.AdminKey))
	if c.InfluxURL != "" {
		v.url("influx-url", c.InfluxURL, "http", "https")
		v.check(c.InfluxBucket != "", "influx-bucket", "must name a bucket")
		v.check(c.InfluxTimeout >= time.Second, "influx-timeout", "%s: want at least 1s", c.InfluxTimeout)
	}
	v.check(c.MaxAhead >= 0, "max-ahead", "%s: must not be negative", c.MaxAhead)
	v.check(c.MaxPendingMiB >= 8, "max-pending-mib", "%d: want at least 8", c.MaxPendingMiB)
	v.check(c.StoreMemoryMiB >= 128, "store-memory-mib", "%d: want at least 128", c.StoreMemoryMiB)
	v.check(c.StoreSegment >= 1, "store-segment-rows", "%d: want at least 1", c.StoreSegment)
	v.check(c.Retention == 0 || c.Retention >= 24*time.Hour, "retention", "%s: want at least 24h, or 0 for ever", c.Retention)
	v.check(c.QuarantineMiB >= 1, "quarantine-max-mib", "%d: want at least 1", c.QuarantineMiB)
	v.check(c.QuarantineAge >= time.Hour, "quarantine-max-age", "%s: want at least 1h", c.QuarantineAge)
	v.schedule("rollup-schedule", c.RollupSchedule)
	v.check(c.HTTPRate >= 0, "http-rate", "%v: want 0 or more", c.HTTPRate)
	v.check(c.HTTPRate == 0 || c.HTTPBurst >= 1, "http-burst", "%d: want at least 1", c.HTTPBurst)
	if c.OIDCIssuer != "" {
		i := access.Issuer{URL: c.OIDCIssuer, Audience: c.OIDCAudience, RoleClaim: c.OIDCRoleClaim, OwnerClaim: c.OIDCOwnerClaim, DeviceClaim: c.OIDCDeviceClaim}
		if err := i.Validate(); err != nil {
			v.check(false, "oidc-issuer", "%v", err)
		}
	}
	v.schedule("battery-schedule", c.BatterySchedule)
	v.schedule("battery-hourly", c.BatteryHourly)
	v.schedule("station-schedule", c.StationSchedule)
	v.schedule("building-schedule", c.BuildingSchedule)
	v.schedule("statement-schedule", c.MoneySchedule)
	c.validateStation(&v)
	c.validateBattery(&v)
	c.validateBuilding(&v)
	schema, err := c.Schema()
	if err != nil {
		v.add("fields", "%v", err)
	} else {
		c.validateSparkplug(&v, schema)
	}
	return errors.Join(v...)
}

func (c *Config) validateMQTT(v *problems) {
	if c.MQTTBroker != "" {
		v.url("mqtt-broker", c.MQTTBroker, "tcp", "mqtt", "ssl", "tls", "mqtts", "ws", "wss")
		v.check(c.MQTTClientID != "", "mqtt-client-id", "must not be empty: the broker keeps what was not acknowledged under it")
		v.check((c.MQTTBrokerCert == "") == (c.MQTTBrokerKey == ""), "mqtt-broker-cert", "goes together with mqtt-broker-key")
		return
	}
	for _, of := range []struct{ key, value string }{
		{"mqtt-broker-ca", c.MQTTBrokerCA}, {"mqtt-broker-cert", c.MQTTBrokerCert}, {"mqtt-broker-key", c.MQTTBrokerKey}, {"mqtt-broker-name", c.MQTTBrokerName},
	} {
		v.check(of.value == "", of.key, "is of an external broker: set mqtt-broker too, or leave it out")
	}
	if c.MQTTListen != "" {
		v.address("mqtt-listen", c.MQTTListen)
		v.check(!c.MQTTAnonymous || loopback(c.MQTTListen), "mqtt-anonymous", anonymousElsewhere, "mqtt-listen", c.MQTTListen)
	}
	v.check(c.MQTTMaxConns > 0, "mqtt-max-connections", "%d: want at least 1", c.MQTTMaxConns)
	v.check(c.MQTTMaxPerIP >= 0, "mqtt-max-per-address", "%d: must not be negative", c.MQTTMaxPerIP)
	v.check(c.MQTTMaxRate >= 0, "mqtt-max-rate", "%d: must not be negative", c.MQTTMaxRate)
	v.check(c.MQTTMaxBytes >= 0, "mqtt-max-byte-rate", "%d: must not be negative", c.MQTTMaxBytes)
	if c.MQTTTLSListen == "" {
		v.check(c.MQTTTLSCert+c.MQTTTLSKey+c.MQTTTLSClientCA == "" && !c.MQTTTLSRequire, "mqtt-tls-listen", "must be set for the other mqtt-tls settings to mean anything")
		return
	}
	v.address("mqtt-tls-listen", c.MQTTTLSListen)
	v.check(!c.MQTTAnonymous || loopback(c.MQTTTLSListen), "mqtt-anonymous", anonymousElsewhere, "mqtt-tls-listen", c.MQTTTLSListen)
	v.check(c.MQTTTLSCert != "" && c.MQTTTLSKey != "", "mqtt-tls-listen", "needs mqtt-tls-cert and mqtt-tls-key")
	v.check(!c.MQTTTLSRequire || c.MQTTTLSClientCA != "", "mqtt-tls-require-client-cert", "needs mqtt-tls-client-ca: who may sign them")
}

const anonymousElsewhere = "is refused because %s is %s: without credentials, only a loopback address (127.0.0.1 or [::1]) is allowed"

func (c *Config) validateSparkplug(v *problems, schema *devices.Schema) {
	if c.SparkplugHost == "" {
		v.check(len(c.Sparkplug.Nodes)+len(c.Sparkplug.Rules) == 0, "sparkplug", "needs sparkplug-host-id")
		return
	}
	v.check(!strings.ContainsAny(c.SparkplugHost, "/+#"), "sparkplug-host-id", "%q: must not contain /, + or #", c.SparkplugHost)
	if len(c.Sparkplug.Rules) > 0 {
		if err := (sparkplug.Mapping{Rules: c.Sparkplug.Rules}).Validate(schema); err != nil {
			v.add("sparkplug", "%v", err)
		}
	}
	c.validateNodes(v)
}

// validateNodes wants one device for each edge node, and one edge node for each
// device: of two, only one could speak.
func (c *Config) validateNodes(v *problems) {
	nodes, holders := map[devices.Ref]string{}, map[string]devices.Ref{}
	for _, n := range c.Sparkplug.Nodes {
		ref, err := devices.ParseRef(n.Device)
		if err != nil {
			v.add("sparkplug", "node of %q: %v", n.Device, err)
			continue
		}
		if n.Group == "" || n.Node == "" || strings.ContainsAny(n.Group+n.Node, "/+#") {
			v.add("sparkplug", "node of %s: group %q and node %q: want both, without /, + and #", ref, n.Group, n.Node)
			continue
		}
		node := n.Group + "/" + n.Node
		if other, twice := nodes[ref]; twice {
			v.add("sparkplug", "%s is two nodes, %s and %s: want one", ref, other, node)
		}
		if other, twice := holders[node]; twice && other != ref {
			v.add("sparkplug", "node %s is two devices, %s and %s: want one", node, other, ref)
		}
		nodes[ref], holders[node] = node, ref
	}
}

// Schema is the standard schema and the fields of the configuration.
func (c *Config) Schema() (*devices.Schema, error) {
	extra := make([]devices.KindField, 0, len(c.Fields))
	for _, f := range c.Fields {
		kf := devices.KindField{Kind: devices.Kind(f.Kind), Field: devices.Field{Name: f.Name, Unit: f.Unit, Min: f.Min, Max: f.Max}}
		switch f.Type {
		case "", "number":
		case "integer":
			kf.Field.Type = devices.Integer
		case "text":
			kf.Field.Type = devices.Text
		default:
			return nil, fmt.Errorf("%s field %q: type %q: want number, integer or text", f.Kind, f.Name, f.Type)
		}
		switch f.Role {
		case "", "gauge":
		case "counter":
			kf.Field.Role = devices.Counter
		default:
			return nil, fmt.Errorf("%s field %q: role %q: want gauge or counter", f.Kind, f.Name, f.Role)
		}
		extra = append(extra, kf)
	}
	return devices.NewSchema(extra...)
}

// problems gathers what is wrong.
type problems []error

func (p *problems) add(key, format string, args ...any) {
	*p = append(*p, fmt.Errorf("%s: %s", key, fmt.Sprintf(format, args...)))
}

func (p *problems) check(ok bool, key, format string, args ...any) {
	if !ok {
		p.add(key, format, args...)
	}
}

func (p *problems) address(key, value string) {
	_, port, err := net.SplitHostPort(value)
	if err == nil {
		_, err = strconv.ParseUint(port, 10, 16)
	}
	p.check(err == nil, key, "%q: want host:port", value)
}

func (p *problems) url(key, value string, schemes ...string) {
	u, err := url.Parse(value)
	p.check(err == nil && slices.Contains(schemes, u.Scheme) && u.Host != "", key, "%q: want a URL that starts with one of %v", value, schemes)
}

func (p *problems) schedule(key, value string) {
	plan, err := cron.ParseStandard(value)
	if err != nil {
		p.add(key, "%q: want five cron fields: %v", value, err)
		return
	}
	p.check(!plan.Next(time.Unix(0, 0)).IsZero(), key, "%q never comes", value)
}

func loopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip := net.ParseIP(host)
	return ip != nil && ip.IsLoopback()
}
