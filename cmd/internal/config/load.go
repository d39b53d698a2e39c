package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/pflag"
	"go.yaml.in/yaml/v3"
)

// EnvPrefix starts the name of every environment variable.
const EnvPrefix = "FLEETWATT_"

// EnvName is the environment variable of a flag.
func EnvName(flag string) string {
	return EnvPrefix + strings.ToUpper(strings.ReplaceAll(flag, "-", "_"))
}

// ErrUnread is of a file of which nothing could be read. What Validate says then
// is about a configuration that nobody wrote.
var ErrUnread = errors.New("read configuration")

// Load fills the flags that were not given on the command line from the
// environment and then from the YAML file at path (empty: none). All problems
// are reported at once, each with its key, and the keys without any are taken.
// Those that mean nothing any more are passed over, and listed in Retired.
// Error of a file that is absent or no YAML: ErrUnread.
func (c *Config) Load(flags *pflag.FlagSet, path string, env func(string) (string, bool)) error {
	file, problems, err := c.readFile(path)
	if err != nil {
		return err
	}
	flags.VisitAll(func(f *pflag.Flag) {
		value, inFile := file[f.Name]
		delete(file, f.Name)
		if f.Changed {
			return
		}
		if v, ok := env(EnvName(f.Name)); ok {
			if err := flags.Set(f.Name, v); err != nil {
				problems = append(problems, fmt.Errorf("%s=%q: %w", EnvName(f.Name), shown(f.Name, v), reasonOf(err)))
				_ = f.Value.Set(f.DefValue) // so that what is wrong is told once
			}
			return
		}
		if inFile {
			if err := flags.Set(f.Name, value); err != nil {
				problems = append(problems, fmt.Errorf("%s: %s: %q: %w", path, f.Name, shown(f.Name, value), reasonOf(err)))
				_ = f.Value.Set(f.DefValue)
			}
		}
	})
	unknown := make([]string, 0, len(file))
	for key := range file {
		if slices.Contains(retiredKeys(), key) {
			c.Retired = append(c.Retired, key)
			continue
		}
		unknown = append(unknown, key)
	}
	slices.Sort(unknown)
	for _, key := range unknown {
		problems = append(problems, fmt.Errorf("%s: %s: unknown key", path, key))
	}
	return errors.Join(problems...)
}

// retiredKeys meant something once: a file that has them still is taken.
func retiredKeys() []string { return []string{"capacity-schedule"} }

// reasonOf strips pflag's repetition of the flag and the value, which may be a
// secret.
func reasonOf(err error) error {
	var bad *pflag.InvalidValueError
	if errors.As(err, &bad) {
		return errors.Unwrap(bad)
	}
	return err
}

func shown(key, value string) string {
	if secrets[key] {
		return "(secret)"
	}
	return value
}

// readFile returns the scalar keys of the file as written, and what is wrong with
// others; the sections go to c.
func (c *Config) readFile(path string) (scalars map[string]string, problems []error, err error) {
	if path == "" {
		return nil, nil, nil
	}
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("%w: %w", ErrUnread, err)
	}
	var doc map[string]yaml.Node
	if err := yaml.Unmarshal(b, &doc); err != nil {
		return nil, nil, fmt.Errorf("%w %s: %w", ErrUnread, path, err)
	}
	scalars = make(map[string]string, len(doc))
	for _, key := range slices.Sorted(maps.Keys(doc)) {
		node := doc[key]
		var err error
		switch {
		case key == "fields":
			c.Fields, err = decodeStrictly[[]Field](&node)
		case key == "station":
			c.Station, err = decodeStrictly[Station](&node)
		case key == "battery":
			c.Battery, err = decodeStrictly[Battery](&node)
		case key == "building":
			c.Building, err = decodeStrictly[Building](&node)
		case key == "sparkplug":
			c.Sparkplug, err = decodeStrictly[Sparkplug](&node)
		case node.Kind != yaml.ScalarNode:
			err = fmt.Errorf("line %d: want a single value", node.Line)
		case node.Tag == "!!null":
			scalars[key] = ""
		default:
			scalars[key] = node.Value
		}
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %s: %w", path, key, err))
		}
	}
	if len(problems) > 0 { // without the fields nobody can say what the rules are worth
		c.Sparkplug.Rules = nil
	}
	return scalars, problems, nil
}

// decodeStrictly refuses keys that are not known: a misspelt bound would be none.
// What is wrong is nothing at all, and so is a key without a value.
func decodeStrictly[T any](node *yaml.Node) (section T, err error) {
	var none T
	if node.Tag == "!!null" {
		return none, nil
	}
	b, err := yaml.Marshal(node)
	if err != nil {
		return none, err
	}
	d := yaml.NewDecoder(bytes.NewReader(b))
	d.KnownFields(true)
	if err := d.Decode(&section); err != nil {
		return none, err
	}
	return section, nil
}

// Print writes the effective configuration as a YAML file; secrets that are set
// show as "(secret)".
func (c *Config) Print(w io.Writer, flags *pflag.FlagSet) error {
	doc := &yaml.Node{Kind: yaml.MappingNode}
	add := func(key string, value *yaml.Node) {
		doc.Content = append(doc.Content, &yaml.Node{Kind: yaml.ScalarNode, Value: key}, value)
	}
	own := pflag.NewFlagSet("own", pflag.ContinueOnError)
	new(Config).Bind(own)
	flags.VisitAll(func(f *pflag.Flag) {
		if own.Lookup(f.Name) == nil {
			return
		}
		v := f.Value.String()
		if secrets[f.Name] && v != "" {
			v = "(secret)"
		}
		node := &yaml.Node{Kind: yaml.ScalarNode, Value: v}
		if f.Value.Type() == "string" || f.Value.Type() == "duration" {
			node.Tag = "!!str"
		}
		add(f.Name, node)
	})
	if len(c.Fields) > 0 {
		var fields yaml.Node
		if err := fields.Encode(c.Fields); err != nil {
			return fmt.Errorf("print configuration: %w", err)
		}
		add("fields", &fields)
	}
	if len(c.Sparkplug.Nodes)+len(c.Sparkplug.Rules) > 0 {
		var section yaml.Node
		if err := section.Encode(c.Sparkplug); err != nil {
			return fmt.Errorf("print configuration: %w", err)
		}
		add("sparkplug", &section)
	}
	if !c.Station.zero() {
		var section yaml.Node
		if err := section.Encode(c.Station); err != nil {
			return fmt.Errorf("print configuration: %w", err)
		}
		add("station", &section)
	}
	if !c.Battery.zero() {
		var section yaml.Node
		if err := section.Encode(c.Battery); err != nil {
			return fmt.Errorf("print configuration: %w", err)
		}
		add("battery", &section)
	}
	if !c.Building.zero() {
		var section yaml.Node
		if err := section.Encode(c.Building); err != nil {
			return fmt.Errorf("print configuration: %w", err)
		}
		add("building", &section)
	}
	e := yaml.NewEncoder(w)
	e.SetIndent(2)
	if err := e.Encode(doc); err != nil {
		return fmt.Errorf("print configuration: %w", err)
	}
	return e.Close()
}
