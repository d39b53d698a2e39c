package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"strings"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// notYours stands for a device that the caller may not know of, whether there is
// one or not. No id has a blank.
const notYours = "(not yours)"

// names takes out of what devices sent the names of those that a caller may not
// know of: a battery of another that was swapped at his station. All else stays as
// it was sent, so that counts and energy add up.
type names struct {
	caller access.Principal
	seen   func(devices.Ref) (bool, error) // whether the caller may know of the device
}

func (s sight) names(ctx context.Context) *names {
	known := map[devices.Ref]bool{}
	return &names{access.From(ctx), func(ref devices.Ref) (bool, error) {
		if seen, is := known[ref]; is {
			return seen, nil
		}
		err := s.device(ctx, ref)
		if err != nil && !errors.Is(err, registry.ErrNotFound) {
			return false, err
		}
		known[ref] = err == nil
		return err == nil, nil
	}}
}

// namedBy is what the value of a member, or each of its values, names: a device of
// a kind, or one by kind/id; false: none.
func namedBy(name string) (kind devices.Kind, names bool) {
	switch name {
	case "battery", "batteries", "battery_id", "battery_in", "battery_out":
		return devices.KindBattery, true
	case "station", "stations", "station_id":
		return devices.KindStation, true
	case "building", "buildings", "building_id":
		return devices.KindBuilding, true
	case "device", "devices", "gateway":
		return "", true
	}
	return "", false
}

// text is what the caller may see of the value of a member.
func (n *names) text(name, value string) (string, error) {
	kind, is := namedBy(name)
	if !is || value == "" {
		return value, nil
	}
	ref := devices.Ref{Kind: kind, ID: value}
	if of, id, is := strings.Cut(value, "/"); is {
		ref = devices.Ref{Kind: devices.Kind(of), ID: id}
	}
	seen, err := n.seen(ref)
	if err == nil && !seen {
		value = notYours
	}
	return value, err
}

// json is what the caller may see of an object, which is left as it is where that
// is all.
func (n *names) json(data []byte) ([]byte, error) {
	if n.caller.SeesAll() {
		return data, nil
	}
	if !json.Valid(data) {
		return data, nil // nobody is shown it
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	if err := d.Decode(&v); err != nil {
		return nil, err
	}
	changed := false
	v, err := n.walk("", v, &changed)
	if err != nil || !changed {
		return data, err
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err = e.Encode(v)
	return bytes.TrimSpace(out.Bytes()), err
}

func (n *names) walk(name string, v any, changed *bool) (_ any, err error) {
	switch v := v.(type) {
	case map[string]any:
		for key, child := range v {
			if v[key], err = n.walk(key, child, changed); err != nil {
				return nil, err
			}
		}
	case []any:
		for i, child := range v {
			if v[i], err = n.walk(name, child, changed); err != nil {
				return nil, err
			}
		}
	case string:
		seen, err := n.text(name, v)
		*changed = *changed || seen != v
		return seen, err
	}
	return v, nil
}

// value is what the caller may see of a measurement.
func (n *names) value(v telemetry.Value) (telemetry.Value, error) {
	if v.Field.Numeric() || n.caller.SeesAll() {
		return v, nil
	}
	var err error
	v.Text, err = n.text(v.Field.Name, v.Text)
	return v, err
}

// values is what the caller may see of a reading's values, which stay as they are.
func (n *names) values(all []telemetry.Value) ([]telemetry.Value, error) {
	out := all
	for i, v := range all {
		seen, err := n.value(v)
		if err != nil {
			return nil, err
		}
		if seen.Text != v.Text {
			if &out[0] == &all[0] {
				out = append([]telemetry.Value(nil), all...)
			}
			out[i] = seen
		}
	}
	return out, nil
}
