// Package sparkplug is a Sparkplug B 3.0 host application: it follows the
// sessions of edge nodes and their devices, turns metrics into readings by a
// configured mapping, asks for rebirths, and publishes its own STATE.
//
// It is handed messages and hands on what it made of them; it knows neither
// brokers nor stores. Sessions are kept in memory alone: after a restart, and
// after a lost connection, a node's first data message is answered by a request
// for its birth. CONFORMANCE.md lists the assertions of the specification that
// concern a host, and what was decided where it leaves a choice.
package sparkplug

import "strings"

// Namespace is the first element of every topic.
const Namespace = "spBv1.0"

const prefix = Namespace + "/"

// Handles reports whether a message of that topic is for a Host.
func Handles(topic string) bool { return strings.HasPrefix(topic, prefix) }

// Publication is a message that the host wants published.
type Publication struct {
	Topic   string
	Payload []byte
	QoS     byte
	Retain  bool
}

// Filters are the topic filters that a host with this id subscribes to, at QoS
// 1, right after it has connected and before it publishes its birth.
func Filters(hostID string) []string {
	return []string{stateTopic(hostID), prefix + "#"}
}

func stateTopic(hostID string) string { return prefix + string(State) + "/" + hostID }
