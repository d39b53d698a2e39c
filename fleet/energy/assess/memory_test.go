package assess

import (
	"bytes"
	"encoding/json"
	"math"
	"testing"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
)

// remembered is a request with a memory that went through storage.
func remembered(t *testing.T, q Request) Request {
	t.Helper()
	q.Memory = Recall(nil)
	bytesOf(t, q)
	raw, err := json.Marshal(q.Memory.Used())
	if err != nil {
		t.Fatal(err)
	}
	var kept map[string]json.RawMessage
	if err := json.Unmarshal(raw, &kept); err != nil {
		t.Fatal(err)
	}
	q.Memory = Recall(kept)
	return q
}

func bytesOf(t *testing.T, q Request) []byte {
	t.Helper()
	a, err := Assess(q)
	if err != nil {
		t.Fatal(err)
	}
	if a.model == nil || a.Avoided == nil {
		t.Fatalf("got %+v, want a saving", a.Verdict.Reasons)
	}
	raw, err := json.Marshal(struct {
		*Assessment
		Predicted []*float64
	}{a, known(a.Model().Predict(q.Reporting))})
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func known(x []float64) []*float64 {
	out := make([]*float64, len(x))
	for i := range x {
		out[i] = energy.Known(x[i])
	}
	return out
}

// A baseline that was kept gives the bytes that it gives when worked out anew, and
// keeps the same; one whose rows or rules are others is not found.
func TestMemoryGivesTheSameBytes(t *testing.T) {
	b := newBuilding(11)
	days := Request{Baseline: b.days(year(2021), 365, 0), Reporting: b.days(year(2022), 365, 0.2), Typical: b.days(year(2023), 365, 0), Interval: energy.Daily}
	o := office(3)
	hours := Request{
		Baseline: hoursOf(o.days(year(2021), 365, 0)), Reporting: hoursOf(o.days(year(2022), 365, 0.1)),
		Typical: hoursOf(o.days(year(2023), 365, 0)), Interval: energy.Hourly, Model: "towt-hourly", Holidays: []string{"2021-12-24"},
	}
	for _, c := range []struct {
		name string
		q    Request
		kept int
	}{{"days", days, 1}, {"hours", hours, 2}} { // of hours, what is normalised too
		t.Run(c.name, func(t *testing.T) {
			anew, q := bytesOf(t, c.q), remembered(t, c.q)
			kept := q.Memory.kept
			if got := bytesOf(t, q); !bytes.Equal(got, anew) {
				t.Errorf("differs from what is worked out anew:\n%.600s\n%.600s", got, anew)
			}
			if len(kept) != c.kept || len(q.Memory.used) != c.kept {
				t.Errorf("got %d kept and %d used, want %d", len(kept), len(q.Memory.used), c.kept)
			}
			for digest, raw := range q.Memory.used {
				if !bytes.Equal(raw, kept[digest]) {
					t.Errorf("what is kept changes as it is used")
				}
			}
		})
	}
	q := remembered(t, days)
	for _, c := range []struct {
		name   string
		change func(*Request)
		kept   bool
	}{
		{"nothing", func(*Request) {}, true},
		{"a longer reporting period", func(q *Request) { q.Reporting = b.days(year(2022), 380, 0.2) }, true},
		{"late data of the baseline", func(q *Request) { q.Baseline = b.days(year(2021), 365, 0) }, false},
		{"a baseline without a day", func(q *Request) {
			q.Baseline = append([]energy.Row{}, q.Baseline...)
			q.Baseline[100].Use = math.NaN()
		}, false},
		{"another model", func(q *Request) { q.Model = "towt-daily" }, false},
		{"zeros dropped", func(q *Request) { q.DropZeros = true }, false},
		{"heating only", func(q *Request) { q.HeatingOnly = true }, false},
		{"holidays", func(q *Request) { q.Holidays = []string{"2021-05-03"} }, false},
	} {
		again := q
		c.change(&again)
		again.baselineYear()
		if _, found := q.Memory.kept[again.digest()]; found != c.kept {
			t.Errorf("%s: got found %v, want %v", c.name, found, c.kept)
		}
	}
}

// What is kept is used: another model under the same digest answers. Bytes that
// are none do not.
func TestMemoryIsUsed(t *testing.T) {
	b := newBuilding(12)
	q := Request{Baseline: b.days(year(2021), 365, 0), Reporting: b.days(year(2022), 365, 0.2), Interval: energy.Daily, Model: "towt-daily"}
	anew := bytesOf(t, q)
	for _, c := range []struct {
		name string
		kept string
		same bool
	}{
		{"the baseline of another", "", false},
		{"no baseline", `{"id": "oracle", "model": {}}`, true},
		{"no JSON", `{`, true},
	} {
		other := q
		other.Baseline = newBuilding(13).days(year(2021), 365, 0)
		kept := remembered(t, other).Memory.kept
		for digest, raw := range kept {
			if delete(kept, digest); c.kept != "" {
				raw = json.RawMessage(c.kept)
			}
			full := q
			full.baselineYear()
			kept[full.digest()] = raw
			break
		}
		q.Memory = Recall(kept)
		if got := bytes.Equal(bytesOf(t, q), anew); got != c.same {
			t.Errorf("%s: got the same %v, want %v", c.name, got, c.same)
		}
	}
}
