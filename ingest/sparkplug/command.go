package sparkplug

import (
	"time"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

const rebirthMetric = "Node Control/Rebirth"

// rebirthRequest asks an edge node for its births. It names the metric, which
// never has an alias, and carries no sequence number. The datatype should not
// be in a command by the specification, but edge nodes in use, sparkplug-client
// among them, read no value without it.
func rebirthRequest(k nodeKey, now time.Time) (Publication, error) {
	ms := uint64(now.UnixMilli())
	payload, err := proto.Marshal(&tahu.Payload{
		Timestamp: proto.Uint64(ms),
		Metrics: []*tahu.Payload_Metric{{
			Name:      proto.String(rebirthMetric),
			Timestamp: proto.Uint64(ms),
			Datatype:  proto.Uint32(uint32(tahu.DataType_Boolean)),
			Value:     &tahu.Payload_Metric_BooleanValue{BooleanValue: true},
		}},
	})
	if err != nil {
		return Publication{}, err
	}
	topic := Topic{Verb: NCmd, Group: k.group, Node: k.node}
	return Publication{Topic: topic.String(), Payload: payload}, nil
}
