package presence

import (
	"context"

	"github.com/fleetwatt/fleetwatt/devices"
)

// seed takes the newest stored readings for the last signs of life. A reading may
// have come later than its time; not earlier, unless its clock was ahead.
func (t *Tracker) seed(ctx context.Context) {
	now := t.opts.Now().UnixMilli()
	known := 0
	err := t.opts.Newest(ctx, func(ref devices.Ref, newest int64) {
		p := t.part(ref)
		p.mu.Lock()
		defer p.mu.Unlock()
		if dev := t.device(p, ref); dev != nil && newest > 0 {
			dev.seen.live(min(newest, now), t.fixed(ref.Kind), t.preset)
			dev.seen.newest = max(dev.seen.newest, newest)
			dev.fresh = true
			known++
		}
	})
	if err != nil {
		t.opts.Logger.Warn("not known when the devices were last heard", "err", err)
		return
	}
	if known > 0 {
		t.opts.Logger.Info("presence begins with the stored readings", "devices", known)
	}
}
