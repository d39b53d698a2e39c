package api

import (
	"context"
	"net/http"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/station"
)

// StationServiceAnswer is how well a station served.
type StationServiceAnswer struct {
	StationHead
	Service StationServing `json:"service"`
	Wait    StationWait    `json:"wait" doc:"method measured, or erlang_c where fewer than twenty waits were reported"`
	Load    StationLoad    `json:"load"`
	Energy  StationEnergy  `json:"energy"`
}

// StationSlotsAnswer is how the slots of a station, and its time, were used.
type StationSlotsAnswer struct {
	StationHead
	Slots StationSlotUse `json:"slots"`
	Use   StationUse     `json:"use"`
}

// StationReliabilityAnswer is how reliable a station is.
type StationReliabilityAnswer struct {
	StationHead
	Uptime StationUptime  `json:"uptime"`
	Faults []StationFault `json:"faults" nullable:"false" doc:"that touch the window, by when they began"`
}

// StationFault is a fault of a station or of one of its slots.
type StationFault struct {
	From     Time   `json:"from" doc:"the ownership's beginning where it began before that"`
	To       *Time  `json:"to" doc:"null: open"`
	Slot     int    `json:"slot,omitempty" doc:"absent: the whole station"`
	Code     string `json:"code,omitempty"`
	Attended *Time  `json:"attended,omitempty" doc:"when maintenance came"`
}

// StationInventoryAnswer is how many packs a station should hold.
type StationInventoryAnswer struct {
	StationHead
	Inventory StationStock   `json:"inventory"`
	Slots     StationSlotUse `json:"slots"`
}

// routeStationResults serves what was worked out of stations.
func (a *API) routeStationResults() {
	if a.opts.Stations == nil {
		return
	}
	const windows = "Over whole days of the station's time zone. What the data does not carry is null, and a result that rests on too little says insufficient_data and what is missing."
	routeStation(a, "service", "Swaps, refusals, completion, waits, load and energy", windows, serviceAnswer)
	routeStation(a, "slots", "Use of slots and of time by state", windows, slotsAnswer)
	routeStation(a, "reliability", "Uptime, time between failures and to repair, faults", windows, a.reliabilityAnswer)
	routeStation(a, "inventory", "Packs needed against packs held", windows+" The packs needed let a share of the riders of the busiest hour find a charged one: the least S with P(N < S) of at least the target, N being Poisson about the packs away charging in that hour.", inventoryAnswer)
	a.routeStationDemand()
	a.routeStationDays()
	a.routeStationFleet()
}

// routeStation registers an answer that is made of the assessment.
func routeStation[V any](a *API, name, summary, notes string, answer func(context.Context, *stationAsked, *station.Assessment) (V, error)) {
	add(a, operation{
		right: access.Read, id: "get-station-" + name, method: http.MethodGet, path: "/stations/{id}/" + name, tag: "stations",
		summary: summary, notes: notes, errors: []int{http.StatusNotFound},
	}, func(ctx context.Context, in *stationInput) (*itemOutput[V], error) {
		q, err := a.stationAsked(ctx, in)
		if err != nil {
			return nil, err
		}
		assessment, err := a.assessed(ctx, q)
		if err != nil {
			return nil, err
		}
		v, err := answer(ctx, q, &assessment)
		if err != nil {
			return nil, err
		}
		return &itemOutput[V]{Body: v}, nil
	})
}

func serviceAnswer(_ context.Context, q *stationAsked, r *station.Assessment) (StationServiceAnswer, error) {
	return StationServiceAnswer{headOf(q, r), servingOf(r.Service), waitOf(r.Wait), loadOf(r.Load), energyOfStation(r.Energy)}, nil
}

func slotsAnswer(_ context.Context, q *stationAsked, r *station.Assessment) (StationSlotsAnswer, error) {
	return StationSlotsAnswer{headOf(q, r), slotUseOf(r.Slots), stationUseOf(r.Use)}, nil
}

func inventoryAnswer(_ context.Context, q *stationAsked, r *station.Assessment) (StationInventoryAnswer, error) {
	return StationInventoryAnswer{headOf(q, r), stockOf(r.Stock), slotUseOf(r.Slots)}, nil
}

func (a *API) reliabilityAnswer(ctx context.Context, q *stationAsked, r *station.Assessment) (StationReliabilityAnswer, error) {
	out := StationReliabilityAnswer{headOf(q, r), uptimeOf(r.Uptime), []StationFault{}}
	faults, err := a.opts.Stations.StationFaults(ctx, q.id)
	if err != nil {
		return out, err
	}
	since, err := a.fleet.since(ctx, stationRef(q.id))
	if err != nil {
		return out, err
	}
	w := q.window()
	for _, f := range faults[q.id] {
		if f.From >= w.To || f.To != 0 && f.To <= w.From {
			continue
		}
		if f.To > w.To {
			f.To = 0 // open at the end of the window, as far as was known then
		}
		if f.Attended > w.To || f.Attended < since {
			f.Attended = 0
		}
		v := StationFault{From: Time(max(f.From, since)), Slot: f.Slot, Code: f.Code, To: since1970(f.To), Attended: since1970(f.Attended)}
		out.Faults = append(out.Faults, v)
	}
	return out, nil
}
