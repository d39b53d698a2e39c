package config

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"slices"
	"strconv"
	"time"

	"github.com/robfig/cron/v3"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Validate reports every setting that makes no sense, each by its key.
func (c *Config) Validate() error {
	var v problems
	v.check(c.Data != "", "data", "must name a directory")
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
	v.schedule("rollup-schedule", c.RollupSchedule)
	v.schedule("capacity-schedule", c.CapacitySchedule)
	if _, err := c.Schema(); err != nil {
		v.add("fields", "%v", err)
	}
	return errors.Join(v...)
}

func (c *Config) validateMQTT(v *problems) {
	if c.MQTTBroker != "" {
		v.url("mqtt-broker", c.MQTTBroker, "tcp", "mqtt", "ssl", "tls", "mqtts", "ws", "wss")
		v.check(c.MQTTClientID != "", "mqtt-client-id", "must not be empty: the broker keeps what was not acknowledged under it")
		return
	}
	if c.MQTTListen == "" {
		return
	}
	v.address("mqtt-listen", c.MQTTListen)
	v.check(c.MQTTMaxConns > 0, "mqtt-max-connections", "%d: want at least 1", c.MQTTMaxConns)
	v.check(!c.MQTTAnonymous || loopback(c.MQTTListen), "mqtt-anonymous",
		"is refused because mqtt-listen is %s: without credentials, only a loopback address (127.0.0.1 or [::1]) is allowed", c.MQTTListen)
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
