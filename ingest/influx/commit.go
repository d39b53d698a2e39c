package influx

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// commit writes points of b and returns the readings that the server will never
// take. Any of them may be written when it returns an error.
//
// A partial write is no commit of the rest: InfluxDB 1.8 writes to the shards
// of a request side by side and answers with the first error, while the other
// shards may still fail. So whatever is kept has had a 204 of its own.
func (s *Store) commit(ctx context.Context, b *batch, points []point) ([]telemetry.Rejection, error) {
	if len(points) == 0 {
		return nil, nil
	}
	err := s.send(ctx, b, points)
	if err == nil {
		return nil, nil
	}
	var no *refusal
	if !errors.As(err, &no) {
		return nil, err
	}
	tooLarge := no.status == http.StatusRequestEntityTooLarge
	switch {
	case !tooLarge && !no.blamesData():
		return nil, no.unavailable()
	case len(points) == 1, no.dropped() == len(points):
		return s.refuse(ctx, b, points, no)
	}
	one, other := points[:len(points)/2], points[len(points)/2:]
	if !tooLarge {
		one, other = b.suspects(points, no.text)
	}
	rejected, err := s.commit(ctx, b, one)
	if err != nil {
		return nil, err
	}
	more, err := s.commit(ctx, b, other)
	return append(rejected, more...), err
}

// refuse rejects the readings of points that the server does not take. Where
// several readings were merged into a point, one of them may be the cause: each
// is tried by itself, in their order.
func (s *Store) refuse(ctx context.Context, b *batch, points []point, no *refusal) ([]telemetry.Rejection, error) {
	var rejected []telemetry.Rejection
	for _, p := range points {
		if len(p.indices) == 1 {
			rejected = append(rejected, telemetry.Rejection{Index: p.indices[0], Reason: no.text})
			continue
		}
		for _, i := range p.indices {
			alone := batch{readings: b.readings}
			alone.add(point{indices: []int{i}})
			more, err := s.commit(ctx, &alone, alone.points)
			if err != nil {
				return nil, err
			}
			rejected = append(rejected, more...)
		}
	}
	return rejected, nil
}

var typeConflict = regexp.MustCompile(`input field "([^"]+)" on measurement "([^"]+)"`)

// suspects splits points into two parts, neither empty, of which the second
// is likely to hold the bad ones: where the server names a field, those that
// carry it; otherwise just halves. A fleet that sends one wrong field thus
// costs a few requests, not a few for each point.
func (b *batch) suspects(points []point, reason string) (innocent, suspect []point) {
	if m := typeConflict.FindStringSubmatch(reason); m != nil {
		for _, p := range points {
			if b.has(p, m[2], m[1]) {
				suspect = append(suspect, p)
			} else {
				innocent = append(innocent, p)
			}
		}
		if len(innocent) > 0 && len(suspect) > 0 {
			return innocent, suspect
		}
	}
	half := len(points) / 2
	return slices.Clip(points[:half]), points[half:]
}

// send makes one request of points. Its errors are the end of ctx, a *refusal,
// or telemetry.ErrUnavailable.
func (s *Store) send(ctx context.Context, b *batch, points []point) error {
	size := 0
	for _, p := range points {
		size += p.end - p.start
	}
	var lines strings.Builder
	lines.Grow(size)
	for _, p := range points {
		lines.Write(b.lines[p.start:p.end])
	}
	limited, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()
	err := s.writer.WriteRecord(limited, lines.String())
	var no *refusal
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &no):
		return no
	case limited.Err() != nil:
		return fmt.Errorf("%w: influxdb took longer than %s to answer a write", telemetry.ErrUnavailable, s.timeout)
	}
	return fmt.Errorf("%w: %w", telemetry.ErrUnavailable, err)
}
