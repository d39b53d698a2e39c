package app

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/fleetwatt/fleetwatt"

// imports lists, for every package of the module, what it imports directly.
func imports(t *testing.T) map[string][]string {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "go", "list", "-json=ImportPath,Imports", "./...")
	cmd.Dir = "../../.."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	all := map[string][]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p struct {
			ImportPath string
			Imports    []string
		}
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[short(p.ImportPath)] = p.Imports
	}
}

func short(path string) string { return strings.TrimPrefix(path, module+"/") }

// within reports whether pkg is one of roots or below one that ends in "/…".
func within(pkg string, roots ...string) bool {
	return slices.ContainsFunc(roots, func(root string) bool {
		if below, ok := strings.CutSuffix(root, "/…"); ok {
			return pkg == below || strings.HasPrefix(pkg, below+"/")
		}
		return pkg == root
	})
}

// The walls of the house: which package may know which.
func TestWalls(t *testing.T) {
	adapters := []string{"ingest/broker", "ingest/mqtt", "ingest/duckdb", "ingest/influx", "ingest/quarantine", "ingest/sparkplug/link"}
	rules := []struct {
		name string
		of   []string
		may  []string // of the module; nothing else
	}{
		{"the vocabulary knows nothing", []string{"devices"}, nil},
		{"the contract knows the vocabulary", []string{"devices/telemetry"}, []string{"devices"}},
		{"codecs know contract and vocabulary", []string{"devices/wire"}, []string{"devices", "devices/telemetry"}},
		{"stores know only devices, and what they are made of", []string{"ingest/duckdb", "ingest/influx"},
			[]string{"devices", "devices/telemetry", "devices/dirlock", "ingest/duckdb/…"}},
		{"the log knows nothing of readings", []string{"ingest/duckdb/wal"}, nil},
		{"memory knows no log and no database", []string{"ingest/duckdb/hot"}, []string{"devices", "devices/telemetry"}},
		{"quarantine and presence know only devices", []string{"ingest/quarantine", "ingest/presence"}, []string{"devices/…"}},
		{"an export knows the contract of stores", []string{"ingest/export"}, []string{"devices/…"}},
		{"ingest knows no adapter", []string{"ingest"}, []string{"devices", "devices/telemetry", "devices/wire"}},
		{"sources know ingest, no store", []string{"ingest/broker", "ingest/mqtt", "ingest/sparkplug/…"}, []string{"devices/…", "ingest", "ingest/sparkplug/…", "ingest/mqtt/acks"}},
		{"a battery's dossier knows batteries and shares of time", []string{"fleet/battery/dossier"},
			[]string{"devices", "devices/telemetry", "fleet/battery", "fleet/station"}},
		{"a building's results know energy", []string{"fleet/building"}, []string{"devices", "devices/telemetry", "fleet/energy/…"}},
		{"money knows nothing", []string{"fleet/money"}, nil},
		{"finance knows money", []string{"fleet/finance/…"}, []string{"fleet/money", "fleet/finance/…"}},
		{"a statement knows money and shares", []string{"fleet/statement"},
			[]string{"fleet/money", "fleet/finance/daycount", "fleet/finance/waterfall"}},
		{"accounts know money and statements", []string{"fleet/accounts"},
			[]string{"devices", "devices/telemetry", "fleet/money", "fleet/finance/…", "fleet/statement", "fleet/station", "fleet/energy/…"}},
		{"access knows who, not what", []string{"api/access"}, []string{"devices"}},
		{"databases know nothing", []string{"devices/database"}, nil},
		{"pure results know no shell", []string{"fleet/battery", "fleet/rollup", "fleet/station"}, []string{"devices", "devices/telemetry"}},
		{"building energy knows itself alone", []string{"fleet/energy/…"}, []string{"fleet/energy/…"}},
		{"jobs know the ledger and the maths", []string{"fleet"}, []string{"devices", "devices/telemetry", "fleet/…"}},
		{"the simulator is not checked by itself", []string{"simulator/…"}, []string{"devices/…", "simulator/…"}},
		{"the API knows no engine and no source", []string{"api"}, []string{"api/access", "devices/…", "fleet/…", "ingest/quarantine", "ingest/presence", "ingest/export"}},
	}
	all := imports(t)
	for _, r := range rules {
		t.Run(r.name, func(t *testing.T) {
			found := false
			for pkg, list := range all {
				if !within(pkg, r.of...) {
					continue
				}
				found = true
				for _, imp := range list {
					if strings.HasPrefix(imp, module) && !within(short(imp), r.may...) {
						t.Errorf("%s imports %s", pkg, short(imp))
					}
				}
			}
			if !found {
				t.Errorf("there is no %v", r.of)
			}
		})
	}
	t.Run("one package knows all adapters", func(t *testing.T) {
		for pkg, list := range all {
			known := 0
			for _, imp := range list {
				if within(short(imp), adapters...) {
					known++
				}
			}
			if known > 1 && pkg != "cmd/internal/app" {
				t.Errorf("%s imports %d adapters", pkg, known)
			}
		}
	})
}

// Pure packages do no I/O, start nothing and read no clock of their own; from
// outside they import gonum at most.
func TestPurePackages(t *testing.T) {
	pure := []string{"devices", "devices/telemetry", "devices/wire", "fleet/battery", "fleet/rollup", "fleet/station", "fleet/energy", "fleet/energy/caltrack", "fleet/energy/assess", "fleet/energy/report",
		"fleet/energy/report/chart", "fleet/battery/dossier", "fleet/building", "fleet/money", "fleet/finance", "fleet/finance/daycount",
		"fleet/finance/annuity", "fleet/finance/cost", "fleet/finance/risk", "fleet/finance/project", "fleet/finance/waterfall", "fleet/statement", "fleet/accounts", "simulator", "simulator/aging", "simulator/draw", "simulator/faults"}
	forbidden := []string{"os", "net/…", "net", "io/ioutil", "log/…", "log", "database/…", "syscall", "os/…"}
	all := imports(t)
	for _, pkg := range pure {
		if _, ok := all[pkg]; !ok {
			t.Errorf("there is no %s", pkg)
		}
		for _, imp := range all[pkg] {
			outside := strings.Contains(strings.SplitN(imp, "/", 2)[0], ".") && !strings.HasPrefix(imp, module) && !strings.HasPrefix(imp, "gonum.org/")
			if outside || within(imp, forbidden...) {
				t.Errorf("%s imports %s", pkg, imp)
			}
		}
	}
}
