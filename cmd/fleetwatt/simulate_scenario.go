package main

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/deploy/scenarios"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/scenario"
)

// simulation is what the flags of simulate say.
type simulation struct {
	to       target
	server   registrar
	name     string // of the scenario, or its file
	over     scenario.Scenario
	step     time.Duration
	seed     uint64
	start    string
	live     bool
	speed    float64
	out      string
	dry      bool
	truth    string
	ledger   string
	secrets  string
	scenario scenario.Scenario
	until    time.Time
	signIn   map[devices.Ref][2]string

	stdout, stderr io.Writer
}

func (s *simulation) bind(cmd *cobra.Command) {
	s.to.bind(cmd)
	s.server.bind(cmd)
	s.over = scenario.Default()
	f, o := cmd.Flags(), &s.over
	f.StringVar(&s.name, "scenario", "", "what to simulate: "+strings.Join(scenarios.Names(), ", ")+", or a YAML file")
	f.Uint64Var(&s.seed, "seed", 1, "the same seed and start give the same fleet")
	f.StringVar(&s.start, "start", "", "when the history begins, RFC 3339; empty: so that it ends now, and 2026-01-01 with --out or --dry-run")
	f.IntVar(&o.Days, "days", 0, "days of history; a scenario has its own")
	f.BoolVar(&s.live, "live", false, "go on live")
	f.Float64Var(&s.speed, "speed", 0, "publish the history at so many times the speed of time; 0: as fast as it goes")
	f.StringVar(&s.out, "out", "", "write the messages to this file and publish nothing")
	f.BoolVar(&s.dry, "dry-run", false, "publish nothing, for the truth alone or to see how fast it goes")
	f.StringVar(&s.truth, "truth", "", "write the truth behind the messages to this file: Parquet if it is named *.parquet, else CSV")
	f.StringVar(&s.ledger, "ledger", "", "write the identity of every acknowledged reading to this file")
	f.StringVar(&s.secrets, "credentials", "", "CSV file of kind/id, user name and password, for --connections 0")
	f.DurationVar(&s.step, "step", time.Duration(o.Step), "time between the readings of the history")
	f.IntVar(&o.Fleet.Owners, "owners", o.Fleet.Owners, "number of owners")
	f.IntVar(&o.Fleet.Sites, "sites", o.Fleet.Sites, "number of sites")
	f.IntVar(&o.Fleet.Stations, "stations", o.Fleet.Stations, "number of stations")
	f.IntVar(&o.Fleet.Slots, "slots", o.Fleet.Slots, "slots of a station")
	f.IntVar(&o.Fleet.Batteries, "batteries", o.Fleet.Batteries, "number of batteries")
	f.IntVar(&o.Fleet.Buildings, "buildings", o.Fleet.Buildings, "number of buildings")
	f.IntVar(&o.Connections, "connections", o.Connections, "MQTT connections shared by all devices; 0: one for each device")
}

// publishes reports whether there is a broker to publish to.
func (s *simulation) publishes() bool { return s.out == "" && !s.dry }

// choose reads the scenario and lets the flags that were given have their way.
func (s *simulation) choose(changed func(string) bool) error {
	s.scenario = scenario.Default()
	s.scenario.Days = 0
	if s.name != "" {
		var err error
		if s.scenario, err = readScenario(s.name); err != nil {
			return err
		}
	}
	c, o := &s.scenario, &s.over
	if changed("step") {
		c.Step = scenario.Duration(s.step)
	}
	for name, x := range map[string]struct{ into, from *int }{
		"days": {&c.Days, &o.Days}, "connections": {&c.Connections, &o.Connections},
		"owners": {&c.Fleet.Owners, &o.Fleet.Owners}, "sites": {&c.Fleet.Sites, &o.Fleet.Sites},
		"stations": {&c.Fleet.Stations, &o.Fleet.Stations}, "slots": {&c.Fleet.Slots, &o.Fleet.Slots},
		"batteries": {&c.Fleet.Batteries, &o.Fleet.Batteries}, "buildings": {&c.Fleet.Buildings, &o.Fleet.Buildings},
	} {
		if changed(name) {
			*x.into = *x.from
		}
	}
	if err := c.Validate(); err != nil {
		return err
	}
	switch {
	case s.speed < 0:
		return fmt.Errorf("speed: %v: want 0 or more", s.speed)
	case s.live && !s.publishes():
		return errors.New("live: nothing is published; leave out --live, or --out and --dry-run")
	case !s.live && c.Days == 0:
		return fmt.Errorf("nothing to do: give --days for history, --live, or both")
	}
	return s.readSecrets()
}

// readScenario reads a scenario by its name or from a file.
func readScenario(name string) (scenario.Scenario, error) {
	var f io.ReadCloser
	var err error
	if strings.ContainsAny(name, `./\`) {
		f, err = os.Open(filepath.Clean(name))
	} else {
		f, err = scenarios.Open(name)
	}
	if err != nil {
		return scenario.Scenario{}, err
	}
	defer func() { _ = f.Close() }()
	s, err := scenario.Read(f)
	if err != nil {
		return s, fmt.Errorf("%s: %w", name, err)
	}
	return s, nil
}

// config is the fleet at its start. What is written to a file must be the same
// today and tomorrow.
func (s *simulation) config() (simulator.Config, error) {
	step := time.Duration(s.scenario.Step)
	now := time.Now().UTC().Truncate(step)
	start := now.AddDate(0, 0, -s.scenario.Days)
	if !s.publishes() {
		start = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)
	}
	if s.start != "" {
		var err error
		if start, err = time.Parse(time.RFC3339, s.start); err != nil {
			return simulator.Config{}, fmt.Errorf("start: %w", err)
		}
	}
	s.until = start.AddDate(0, 0, s.scenario.Days)
	if s.live {
		s.until = now // the history leads up to the present
	}
	cfg := s.scenario.Config(s.seed, start)
	if s.scenario.Weather != "" {
		f, err := os.Open(s.scenario.Weather)
		if err != nil {
			return cfg, err
		}
		defer func() { _ = f.Close() }()
		if cfg.Weather, err = scenario.ReadWeather(f); err != nil {
			return cfg, fmt.Errorf("%s: %w", s.scenario.Weather, err)
		}
	}
	return cfg, nil
}

// readSecrets reads the credentials of single devices.
func (s *simulation) readSecrets() error {
	if s.secrets == "" {
		return nil
	}
	f, err := os.Open(s.secrets)
	if err != nil {
		return err
	}
	defer func() { _ = f.Close() }()
	in := csv.NewReader(f)
	in.FieldsPerRecord = 3
	rows, err := in.ReadAll()
	if err != nil {
		return fmt.Errorf("%s: %w", s.secrets, err)
	}
	s.signIn = make(map[devices.Ref][2]string, len(rows))
	if len(rows) > 0 && slices.Equal(rows[0], bulkColumns()) { // as credential create --from writes it
		rows[0] = nil
	}
	for i, row := range rows {
		if row == nil {
			continue
		}
		name, id, _ := strings.Cut(row[0], "/")
		kind, err := devices.ParseKind(name)
		if err != nil || !devices.ValidID(id) {
			return fmt.Errorf("%s: line %d: %q is not kind/id", s.secrets, i+1, row[0])
		}
		s.signIn[devices.Ref{Kind: kind, ID: id}] = [2]string{row[1], row[2]}
	}
	return nil
}

func (s *simulation) credentials(ref devices.Ref) (user, password string) {
	if c, ok := s.signIn[ref]; ok {
		return c[0], c[1]
	}
	return s.to.credentials(ref)
}
