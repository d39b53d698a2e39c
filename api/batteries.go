package api

import (
	"context"
	"fmt"

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
		create: reg.CreateBattery, get: reg.GetBattery, list: reg.ListBatteries, update: reg.UpdateBattery,
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
	listRoute(a, r, (*devicesInput).narrow)
	r.route(a)
}

// ratingsChanged makes the battery's results be computed anew. It does so for
// every patch that names a rating, also with the value that it has: a client
// that repeats a patch after an error gets what it asked for.
func (a *API) ratingsChanged(ctx context.Context, id string, p registry.BatteryPatch) error {
	if p.RatedCapacityAh == nil && p.RatedVoltageV == nil && p.CutoffVoltageV == nil {
		return nil
	}
	if err := a.opts.OnDeviceChanged(ctx, devices.Ref{Kind: devices.KindBattery, ID: id}); err != nil {
		return fmt.Errorf("recompute battery %s: %w", id, err)
	}
	return nil
}

// viewBatteries shows a page of batteries with two questions to the ledger,
// however many there are.
func (a *API) viewBatteries(ctx context.Context, of []devices.Battery) ([]Battery, error) {
	if len(of) == 0 {
		return nil, nil
	}
	measured, err := a.measured(ctx, of)
	if err != nil {
		return nil, err
	}
	return viewsOf(a, devices.KindBattery, func(b devices.Battery, days map[string]telemetry.Window) Battery {
		return Battery{
			AssetView: viewAsset(b.Asset, days), Chemistry: b.Chemistry,
			RatedCapacityAh: b.RatedCapacityAh, RatedVoltageV: b.RatedVoltageV, CutoffVoltageV: b.CutoffVoltageV,
			Health: summarize(battery.Assess(measured[b.ID], b.RatedCapacityAh)),
		}
	})(ctx, of)
}

// measured are the capacities that an assessment of the batteries rests on. For
// a single one these are all that it has, so as not to read the whole fleet's.
func (a *API) measured(ctx context.Context, of []devices.Battery) (map[string][]battery.Capacity, error) {
	if len(of) == 1 {
		all, err := a.opts.Results.Capacities(ctx, devices.Ref{Kind: devices.KindBattery, ID: of[0].ID})
		if err != nil {
			return nil, fmt.Errorf("read capacities: %w", err)
		}
		return map[string][]battery.Capacity{of[0].ID: all}, nil
	}
	latest, err := a.opts.Results.LatestCapacities(ctx, devices.KindBattery)
	if err != nil {
		return nil, fmt.Errorf("read latest capacities: %w", err)
	}
	return latest, nil
}

func summarize(h battery.Health) HealthSummary {
	return HealthSummary{
		Status: string(h.Status), CapacityAh: h.CapacityAh, SoHPct: h.SoHPct, MeasuredAt: (*Time)(h.MeasuredAt),
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
