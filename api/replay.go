package api

import (
	"context"
	"errors"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

// maxReplay bounds the entries of one replay.
const maxReplay = 1000

// Replayed is what became of entries that were taken in again.
type Replayed struct {
	Entries     int `json:"entries" doc:"taken in again"`
	Stored      int `json:"stored" doc:"records of them that are stored now, or were there already"`
	Quarantined int `json:"quarantined" doc:"records of them that still can't be stored: new entries"`
}

type replayInput struct {
	Reason string `query:"reason" maxLength:"64" doc:"only entries of this reason"`
	Device string `query:"device" maxLength:"128" doc:"only entries of this device: kind/id"`
}

func (a *API) replayQuarantined(ctx context.Context, in *EntryPath) (*itemOutput[Replayed], error) {
	e, err := a.opts.Quarantine.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	var r Replayed
	if err := a.replay(ctx, e, &r); err != nil {
		return nil, err
	}
	return &itemOutput[Replayed]{Body: r}, nil
}

// replayQuarantine picks its entries before it takes the first in, because those
// that fail again are new entries.
func (a *API) replayQuarantine(ctx context.Context, in *replayInput) (*itemOutput[Replayed], error) {
	filter := quarantine.Filter{Reason: wire.Reason(in.Reason), Device: in.Device, Limit: 1}
	_, total, err := a.opts.Quarantine.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	filter.Limit, filter.Offset = maxReplay, max(0, total-maxReplay) // newest first
	entries, _, err := a.opts.Quarantine.List(ctx, filter)
	if err != nil {
		return nil, err
	}
	var r Replayed
	for i := len(entries) - 1; i >= 0; i-- {
		if err := a.replay(ctx, entries[i], &r); err != nil && !errors.Is(err, ErrNotReplayable) {
			return nil, err
		}
	}
	return &itemOutput[Replayed]{Body: r}, nil
}

// replay takes one entry in again and drops it.
func (a *API) replay(ctx context.Context, e quarantine.Entry, r *Replayed) error {
	records, again, err := a.opts.Ingest.Replay(ctx, e)
	if err != nil {
		return fmt.Errorf("replay entry %d: %w", e.ID, err)
	}
	// Someone else may have dropped it meanwhile.
	if err := a.opts.Quarantine.Delete(ctx, e.ID); err != nil && !errors.Is(err, quarantine.ErrNotFound) {
		return fmt.Errorf("drop replayed entry %d: %w", e.ID, err)
	}
	r.Entries++
	r.Stored += records - again
	r.Quarantined += again
	return nil
}
