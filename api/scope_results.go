package api

import (
	"context"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/battery/dossier"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/energy/report"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/station"
	"github.com/fleetwatt/fleetwatt/ingest/presence"
)

// scopedTelemetry reads the devices that the caller sees.
type scopedTelemetry struct {
	sight
	all telemetry.Reader
}

// query narrows a query; false: to nothing.
func (t scopedTelemetry) query(ctx context.Context, q telemetry.RangeQuery) (telemetry.RangeQuery, bool, error) {
	ids, all, err := t.devices(ctx, q.Kind)
	if err != nil || all {
		return q, true, err
	}
	asked := q.Devices
	q.Devices = nil
	if len(asked) == 0 {
		for id := range ids {
			q.Devices = append(q.Devices, id)
		}
	}
	for _, id := range asked {
		if ids[id] {
			q.Devices = append(q.Devices, id)
		}
	}
	return q, len(q.Devices) > 0, nil // none would be all of them
}

func (t scopedTelemetry) Range(ctx context.Context, q telemetry.RangeQuery, yield func(telemetry.Reading) error) error {
	q, some, err := t.query(ctx, q)
	if err != nil || !some {
		return err
	}
	return t.all.Range(ctx, q, yield)
}

func (t scopedTelemetry) Latest(ctx context.Context, q telemetry.RangeQuery) ([]telemetry.Sample, error) {
	q, some, err := t.query(ctx, q)
	if err != nil || !some {
		return nil, err
	}
	return t.all.Latest(ctx, q)
}

func (t scopedTelemetry) Aggregate(ctx context.Context, q telemetry.AggregateQuery) ([]telemetry.Bucket, error) {
	narrow, some, err := t.query(ctx, q.RangeQuery)
	if err != nil || !some {
		return nil, err
	}
	q.RangeQuery = narrow
	return t.all.Aggregate(ctx, q)
}

// scopedResults are those of the devices that the caller sees.
type scopedResults struct {
	sight
	all Results
}

func (r scopedResults) Rollups(ctx context.Context, ref devices.Ref, fromDay, toDay int64) ([]ledger.RollupDay, error) {
	if err := r.device(ctx, ref); err != nil {
		return nil, err
	}
	return r.all.Rollups(ctx, ref, fromDay, toDay)
}

func (r scopedResults) Capacities(ctx context.Context, ref devices.Ref) ([]battery.Capacity, error) {
	if err := r.device(ctx, ref); err != nil {
		return nil, err
	}
	return r.all.Capacities(ctx, ref)
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
	return narrowed(ctx, r.sight, kind, found, err)
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
	if err := e.device(ctx, devices.Ref{Kind: q.Kind, ID: q.Device}); err != nil {
		return nil, 0, err
	}
	return e.all.Events(ctx, q)
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
	seen := map[devices.Kind]map[string]bool{}
	for _, kind := range devices.Kinds() {
		if seen[kind], _, err = p.devices(ctx, kind); err != nil {
			return nil, 0, err
		}
	}
	left := found[:0:0]
	for _, one := range found {
		if seen[one.Device.Kind][one.Device.ID] {
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
	if err := b.one(ctx, id); err != nil {
		return nil, err
	}
	return b.all.BatteryHistory(ctx, id, fromDay, toDay)
}

func (b scopedBatteries) BatteryHistories(ctx context.Context, fromDay, toDay int64, yield func(string, dossier.Record) error) error {
	ids, all, err := b.devices(ctx, devices.KindBattery)
	if err != nil {
		return err
	}
	return b.all.BatteryHistories(ctx, fromDay, toDay, func(id string, r dossier.Record) error {
		if !all && !ids[id] {
			return nil
		}
		return yield(id, r)
	})
}

func (b scopedBatteries) BatteryDays(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Day, error) {
	if err := b.one(ctx, id); err != nil {
		return nil, err
	}
	return b.all.BatteryDays(ctx, id, fromDay, toDay)
}

func (b scopedBatteries) BatteryToday(ctx context.Context, id string) (dossier.Today, bool, error) {
	if err := b.one(ctx, id); err != nil {
		return dossier.Today{}, false, err
	}
	return b.all.BatteryToday(ctx, id)
}

func (b scopedBatteries) BatterySwaps(ctx context.Context, id string, fromDay, toDay int64) ([]dossier.Swaps, error) {
	if err := b.one(ctx, id); err != nil {
		return nil, err
	}
	return b.all.BatterySwaps(ctx, id, fromDay, toDay)
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
	if err := b.device(ctx, devices.Ref{Kind: devices.KindBattery, ID: id}); err != nil {
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

func (s scopedStations) one(ctx context.Context, id string) error {
	return s.device(ctx, devices.Ref{Kind: devices.KindStation, ID: id})
}

func (s scopedStations) StationDays(ctx context.Context, id string, first, last int64) ([]station.Day, error) {
	if err := s.one(ctx, id); err != nil {
		return nil, err
	}
	return s.all.StationDays(ctx, id, first, last)
}

func (s scopedStations) StationSpan(ctx context.Context, id string) (ledger.DaySpan, bool, error) {
	if err := s.one(ctx, id); err != nil {
		return ledger.DaySpan{}, false, err
	}
	return s.all.StationSpan(ctx, id)
}

func (s scopedStations) StationSpans(ctx context.Context) (map[string]ledger.DaySpan, error) {
	found, err := s.all.StationSpans(ctx)
	return narrowed(ctx, s.sight, devices.KindStation, found, err)
}

func (s scopedStations) StationTotals(ctx context.Context, first, last int64) (map[string]station.Totals, error) {
	found, err := s.all.StationTotals(ctx, first, last)
	return narrowed(ctx, s.sight, devices.KindStation, found, err)
}

func (s scopedStations) StationFaults(ctx context.Context, id string) (map[string][]station.Fault, error) {
	if id != "" {
		if err := s.one(ctx, id); err != nil {
			return nil, err
		}
	}
	found, err := s.all.StationFaults(ctx, id)
	return narrowed(ctx, s.sight, devices.KindStation, found, err)
}

// scopedReports are those of the buildings that the caller sees.
type scopedReports struct {
	sight
	all BuildingReports
}

func (r scopedReports) Report(ctx context.Context, id string, made time.Time) (report.Report, error) {
	if err := r.device(ctx, devices.Ref{Kind: devices.KindBuilding, ID: id}); err != nil {
		return report.Report{}, err
	}
	return r.all.Report(ctx, id, made)
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
	if err := b.one(ctx, id); err != nil {
		return nil, false, err
	}
	return b.all.BuildingResult(ctx, id, want...)
}

func (b scopedBuildings) BuildingHeadlines(ctx context.Context) ([]building.Headline, error) {
	found, err := b.all.BuildingHeadlines(ctx)
	return picked(ctx, b.sight, devices.KindBuilding, found, headlineID, err)
}

func (b scopedBuildings) BuildingHeadlinesAsOf(ctx context.Context, at int64) ([]building.Headline, error) {
	found, err := b.all.BuildingHeadlinesAsOf(ctx, at)
	return picked(ctx, b.sight, devices.KindBuilding, found, headlineID, err)
}

func (b scopedBuildings) BuildingHistory(ctx context.Context, id string, from, to int64) ([]building.Headline, error) {
	if err := b.one(ctx, id); err != nil {
		return nil, err
	}
	return b.all.BuildingHistory(ctx, id, from, to)
}
