// Package deploy has no code: its tests hold what is written here for operators
// against what the server does.
package deploy

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"go.yaml.in/yaml/v3"

	"github.com/fleetwatt/fleetwatt/ingest"
	"github.com/fleetwatt/fleetwatt/ingest/presence"
)

// registered is every metric of the server: those that are registered below, and
// those whose names stand in the wiring, which can't be imported from here.
func registered(t *testing.T) map[string]string {
	t.Helper()
	tracker, err := presence.Open(t.Context(), filepath.Join(t.TempDir(), "presence.db"), presence.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		if err := tracker.Close(); err != nil {
			t.Error(err)
		}
	}()
	reg := prometheus.NewRegistry()
	reg.MustRegister(collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	ingest.NewMetrics(reg)
	ingest.New(ingest.Options{Now: time.Now}).ExposeAccounting(reg)
	ingest.ExposeQueue(reg, func() ingest.Depth { return ingest.Depth{} })
	tracker.Expose(reg)
	families, err := reg.Gather()
	if err != nil {
		t.Fatal(err)
	}
	out := map[string]string{"up": "GAUGE"} // of every scrape
	for _, f := range families {
		out[f.GetName()] = f.GetType().String()
	}
	for _, name := range wired(t) {
		out[name] = ""
	}
	return out
}

// wired are the names of the metrics that the wiring registers itself.
func wired(t *testing.T) (names []string) {
	t.Helper()
	files, err := filepath.Glob("../cmd/internal/app/*.go")
	if err != nil || len(files) == 0 {
		t.Fatalf("the wiring: %d files, %v", len(files), err)
	}
	for _, file := range files {
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(parsed, func(n ast.Node) bool {
			text, ok := n.(*ast.BasicLit)
			if !ok || text.Kind != token.STRING {
				return true
			}
			if name, err := strconv.Unquote(text.Value); err == nil && wiredName.MatchString(name) {
				names = append(names, name)
			}
			return true
		})
	}
	return names
}

var wiredName = regexp.MustCompile(`^fleetwatt_[a-z_]+$`)

// base is the metric that a series of a histogram belongs to.
func base(name string, known map[string]string) string {
	for _, suffix := range []string{"_bucket", "_sum", "_count"} {
		if cut, ok := strings.CutSuffix(name, suffix); ok && known[cut] == "HISTOGRAM" {
			return cut
		}
	}
	return name
}

var metricName = regexp.MustCompile(`\b(?:fleetwatt|process|go)_[a-z0-9_]+\b|\bup\b`)

type rules struct {
	Groups []struct {
		Name  string `yaml:"name"`
		Rules []struct {
			Alert       string            `yaml:"alert"`
			Expr        string            `yaml:"expr"`
			For         string            `yaml:"for"`
			Labels      map[string]string `yaml:"labels"`
			Annotations map[string]string `yaml:"annotations"`
		} `yaml:"rules"`
	} `yaml:"groups"`
}

func readRules(t *testing.T) (r rules) {
	t.Helper()
	f, err := os.Open("alerts.yaml")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := yaml.NewDecoder(f)
	d.KnownFields(true)
	if err := d.Decode(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

// Every rule is whole, and asks for metrics that there are.
func TestAlerts(t *testing.T) {
	known := registered(t)
	groups, alerts := map[string]bool{}, map[string]bool{}
	for _, g := range readRules(t).Groups {
		if g.Name == "" || groups[g.Name] || len(g.Rules) == 0 {
			t.Errorf("group %q: has no name of its own or no rules", g.Name)
		}
		groups[g.Name] = true
		for _, r := range g.Rules {
			if !strings.HasPrefix(r.Alert, "Fleetwatt") || alerts[r.Alert] {
				t.Errorf("alert %q: has no name of its own", r.Alert)
			}
			alerts[r.Alert] = true
			if s := r.Labels["severity"]; s != "critical" && s != "warning" {
				t.Errorf("%s: severity %q", r.Alert, s)
			}
			if r.Annotations["summary"] == "" {
				t.Errorf("%s: no summary", r.Alert)
			}
			if r.For != "" {
				if _, err := time.ParseDuration(r.For); err != nil {
					t.Errorf("%s: for: %v", r.Alert, err)
				}
			}
			names := metricName.FindAllString(r.Expr, -1)
			if len(names) == 0 {
				t.Errorf("%s: asks for no metric: %s", r.Alert, r.Expr)
			}
			for _, name := range names {
				if _, ok := known[base(name, known)]; !ok {
					t.Errorf("%s: there is no metric %s", r.Alert, name)
				}
			}
			checkBrackets(t, r.Alert, r.Expr)
		}
	}
	if len(alerts) < 10 {
		t.Errorf("got %d alerts, want all of them", len(alerts))
	}
}

func checkBrackets(t *testing.T, alert, expr string) {
	t.Helper()
	var open []rune
	closes := map[rune]rune{')': '(', ']': '[', '}': '{'}
	for _, c := range expr {
		switch c {
		case '(', '[', '{':
			open = append(open, c)
		case ')', ']', '}':
			if len(open) == 0 || open[len(open)-1] != closes[c] {
				t.Errorf("%s: %q closes nothing", alert, c)
				return
			}
			open = open[:len(open)-1]
		}
	}
	if len(open) > 0 {
		t.Errorf("%s: %q is not closed", alert, open)
	}
}

// METRICS.md has every metric of fleetwatt's own, no other, and marks those that
// a rule asks for.
func TestMetricsDocument(t *testing.T) {
	text, err := os.ReadFile("METRICS.md")
	if err != nil {
		t.Fatal(err)
	}
	known := registered(t)
	asked := map[string]bool{}
	for _, g := range readRules(t).Groups {
		for _, r := range g.Rules {
			for _, name := range metricName.FindAllString(r.Expr, -1) {
				asked[base(name, known)] = true
			}
		}
	}
	row := regexp.MustCompile("(?m)^\\| `(fleetwatt_[a-z0-9_]+)`( ●)? \\| ([a-z]+)")
	documented := map[string]bool{}
	for _, m := range row.FindAllStringSubmatch(string(text), -1) {
		name, marked, kind := m[1], m[2] != "", m[3]
		documented[name] = true
		if want, ok := known[name]; !ok {
			t.Errorf("%s: there is no such metric", name)
		} else if want != "" && kind != strings.ToLower(want) {
			t.Errorf("%s: got %s, want %s", name, kind, strings.ToLower(want))
		}
		if marked != asked[name] {
			t.Errorf("%s: marked %v, asked for by a rule %v", name, marked, asked[name])
		}
	}
	for _, name := range slices.Sorted(maps.Keys(known)) {
		if strings.HasPrefix(name, "fleetwatt_") && !documented[name] {
			t.Errorf("%s is not in METRICS.md", name)
		}
	}
	for _, name := range metricName.FindAllString(string(text), -1) {
		if strings.HasPrefix(name, "fleetwatt_") && !documented[base(name, known)] {
			t.Errorf("METRICS.md: %s is in no table", name)
		}
	}
}
