package sparkplug

import (
	"context"
	"fmt"
	"testing"

	"google.golang.org/protobuf/proto"

	"github.com/fleetwatt/fleetwatt/ingest"
)

// BenchmarkReceive takes DDATA of some metrics with aliases, in order:
//
//	go test -run '^$' -bench Receive -count 6 ./ingest/sparkplug | benchstat -
func BenchmarkReceive(b *testing.B) {
	names := []string{"voltage_v", "current_a", "power_w", "temperature_c", "soc_pct", "soh_pct", "cycles", "cell_voltage_min_v", "cell_voltage_max_v", "capacity_ah"}
	for _, n := range []int{1, 10} {
		b.Run(fmt.Sprintf("metrics=%d", n), func(b *testing.B) {
			r := newRig(b)
			e := r.edge()
			e.nbirth()
			birth := e.next()
			for i, name := range names {
				m := double(name, 1)
				m.Alias = proto.Uint64(uint64(i))
				birth.Metrics = append(birth.Metrics, m)
			}
			e.send(DBirth, birth, "b1")
			data := make([][]byte, 256) // one for each sequence number
			for range data {
				seq := e.seq
				p := e.next()
				for i := range n {
					p.Metrics = append(p.Metrics, at(aliased(uint64(i), 1), t0))
				}
				data[seq] = encode(b, p)
			}
			r.host.opts.Submit = func(_ context.Context, m ingest.Message, tr ingest.Translated) error {
				if len(tr.Decoded.Readings) != 1 {
					return fmt.Errorf("got %d readings", len(tr.Decoded.Readings))
				}
				return nil
			}
			m := ingest.Message{Topic: e.topic(DData, "b1"), ReceivedMS: t0, Principal: ingest.Principal{Trusted: true}}
			seq := e.seq
			b.ReportAllocs()
			for b.Loop() {
				m.Payload = data[seq%256]
				seq++
				if err := r.host.Receive(b.Context(), m); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
