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
// it was sent, so that counts and energy add up. Nil, it is of who sees all, and
// takes out nothing.
type names struct {
	seen func(devices.Ref) (bool, error) // whether the caller may know of the device
}

func (s sight) names(ctx context.Context) *names {
	if access.From(ctx).SeesAll() {
		return nil
	}
	known := map[devices.Ref]bool{}
	return &names{func(ref devices.Ref) (bool, error) {
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
// a kind, or one by kind/id; false: none. Case does not matter, as it does not to
// who decodes the member.
func namedBy(name string) (kind devices.Kind, names bool) {
	switch strings.ToLower(name) {
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
	seen, err := n.any(ref)
	if err == nil && !seen {
		value = notYours
	}
	return value, err
}

// any tells whether the caller may know of a device, of whichever kind where the
// ref has none.
func (n *names) any(ref devices.Ref) (bool, error) {
	if ref.Kind != "" {
		return n.seen(ref)
	}
	for _, kind := range devices.Kinds() {
		if seen, err := n.seen(devices.Ref{Kind: kind, ID: ref.ID}); seen || err != nil {
			return seen, err
		}
	}
	return false, nil
}

// json is what the caller may see of an object, which is left as it is where that
// is all.
func (n *names) json(data []byte) ([]byte, error) {
	if n == nil {
		return data, nil
	}
	d := json.NewDecoder(bytes.NewReader(data))
	d.UseNumber()
	var v any
	changed := false
	if d.Decode(&v) == nil { // nobody is shown what is no JSON
		var err error
		if v, err = n.walk("", v, &changed); err != nil {
			return nil, err
		}
	}
	if !changed {
		return data, nil
	}
	var out bytes.Buffer
	e := json.NewEncoder(&out)
	e.SetEscapeHTML(false)
	err := e.Encode(v)
	return bytes.TrimSpace(out.Bytes()), err
}

func (n *names) walk(name string, v any, changed *bool) (_ any, err error) {
	switch v := v.(type) {
	case map[string]any:
		return v, n.object(name, v, changed)
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

// object walks the members of one that has a name: where the name is a device's,
// so are its id and its serial, and the serial is shown where the id is.
func (n *names) object(name string, v map[string]any, changed *bool) error {
	shown, hidden := false, false // an id
	for _, serial := range []bool{false, true} {
		for key, child := range v {
			is := strings.EqualFold(key, "serial")
			if is != serial || is && shown && !hidden {
				continue
			}
			of := key
			if is || strings.EqualFold(key, "id") {
				of = name
			}
			seen, err := n.walk(of, child, changed)
			if err != nil {
				return err
			}
			v[key] = seen
			if id, is := seen.(string); is && strings.EqualFold(key, "id") {
				shown, hidden = shown || id != "", hidden || id == notYours
			}
		}
	}
	return nil
}

// value is what the caller may see of a measurement.
func (n *names) value(v telemetry.Value) (telemetry.Value, error) {
	if n == nil || v.Field.Numeric() {
		return v, nil
	}
	var err error
	v.Text, err = n.text(v.Field.Name, v.Text)
	return v, err
}

// values is what the caller may see of a reading's values, which stay as they are.
func (n *names) values(all []telemetry.Value) ([]telemetry.Value, error) {
	if n == nil {
		return all, nil
	}
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
