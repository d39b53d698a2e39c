package telemetry

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

func resolve(s *devices.Schema, q RangeQuery) ([]*devices.Field, error) {
	m := s.Measurement(q.Kind)
	if m == nil {
		return nil, fmt.Errorf("%w: unknown kind %q", ErrBadQuery, q.Kind)
	}
	if len(q.Fields) == 0 {
		return m.Fields, nil
	}
	fields := make([]*devices.Field, 0, len(q.Fields))
	for _, name := range q.Fields {
		f := m.Field(name)
		if f == nil {
			return nil, fmt.Errorf("%w: a %s has no %q", ErrUnknownField, q.Kind, name)
		}
		fields = append(fields, f)
	}
	slices.SortFunc(fields, func(a, b *devices.Field) int { return cmp.Compare(a.Index, b.Index) })
	return slices.Compact(fields), nil
}

// Resolve checks q and returns the numeric fields it asks for, ascending by
// index. Without named fields these are all numeric fields of the kind; a named
// text field is ErrNotNumeric.
func (q AggregateQuery) Resolve(s *devices.Schema) ([]*devices.Field, error) {
	fields, err := q.RangeQuery.Resolve(s)
	if err != nil {
		return nil, err
	}
	if !slices.Contains(Funcs(), q.Func) {
		return nil, fmt.Errorf("%w: unknown aggregate %q", ErrBadQuery, q.Func)
	}
	if q.Every < time.Millisecond || q.Every%time.Millisecond != 0 {
		return nil, fmt.Errorf("%w: a step of %s is not a positive multiple of 1ms", ErrBadQuery, q.Every)
	}
	numeric := make([]*devices.Field, 0, len(fields))
	for _, f := range fields {
		switch {
		case f.Numeric():
			numeric = append(numeric, f)
		case len(q.Fields) > 0:
			return nil, fmt.Errorf("%w: %s", ErrNotNumeric, f.Name)
		}
	}
	return numeric, nil
}
