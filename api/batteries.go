package api

import (
	"context"
	"fmt"
	"iter"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
)

// Battery is a battery and how it is.
type Battery struct {
	AssetView
	Chemistry       string        `json:"chemistry,omitempty"`
	RatedCapacityAh float64       `json:"rated_capacity_ah,omitempty" doc:"absent: not known"`
	RatedVoltageV   float64       `json:"rated_voltage_v,omitempty" doc:"absent: not known"`
	CutoffVoltageV  float64       `json:"cutoff_voltage_v,omitempty" doc:"end-of-discharge voltage of the whole battery; absent: not known"`
	Health          HealthSummary `json:"health"`

	Results *BatteryStanding `json:"results,omitempty" doc:"where it stands; absent: no day of it has been worked off yet"`
}

// HealthSummary is the outcome of BatteryHealth. What is not known is null.
type HealthSummary struct {
	Status     string   `json:"status" enum:"ok,insufficient_data"`
	CapacityAh *float64 `json:"capacity_ah"`
	SoHPct     *float64 `json:"soh_pct"`
	MeasuredAt *Time    `json:"measured_at" nullable:"true"`
}

// NewBattery is a battery to register.
type NewBattery struct {
	NewAsset
	Chemistry       string  `json:"chemistry,omitempty" doc:"LFP, NMC, …"`
	RatedCapacityAh float64 `json:"rated_capacity_ah,omitempty" minimum:"0"`
	RatedVoltageV   float64 `json:"rated_voltage_v,omitempty" minimum:"0"`
	CutoffVoltageV  float64 `json:"cutoff_voltage_v,omitempty" minimum:"0" doc:"end-of-discharge voltage of the whole battery"`
}

// BatteryPatch changes a battery.
type BatteryPatch struct {
	AssetPatch
	Chemistry       Optional[string]  `json:"chemistry,omitempty"`
	RatedCapacityAh Optional[float64] `json:"rated_capacity_ah,omitempty"`
	RatedVoltageV   Optional[float64] `json:"rated_voltage_v,omitempty"`
	CutoffVoltageV  Optional[float64] `json:"cutoff_voltage_v,omitempty"`
}

func (a *API) routeBatteries() {
	reg := a.opts.Registry
	r := resource[devices.Battery, registry.BatteryPatch, Battery, NewBattery, BatteryPatch]{
		one: "battery", many: devices.KindBattery.Plural(),
		create: func(ctx context.Context, b devices.Battery) (devices.Battery, error) {
			return a.appeared(ctx)(reg.CreateBattery(ctx, b))
		},
		get: reg.GetBattery, list: reg.ListBatteries, update: reg.UpdateBattery,
		remove: reg.DeleteBattery,
		restore: func(ctx context.Context, id string, version int64) (devices.Battery, error) {
			return a.appeared(ctx)(reg.RestoreBattery(ctx, id, version))
		}, gone: a.signsOut(devices.KindBattery),
		at:    func(p registry.BatteryPatch, version int64) registry.BatteryPatch { p.Version = version; return p },
		id:    func(b devices.Battery) string { return b.ID },
		views: a.viewBatteries,
		build: func(n NewBattery) devices.Battery {
			return devices.Battery{
				Asset: n.asset(), Chemistry: n.Chemistry,
				RatedCapacityAh: n.RatedCapacityAh, RatedVoltageV: n.RatedVoltageV, CutoffVoltageV: n.CutoffVoltageV,
			}
		},
		patch: func(p BatteryPatch) (registry.BatteryPatch, error) {
			var m merge
			patch := registry.BatteryPatch{
				AssetPatch: p.merge(&m), Chemistry: p.Chemistry.pointer(),
				RatedCapacityAh: keep(&m, "rated_capacity_ah", p.RatedCapacityAh),
				RatedVoltageV:   keep(&m, "rated_voltage_v", p.RatedVoltageV),
				CutoffVoltageV:  keep(&m, "cutoff_voltage_v", p.CutoffVoltageV),
			}
			return patch, m.err()
		},
		changed: a.ratingsChanged,
	}
	a.routeBatteryList()
	r.route(a)
}

// ratingsChanged makes the battery's results be computed anew. It does so for
// every patch that names what results rest on, also with the value that it has: a
// client that repeats a patch after an error gets what it asked for.
func (a *API) ratingsChanged(ctx context.Context, id string, p registry.BatteryPatch) error {
	if p.RatedCapacityAh == nil && p.RatedVoltageV == nil && p.CutoffVoltageV == nil && p.Chemistry == nil && p.Commissioned == nil {
		return nil
	}
	return a.recompute(ctx, id)
}

// appeared takes a battery that has just been registered, or restored. The jobs
// passed over what came from it before.
func (a *API) appeared(ctx context.Context) func(devices.Battery, error) (devices.Battery, error) {
	return func(b devices.Battery, err error) (devices.Battery, error) {
		if err == nil {
			err = a.recompute(ctx, b.ID)
		}
		return b, err
	}
}

// recompute has the results of the battery computed anew by the next run of each
// job.
func (a *API) recompute(ctx context.Context, id string) error {
	if err := a.opts.OnDeviceChanged(ctx, devices.Ref{Kind: devices.KindBattery, ID: id}); err != nil {
		return fmt.Errorf("recompute battery %s: %w", id, err)
	}
	return nil
}

// viewBatteries shows a page of batteries with what is known of them.
func (a *API) viewBatteries(ctx context.Context, of []devices.Battery) ([]Battery, error) {
	if len(of) == 0 {
		return nil, nil
	}
	s, found, err := a.fleet.of(ctx, of)
	if err != nil {
		return nil, err
	}
	return s.view(found, a.fleet.whole(ctx)), nil
}

// view shows all that is known of batteries, to their owner or to who sees them
// whole.
func (s *snapshot) view(of []*known, whole bool) []Battery {
	rows := make([]Battery, 0, len(of))
	for row := range s.views(of, whole) {
		if row.Results != nil {
			results := *row.Results
			row.Results = &results
		}
		rows = append(rows, *row)
	}
	return rows
}

// views is view one by one: each is valid until the next.
func (s *snapshot) views(of []*known, whole bool) iter.Seq[*Battery] {
	return func(yield func(*Battery) bool) {
		var (
			row     Battery
			results BatteryStanding
		)
		for _, b := range of {
			row = viewKnown(b, &results)
			row.Health = b.health()
			if w, ok := s.spans.get(b, whole); ok {
				row.Telemetry = &Extent{From: Time(w.From), To: Time(w.To)}
			}
			if !yield(&row) {
				return
			}
		}
	}
}

// viewKnown shows what lists are sorted and narrowed by. results is room for where
// the battery stands.
func viewKnown(b *known, results *BatteryStanding) Battery {
	row := Battery{
		AssetView: viewAsset(b.Asset, nil), Chemistry: b.Chemistry,
		RatedCapacityAh: b.RatedCapacityAh, RatedVoltageV: b.RatedVoltageV, CutoffVoltageV: b.CutoffVoltageV,
	}
	if b.standing != nil {
		*results = viewStanding(b.standing)
		row.Results = results
	}
	return row
}

func summarize(h battery.Health) HealthSummary {
	return HealthSummary{
		Status: string(h.Status), CapacityAh: figuresOf(h.CapacityAh), SoHPct: figuresOf(h.SoHPct), MeasuredAt: (*Time)(h.MeasuredAt),
	}
}

// extents are the days with data of each device of the kind.
func (a *API) extents(ctx context.Context, kind devices.Kind) (map[string]telemetry.Window, error) {
	spans, err := a.opts.Results.Spans(ctx, kind)
	if err != nil {
		return nil, fmt.Errorf("read spans: %w", err)
	}
	extents := make(map[string]telemetry.Window, len(spans))
	for id, s := range spans {
		extents[id] = telemetry.Window{From: s.First * telemetry.Day, To: (s.Last + 1) * telemetry.Day}
	}
	return extents, nil
}
