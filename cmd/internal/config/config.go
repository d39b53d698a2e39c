// Package config is the configuration of fleetwatt: what can be set, from where
// it is taken, and whether it makes sense.
//
// Each setting is a flag, an environment variable (FLEETWATT_ and the flag's
// name in capitals, - as _) and a key of a YAML file (the flag's name); the
// flag wins over the environment, which wins over the file.
package config

import (
	"time"

	"github.com/spf13/pflag"

	"github.com/fleetwatt/fleetwatt/ingest/sparkplug"
)

// Config is everything that can be set. The names in brackets are the keys.
type Config struct {
	Retired []string // keys of the file that mean nothing any more; see Load

	Data      string // [data] directory of all state
	Database  string // [database] postgres:// URL of registry and ledger; empty: SQLite files in Data
	LogLevel  string // [log-level] debug, info, warn, error
	LogFormat string // [log-format] text or json

	MQTTListen    string // [mqtt-listen] of the embedded broker; empty: none
	MQTTAnonymous bool   // [mqtt-anonymous] accept devices without credentials
	MQTTMaxConns  int    // [mqtt-max-connections] of the embedded broker
	MQTTMaxPerIP  int    // [mqtt-max-per-address] of them; 0: no limit of its own
	MQTTMaxRate   int    // [mqtt-max-rate] messages a second of one device; 0: no limit
	MQTTMaxBytes  int    // [mqtt-max-byte-rate] bytes a second of one device; 0: no limit

	MQTTTLSListen   string // [mqtt-tls-listen] of the embedded broker with TLS; empty: none
	MQTTTLSCert     string // [mqtt-tls-cert] PEM file
	MQTTTLSKey      string // [mqtt-tls-key] PEM file
	MQTTTLSClientCA string // [mqtt-tls-client-ca] PEM file of who signs devices' certificates; empty: none are asked for
	MQTTTLSRequire  bool   // [mqtt-tls-require-client-cert]

	MQTTBroker     string // [mqtt-broker] URL of an external broker to consume
	MQTTClientID   string // [mqtt-client-id] at the external broker
	MQTTUsername   string // [mqtt-username]
	MQTTPassword   string // [mqtt-password]
	MQTTGroup      string // [mqtt-group] of the shared subscription
	MQTTBrokerCA   string // [mqtt-broker-ca] PEM file of who signs the external broker's certificate; empty: the system's
	MQTTBrokerCert string // [mqtt-broker-cert] PEM file of our certificate there
	MQTTBrokerKey  string // [mqtt-broker-key] PEM file
	MQTTBrokerName string // [mqtt-broker-name] that its certificate must be for; empty: the host of mqtt-broker

	SparkplugHost string    // [sparkplug-host-id] of the Sparkplug B host application; empty: off
	Sparkplug     Sparkplug // [sparkplug] of the file only

	HTTPListen string // [http-listen]
	AdminKey   string // [admin-key] empty: generated into Data/admin.key

	InfluxURL     string        // [influx-url] empty: the embedded store
	InfluxToken   string        // [influx-token]
	InfluxOrg     string        // [influx-org]
	InfluxBucket  string        // [influx-bucket]
	InfluxTimeout time.Duration // [influx-timeout] of one request

	AdmitUnknown     bool          // [admit-unknown] register unknown devices as unclaimed
	MaxAhead         time.Duration // [max-ahead] of a timestamp before the clock
	MaxPendingMiB    int           // [max-pending-mib] memory for messages not yet committed
	StoreMemoryMiB   int           // [store-memory-mib] memory that queries of the embedded store may use
	StoreSegment     int           // [store-segment-rows] readings in memory before they are sealed into files
	Retention        time.Duration // [retention] of the embedded store; 0: forever
	QuarantineMiB    int           // [quarantine-max-mib]
	QuarantineAge    time.Duration // [quarantine-max-age]
	RollupSchedule   string        // [rollup-schedule] cron, UTC
	OIDCIssuer       string        // [oidc-issuer] whose tokens the API takes; empty: none
	OIDCAudience     string        // [oidc-audience]
	OIDCRoleClaim    string        // [oidc-role-claim]
	OIDCOwnerClaim   string        // [oidc-owner-claim]
	OIDCDeviceClaim  string        // [oidc-device-claim]
	HTTPRate         float64       // [http-rate] requests a second of one caller; 0: no limit
	HTTPBurst        int           // [http-burst]
	BatterySchedule  string        // [battery-schedule] cron, UTC
	BatteryHourly    string        // [battery-hourly] cron, UTC
	StationSchedule  string        // [station-schedule] cron, UTC
	BuildingSchedule string        // [building-schedule] cron, UTC
	MoneySchedule    string        // [statement-schedule] cron, UTC
	OwnersSeeEarlier bool          // [owners-see-earlier] what their devices did before they had them

	Fields  []Field // [fields] of the file only: measurements beyond the standard ones
	Station Station // [station] of the file only: what stations do not report

	Battery  Battery  // [battery] of the file only: how batteries are judged
	Building Building // [building] of the file only: how buildings are judged
}

// Field is a measurement that the operator adds to a kind of device.
type Field struct {
	Kind string  `yaml:"kind"`           // battery, station or building
	Name string  `yaml:"name"`           // with its unit as suffix
	Unit string  `yaml:"unit,omitempty"` //
	Type string  `yaml:"type,omitempty"` // number (default), integer or text
	Role string  `yaml:"role,omitempty"` // gauge (default) or counter
	Min  float64 `yaml:"min"`            // inclusive
	Max  float64 `yaml:"max"`            // inclusive
}

// Sparkplug says what edge nodes and their metrics are to fleetwatt.
type Sparkplug struct {
	Nodes []SparkplugNode  `yaml:"nodes,omitempty"` // of the embedded broker: which credential is which edge node
	Rules []sparkplug.Rule `yaml:"rules,omitempty"` // none: sparkplug.DefaultMapping
}

// SparkplugNode lets the credential of a device speak as an edge node.
type SparkplugNode struct {
	Device string `yaml:"device"` // kind/id
	Group  string `yaml:"group"`
	Node   string `yaml:"node"`
}

// Default is the configuration of a single machine with everything embedded.
func Default() Config {
	return Config{
		Data: "./data", LogLevel: "info", LogFormat: "text",
		MQTTListen: "127.0.0.1:1883", MQTTMaxConns: 20_000,
		MQTTClientID: "fleetwatt",
		HTTPListen:   "127.0.0.1:8080",
		InfluxBucket: "fleetwatt", InfluxTimeout: 10 * time.Second,
		AdmitUnknown: true, MaxAhead: 10 * time.Minute,
		MaxPendingMiB: 64, StoreMemoryMiB: 384, StoreSegment: 500_000,
		QuarantineMiB: 256, QuarantineAge: 30 * 24 * time.Hour,
		RollupSchedule: "*/15 * * * *",
		OIDCAudience:   "fleetwatt", OIDCRoleClaim: "fleetwatt_role", OIDCOwnerClaim: "fleetwatt_owner", OIDCDeviceClaim: "fleetwatt_device",
		HTTPRate: 200, HTTPBurst: 400,
		BatterySchedule: "20 1 * * *", BatteryHourly: "5 * * * *", StationSchedule: "35 * * * *", BuildingSchedule: "50 * * * *", MoneySchedule: "10 3 * * *",
	}
}

// secrets are never printed.
var secrets = map[string]bool{"admin-key": true, "database": true, "influx-token": true, "mqtt-password": true}

// Bind makes each setting a flag whose default is its present value.
func (c *Config) Bind(f *pflag.FlagSet) {
	f.StringVar(&c.Data, "data", c.Data, "directory that holds all state")
	f.StringVar(&c.Database, "database", c.Database, "URL of a PostgreSQL database for registry and ledger, for several replicas: postgres://user@host/name (give its password in PGPASSWORD or in FLEETWATT_DATABASE, not here); empty: files in the data directory")
	f.StringVar(&c.LogLevel, "log-level", c.LogLevel, "debug, info, warn or error")
	f.StringVar(&c.LogFormat, "log-format", c.LogFormat, "text or json")

	f.StringVar(&c.MQTTListen, "mqtt-listen", c.MQTTListen, "address of the embedded MQTT broker; empty turns it off")
	f.BoolVar(&c.MQTTAnonymous, "mqtt-anonymous", c.MQTTAnonymous, "accept devices without credentials (loopback only)")
	f.IntVar(&c.MQTTMaxConns, "mqtt-max-connections", c.MQTTMaxConns, "connections to the embedded broker at once")
	f.IntVar(&c.MQTTMaxPerIP, "mqtt-max-per-address", c.MQTTMaxPerIP, "of these, connections from one address; 0: no limit of its own")
	f.IntVar(&c.MQTTMaxRate, "mqtt-max-rate", c.MQTTMaxRate, "messages a second of one device, beyond which it is read more slowly; 0: no limit")
	f.IntVar(&c.MQTTMaxBytes, "mqtt-max-byte-rate", c.MQTTMaxBytes, "bytes a second of one device, beyond which it is read more slowly; 0: no limit")
	f.StringVar(&c.MQTTTLSListen, "mqtt-tls-listen", c.MQTTTLSListen, "address of the embedded MQTT broker with TLS; empty turns it off")
	f.StringVar(&c.MQTTTLSCert, "mqtt-tls-cert", c.MQTTTLSCert, "PEM file of the embedded broker's certificate; read again when it changes")
	f.StringVar(&c.MQTTTLSKey, "mqtt-tls-key", c.MQTTTLSKey, "PEM file of its key")
	f.StringVar(&c.MQTTTLSClientCA, "mqtt-tls-client-ca", c.MQTTTLSClientCA, "PEM file of who signs devices' certificates; a device with one needs no password")
	f.BoolVar(&c.MQTTTLSRequire, "mqtt-tls-require-client-cert", c.MQTTTLSRequire, "refuse TLS clients without a certificate")
	f.StringVar(&c.MQTTBroker, "mqtt-broker", c.MQTTBroker, "URL of an external MQTT broker to consume, for example tcp://host:1883; the embedded one is then off")
	f.StringVar(&c.MQTTClientID, "mqtt-client-id", c.MQTTClientID, "client id at the external broker: stable, and one for each replica")
	f.StringVar(&c.MQTTUsername, "mqtt-username", c.MQTTUsername, "user name at the external broker")
	f.StringVar(&c.MQTTPassword, "mqtt-password", c.MQTTPassword, "password at the external broker")
	f.StringVar(&c.MQTTGroup, "mqtt-group", c.MQTTGroup, "group of a shared subscription at the external broker, for replicas to split the load; the broker must keep it over a restart (mosquitto 2.0.11 does not); empty: an ordinary subscription")

	f.StringVar(&c.MQTTBrokerCA, "mqtt-broker-ca", c.MQTTBrokerCA, "PEM file of who signs the external broker's certificate; empty: whom the system trusts")
	f.StringVar(&c.MQTTBrokerCert, "mqtt-broker-cert", c.MQTTBrokerCert, "PEM file of our certificate at the external broker")
	f.StringVar(&c.MQTTBrokerKey, "mqtt-broker-key", c.MQTTBrokerKey, "PEM file of its key")
	f.StringVar(&c.MQTTBrokerName, "mqtt-broker-name", c.MQTTBrokerName, "name that the external broker's certificate must be for; empty: the host of mqtt-broker")
	f.StringVar(&c.SparkplugHost, "sparkplug-host-id", c.SparkplugHost, "id of the Sparkplug B host application; empty turns it off")

	f.StringVar(&c.HTTPListen, "http-listen", c.HTTPListen, "address of the HTTP API")
	f.StringVar(&c.AdminKey, "admin-key", c.AdminKey, "key of the API's administrator; by default generated into DATA/admin.key")

	f.StringVar(&c.InfluxURL, "influx-url", c.InfluxURL, "InfluxDB to store telemetry in, instead of the embedded store")
	f.StringVar(&c.InfluxToken, "influx-token", c.InfluxToken, "InfluxDB token; user:password for 1.8 with authentication")
	f.StringVar(&c.InfluxOrg, "influx-org", c.InfluxOrg, "InfluxDB organisation (2.x)")
	f.StringVar(&c.InfluxBucket, "influx-bucket", c.InfluxBucket, "InfluxDB bucket; database or database/policy for 1.8")
	f.DurationVar(&c.InfluxTimeout, "influx-timeout", c.InfluxTimeout, "longest time for one request to InfluxDB")

	f.BoolVar(&c.AdmitUnknown, "admit-unknown", c.AdmitUnknown, "register unknown devices that publish, as unclaimed; otherwise what they send is quarantined")
	f.DurationVar(&c.MaxAhead, "max-ahead", c.MaxAhead, "how far a timestamp may be ahead of the clock")
	f.IntVar(&c.MaxPendingMiB, "max-pending-mib", c.MaxPendingMiB, "memory for messages that are not committed yet")
	f.IntVar(&c.StoreMemoryMiB, "store-memory-mib", c.StoreMemoryMiB, "memory that queries and merges of the embedded store may use")
	f.IntVar(&c.StoreSegment, "store-segment-rows", c.StoreSegment, "readings that the embedded store holds in memory before it seals them into files")
	f.Var((*days)(&c.Retention), "retention", "for how long the embedded store keeps readings, in whole UTC days (30d); 0: forever")
	f.IntVar(&c.QuarantineMiB, "quarantine-max-mib", c.QuarantineMiB, "size of the quarantine, beyond which the oldest entries of whoever has the most are dropped")
	f.Var((*days)(&c.QuarantineAge), "quarantine-max-age", "for how long the quarantine keeps entries (36h, 30d)")
	f.StringVar(&c.RollupSchedule, "rollup-schedule", c.RollupSchedule, "when hourly and daily roll-ups are computed (cron, UTC)")
	f.StringVar(&c.OIDCIssuer, "oidc-issuer", c.OIDCIssuer, "URL of an OpenID Connect issuer whose bearer tokens the API takes; empty: none")
	f.StringVar(&c.OIDCAudience, "oidc-audience", c.OIDCAudience, "audience that a token must be meant for")
	f.StringVar(&c.OIDCRoleClaim, "oidc-role-claim", c.OIDCRoleClaim, "claim of a token that holds the role")
	f.StringVar(&c.OIDCOwnerClaim, "oidc-owner-claim", c.OIDCOwnerClaim, "claim of a token that holds the id of the owner")
	f.StringVar(&c.OIDCDeviceClaim, "oidc-device-claim", c.OIDCDeviceClaim, "claim of a token that holds kind/id of the device")
	f.Float64Var(&c.HTTPRate, "http-rate", c.HTTPRate, "requests a second that one key or token may make; 0: no limit; the admin key has none")
	f.IntVar(&c.HTTPBurst, "http-burst", c.HTTPBurst, "requests that it may make at once")
	f.StringVar(&c.BatterySchedule, "battery-schedule", c.BatterySchedule, "when the health and outlook of batteries are computed (cron, UTC)")
	f.StringVar(&c.BatteryHourly, "battery-hourly", c.BatteryHourly, "when the use of batteries today is brought up to date (cron, UTC)")
	f.StringVar(&c.StationSchedule, "station-schedule", c.StationSchedule, "when the service of stations is computed (cron, UTC)")
	f.StringVar(&c.BuildingSchedule, "building-schedule", c.BuildingSchedule, "when the savings of buildings are computed (cron, UTC)")
	f.StringVar(&c.MoneySchedule, "statement-schedule", c.MoneySchedule, "when the months of owners are added up (cron, UTC)")
	f.BoolVar(&c.OwnersSeeEarlier, "owners-see-earlier", c.OwnersSeeEarlier, "show owners what their devices did before they had them")
}
