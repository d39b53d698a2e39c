package api

import (
	"context"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
	"github.com/fleetwatt/fleetwatt/ingest/presence"
)

// scopedResults are those of the devices that the caller sees.
type scopedResults struct {
	sight
	all Results
}

func (r scopedResults) Rollups(ctx context.Context, ref devices.Ref, fromDay, toDay int64) ([]ledger.RollupDay, error) {
	since, err := r.sinceDay(ctx, ref)
	if err != nil {
		return nil, err
	}
	return r.all.Rollups(ctx, ref, max(fromDay, since), toDay)
}

func (r scopedResults) RollupTotals(ctx context.Context, ref devices.Ref, fromDay, toDay int64) ([]ledger.RollupDay, error) {
	since, err := r.sinceDay(ctx, ref)
	if err != nil {
		return nil, err
	}
	return r.all.RollupTotals(ctx, ref, max(fromDay, since), toDay)
}

func (r scopedResults) Capacities(ctx context.Context, ref devices.Ref) ([]battery.Capacity, error) {
	since, err := r.since(ctx, ref)
	if err != nil {
		return nil, err
	}
	found, err := r.all.Capacities(ctx, ref)
	return restingOn(found, since), err
}

// healthRests is how many of the newest measurements by a method battery.Assess
// looks at, at most.
const healthRests = 10

// restingOn are the measurements since an instant, and those before it that the
// present health rests on still. They ascend.
func restingOn(measured []battery.Capacity, since int64) []battery.Capacity {
	var out []battery.Capacity
	newer := map[battery.Method]int{}
	for _, c := range slices.Backward(measured) {
		if newer[c.Method]++; c.From >= since || newer[c.Method] <= healthRests {
			out = append(out, c)
		}
	}
	slices.Reverse(out)
	return out
}

func (r scopedResults) LatestCapacities(ctx context.Context, kind devices.Kind) (map[string][]battery.Capacity, error) {
	found, err := r.all.LatestCapacities(ctx, kind)
	return narrowed(ctx, r.sight, kind, found, err)
}

// Runs take the right to operate.
func (r scopedResults) Runs(ctx context.Context, job string, limit int) ([]ledger.Run, error) {
	return r.all.Runs(ctx, job, limit)
}

func (r scopedResults) Spans(ctx context.Context, kind devices.Kind) (map[string]ledger.DaySpan, error) {
	found, err := r.all.Spans(ctx, kind)
	return r.spans(ctx, kind, found, err)
}

// scopedPresence is that of the devices that the caller sees.
type scopedPresence struct {
	sight
	all Presence
}

// Get is asked for devices that are known to exist.
func (p scopedPresence) Get(ref devices.Ref) presence.Presence { return p.all.Get(ref) }

func (p scopedPresence) List(ctx context.Context, f presence.Filter) ([]presence.Presence, int, error) {
	if access.From(ctx).SeesAll() {
		return p.all.List(ctx, f)
	}
	every := f
	every.Limit, every.Offset = 0, 0
	found, _, err := p.all.List(ctx, every)
	if err != nil {
		return nil, 0, err
	}
	seen := map[devices.Kind]map[string]int64{}
	for _, kind := range devices.Kinds() {
		if seen[kind], _, err = p.devices(ctx, kind); err != nil {
			return nil, 0, err
		}
	}
	left := found[:0:0]
	for _, one := range found {
		if _, may := seen[one.Device.Kind][one.Device.ID]; may {
			left = append(left, one)
		}
	}
	total := len(left)
	left = left[min(f.Offset, total):]
	if f.Limit > 0 {
		left = left[:min(f.Limit, len(left))]
	}
	return left, total, nil
}

// scopedBatteries are those that the caller sees.
type scopedBatteries struct {
	sight
	all BatteryResults
}

func (b scopedBatteries) one(ctx context.Context, id string) error {
	return b.device(ctx, devices.Ref{Kind: devices.KindBattery, ID: id})
}

func standingID(s *dossier.Standing) string { return s.Device }

func (b scopedBatteries) Standings(ctx context.Context) ([]dossier.Standing, error) {
	found, err := b.all.Standings(ctx)
	return picked(ctx, b.sight, devices.KindBattery, found, standingID, err)
}

func (b scopedBatteries) StandingsOf(ctx context.Context, ids []string) ([]dossier.Standing, error) {
	found, err := b.all.StandingsOf(ctx, ids)
	return picked(ctx, b.sight, devices.KindBattery, found, standingID, err)
}

func (b scopedBatteries) BatteryHistory(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Record, error) {
	since, err := b.since(ctx, devices.Ref{Kind: devices.KindBattery, ID: id})
	if err != nil {
		return nil, err
	}
	return b.all.BatteryHistory(ctx, id, max(fromDay, dayIn(since)), toDay) // a record is as of the end of its day
}

func (b scopedBatteries) BatteryHistories(ctx context.Context, fromDay, toDay int64, yield func(string, dossier.Record) error) error {
	ids, all, err := b.devices(ctx, devices.KindBattery)
	if err != nil {
		return err
	}
	return b.all.BatteryHistories(ctx, fromDay, toDay, func(id string, r dossier.Record) error {
		if since, may := ids[id]; !all && (!may || r.Day < dayIn(since)) {
			return nil
		}
		return yield(id, r)
	})
}

func (b scopedBatteries) BatteryDays(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Day, error) {
	since, err := b.sinceDay(ctx, devices.Ref{Kind: devices.KindBattery, ID: id})
	if err != nil {
		return nil, err
	}
	return b.all.BatteryDays(ctx, id, max(fromDay, since), toDay)
}

func (b scopedBatteries) BatteryToday(ctx context.Context, id string) (dossier.Today, bool, error) {
	since, err := b.sinceDay(ctx, devices.Ref{Kind: devices.KindBattery, ID: id})
	if err != nil {
		return dossier.Today{}, false, err
	}
	found, ok, err := b.all.BatteryToday(ctx, id)
	if found.Day < since {
		return dossier.Today{}, false, err
	}
	return found, ok, err
}

func (b scopedBatteries) BatterySwaps(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Swaps, error) {
	since, err := b.sinceDay(ctx, devices.Ref{Kind: devices.KindBattery, ID: id})
	if err != nil {
		return nil, err
	}
	return b.all.BatterySwaps(ctx, id, max(fromDay, since), toDay)
}

func (b scopedBatteries) Swapped(ctx context.Context, id string, fromDay, toDay int64) (bool, error) {
	since, err := b.sinceDay(ctx, devices.Ref{Kind: devices.KindBattery, ID: id})
	if err != nil {
		return false, err
	}
	return b.all.Swapped(ctx, id, max(fromDay, since), toDay)
}

func (b scopedBatteries) PutSheet(ctx context.Context, id string, s ledger.Sheet) (ledger.Sheet, error) {
	if err := b.one(ctx, id); err != nil {
		return ledger.Sheet{}, err
	}
	return b.all.PutSheet(ctx, id, s)
}

func (b scopedBatteries) Sheet(ctx context.Context, id string) (ledger.Sheet, error) {
	if err := b.one(ctx, id); err != nil {
		return ledger.Sheet{}, err
	}
	return b.all.Sheet(ctx, id)
}

func (b scopedBatteries) DeleteSheet(ctx context.Context, id string) error {
	if err := b.one(ctx, id); err != nil {
		return err
	}
	return b.all.DeleteSheet(ctx, id)
}

// scopedBook tells of the batteries that the caller sees.
type scopedBook struct {
	sight
	all BatteryBook
}

func (b scopedBook) Assessment(ctx context.Context, id string, asOfDay int64) (dossier.Assessment, bool, error) {
	since, err := b.since(ctx, devices.Ref{Kind: devices.KindBattery, ID: id})
	if err != nil || asOfDay < dayIn(since) {
		return dossier.Assessment{}, false, err
	}
	return b.all.Assessment(ctx, id, asOfDay)
}

func (b scopedBook) Rules() dossier.Rules { return b.all.Rules() }

// scopedStations are those that the caller sees.
type scopedStations struct {
	sight
	all StationResults
}

func stationRef(id string) devices.Ref { return devices.Ref{Kind: devices.KindStation, ID: id} }

func (s scopedStations) one(ctx context.Context, id string) error {
	return s.device(ctx, stationRef(id))
}

func (s scopedStations) StationDays(ctx context.Context, id string, first, last int64) ([]station.Day, error) {
	since, err := s.sinceLocal(ctx, stationRef(id))
	if err != nil {
		return nil, err
	}
	return s.all.StationDays(ctx, id, max(first, since), last)
}

func (s scopedStations) StationSpan(ctx context.Context, id string) (ledger.DaySpan, bool, error) {
	since, err := s.sinceLocal(ctx, stationRef(id))
	if err != nil {
		return ledger.DaySpan{}, false, err
	}
	span, ok, err := s.all.StationSpan(ctx, id)
	span.First = max(span.First, since)
	if !ok || span.First > span.Last {
		return ledger.DaySpan{}, false, err
	}
	return span, true, err
}

func (s scopedStations) StationSpans(ctx context.Context) (map[string]ledger.DaySpan, error) {
	found, err := s.all.StationSpans(ctx)
	return s.spans(ctx, devices.KindStation, found, err)
}

func (s scopedStations) StationTotals(ctx context.Context, first, last int64) (map[string]station.Totals, error) {
	found, err := s.all.StationTotals(ctx, first, last)
	if found, err = narrowed(ctx, s.sight, devices.KindStation, found, err); err != nil {
		return nil, err
	}
	late, err := s.late(ctx, devices.KindStation)
	for id := range late {
		since, err := s.sinceLocal(ctx, stationRef(id))
		if err != nil {
			return nil, err
		}
		if _, is := found[id]; !is || since <= first {
			continue
		}
		part, err := s.all.StationTotals(ctx, since, last)
		if err != nil {
			return nil, err
		}
		found[id] = part[id]
	}
	return found, err
}

func (s scopedStations) StationFaults(ctx context.Context, id string) (map[string][]station.Fault, error) {
	if id != "" {
		if err := s.one(ctx, id); err != nil {
			return nil, err
		}
	}
	found, err := s.all.StationFaults(ctx, id)
	if found, err = narrowed(ctx, s.sight, devices.KindStation, found, err); err != nil {
		return nil, err
	}
	late, err := s.late(ctx, devices.KindStation)
	for id, since := range late {
		if of, is := found[id]; is {
			// One that lasts into the ownership is the present owner's too, however it began.
			found[id] = slices.DeleteFunc(of, func(f station.Fault) bool { return f.To != 0 && f.To <= since })
		}
	}
	return found, err
}

// scopedReports are those of the buildings that the caller sees.
type scopedReports struct {
	sight
	all BuildingReports
}

func (r scopedReports) Report(ctx context.Context, id string, made time.Time) (report.Report, error) {
	since, err := r.since(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id})
	if err != nil {
		return report.Report{}, err
	}
	found, err := r.all.Report(ctx, id, made)
	if since != always {
		found.Since = time.UnixMilli(since).In(found.Made.Location())
	}
	return found, err
}

// scopedBuildings are those that the caller sees, with what was entered of them.
type scopedBuildings struct {
	sight
	all BuildingResults
}

func (b scopedBuildings) one(ctx context.Context, id string) error {
	return b.device(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id})
}

func headlineID(h *building.Headline) string { return h.Building }

func (b scopedBuildings) BuildingResult(ctx context.Context, id string, want ...ledger.BuildingPart) (*building.Result, bool, error) {
	ref := devices.Ref{Kind: devices.KindBuilding, ID: id}
	since, err := b.since(ctx, ref)
	if err != nil {
		return nil, false, err
	}
	found, ok, err := b.all.BuildingResult(ctx, id, want...)
	if since == always || !ok || err != nil {
		return found, ok, err
	}
	day, err := b.sinceLocal(ctx, ref)
	if err != nil {
		return nil, false, err
	}
	ownership{time.UnixMilli(since), day}.leave(found)
	return found, true, nil
}

func (b scopedBuildings) BuildingHeadlines(ctx context.Context) ([]building.Headline, error) {
	found, err := b.all.BuildingHeadlines(ctx)
	return picked(ctx, b.sight, devices.KindBuilding, found, headlineID, err)
}

func (b scopedBuildings) BuildingHeadlinesAsOf(ctx context.Context, at int64) ([]building.Headline, error) {
	found, err := b.all.BuildingHeadlinesAsOf(ctx, at)
	if found, err = picked(ctx, b.sight, devices.KindBuilding, found, headlineID, err); err != nil {
		return nil, err
	}
	late, err := b.late(ctx, devices.KindBuilding)
	return slices.DeleteFunc(found, func(h building.Headline) bool {
		since, is := late[h.Building]
		return is && h.AsOf.UnixMilli() < since
	}), err
}

func (b scopedBuildings) BuildingHistory(ctx context.Context, id string, from, to int64) ([]building.Headline, error) {
	since, err := b.since(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id})
	if err != nil {
		return nil, err
	}
	return b.all.BuildingHistory(ctx, id, max(from, since), to)
}
