package api

import (
	"encoding/json"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices"
)

// object is a JSON object in the making.
type object = map[string]any

// asyncAPI is the AsyncAPI 3.0 document of what devices publish over MQTT, made
// from the schema that the decoder goes by.
func asyncAPI(schema *devices.Schema, version string) ([]byte, error) {
	channels, operations, schemas, messages := object{}, object{}, object{}, object{}
	for _, kind := range devices.Kinds() {
		name := string(kind)
		schemas[name+"Fields"] = fieldsSchema(schema.Measurement(kind), false)
		schemas[name+"Reading"] = fieldsSchema(schema.Measurement(kind), true)
		for _, channel := range []struct {
			part, summary string
			payload       object
			retained      bool
		}{
			{"telemetry", "readings, one or a backlog", oneOrMore(ref(name + "Reading")), false},
			{"event", "what happened, one or many", oneOrMore(ref("event")), false},
			{"status", "online or offline; also the last will", ref("status"), true},
		} {
			id := name + "_" + channel.part
			message := object{
				"name": id, "summary": channel.summary, "contentType": "application/json", "payload": channel.payload,
			}
			if channel.part == "telemetry" {
				message["description"] = "InfluxDB line protocol and gzip of either are taken as well, told apart by the first byte."
			}
			messages[id] = message
			channels[id] = object{
				"address": fmt.Sprintf("fleet/v1/%s/{id}/%s", kind, channel.part),
				"parameters": object{"id": object{
					"description": "1 to 64 of A-Z a-z 0-9 . _ : -", "examples": []string{"bat-0001"},
				}},
				"messages": object{id: object{"$ref": "#/components/messages/" + id}},
			}
			operations["receive_"+id] = object{
				"action": "receive", "channel": object{"$ref": "#/channels/" + id}, "summary": channel.summary,
				"bindings": object{"mqtt": object{"qos": 1, "retain": channel.retained, "bindingVersion": "0.2.0"}},
			}
		}
	}
	schemas["instant"] = instantSchema()
	schemas["event"] = eventSchema()
	schemas["status"] = statusSchema()
	return json.Marshal(object{
		"asyncapi": "3.0.0",
		"info": object{
			"title": "fleetwatt, what devices publish", "version": version,
			"description": "MQTT 3.1.1 or 5. A reading is acknowledged (PUBACK) once it is on disk. What does not keep to these " +
				"schemas is kept in quarantine with its reason, and acknowledged. Beyond what a schema can say: a reading has at " +
				"least one field that is not null, its time is not before 2000 nor more than ten minutes ahead, and a payload has at most 1 MiB.",
		},
		"defaultContentType": "application/json",
		"servers": object{"broker": object{
			"host": "localhost:1883", "protocol": "mqtt", "description": "the embedded broker, or any other that fleetwatt subscribes to",
			"security": []object{{"$ref": "#/components/securitySchemes/secret"}, {"$ref": "#/components/securitySchemes/certificate"}},
		}},
		"channels": channels, "operations": operations,
		"components": object{
			"schemas": schemas, "messages": messages,
			"securitySchemes": object{
				"secret":      object{"type": "userPassword", "description": "the credential of the device, or of its gateway"},
				"certificate": object{"type": "X509", "description": "a client certificate whose common name is bound to the device"},
			},
		},
	})
}

func ref(name string) object { return object{"$ref": "#/components/schemas/" + name} }

func oneOrMore(of object) object {
	return object{"oneOf": []any{of, object{"type": "array", "items": of}}}
}

func instantSchema() object {
	return object{
		"description": "epoch milliseconds, or RFC 3339",
		"oneOf":       []any{object{"type": "integer"}, object{"type": "string", "format": "date-time"}, object{"type": "null"}},
	}
}

// fieldsSchema is an object of the fields, and what may stand beside them in a
// reading.
func fieldsSchema(m *devices.Measurement, reading bool) object {
	properties := object{}
	for _, f := range m.Fields {
		properties[f.Name] = fieldSchema(f)
	}
	if reading {
		properties["ts"], properties["sent_at"] = ref("instant"), ref("instant")
		properties["device"] = object{"type": "string", "description": "the id in the topic, if at all"}
		properties["values"] = ref(string(m.Kind) + "Fields")
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

func fieldSchema(f *devices.Field) object {
	if !f.Numeric() {
		return object{"type": []any{"string", "null"}, "maxLength": devices.MaxTextLength, "description": f.Role.String()}
	}
	kind := "number"
	if f.Type == devices.Integer {
		kind = "integer"
	}
	return object{
		"type": []any{kind, "null"}, "minimum": f.Min, "maximum": f.Max,
		"description": f.Role.String() + ", in " + f.Unit,
	}
}

// eventTypes is what an event may be, as a pattern.
const eventTypes = `^(swap\.(completed|failed|timeout)|charge\.completed|fault\.(opened|closed)|maintenance\.done|` +
	`(subscription|payment|survey|ticket)\.[a-z0-9_.]+)$`

func eventSchema() object {
	return object{
		"type": "object", "required": []any{"id", "type"},
		"properties": object{
			"id":   object{"type": "string", "minLength": 1, "maxLength": 128, "description": "makes the event idempotent within its device"},
			"ts":   ref("instant"),
			"type": object{"type": "string", "maxLength": 64, "pattern": eventTypes},
		},
		"additionalProperties": true, "description": "other members are the event's own",
	}
}

func statusSchema() object {
	word := object{"type": "string", "enum": []any{"online", "offline"}}
	return object{"oneOf": []any{word, object{
		"type": "object", "required": []any{"status"}, "properties": object{"status": word, "ts": ref("instant")}, "additionalProperties": true,
	}}, "description": "the bare word is taken as well"}
}
