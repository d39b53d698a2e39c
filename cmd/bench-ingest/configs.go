package main

// The servers' settings. Nothing is persisted by mosquitto in any of the
// stacks; influxd answers a write after it is synced (its default), in all.
const mosquittoConfig = `listener %d 127.0.0.1
allow_anonymous true
persistence false
set_tcp_nodelay true
max_inflight_messages 1000
max_queued_messages 0
max_queued_bytes 0
log_type error
`

const influxConfig = `reporting-disabled = true
bind-address = %q
[meta]
  dir = "%s/meta"
  logging-enabled = false
[data]
  dir = "%s/tsm"
  wal-dir = "%s/wal"
  wal-fsync-delay = "0s"
  query-log-enabled = false
  index-version = "tsi1"
[monitor]
  store-enabled = false
[http]
  bind-address = %q
  log-enabled = false
[logging]
  level = "warn"
  suppress-logo = true
`

// Batches, buffers and undelivered messages are raised from Telegraf's defaults
// (1,000, 10,000 and 1,000), at which it is slower.
const telegrafConfig = `[agent]
  omit_hostname = true
  metric_batch_size = 5000
  metric_buffer_limit = 200000
  flush_interval = "200ms"
  flush_jitter = "0s"
[[inputs.mqtt_consumer]]
  servers = ["tcp://%s"]
  topics = ["fleet/v1/+/+/telemetry"]
  topic_tag = ""
  qos = 1
  client_id = "telegraf"
  persistent_session = true
  max_undelivered_messages = 20000
  data_format = "json_v2"
  [[inputs.mqtt_consumer.topic_parsing]]
    topic = "fleet/v1/+/+/telemetry"
    measurement = "_/_/measurement/_/_"
    tags = "_/_/_/device/_"
  [[inputs.mqtt_consumer.json_v2]]
    [[inputs.mqtt_consumer.json_v2.object]]
      path = "@this"
      timestamp_key = "ts"
      timestamp_format = "unix_ms"
[[outputs.influxdb_v2]]
  urls = ["%s"]
  token = ""
  organization = ""
  bucket = "bench"
  content_encoding = "identity"
`
