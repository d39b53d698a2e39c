package api

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

const (
	maxReplay   = 1000 // entries of one replay
	replayStep  = 8    // of which are held in memory at once; each may have a megabyte
	maxRefailed = 100  // records that failed again that are told one by one
)

// Replayed is what became of entries that were taken in again.
type Replayed struct {
	Entries     int           `json:"entries" doc:"taken in again"`
	Stored      int           `json:"stored" doc:"records of them that are stored now, or were there already"`
	Quarantined int           `json:"quarantined" doc:"records of them that still can't be stored: new entries"`
	Skipped     int           `json:"skipped" doc:"entries left alone because another than their device had published them, or nobody knows who"`
	Reasons     []ReasonCount `json:"reasons" nullable:"false" doc:"why records still can't be stored"`
	Failed      []Refailed    `json:"failed" nullable:"false" doc:"the first 100 records that still can't be stored"`
	After       int64         `json:"after" doc:"id of the last entry looked at"`
	Through     int64         `json:"through" doc:"id of the newest entry when the replay began"`
	More        bool          `json:"more" doc:"there are more entries; go on with after and through"`
}

// Refailed is a record that still can't be stored.
type Refailed struct {
	Entry  int64  `json:"entry" doc:"id of the entry that was taken in again"`
	ID     int64  `json:"id" doc:"id of the new entry"`
	Device string `json:"device"`
	Reason string `json:"reason"`
	Detail string `json:"detail"`
}

type replayInput struct {
	QuarantineFilter
	After   int64 `query:"after" minimum:"0" doc:"only entries with a greater id"`
	Through int64 `query:"through" minimum:"0" doc:"only entries with an id up to this; default: the newest"`
}

func (a *API) replayQuarantined(ctx context.Context, in *EntryPath) (*itemOutput[Replayed], error) {
	e, err := a.opts.Quarantine.Get(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	r, err := a.newReplay(ctx, 0)
	if err != nil {
		return nil, err
	}
	if err := r.entry(ctx, e); err != nil {
		return nil, err
	}
	return &itemOutput[Replayed]{Body: r.Replayed}, nil
}

// replayQuarantine takes in only what was there when it began, because records
// that fail again are new entries. It ends with half of the request's time left,
// so that what was done is told.
func (a *API) replayQuarantine(ctx context.Context, in *replayInput) (*itemOutput[Replayed], error) {
	f, err := in.filter()
	if err != nil {
		return nil, err
	}
	r, err := a.newReplay(ctx, in.Through)
	if err != nil {
		return nil, err
	}
	enough, cancel := context.WithTimeout(ctx, a.opts.RequestTimeout/2)
	defer cancel()
	r.After, r.More = in.After, true
	f.Through, f.Limit, f.OldestFirst = r.Through, replayStep, true
	for r.Entries+r.Skipped < maxReplay && enough.Err() == nil {
		f.After = r.After
		entries, _, err := a.opts.Quarantine.List(ctx, f)
		if err != nil {
			return nil, err
		}
		if len(entries) == 0 {
			r.More = false
			break
		}
		for _, e := range entries {
			if err := r.entry(ctx, e); errors.Is(err, ErrNotReplayable) {
				r.Skipped++
			} else if err != nil {
				return nil, err
			}
			r.After = e.ID
		}
	}
	return &itemOutput[Replayed]{Body: r.Replayed}, nil
}

// replay is one request's taking in again.
type replay struct {
	api    *API
	newest int64 // id of the newest entry that is known
	Replayed
}

func (a *API) newReplay(ctx context.Context, through int64) (*replay, error) {
	r := &replay{api: a, Replayed: Replayed{Through: through, Reasons: []ReasonCount{}, Failed: []Refailed{}}}
	newest, _, err := a.opts.Quarantine.List(ctx, quarantine.Filter{Limit: 1})
	if err != nil {
		return nil, err
	}
	if len(newest) > 0 {
		r.newest = newest[0].ID
	}
	if r.Through == 0 {
		r.Through = r.newest
	}
	return r, nil
}

// entry takes one entry in again and drops it.
func (r *replay) entry(ctx context.Context, e quarantine.Entry) error {
	records, again, err := r.api.opts.Ingest.Replay(ctx, e)
	if err != nil {
		return fmt.Errorf("replay entry %d: %w", e.ID, err)
	}
	// Someone else may have dropped it meanwhile.
	if err := r.api.opts.Quarantine.Delete(ctx, e.ID); err != nil && !errors.Is(err, quarantine.ErrNotFound) {
		return fmt.Errorf("drop replayed entry %d: %w", e.ID, err)
	}
	r.Entries++
	r.Stored += records - again
	r.Quarantined += again
	if again > 0 {
		return r.refailed(ctx, e, again)
	}
	return nil
}

// refailed looks up why records of e failed again: they are the new entries of
// its device, sender and topic.
func (r *replay) refailed(ctx context.Context, e quarantine.Entry, again int) error {
	entries, _, err := r.api.opts.Quarantine.List(ctx, quarantine.Filter{
		Device: e.Device, After: r.newest, OldestFirst: true, Limit: again + maxRefailed,
	})
	if err != nil {
		return err
	}
	for _, n := range entries {
		if n.Topic != e.Topic || n.Principal != e.Principal {
			continue
		}
		r.newest = n.ID
		r.count(string(n.Reason))
		if len(r.Failed) < maxRefailed {
			r.Failed = append(r.Failed, Refailed{Entry: e.ID, ID: n.ID, Device: n.Device, Reason: string(n.Reason), Detail: n.Detail})
		}
		if again--; again == 0 {
			break
		}
	}
	return nil
}

func (r *replay) count(reason string) {
	i, found := slices.BinarySearchFunc(r.Reasons, reason, func(c ReasonCount, reason string) int { return strings.Compare(c.Reason, reason) })
	if !found {
		r.Reasons = slices.Insert(r.Reasons, i, ReasonCount{Reason: reason})
	}
	r.Reasons[i].Count++
}
