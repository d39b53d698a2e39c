package station

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestPairFaults(t *testing.T) {
	opened := func(ts int64, slot int, code string) FaultReport {
		return FaultReport{TS: ts, Opened: true, Slot: slot, Code: code}
	}
	closed := func(ts int64, slot int, code string) FaultReport {
		return FaultReport{TS: ts, Closed: true, Slot: slot, Code: code}
	}
	tests := []struct {
		name    string
		reports []FaultReport
		want    []Fault
	}{
		{"none", nil, []Fault{}},
		{"one", []FaultReport{opened(10, 3, "x"), closed(20, 3, "x")}, []Fault{{From: 10, To: 20, Slot: 3, Code: "x"}}},
		{"open", []FaultReport{opened(10, 0, "x")}, []Fault{{From: 10, Code: "x"}}},
		{"opened twice", []FaultReport{opened(10, 1, "x"), opened(12, 1, "x"), closed(20, 1, "x")}, []Fault{{From: 10, To: 20, Slot: 1, Code: "x"}}},
		{"closed only", []FaultReport{closed(10, 1, "x")}, []Fault{}},
		{"two of a slot", []FaultReport{opened(10, 1, "x"), opened(11, 1, "y"), closed(20, 1, "x"), closed(30, 1, "y")},
			[]Fault{{From: 10, To: 20, Slot: 1, Code: "x"}, {From: 11, To: 30, Slot: 1, Code: "y"}}},
		{"closed without a code", []FaultReport{opened(10, 1, "x"), opened(11, 2, "x"), closed(20, 1, "")},
			[]Fault{{From: 10, To: 20, Slot: 1, Code: "x"}, {From: 11, Slot: 2, Code: "x"}}},
		{"again", []FaultReport{opened(10, 1, "x"), closed(20, 1, "x"), opened(30, 1, "x"), closed(31, 1, "x")},
			[]Fault{{From: 10, To: 20, Slot: 1, Code: "x"}, {From: 30, To: 31, Slot: 1, Code: "x"}}},
		{"at one instant", []FaultReport{opened(10, 1, "x"), closed(10, 1, "x")}, []Fault{{From: 10, To: 11, Slot: 1, Code: "x"}}},
		{"attended", []FaultReport{opened(10, 1, "x"), {TS: 15, Slot: 2}, {TS: 18, Slot: 1, Attended: 16}, {TS: 19}, closed(20, 1, "x"), {TS: 25}},
			[]Fault{{From: 10, To: 20, Slot: 1, Code: "x", Attended: 16}}},
		{"attended before it was reported", []FaultReport{opened(10, 1, "x"), {TS: 18, Slot: 1, Attended: 5}}, []Fault{{From: 10, Slot: 1, Code: "x", Attended: 10}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if diff := cmp.Diff(tt.want, PairFaults(tt.reports)); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
		})
	}
}
