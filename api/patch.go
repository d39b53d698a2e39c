package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// Optional is a property of a merge patch (RFC 7396): absent, null or set.
type Optional[T any] struct {
	Present bool // set or null
	Null    bool
	Value   T // the zero value unless set
}

// UnmarshalJSON is called for present properties only, null included.
func (o *Optional[T]) UnmarshalJSON(b []byte) error {
	o.Present = true
	if string(b) == "null" {
		o.Null = true
		return nil
	}
	return json.Unmarshal(b, &o.Value)
}

// Schema is the schema of T, or null.
func (Optional[T]) Schema(r huma.Registry) *huma.Schema {
	s := *r.Schema(reflect.TypeFor[T](), true, "")
	s.Nullable = true
	return &s
}

// pointer is nil where the property is absent. Null becomes the zero value,
// which clears texts.
func (o Optional[T]) pointer() *T {
	if !o.Present {
		return nil
	}
	return &o.Value
}

// merge collects what is wrong with the properties of a patch.
type merge struct{ problems []registry.Problem }

// err is nil, or names the properties at fault.
func (m *merge) err() error {
	if len(m.problems) == 0 {
		return nil
	}
	return &registry.Invalid{Problems: m.problems}
}

// keep is pointer for a property that can be changed but not cleared.
func keep[T any](m *merge, field string, o Optional[T]) *T {
	if o.Null {
		m.problems = append(m.problems, registry.Problem{Field: field, Detail: "can be changed but not removed"})
		return nil
	}
	return o.pointer()
}
