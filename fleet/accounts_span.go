package fleet

import (
	"context"
	"math"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// span is the first and the last month in which something is booked, of those that
// have begun: swaps at the owner's stations, those of his batteries anywhere where
// they have their share, energy that is priced, entries of what is his, and savings
// that he shares. Swaps of batteries are known by the day of UTC, so that the month
// beside theirs may be among them, and from the job on that counts them, each hour.
func (s *session) span(ctx context.Context) (first, last statement.Month, found bool, err error) {
	now := s.Now().UnixMilli()
	add := func(ts int64) {
		if ts > now {
			return
		}
		m := s.monthOf(ts)
		if !found || accounts.Before(m, first) {
			first = m
		}
		if !found || accounts.Before(last, m) {
			last = m
		}
		found = true
	}
	priced, err := s.priced(ctx)
	if err != nil {
		return first, last, false, err
	}
	for _, of := range []struct {
		span func(context.Context, []ledger.Held) (first, last int64, found bool, err error)
		held []ledger.Held
	}{
		{s.Books.SwapSpan, heldOf(s.owned, devices.KindStation, ever())}, {s.Books.HandedSpan, s.sharing()}, {s.Books.DrawnSpan, priced},
	} {
		from, to, some, err := of.span(ctx, of.held)
		if err != nil {
			return first, last, false, err
		}
		if some && from <= now {
			add(from)
			add(min(to, now))
		}
	}
	entries, err := s.entries(ctx, telemetry.Window{})
	if err != nil {
		return first, last, false, err
	}
	for i := range entries {
		add(entries[i].At)
	}
	saved, err := s.measured(ctx, s.assets(ever()), math.MinInt32, math.MaxInt32)
	if err != nil {
		return first, last, false, err
	}
	for i := range saved {
		for k := range saved[i].Months {
			day, some, err := s.beginning(&saved[i], &saved[i].Months[k])
			if err != nil {
				return first, last, false, err
			}
			if some {
				add(day.Start(s.zone).UnixMilli())
			}
		}
	}
	return first, last, found, nil
}

// sharing are the owner's batteries, where they have their share of swaps.
func (s *session) sharing() []ledger.Held {
	if !s.prices.Shared() {
		return nil
	}
	return heldOf(s.owned, devices.KindBattery, ever())
}

// priced are the owner's stations, each while there are prices of the energy that it
// draws. Days begin up to 14 hours before those of UTC.
func (s *session) priced(ctx context.Context) (out []ledger.Held, err error) {
	for i := range s.prices {
		p := &s.prices[i]
		if p.Use != accounts.PerDrawn || p.Owner != "" && p.Owner != s.owner {
			continue
		}
		w := telemetry.Window{From: p.From.Start(time.UTC).UnixMilli() - 14*telemetry.Hour, To: math.MaxInt64}
		if p.To != nil {
			w.To = p.To.Start(time.UTC).UnixMilli() + telemetry.Day
		}
		for _, h := range heldOf(s.owned, devices.KindStation, w) {
			if p.Station != "" && p.Station != h.ID {
				continue
			}
			if p.Site != "" {
				place, err := s.place(ctx, h.ID)
				if err != nil {
					return nil, err
				}
				if place.Site != p.Site {
					continue
				}
			}
			out = append(out, h)
		}
	}
	return out, nil
}

// heldOf are the devices of a kind among ownerships, and when in a window they were.
func heldOf(all []statement.Ownership, kind devices.Kind, w telemetry.Window) []ledger.Held {
	var out []ledger.Held
	for _, o := range during(all, w) {
		if id, ok := strings.CutPrefix(o.Asset, string(kind)+"/"); ok {
			out = append(out, ledger.Held{ID: id, Window: telemetry.Window{From: max(o.From, w.From), To: min(o.To, w.To)}})
		}
	}
	return out
}
