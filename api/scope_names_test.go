package api

import (
	"testing"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

func TestNamesInObjects(t *testing.T) {
	mine := &names{func(ref devices.Ref) (bool, error) {
		return ref == devices.Ref{Kind: devices.KindBattery, ID: "mine"}, nil
	}}
	for _, c := range []struct{ name, sent, want string }{
		{"a member", `{"battery_out":"other","battery_in":"mine"}`, `{"battery_in":"mine","battery_out":"(not yours)"}`},
		{"whatever its case", `{"Battery_Out":"other","BATTERY":"other"}`, `{"BATTERY":"(not yours)","Battery_Out":"(not yours)"}`},
		{"an object", `{"battery":{"id":"other","soc":80}}`, `{"battery":{"id":"(not yours)","soc":80}}`},
		{"objects", `{"batteries":[{"ID":"other"},{"id":"mine"}]}`, `{"batteries":[{"ID":"(not yours)"},{"id":"mine"}]}`},
		{"its serial", `{"battery":{"serial":"other"}}`, `{"battery":{"serial":"(not yours)"}}`},
		{"with its id", `{"battery":{"Serial":"S1","id":"other"}}`, `{"battery":{"Serial":"(not yours)","id":"(not yours)"}}`},
		{"with ids of both", `{"battery":{"ID":"mine","id":"other","serial":"S1"}}`, `{"battery":{"ID":"mine","id":"(not yours)","serial":"(not yours)"}}`},
		{"of any kind", `{"device":{"id":"other"},"devices":["mine"]}`, `{"device":{"id":"(not yours)"},"devices":["mine"]}`},
		{"his own", `{"battery": {"serial":"S1", "id":"mine"}}`, `{"battery": {"serial":"S1", "id":"mine"}}`},
		{"what lies below", `{"battery":{"cell":{"id":"c7"}}, "id":"e1"}`, `{"battery":{"cell":{"id":"c7"}}, "id":"e1"}`},
		{"numbers as they were sent", `{"battery":"other","wh":1500.50}`, `{"battery":"(not yours)","wh":1500.50}`},
		{"no JSON", `{"battery":"other"`, `{"battery":"other"`},
	} {
		if got, err := mine.json([]byte(c.sent)); err != nil || string(got) != c.want {
			t.Errorf("%s: got %s, %v, want %s", c.name, got, err, c.want)
		}
	}
}

// Who sees all is not made to wait for masks.
func TestNamesOfWhoSeesAll(t *testing.T) {
	if all := (sight{}).names(access.With(t.Context(), access.Principal{Role: access.Admin})); all != nil {
		t.Errorf("got %v, want none", all)
	}
	var all *names
	values, data := []telemetry.Value{{Text: "other"}}, []byte(`{"battery":"other"}`)
	if n := testing.AllocsPerRun(10, func() {
		one, err := all.value(values[0])
		some, err2 := all.values(values)
		got, err3 := all.json(data)
		if one != values[0] || &some[0] != &values[0] || &got[0] != &data[0] || err != nil || err2 != nil || err3 != nil {
			t.Errorf("got %v, %v, %s", one, some, got)
		}
	}); n != 0 {
		t.Errorf("got %v allocations, want none", n)
	}
}
