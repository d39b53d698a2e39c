package station

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What readings told before retention took them stays; what events tell is new.
func TestKept(t *testing.T) {
	three := 3
	before := Day{
		Day: 5, Window: Window{100, 200}, Readings: 90, Heard: 80, Meter: Meter{MilliWh: 7, KnownMS: 70},
		Visits: []Visit{{At: 110, Outcome: Done, Charged: &three}},
	}
	anew := Day{
		Day: 5, Window: Window{0, 300}, Charges: Charges{Count: 4},
		Visits: []Visit{{At: 110, Outcome: Done}, {At: 120, Outcome: Failed}},
	}
	want := Day{
		Day: 5, Window: Window{100, 200}, Readings: 90, Heard: 80, Meter: Meter{MilliWh: 7, KnownMS: 70}, Charges: Charges{Count: 4},
		Visits: []Visit{{At: 110, Outcome: Done, Charged: &three}, {At: 120, Outcome: Failed}},
	}
	if diff := cmp.Diff(want, Kept(before, anew)); diff != "" {
		t.Errorf("fewer readings than before (-want +got):\n%s", diff)
	}
	fewer := before
	fewer.Readings, fewer.Heard = 2, 3
	if diff := cmp.Diff(before, Kept(before, fewer)); diff != "" {
		t.Errorf("fewer of the same day (-want +got):\n%s", diff)
	}
	elsewhere := anew
	elsewhere.Readings = 60
	if diff := cmp.Diff(elsewhere, Kept(before, elsewhere)); diff != "" {
		t.Errorf("other bounds (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff(before, Kept(anew, before)); diff != "" {
		t.Errorf("more readings than before (-want +got):\n%s", diff)
	}
}

// Of what came after the window nothing was known at its end.
func TestReliabilityKnowsNoFuture(t *testing.T) {
	const hour = 3600_000
	w := Window{0, 10 * hour}
	u := Reliability([]Fault{{From: 8 * hour, To: 30 * hour, Attended: 20 * hour}}, w, 4, true)
	if u.OpenFaults != 1 || u.MTTRHours != nil || u.RespondHours != nil || *u.StationUp != 0.8 {
		t.Errorf("got %+v, want an open fault and nothing of its end", u)
	}
}

func TestDarkStationIsNotUp(t *testing.T) {
	u := uptimeOf(&Totals{}, []Fault{{From: 1, To: 2}}, true, Window{0, 1e9}, Setting{Slots: 4})
	if u.Status != Insufficient || u.StationUp != nil {
		t.Errorf("got %+v of a station that sent nothing, want insufficient data", u)
	}
}
