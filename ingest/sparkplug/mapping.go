package sparkplug

import (
	"errors"
	"fmt"
	"math"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Mapping says what Sparkplug's nodes, devices and metrics are to fleetwatt. Of
// its rules the first that matches a device is the device's; what matches none
// is counted and not stored.
type Mapping struct {
	Rules []Rule `yaml:"rules"`
}

// Rule maps the edge nodes or devices that match its patterns. In a pattern *
// stands for any text; an empty pattern matches everything.
type Rule struct {
	Name   string `yaml:"name,omitempty"`   // how it is called in the status; default rule-1, rule-2, …
	Group  string `yaml:"group,omitempty"`  // pattern of the group id
	Node   string `yaml:"node,omitempty"`   // pattern of the edge node id
	Device string `yaml:"device,omitempty"` // pattern of the device id
	// Level is device (the default), or node: the metrics of the edge node
	// itself.
	Level string `yaml:"level,omitempty"`

	// One of these three says what kind the device is: station, battery or
	// building.
	Kind         string `yaml:"kind,omitempty"`          // always this one
	KindMetric   string `yaml:"kind-metric,omitempty"`   // the value of that metric in the birth
	KindProperty string `yaml:"kind-property,omitempty"` // the property of that name of any metric in the birth

	// ID is made of {group}, {node} and {device}. Default {device}, at the level
	// of nodes {node}.
	ID string `yaml:"id,omitempty"`

	// ByName maps metrics that are called like a field to that field, beside
	// those that are listed. Default true.
	ByName  *bool                 `yaml:"by-name,omitempty"`
	Metrics map[string]MetricRule `yaml:"metrics,omitempty"`
	// Ignore are patterns of metrics that are known and not wanted: they are not
	// listed as unmapped.
	Ignore []string `yaml:"ignore,omitempty"`
}

// MetricRule maps one metric. A number becomes number × Scale + Offset.
type MetricRule struct {
	Field  string  `yaml:"field"`
	Scale  float64 `yaml:"scale,omitempty"` // 0: 1
	Offset float64 `yaml:"offset,omitempty"`
	// Values translate what the metric says (a text, a number as short as it can
	// be written, true or false) into what the field says. A value that is not
	// listed can't be stored then.
	Values map[string]string `yaml:"values,omitempty"`
}

// DefaultMapping takes each device for what its birth says in a metric
// Properties/kind, its own id for its id, and metrics by the names of fields.
func DefaultMapping() Mapping {
	return Mapping{Rules: []Rule{{Name: "default", KindMetric: "Properties/kind"}}}
}

// The levels of a rule.
const (
	levelDevice = "device"
	levelNode   = "node"
)

// Validate reports everything that is wrong with the mapping.
func (m Mapping) Validate(schema *devices.Schema) error {
	_, err := compile(m, schema)
	return err
}

// rule is a Rule that was checked.
type rule struct {
	Rule
	kinds map[devices.Kind]map[string]*target // for each kind that it may yield, the metrics by name
}

// target is where a metric goes.
type target struct {
	field         *devices.Field
	scale, offset float64
	values        map[string]value // nil: as it is
}

func compile(m Mapping, schema *devices.Schema) ([]*rule, error) {
	var errs []error
	rules := make([]*rule, 0, len(m.Rules))
	names := make(map[string]bool)
	for i, r := range m.Rules {
		if r.Name == "" {
			r.Name = fmt.Sprintf("rule-%d", i+1)
		}
		if names[r.Name] {
			errs = append(errs, fmt.Errorf("sparkplug rule %q: the name is taken", r.Name))
		}
		names[r.Name] = true
		c, err := compileRule(r, schema)
		if err != nil {
			errs = append(errs, fmt.Errorf("sparkplug rule %q: %w", r.Name, err))
		}
		rules = append(rules, c)
	}
	return rules, errors.Join(errs...)
}

func compileRule(r Rule, schema *devices.Schema) (*rule, error) {
	var errs []error
	switch r.Level {
	case "":
		r.Level = levelDevice
	case levelDevice, levelNode:
	default:
		errs = append(errs, fmt.Errorf("level %q: want device or node", r.Level))
	}
	if r.Level == levelNode && r.Device != "" {
		errs = append(errs, errors.New("device: a rule at the level of nodes has none"))
	}
	if r.ID == "" {
		r.ID = "{" + r.Level + "}"
	}
	if err := checkTemplate(r.ID, r.Level); err != nil {
		errs = append(errs, err)
	}
	kinds, err := ruleKinds(r)
	if err != nil {
		errs = append(errs, err)
	}
	c := &rule{Rule: r, kinds: make(map[devices.Kind]map[string]*target)}
	found := make(map[string]bool)
	for _, k := range kinds {
		targets, err := compileMetrics(r, schema.Measurement(k), found)
		if err != nil {
			errs = append(errs, err)
		}
		c.kinds[k] = targets
	}
	for name, mr := range r.Metrics {
		if len(kinds) > 0 && !found[name] {
			errs = append(errs, fmt.Errorf("metric %q: unknown field %q", name, mr.Field))
		}
	}
	return c, errors.Join(errs...)
}

func ruleKinds(r Rule) ([]devices.Kind, error) {
	n := 0
	for _, s := range []string{r.Kind, r.KindMetric, r.KindProperty} {
		if s != "" {
			n++
		}
	}
	if n != 1 {
		return nil, errors.New("want one of kind, kind-metric and kind-property")
	}
	if r.Kind == "" {
		return devices.Kinds(), nil
	}
	k, err := devices.ParseKind(r.Kind)
	if err != nil {
		return nil, err
	}
	return []devices.Kind{k}, nil
}

// checkTemplate refuses a template that can't yield an id, or gives all devices
// the same.
func checkTemplate(id, level string) error {
	const group, node, device = "{group}", "{node}", "{device}"
	rest := strings.NewReplacer(group, "", node, "", device, "").Replace(id)
	switch {
	case strings.ContainsAny(rest, "{}"):
		return fmt.Errorf("id %q: the placeholders are {group}, {node} and {device}", id)
	case rest != "" && !devices.ValidID(rest):
		return fmt.Errorf("id %q: an id has A-Za-z0-9._:- only", id)
	case level == levelNode && strings.Contains(id, device):
		return fmt.Errorf("id %q: a rule at the level of nodes has no {device}", id)
	case rest == id:
		return fmt.Errorf("id %q: without a placeholder everything would be one device", id)
	}
	return nil
}

// compileMetrics makes the targets for one kind. A field that only another kind
// has is left out; found collects the metrics whose field there is.
func compileMetrics(r Rule, m *devices.Measurement, found map[string]bool) (map[string]*target, error) {
	var errs []error
	targets := make(map[string]*target)
	if r.ByName == nil || *r.ByName {
		for _, f := range m.Fields {
			targets[f.Name] = &target{field: f, scale: 1}
		}
	}
	for name, mr := range r.Metrics {
		delete(targets, name)
		f := m.Field(mr.Field)
		if f == nil {
			continue
		}
		found[name] = true
		t, err := compileMetric(mr, f)
		if err != nil {
			errs = append(errs, fmt.Errorf("metric %q: %w", name, err))
		}
		targets[name] = t
	}
	return targets, errors.Join(errs...)
}

func compileMetric(mr MetricRule, f *devices.Field) (*target, error) {
	t := &target{field: f, scale: mr.Scale, offset: mr.Offset}
	if t.scale == 0 {
		t.scale = 1
	}
	for _, n := range []float64{t.scale, t.offset} {
		if math.IsNaN(n) || math.IsInf(n, 0) {
			return t, errors.New("scale and offset must be finite")
		}
	}
	if !f.Numeric() && (t.scale != 1 || t.offset != 0) {
		return t, fmt.Errorf("field %s is text: it has no scale or offset", f.Name)
	}
	if len(mr.Values) > 0 {
		t.values = make(map[string]value, len(mr.Values))
	}
	for key, to := range mr.Values {
		v, err := constant(f, to)
		if err != nil {
			return t, fmt.Errorf("value %q: %w", key, err)
		}
		t.values[key] = v
	}
	return t, nil
}

// match is the rule of a device; device is empty for the edge node itself. It
// is nil where no rule matches.
func match(rules []*rule, k nodeKey, device string) *rule {
	for _, r := range rules {
		if (r.Level == levelNode) != (device == "") {
			continue
		}
		if glob(r.Group, k.group) && glob(r.Node, k.node) && (device == "" || glob(r.Device, device)) {
			return r
		}
	}
	return nil
}

// id is the fleetwatt id of a device.
func (r *rule) id(k nodeKey, device string) string {
	return strings.NewReplacer("{group}", k.group, "{node}", k.node, "{device}", device).Replace(r.ID)
}

func (r *rule) ignores(metric string) bool {
	for _, p := range r.Ignore {
		if glob(p, metric) {
			return true
		}
	}
	return false
}

// glob reports whether s matches pattern, in which * stands for any text.
func glob(pattern, s string) bool {
	if pattern == "" {
		return true
	}
	parts := strings.Split(pattern, "*")
	first, last := parts[0], parts[len(parts)-1]
	if len(parts) == 1 {
		return s == pattern
	}
	if len(s) < len(first)+len(last) || !strings.HasPrefix(s, first) || !strings.HasSuffix(s, last) {
		return false
	}
	s = s[len(first) : len(s)-len(last)]
	for _, p := range parts[1 : len(parts)-1] {
		i := strings.Index(s, p)
		if i < 0 {
			return false
		}
		s = s[i+len(p):]
	}
	return true
}
