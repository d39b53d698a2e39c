package building

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

// asOf is the newest local midnight that readings have reached: what came after
// it belongs to a day that is not over.
func (s *Series) asOf(loc *time.Location) time.Time {
	last := time.UnixMilli(s.Last).In(loc)
	days := prepare.Days(last.AddDate(0, 0, -1), last)
	return days[len(days)-1]
}

// settled is the series up to the end of its newest whole local day, with the
// first reading of each register at or after that: what follows it changes no
// result of the days before.
func (s *Series) settled(loc *time.Location) Series {
	at := s.asOf(loc).UnixMilli()
	out := *s
	out.Last = at
	for i, points := range s.Registers {
		if n := slices.IndexFunc(points, func(p prepare.Point) bool { return p.TS >= at }); n >= 0 {
			out.Registers[i] = points[:n+1]
		}
	}
	out.Outdoor, out.Export = before(s.Outdoor, at), before(s.Export, at)
	if n := slices.IndexFunc(s.Followed, func(d FollowedDay) bool { return (d.Number+1)*telemetry.Day > at }); n >= 0 {
		out.Followed = s.Followed[:n]
	}
	return out
}

func before(points []prepare.Point, at int64) []prepare.Point {
	if n := slices.IndexFunc(points, func(p prepare.Point) bool { return p.TS >= at }); n >= 0 {
		return points[:n]
	}
	return points
}

// Digest tells the measurements of one result from those of another: inputs whose
// digests are equal give the same result by the same plan.
func (in *Input) Digest() (string, error) {
	loc, err := in.Plan.Location()
	if err != nil {
		return "", err
	}
	s := in.Series.settled(loc)
	h := sha256.New()
	for _, points := range [][]prepare.Point{s.Outdoor, s.Export, s.Registers[0], s.Registers[1], s.Registers[2], s.Registers[3], {{TS: s.First, Value: 0}, {TS: s.Last, Value: 0}}} {
		h.Write(EncodePoints(points))
	}
	for _, d := range s.Followed {
		h.Write(EncodePoints([]prepare.Point{{TS: d.Number, Value: d.Good}, {TS: d.Number, Value: d.All}}))
	}
	return hex.EncodeToString(h.Sum(nil)[:16]), nil
}
