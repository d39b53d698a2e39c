package finance

import (
	"encoding/csv"
	"encoding/json"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/measured"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// published are the cases of pyxirr (Anexen, public domain) and the numbers that
// its tests expect.
type published struct {
	XNPV []struct {
		File string
		Rate float64
		XNPV float64
	}
	NPV struct {
		Values []float64
		Rate   float64
		T0     float64 `json:"npv_t0"`
		T1     float64 `json:"npv_excel_t1"`
	}
	IRR  map[string]float64
	XIRR []struct {
		File string
		XIRR *float64 // null: no rate
	}
}

func expected(t testing.TB) (p published) {
	t.Helper()
	b, err := os.ReadFile(measured.File(t, "finance", "expected.json"))
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(b, &p); err != nil {
		t.Fatal(err)
	}
	return p
}

// flowsOf reads a case; ok is false where the folder has no such file.
func flowsOf(t testing.TB, name string) (flows []Flow, ok bool) {
	t.Helper()
	dir := filepath.Dir(measured.File(t, "finance", "expected.json"))
	file, err := os.Open(filepath.Join(dir, "cases", name))
	if os.IsNotExist(err) {
		return nil, false
	}
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	rows, err := csv.NewReader(file).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows {
		d, err := daycount.Parse(strings.TrimSpace(row[0]))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		a, err := strconv.ParseFloat(strings.TrimSpace(row[1]), 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		flows = append(flows, Flow{d, a})
	}
	return flows, true
}

func amountsOf(flows []Flow) []float64 {
	out := make([]float64, len(flows))
	for i, f := range flows {
		out[i] = f.Amount
	}
	return out
}

// near reports whether two numbers agree to 1e-9, relative where they are large.
func near(got, want float64) bool {
	return math.Abs(got-want) <= 1e-9*max(1, math.Abs(want))
}

func TestSharedPresentValues(t *testing.T) {
	p := expected(t)
	seen := 0
	for _, c := range p.XNPV {
		flows, ok := flowsOf(t, c.File)
		if !ok {
			t.Logf("%s is not in the folder", c.File)
			continue
		}
		seen++
		if got, err := XNPV(c.Rate, flows, daycount.Actual365F); err != nil || !near(got, c.XNPV) {
			t.Errorf("XNPV %s: got %.12f %v, want %.12f", c.File, got, err, c.XNPV)
		}
	}
	if seen < 2 {
		t.Errorf("%d cases of XNPV", seen)
	}
	if got, err := NPV(p.NPV.Rate, p.NPV.Values); err != nil || !near(got, p.NPV.T0) {
		t.Errorf("NPV: got %.12f %v, want %.12f", got, err, p.NPV.T0)
	}
	if got, err := NPVFromOne(p.NPV.Rate, p.NPV.Values); err != nil || !near(got, p.NPV.T1) {
		t.Errorf("NPV from 1: got %.12f %v, want %.12f", got, err, p.NPV.T1)
	}
}

// Where a case has one rate, that is it; where it has several, what was published
// is one of them.
func TestSharedRates(t *testing.T) {
	p := expected(t)
	seen := 0
	check := func(name string, got Rates, err error, want *float64) {
		t.Helper()
		seen++
		if err != nil {
			t.Errorf("%s: %v", name, err)
			return
		}
		switch {
		case want == nil && len(got.Rates) > 0:
			t.Errorf("%s: got %v, want none", name, got.Rates)
		case want == nil:
		case len(got.Rates) == 1 && got.Status == OK && near(*got.Rate, *want):
		case len(got.Rates) > 1 && got.Status == Several && got.Rate == nil &&
			slices.ContainsFunc(got.Rates, func(v float64) bool { return near(v, *want) }):
			nearest, _ := got.Nearest(DefaultGuess)
			t.Logf("%s has %d rates: %v; published %v, nearest to 10 %% %v", name, len(got.Rates), got.Rates, *want, nearest)
		default:
			t.Errorf("%s: got %s %v, want %.15f", name, got.Status, got.Rates, *want)
		}
	}
	for _, c := range p.XIRR {
		if flows, ok := flowsOf(t, c.File); ok {
			got, err := XIRR(flows, daycount.Actual365F)
			check("XIRR "+c.File, got, err, c.XIRR)
		}
	}
	for name, want := range p.IRR {
		file, _, _ := strings.Cut(name, "(")
		if flows, ok := flowsOf(t, file); ok {
			got, err := IRR(amountsOf(flows))
			check("IRR "+file, got, err, &want)
		}
	}
	if seen < 17 {
		t.Errorf("%d cases of XIRR and IRR", seen)
	}
}

func BenchmarkXIRR(b *testing.B) {
	for _, name := range []string{"unordered.csv", "30-13.csv", "single_redemption.csv", "random.csv"} {
		flows, ok := flowsOf(b, name)
		if !ok {
			continue
		}
		b.Run("case="+name, func(b *testing.B) {
			for b.Loop() {
				if _, err := XIRR(flows, daycount.Actual365F); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
