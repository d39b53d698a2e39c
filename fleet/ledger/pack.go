package ledger

import (
	"bytes"
	"compress/flate"
	"encoding/json"
	"fmt"
	"io"
	"sync"

	"github.com/fleetwatt/fleetwatt/fleet/rollup"
)

// packer turns roll-ups into bytes: JSON, packed because the names of fields
// and statistics recur every hour and are most of it. The same roll-up gives
// the same bytes. The writer is kept, for it is larger than what it writes.
type packer struct {
	mu sync.Mutex
	w  *flate.Writer
}

func (p *packer) pack(day *rollup.Day) ([]byte, error) {
	raw, err := json.Marshal(day)
	if err != nil {
		return nil, err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	var out bytes.Buffer
	if p.w == nil {
		if p.w, err = flate.NewWriter(&out, flate.BestSpeed); err != nil {
			return nil, err
		}
	} else {
		p.w.Reset(&out)
	}
	if _, err := p.w.Write(raw); err != nil {
		return nil, err
	}
	if err := p.w.Close(); err != nil {
		return nil, err
	}
	return out.Bytes(), nil
}

func unpack(payload []byte) (day rollup.Day, err error) {
	raw, err := io.ReadAll(flate.NewReader(bytes.NewReader(payload)))
	if err != nil {
		return rollup.Day{}, fmt.Errorf("unpack: %w", err)
	}
	if err := json.Unmarshal(raw, &day); err != nil {
		return rollup.Day{}, fmt.Errorf("unpack: %w", err)
	}
	return day, nil
}
