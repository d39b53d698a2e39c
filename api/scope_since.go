package api

import (
	"context"
	"fmt"
	"maps"
	"math"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// What a device did before its present owner had it is that of the one before:
// readings, events and what is told by the hour or the day begin with the
// ownership, days with the first whole one; what was known as of a day, with the
// day of the sale. What a device is now, its health, its passport, what a building
// saves, is told whole, whoever's it was meanwhile. Of a building that is: its
// savings in sum, with the baseline that they are held against, its models, goals
// and forecast, a shift that lasts, and its use, load and emissions per area over
// the rolling year. Bills, emissions and use set against the year before, the
// highest hours of months, days that no model explains, and the rows behind the
// savings are what it did: years, months and days that begin before the ownership
// are left out, of the savings' report too.
// A fault that lasts into the ownership counts, and is shown to begin with it.

// always is the beginning of what may be seen of a device that has always been its
// owner's.
const always = math.MinInt64

// since is from when on the caller may see the device, in Unix milliseconds; always
// for all of it. Error: registry.ErrNotFound where he may not see it at all.
func (s sight) since(ctx context.Context, ref devices.Ref) (int64, error) {
	p := access.From(ctx)
	if p.SeesAll() {
		return always, nil
	}
	asset, err := assetOf(ctx, s.registry, ref)
	if err == nil && !p.Sees(ref, asset.OwnerID) {
		err = fmt.Errorf("%s %s: %w", ref.Kind, ref.ID, registry.ErrNotFound)
	}
	return s.begins(ctx, &asset), err
}

// late are the devices of the kind that the caller does not see from their
// beginning, and since when he does.
func (s sight) late(ctx context.Context, kind devices.Kind) (map[string]int64, error) {
	ids, _, err := s.devices(ctx, kind)
	maps.DeleteFunc(ids, func(_ string, since int64) bool { return since == always })
	return ids, err
}

// begins is since for a device that the caller may see.
func (s sight) begins(ctx context.Context, a *devices.Asset) int64 {
	return beginning(a, s.whole(ctx))
}

// whole reports whether the caller sees what he sees from its beginning on.
func (s sight) whole(ctx context.Context) bool {
	p := access.From(ctx)
	return s.earlier || p.SeesAll() || p.Role == access.Device
}

// beginning is from when on a device is seen by its owner, or by who sees it whole.
func beginning(a *devices.Asset, whole bool) int64 {
	if whole || a.OwnerSince == nil {
		return always
	}
	return a.OwnerSince.UnixMilli()
}

// dayIn is the day of UTC that an instant lies in.
func dayIn(since int64) int64 {
	if since == always {
		return always
	}
	return telemetry.DayOf(since)
}

// wholeDay is the first day of UTC, counted from 1970-01-01, that begins at an
// instant or behind it.
func wholeDay(since int64) int64 {
	if since == always {
		return always
	}
	return telemetry.DayOf(since-1) + 1
}

// sinceDay is the first whole day of UTC that the caller may see of the device.
func (s sight) sinceDay(ctx context.Context, ref devices.Ref) (int64, error) {
	since, err := s.since(ctx, ref)
	return wholeDay(since), err
}

// sinceLocal is the first whole day of its site's calendar that the caller may see
// of a station or a building.
func (s sight) sinceLocal(ctx context.Context, ref devices.Ref) (int64, error) {
	since, err := s.since(ctx, ref)
	if err != nil || since == always {
		return always, err
	}
	asset, err := assetOf(ctx, s.registry, ref)
	if err != nil || asset.SiteID == "" {
		return wholeDay(since), err
	}
	site, err := s.registry.GetSite(ctx, asset.SiteID)
	return calendarOf(site).DayOf(since-1) + 1, err
}

// spans are those of devices that the caller sees, from when on he does.
func (s sight) spans(ctx context.Context, kind devices.Kind, of map[string]ledger.DaySpan, err error) (map[string]ledger.DaySpan, error) {
	if of, err = narrowed(ctx, s, kind, of, err); err != nil {
		return nil, err
	}
	late, err := s.late(ctx, kind)
	for id, since := range late {
		span, is := of[id]
		if !is {
			continue
		}
		first := wholeDay(since)
		if kind == devices.KindStation {
			if first, err = s.sinceLocal(ctx, stationRef(id)); err != nil {
				return nil, err
			}
		}
		if span.First = max(span.First, first); span.First > span.Last {
			delete(of, id)
			continue
		}
		of[id] = span
	}
	return of, err
}
