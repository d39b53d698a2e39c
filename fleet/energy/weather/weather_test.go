package weather

import (
	"errors"
	"fmt"
	"math"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
)

const epwHeader = `LOCATION,Bangkok,-,THA,IWEC Data,484560,13.92,100.60,7.0,12.0
DESIGN CONDITIONS,0
TYPICAL/EXTREME PERIODS,0
GROUND TEMPERATURES,0
HOLIDAYS/DAYLIGHT SAVINGS,No,0,0,0
COMMENTS 1,
COMMENTS 2,
DATA PERIODS,1,1,Data,Sunday, 1/ 1,12/31
`

func TestEPW(t *testing.T) {
	file := epwHeader +
		"1983,1,1,1,60,A7,24.5,20.0,80,101000,0\n" +
		"1983,1,1,2,60,A7,99.9,20.0,80,101000,0\n" +
		"1991,2,29,1,60,A7,26.0,20.0,80,101000,0\n" +
		"1991,12,31,24,60,A7,-3.5,20.0,80,101000,0\n"
	station, points, err := EPW(strings.NewReader(file), 2023)
	if err != nil {
		t.Fatal(err)
	}
	if station.Name != "Bangkok" || station.Latitude != 13.92 || station.WMO != "484560" {
		t.Errorf("got %+v", station)
	}
	want := []prepare.Point{
		{TS: time.Date(2022, 12, 31, 17, 0, 0, 0, time.UTC).UnixMilli(), Value: 24.5},
		{TS: time.Date(2023, 12, 31, 16, 0, 0, 0, time.UTC).UnixMilli(), Value: -3.5},
	}
	if len(points) != len(want) || points[0] != want[0] || points[1] != want[1] {
		t.Errorf("got %v, want %v", points, want)
	}
	for name, bad := range map[string]string{
		"empty":       "",
		"no location": "1983,1,1,1,60,A7,24.5\n",
		"no hours":    epwHeader,
		"month 13":    epwHeader + "1983,13,1,1,60,A7,24.5\n",
		"hour 0":      epwHeader + "1983,1,1,0,60,A7,24.5\n",
		"text":        epwHeader + "1983,1,1,1,60,A7,warm\n",
		"short":       epwHeader + "1983,1,1\n",
		"zone":        "LOCATION,a,b,c,d,e,1,2,99,3\n",
	} {
		if _, _, err := EPW(strings.NewReader(bad), 2023); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func FuzzEPW(f *testing.F) {
	f.Add(epwHeader + "1983,1,1,1,60,A7,24.5\n")
	f.Fuzz(func(t *testing.T, file string) {
		if _, points, err := EPW(strings.NewReader(file), 2023); err == nil {
			for _, p := range points {
				if math.IsNaN(p.Value) || math.Abs(p.Value) >= epwMissing {
					t.Errorf("got %v", p)
				}
			}
		}
	})
}

func TestCSV(t *testing.T) {
	berlin := time.FixedZone("", 3600)
	at := time.Date(2024, 1, 1, 11, 0, 0, 0, time.UTC).UnixMilli()
	for _, c := range []struct {
		name, file string
		want       []prepare.Point
	}{
		{"celsius, local", "datetime,air_temperature [degC],wind\n2024-01-01 12:00:00,5.5,3\n", []prepare.Point{{TS: at, Value: 5.5}}},
		{"fahrenheit, UTC", "dt,tempF\n2024-01-01T11:00:00Z,50\n", []prepare.Point{{TS: at, Value: 10}}},
		{"milliseconds", fmt.Sprintf("ts,outdoor_c\n%d,1\n", at), []prepare.Point{{TS: at, Value: 1}}},
		{"a gap and disorder", "time,temp\n2024-01-01 13:00,2\n2024-01-01 14:00,\n2024-01-01 12:00,1\n2024-01-01 13:00,3\n",
			[]prepare.Point{{TS: at, Value: 1}, {TS: at + 3600_000, Value: 3}}},
	} {
		got, _, err := CSV(strings.NewReader(c.file), berlin)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) {
			t.Errorf("%s: got %v, want %v", c.name, got, c.want)
		}
	}
	for name, bad := range map[string]string{
		"empty": "", "no time": "a,temp\n1,2\n", "no temperature": "time,b\n1,2\n", "a bad time": "time,temp\nnoon,2\n",
		"a bad number": "time,temp\n2024-01-01 12:00,warm\n", "infinite": "time,temp\n2024-01-01 12:00,Inf\n",
	} {
		if _, _, err := CSV(strings.NewReader(bad), berlin); err == nil {
			t.Errorf("%s: got no error", name)
		}
	}
}

func TestUnitOf(t *testing.T) {
	for name, want := range map[string]Unit{
		"Temp (F)": Fahrenheit, "temp [F]": Fahrenheit, "temp_fahrenheit": Fahrenheit, "temp_f": Fahrenheit, "tempF": Fahrenheit,
		"Temperature [°F]": Fahrenheit, "temp degF": Fahrenheit, "TEMPF": Fahrenheit,
		"temp_roof": Celsius, "temp": Celsius, "temp (C)": Celsius, "outdoor_c": Celsius, "temp_shelf_c": Celsius,
	} {
		if _, _, got, err := columns([]string{"time", name}); err != nil || got != want {
			t.Errorf("%s: got %s, %v, want %s", name, got, err, want)
		}
	}
}

// Of a cold, a usual and a hot year the usual one is typical.
func TestTypical(t *testing.T) {
	var points []prepare.Point
	for y, shift := range map[int]float64{2019: -6, 2020: 0, 2021: 6} {
		for at := time.Date(y, 1, 1, 0, 0, 0, 0, time.UTC); at.Year() == y; at = at.Add(time.Hour) {
			points = append(points, prepare.Point{TS: at.UnixMilli(), Value: shift + 10 - 10*math.Cos(2*math.Pi*float64(at.YearDay())/365)})
		}
	}
	year, chosen, err := Typical(prepare.Ascending(points), time.UTC, 2023)
	if err != nil {
		t.Fatal(err)
	}
	if len(year) != 8760 || len(chosen) != 12 {
		t.Errorf("got %d hours of %d months, want 8760 of 12", len(year), len(chosen))
	}
	for _, c := range chosen {
		if c.Year != 2020 || c.Years != 3 {
			t.Errorf("got %+v, want 2020 of 3", c)
		}
	}
	if _, _, err := Typical(points[:2000], time.UTC, 2023); !errors.Is(err, energy.ErrInsufficientData) {
		t.Errorf("a part of a year: got %v, want %v", err, energy.ErrInsufficientData)
	}
}
