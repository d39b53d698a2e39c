package broker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mochi-mqtt/server/v2/packets"
	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/ingest"
)

func TestParsePublish(t *testing.T) {
	properties := func(b ...byte) []byte { return append([]byte{byte(len(b))}, b...) }
	body := func(topic string, rest ...[]byte) []byte { return append(text(nil, topic), bytes.Join(rest, nil)...) }
	id := []byte{0, 7}
	tests := []struct {
		name    string
		flags   byte
		version byte
		body    []byte
		want    publish
		err     error
	}{
		{"qos 0", 0, 4, body("a", []byte("x")), publish{topic: []byte("a"), payload: []byte("x")}, nil},
		{"qos 1", 0xb, 4, body("a", id, []byte("x")), publish{topic: []byte("a"), payload: []byte("x"), id: 7, qos: 1, dup: true, retain: true}, nil},
		{"no payload", 2, 4, body("a", id), publish{topic: []byte("a"), payload: []byte{}, id: 7, qos: 1}, nil},
		{"properties", 2, 5, body("a", id, properties(1, 1, 2, 0, 0, 0, 9, 3, 0, 1, 'j', 8, 0, 1, 'r', 9, 0, 0, 0x26, 0, 1, 'k', 0, 1, 'v'), []byte("x")),
			publish{topic: []byte("a"), payload: []byte("x"), id: 7, qos: 1}, nil},
		{"alias", 2, 5, body("", id, properties(0x23, 0, 3)), publish{topic: []byte{}, payload: []byte{}, id: 7, qos: 1, alias: 3}, nil},
		{"qos 3", 6, 4, body("a", id), publish{}, packets.ErrProtocolViolationQosOutOfRange},
		{"dup at qos 0", 8, 4, body("a"), publish{}, packets.ErrProtocolViolationDupNoQos},
		{"cut off in the topic", 2, 4, []byte{0, 5, 'a'}, publish{}, packets.ErrMalformedTopic},
		{"cut off before the id", 2, 4, body("a", []byte{0}), publish{}, packets.ErrMalformedPacketID},
		{"id 0", 2, 4, body("a", []byte{0, 0}), publish{}, packets.ErrProtocolViolationNoPacketID},
		{"no topic", 2, 4, body("", id), publish{}, packets.ErrProtocolViolationNoTopic},
		{"no properties", 2, 5, body("a", id), publish{}, packets.ErrMalformedProperties},
		{"properties longer than the packet", 2, 5, body("a", id, []byte{9}), publish{}, packets.ErrMalformedProperties},
		{"a property cut off", 2, 5, body("a", id, properties(0x26, 0, 1, 'k')), publish{}, packets.ErrMalformedProperties},
		{"a subscription id", 2, 5, body("a", id, properties(0x0b, 1)), publish{}, packets.ErrProtocolViolationUnsupportedProperty},
		{"alias 0", 2, 5, body("a", id, properties(0x23, 0, 0)), publish{}, packets.ErrTopicAliasInvalid},
		{"alias too high", 2, 5, body("a", id, properties(0x23, 0, 65)), publish{}, packets.ErrTopicAliasInvalid},
		{"two aliases", 2, 5, body("a", id, properties(0x23, 0, 1, 0x23, 0, 2)), publish{}, packets.ErrProtocolViolation},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got, err := parsePublish(tt.flags, tt.body, tt.version)
			if !errors.Is(err, tt.err) {
				t.Fatalf("got error %v, want %v", err, tt.err)
			}
			if tt.err == nil {
				if diff := cmp.Diff(tt.want, got, cmp.AllowUnexported(publish{})); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
		})
	}
}

// What is taken apart here, mochi takes apart to the same.
func FuzzParsePublish(f *testing.F) {
	for _, version := range []byte{4, 5} {
		for _, p := range [][]byte{publishPacketWith(version, "fleet/v1/station/s1/telemetry", 7, `{"queue":1}`), publishPacketWith(version, "a", 1, "")} {
			f.Add(p[0]&0x0f, p[2:], version == 5)
		}
	}
	f.Add(byte(2), publishPacketWith(5, "a", 1, "x", 0x23, 0, 3, 0x26, 0, 1, 'k', 0, 1, 'v')[2:], true)
	f.Fuzz(func(t *testing.T, flags byte, body []byte, five bool) {
		version := byte(4)
		if five {
			version = 5
		}
		flags &= 0x0f
		got, err := parsePublish(flags, body, version)
		if err != nil {
			if !errors.As(err, new(packets.Code)) {
				t.Fatalf("error %v is no reason code", err)
			}
			return
		}
		validTopic(got.topic)
		pk := packets.Packet{ProtocolVersion: version}
		if err := pk.FixedHeader.Decode(0x30 | flags); err != nil {
			t.Fatalf("mochi does not take the header: %v", err)
		}
		pk.FixedHeader.Remaining = len(body)
		if err := pk.PublishDecode(bytes.Clone(body)); err != nil {
			return // it is stricter about text that is not used here
		}
		want := publish{
			topic: []byte(pk.TopicName), payload: pk.Payload, id: pk.PacketID, alias: pk.Properties.TopicAlias,
			qos: pk.FixedHeader.Qos, dup: pk.FixedHeader.Dup, retain: pk.FixedHeader.Retain,
		}
		same := bytes.Equal(want.topic, got.topic) && bytes.Equal(want.payload, got.payload) && want.id == got.id &&
			want.alias == got.alias && want.qos == got.qos && want.dup == got.dup && want.retain == got.retain
		if !same {
			t.Errorf("got %+v, mochi %+v", got, want)
		}
	})
}

func TestValidTopic(t *testing.T) {
	for topic, want := range map[string]bool{
		"a": true, "fleet/v1/station/s1/telemetry": true, "/": true, "ü": true,
		"": false, "a/+": false, "#": false, "a\x00": false, "\xff": false, "$SYS/x": false, "$x": false,
	} {
		if got := validTopic([]byte(topic)); got != want {
			t.Errorf("%q: got %v, want %v", topic, got, want)
		}
	}
}

// pieces is a network that delivers bytes in pieces.
type pieces struct {
	net.Conn
	rng  *rand.Rand
	data []byte
}

func (p *pieces) Read(b []byte) (int, error) {
	if len(p.data) == 0 {
		return 0, io.EOF
	}
	n := copy(b, p.data[:1+p.rng.IntN(len(p.data))])
	p.data = p.data[n:]
	return n, nil
}

func (p *pieces) RemoteAddr() net.Addr             { return &net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 1} }
func (p *pieces) SetReadDeadline(time.Time) error  { return nil }
func (p *pieces) SetWriteDeadline(time.Time) error { return nil }
func (p *pieces) Write(b []byte) (int, error)      { return len(b), nil }
func (p *pieces) Close() error                     { return nil }

// However the network cuts the bytes, every PUBLISH arrives whole and in order,
// and mochi reads the rest.
func TestFraming(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var stream, rest []byte
		var want []string
		sizes := rapid.SliceOfN(rapid.OneOf(rapid.IntRange(0, 600), rapid.IntRange(16_000, 17_000), rapid.IntRange(60_000, 300_000)), 0, 12).Draw(t, "sizes")
		for i, size := range sizes {
			if rapid.Bool().Draw(t, "ping") {
				stream = append(stream, 0xC0, 0)
				rest = append(rest, 0xC0, 0)
			}
			payload := strings.Repeat(string(rune('a'+i)), size)
			want = append(want, payload)
			stream = append(stream, publishPacketWith(4, fmt.Sprint("t/", i%3), uint16(i+1), payload)...)
		}
		seed := rapid.Uint64().Draw(t, "seed")
		var got []string
		h := newHook(Options{
			Anonymous: true, Now: time.Now, MaxUnacked: 100, MaxPacket: 1 << 20,
			Submit: func(_ context.Context, m ingest.Message) error {
				got = append(got, string(m.Payload))
				return nil
			},
		}, nil)
		buffers := &sync.Pool{New: func() any { return new([largeBuffer]byte) }}
		c := newConn(&pieces{rng: rand.New(rand.NewPCG(seed, 1)), data: stream}, buffers, 1<<20)
		s := &session{hook: h, conn: c, version: 4, rights: rights{trusted: true}}
		s.changed.L = &s.mu
		c.begin(s, 60)
		passed, err := io.ReadAll(c)
		if err != nil || !bytes.Equal(passed, rest) {
			t.Fatalf("mochi's part: got %x, error %v; want %x", passed, err, rest)
		}
		if !slices.Equal(got, want) {
			t.Fatalf("got %d publishes, want %d, or they differ", len(got), len(want))
		}
	})
}
