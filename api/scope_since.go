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
// saves, is told whole, whoever's it was meanwhile.

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
	if s.earlier || a.OwnerSince == nil || access.From(ctx).Role == access.Device {
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

// sinceLocal is the first whole day of the station's calendar that the caller may
// see of it.
func (s sight) sinceLocal(ctx context.Context, id string) (int64, error) {
	since, err := s.since(ctx, devices.Ref{Kind: devices.KindStation, ID: id})
	if err != nil || since == always {
		return always, err
	}
	d, err := s.registry.GetStation(ctx, id)
	if err != nil || d.SiteID == "" {
		return wholeDay(since), err
	}
	site, err := s.registry.GetSite(ctx, d.SiteID)
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
			if first, err = s.sinceLocal(ctx, id); err != nil {
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
