package sparkplug

import (
	"bytes"
	"compress/gzip"
	"compress/zlib"
	"fmt"
	"io"
	"math"
	"strings"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/sparkplug/tahu"
)

const (
	// compressedUUID marks a payload whose body is the real payload, compressed.
	// It is older than the specification and not in it, but edge nodes use it.
	compressedUUID = "SPBV1.0_COMPRESSED"

	metricsField = 2  // of Payload, by number
	maxNesting   = 24 // templates within templates, property sets within property sets
	maxNameBytes = 512

	// What is nested in metrics, as properties, data sets and templates, becomes
	// messages in memory too. A payload of few bytes can't hold too many.
	nestedPerMetric = 10
	fewBytes        = 64 << 10
)

// payloads takes payloads apart, within bounds.
type payloads struct {
	maxBytes    int // as received
	maxUnpacked int // after decompression
	maxMetrics  int
}

// decode reads the payload of a message of an edge node.
func (l *payloads) decode(raw []byte) (*tahu.Payload, *wire.Fault) {
	p, fault := l.parse(raw, raw, l.maxBytes)
	if fault != nil || p.GetUuid() != compressedUUID {
		return p, fault
	}
	body, fault := l.unpack(raw, p)
	if fault != nil {
		return nil, fault
	}
	return l.parse(raw, body, l.maxUnpacked)
}

func (l *payloads) parse(raw, body []byte, maxBytes int) (*tahu.Payload, *wire.Fault) {
	if len(body) == 0 {
		return nil, &wire.Fault{Reason: wire.ReasonEmpty, Detail: "an empty payload", Raw: raw}
	}
	if len(body) > maxBytes {
		return nil, &wire.Fault{Reason: wire.ReasonTooLarge, Detail: fmt.Sprintf("%d bytes: want at most %d", len(body), maxBytes), Raw: raw}
	}
	// Two bytes of an empty metric become some hundred in memory: count first.
	n, err := countMetrics(body)
	if err == nil && n > l.maxMetrics {
		return nil, &wire.Fault{Reason: wire.ReasonTooLarge, Detail: fmt.Sprintf("%d metrics: want at most %d", n, l.maxMetrics), Raw: raw}
	}
	p := new(tahu.Payload)
	if err == nil && len(body) > fewBytes {
		if n, err = countMessages((*tahu.Payload)(nil).ProtoReflect().Descriptor(), body, 0); err == nil && n > l.maxMetrics*nestedPerMetric {
			return nil, &wire.Fault{Reason: wire.ReasonTooLarge, Detail: fmt.Sprintf("%d values within metrics: want at most %d", n, l.maxMetrics*nestedPerMetric), Raw: raw}
		}
	}
	if err == nil {
		err = proto.UnmarshalOptions{DiscardUnknown: true, RecursionLimit: maxNesting}.Unmarshal(body, p)
	}
	if err != nil {
		return nil, &wire.Fault{Reason: wire.ReasonMalformed, Detail: "not a Sparkplug B payload: " + err.Error(), Raw: raw}
	}
	for _, m := range p.Metrics {
		name := m.GetName()
		switch {
		case len(name) > maxNameBytes:
			return nil, &wire.Fault{Reason: wire.ReasonTooLarge, Detail: fmt.Sprintf("a metric's name of %d bytes: want at most %d", len(name), maxNameBytes), Raw: raw}
		case !utf8.ValidString(name):
			return nil, &wire.Fault{Reason: wire.ReasonInvalidUTF8, Detail: "a metric's name is not UTF-8", Raw: raw}
		}
	}
	return p, nil
}

// countMetrics counts without unmarshalling.
func countMetrics(body []byte) (n int, err error) {
	for len(body) > 0 {
		num, typ, size := protowire.ConsumeTag(body)
		if size < 0 {
			return 0, protowire.ParseError(size)
		}
		body = body[size:]
		size = protowire.ConsumeFieldValue(num, typ, body)
		if size < 0 {
			return 0, protowire.ParseError(size)
		}
		body = body[size:]
		if num == metricsField {
			n++
		}
	}
	return n, nil
}

// countMessages counts the messages within one of that type, at any depth.
func countMessages(of protoreflect.MessageDescriptor, body []byte, depth int) (n int, err error) {
	for len(body) > 0 && depth <= maxNesting {
		num, typ, size := protowire.ConsumeTag(body)
		if size < 0 {
			return 0, protowire.ParseError(size)
		}
		body = body[size:]
		size = protowire.ConsumeFieldValue(num, typ, body)
		if size < 0 {
			return 0, protowire.ParseError(size)
		}
		if fd := of.Fields().ByNumber(num); typ == protowire.BytesType && fd != nil && fd.Message() != nil {
			inner, _ := protowire.ConsumeBytes(body)
			within, err := countMessages(fd.Message(), inner, depth+1)
			if err != nil {
				return 0, err
			}
			n += 1 + within
		}
		body = body[size:]
	}
	return n, nil
}

func (l *payloads) unpack(raw []byte, p *tahu.Payload) ([]byte, *wire.Fault) {
	algorithm := "DEFLATE"
	for _, m := range p.Metrics {
		if m.GetName() == "algorithm" {
			algorithm = strings.ToUpper(m.GetStringValue())
		}
	}
	var r io.Reader
	var err error
	switch algorithm {
	case "DEFLATE":
		r, err = zlib.NewReader(bytes.NewReader(p.GetBody()))
	case "GZIP":
		r, err = gzip.NewReader(bytes.NewReader(p.GetBody()))
	default:
		err = fmt.Errorf("unknown algorithm %.32q", algorithm)
	}
	if err != nil {
		return nil, &wire.Fault{Reason: wire.ReasonBadGzip, Detail: "compressed payload: " + err.Error(), Raw: raw}
	}
	body, err := io.ReadAll(io.LimitReader(r, int64(l.maxUnpacked)+1))
	switch {
	case err != nil:
		return nil, &wire.Fault{Reason: wire.ReasonBadGzip, Detail: "compressed payload: " + err.Error(), Raw: raw}
	case len(body) > l.maxUnpacked:
		return nil, &wire.Fault{Reason: wire.ReasonGzipTooLarge, Detail: fmt.Sprintf("a compressed payload unpacks to more than %d bytes", l.maxUnpacked), Raw: raw}
	}
	return body, nil
}

// sequence is the payload's sequence number, which every message of an edge
// node but NDEATH must carry.
func sequence(p *tahu.Payload) (uint8, error) {
	switch {
	case p.Seq == nil:
		return 0, fmt.Errorf("no sequence number")
	case *p.Seq > math.MaxUint8:
		return 0, fmt.Errorf("sequence number %d is not within 0 and 255", *p.Seq)
	}
	return uint8(*p.Seq), nil
}

const bdSeqMetric = "bdSeq"

// birthDeath is the bdSeq metric, with which a death is told to belong to a
// birth.
func birthDeath(p *tahu.Payload) (n uint64, ok bool) {
	for _, m := range p.Metrics {
		if m.GetName() != bdSeqMetric || m.GetIsNull() {
			continue
		}
		switch v := m.GetValue().(type) {
		case *tahu.Payload_Metric_LongValue:
			return v.LongValue, true
		case *tahu.Payload_Metric_IntValue:
			return uint64(v.IntValue), true
		}
	}
	return 0, false
}

// milliseconds is a timestamp of a payload or a metric; ok is false where there
// is none, or one that no clock shows.
func milliseconds(ts *uint64) (ms int64, ok bool) {
	if ts == nil || *ts > math.MaxInt64 {
		return 0, false
	}
	return int64(*ts), true
}
