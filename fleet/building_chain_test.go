package fleet_test

import (
	"bytes"
	"database/sql"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/building"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
)

// Where c takes the temperature of a, and a that of b, what a measures late still
// comes to c.
func TestLateWeatherAlongChain(t *testing.T) {
	p := newPlant(t)
	for id, from := range map[string]string{"a": "building/b", "c": "building/a"} {
		if _, err := p.ledger.PutEntry(t.Context(), ledger.Settings, id, "", from, building.Settings{Weather: building.WeatherSource(from)}); err != nil {
			t.Fatal(err)
		}
	}
	for _, id := range []string{"a", "b", "c"} {
		p.deliver(house(t, id, berlin, 4, 9))
	}
	p.run()
	before := p.results("c")
	late := house(t, "a", berlin, 3, 9)[80:90]
	warm := field(t, "outdoor_c")
	for i := range late {
		late[i].Values = nil
		late[i].Set(telemetry.Value{Field: warm, Num: 30})
		late[i].TS += 60_000
	}
	p.deliver(late)
	p.run()
	if p.results("c") == before {
		t.Error("c is as before")
	}
	p.run()
	if p.changes != 0 {
		t.Errorf("got %d changes of nothing", p.changes)
	}
}

// A kept day that cannot be read is made anew.
func TestDamagedDayIsMadeAnew(t *testing.T) {
	p := newPlant(t)
	all := house(t, "b", berlin, 4, 9)
	p.deliver(all)
	want := p.results("b")
	days, err := p.ledger.BuildingDays(t.Context(), "b")
	if err != nil {
		t.Fatal(err)
	}
	number := telemetry.DayOf(all[60].TS)
	damaged, err := building.Decode(days[number])
	if err != nil {
		t.Fatal(err)
	}
	p.damage("b", damaged.Number)
	p.deliver(all[len(all)-1:])
	if p.results("b") != want {
		t.Error("the day was not made anew")
	}
	if now, err := p.ledger.BuildingDays(t.Context(), "b"); err != nil || !bytes.Equal(now[number], days[number]) {
		t.Errorf("got %v, %v", now[number], err)
	}
}

// damage spoils what is kept of a day.
func (p *plant) damage(id string, day int64) {
	p.t.Helper()
	db, err := sql.Open("sqlite", p.path)
	if err != nil {
		p.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.ExecContext(p.t.Context(), `UPDATE building_days SET payload = X'00' WHERE building = ? AND day = ?`, id, day); err != nil {
		p.t.Fatal(err)
	}
}
