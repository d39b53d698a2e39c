package api

import (
	"context"
	"errors"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// scopedTelemetry reads the devices that the caller sees.
type scopedTelemetry struct {
	sight
	all telemetry.Reader
}

// query narrows a query to the devices that the caller sees, none being all; late
// are those of them that he does not see the whole window of, and since when he
// does; some is false where nothing is left.
func (t scopedTelemetry) query(ctx context.Context, q telemetry.RangeQuery) (narrow telemetry.RangeQuery, late map[string]int64, some bool, err error) {
	if access.From(ctx).SeesAll() {
		return q, nil, true, nil
	}
	ids := map[string]int64{}
	for _, id := range q.Devices {
		since, err := t.since(ctx, devices.Ref{Kind: q.Kind, ID: id})
		if err == nil {
			ids[id] = since
		} else if !errors.Is(err, registry.ErrNotFound) {
			return q, nil, false, err
		}
	}
	if len(q.Devices) == 0 {
		if ids, _, err = t.devices(ctx, q.Kind); err != nil {
			return q, nil, false, err
		}
	}
	maps.DeleteFunc(ids, func(_ string, since int64) bool { return since >= q.Window.To })
	if len(ids) == 0 {
		return q, nil, false, nil
	}
	q.Devices = slices.Sorted(maps.Keys(ids))
	q.Window.From = max(q.Window.From, slices.Min(slices.Collect(maps.Values(ids))))
	maps.DeleteFunc(ids, func(_ string, since int64) bool { return since <= q.Window.From })
	return q, ids, q.Window.From < q.Window.To, nil
}

// split divides a query into one for the devices whose whole window is seen, and
// one for the others of each time since when they are.
func split(q telemetry.RangeQuery, late map[string]int64) []telemetry.RangeQuery {
	if len(late) == 0 {
		return []telemetry.RangeQuery{q}
	}
	by := map[int64][]string{}
	for _, id := range q.Devices {
		from := q.Window.From
		if since, is := late[id]; is {
			from = since
		}
		by[from] = append(by[from], id)
	}
	var out []telemetry.RangeQuery
	for from, ids := range by {
		part := q
		part.Devices, part.Window.From = ids, from
		out = append(out, part)
	}
	return out
}

func (t scopedTelemetry) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	q, late, some, err := t.query(ctx, q)
	if err != nil || !some {
		return err
	}
	names := t.names(ctx)
	if names == nil {
		return t.all.Range(ctx, q, yield)
	}
	return t.all.Range(ctx, q, func(r telemetry.Reading) error {
		if since, is := late[r.Device]; is && r.TS < since {
			return nil
		}
		var err error
		if r.Values, err = names.values(r.Values); err != nil {
			return err
		}
		return yield(r)
	})
}

// Latest asks for all devices at once: where the newest value is from before one is
// seen, there is none since.
func (t scopedTelemetry) Latest(ctx context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error) {
	q, late, some, err := t.query(ctx, q)
	if err != nil || !some {
		return nil, err
	}
	found, err := t.all.Latest(ctx, q)
	if err != nil {
		return nil, err
	}
	names, out := t.names(ctx), found[:0]
	for _, one := range found {
		if since, is := late[one.Device]; is && one.TS < since {
			continue
		}
		if one.Value, err = names.value(one.Value); err != nil {
			return nil, err
		}
		out = append(out, one)
	}
	return out, nil
}

func (t scopedTelemetry) Aggregate(ctx context.Context, q telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	narrow, late, some, err := t.query(ctx, q.RangeQuery)
	if err != nil || !some {
		return nil, err
	}
	if q.Fleet && len(late) > 0 {
		return nil, errors.New("aggregate of devices that are not seen since the same time")
	}
	var out []telemetry.Bucket
	for _, part := range split(narrow, late) {
		q.RangeQuery = part
		found, err := t.all.Aggregate(ctx, q)
		if err != nil {
			return nil, err
		}
		out = append(out, found...)
	}
	slices.SortStableFunc(out, func(x, y telemetry.Bucket) int { return strings.Compare(x.Device, y.Device) })
	return out, nil
}

// scopedEvents are those of one device that the caller sees; those of several
// are for who sees all.
type scopedEvents struct {
	sight
	all Events
}

func (e scopedEvents) Events(ctx context.Context, q ledger.EventQuery) ([]telemetry.Event, int, error) {
	if access.From(ctx).SeesAll() {
		return e.all.Events(ctx, q)
	}
	since, err := e.since(ctx, devices.Ref{Kind: q.Kind, ID: q.Device})
	if err != nil {
		return nil, 0, err
	}
	if since != always && q.Window == (telemetry.Window{}) {
		q.Window.To = math.MaxInt64
	}
	q.Window.From = max(q.Window.From, since)
	found, total, err := e.all.Events(ctx, q)
	if err != nil {
		return nil, 0, err
	}
	names := e.names(ctx)
	for i := range found {
		if found[i].Data, err = names.json(found[i].Data); err != nil {
			return nil, 0, err
		}
	}
	return found, total, nil
}
