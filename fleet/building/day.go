package building

import (
	"cmp"
	"math"
	"slices"
	"time"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/target"
)

// Day is what was measured in one UTC day, thinned to what results need of it. A
// building's days, joined, say the same of every hour and day of its zone as all
// of its readings would.
type Day struct {
	Number int64 // since 1970-01-01
	First  int64 // time of the first reading, Unix ms
	Last   int64 // and of the last; both 0 without readings

	// Registers hold, of each meter, the first and the last reading of every
	// local hour, and those around each fall. What lies between two of them adds
	// nothing to the growth between them.
	Registers [meterCount][]prepare.Point
	Outdoor   []Mean // °C
	// Own is the temperature that the building itself measures, °C, where Outdoor is
	// that of another device: others may take it from here.
	Own      []Mean
	Export   []Mean // W that went out, zero where power came in
	Followed target.Followed
}

// Mean is what samples of one local hour add up to. An hour that a UTC day cuts
// in two is in both days, and its parts add up.
type Mean struct {
	Hour int64 // when the hour began, Unix ms
	Sum  float64
	N    int64
}

// Fold thins the readings of a UTC day, which ascend. The zone is that of the
// building, and toleranceC says how far from the setpoint is still followed.
func Fold(day int64, readings []telemetry.Reading, loc *time.Location, toleranceC float64) Day {
	d := Day{Number: day}
	if len(readings) == 0 {
		return d
	}
	d.First, d.Last = readings[0].TS, readings[len(readings)-1].TS
	f := folder{day: &d, hours: hoursOf(loc)}
	for i := range readings {
		f.take(&readings[i])
	}
	for i := range f.points {
		d.Registers[i] = thin(f.points[i], f.hours)
	}
	if days := target.Days(f.samples(loc), toleranceC); len(days) > 0 {
		for _, part := range days { // a UTC day has parts of two local ones
			d.Followed.Good += part.Good
			d.Followed.All += part.All
		}
	}
	return d
}

// FoldWeather is Fold for a day of another device of which only the temperature
// is wanted, under the name of the field.
func FoldWeather(readings []telemetry.Reading, field string, loc *time.Location) []Mean {
	h := hoursOf(loc)
	var out []Mean
	for i := range readings {
		if v, ok := readings[i].Num(field); ok {
			out = addSample(out, h.of(readings[i].TS), v)
		}
	}
	return out
}

// folder walks over the readings of a day.
type folder struct {
	day    *Day
	hours  hours
	points [meterCount][]prepare.Point

	comfort []comfort
	counted bool // whether anyone counts who is there
}

// comfort is what one reading says of a room.
type comfort struct {
	ts                        int64
	indoor, setpoint, present float64
}

func (f *folder) take(r *telemetry.Reading) {
	c := comfort{r.TS, math.NaN(), math.NaN(), math.NaN()}
	for _, v := range r.Values {
		switch v.Field.Name {
		case "energy_wh":
			f.points[0] = append(f.points[0], prepare.Point{TS: r.TS, Value: v.Num})
		case "gas_wh":
			f.points[1] = append(f.points[1], prepare.Point{TS: r.TS, Value: v.Num})
		case "water_l":
			f.points[2] = append(f.points[2], prepare.Point{TS: r.TS, Value: v.Num})
		case "pv_energy_wh":
			f.points[3] = append(f.points[3], prepare.Point{TS: r.TS, Value: v.Num})
		case "outdoor_c":
			f.day.Outdoor = addSample(f.day.Outdoor, f.hours.of(r.TS), v.Num)
		case "power_w":
			f.day.Export = addSample(f.day.Export, f.hours.of(r.TS), max(-v.Num, 0))
		case "indoor_c":
			c.indoor = v.Num
		case "setpoint_c":
			c.setpoint = v.Num
		case "occupancy":
			c.present, f.counted = v.Num, true
		}
	}
	if !math.IsNaN(c.indoor) || !math.IsNaN(c.setpoint) || !math.IsNaN(c.present) {
		f.comfort = append(f.comfort, c)
	}
}

// samples are the rooms' readings, each with the newest setpoint and the newest
// count of people before it. Where nobody counts them, the building is in use.
func (f *folder) samples(loc *time.Location) []target.Sample {
	var out []target.Sample
	setpoint, present := math.NaN(), math.NaN()
	for _, c := range f.comfort {
		if !math.IsNaN(c.setpoint) {
			setpoint = c.setpoint
		}
		if !math.IsNaN(c.present) {
			present = c.present
		}
		out = append(out, target.Sample{
			At: time.UnixMilli(c.ts).In(loc), IndoorC: c.indoor, SetpointC: setpoint, InUse: !f.counted || present > 0,
		})
	}
	return out
}

func addSample(means []Mean, hour int64, v float64) []Mean {
	n := len(means)
	if n == 0 || means[n-1].Hour != hour {
		return append(means, Mean{Hour: hour, Sum: v, N: 1})
	}
	means[n-1].Sum += v
	means[n-1].N++
	return means
}

// hours finds the local hour of an instant; zones differ from UTC by quarters of
// an hour.
type hours struct{ clock *prepare.Clock }

func hoursOf(loc *time.Location) hours { return hours{prepare.NewClock(loc)} }

// of is when the local hour that holds ts began.
func (h hours) of(ts int64) int64 {
	wall := h.clock.Wall(ts)
	return telemetry.Floor(wall, telemetry.Hour) - (wall - ts)
}

// around is how many readings on either side of a fall are kept.
const around = 2

// thin keeps the first and last reading of every local hour and those around
// falls.
func thin(points []prepare.Point, h hours) []prepare.Point {
	keep := make([]bool, len(points))
	for i := range points {
		edge := i == 0 || i+1 == len(points) || h.of(points[i].TS) != h.of(points[i-1].TS) || h.of(points[i].TS) != h.of(points[i+1].TS)
		keep[i] = keep[i] || edge
		if i > 0 && points[i].Value < points[i-1].Value {
			for k := max(0, i-around); k < min(len(points), i+around); k++ {
				keep[k] = true
			}
		}
	}
	var out []prepare.Point
	for i, p := range points {
		if keep[i] {
			out = append(out, p)
		}
	}
	return out
}

// Empty reports whether nothing was measured.
func (d *Day) Empty() bool { return d.Last == 0 && len(d.Outdoor) == 0 }

// Series are the joined days of a building, ascending.
type Series struct {
	First, Last int64 // Unix ms, of the readings; 0 without any
	Registers   [meterCount][]prepare.Point
	Outdoor     []prepare.Point // the mean of each local hour, °C, at its start
	Export      []prepare.Point // mean W of each local hour that went out
	Followed    []FollowedDay
}

// FollowedDay is how well a setpoint was followed in one UTC day.
type FollowedDay struct {
	Number int64
	target.Followed
}

// Join puts days together, in whatever order they are given.
func Join(days []Day) Series {
	days = slices.SortedFunc(slices.Values(days), func(a, b Day) int { return cmp.Compare(a.Number, b.Number) })
	var s Series
	var points [meterCount]int
	var means, exports int
	for i := range days {
		for k := range points {
			points[k] += len(days[i].Registers[k])
		}
		means, exports = means+len(days[i].Outdoor), exports+len(days[i].Export)
	}
	for k, n := range points {
		s.Registers[k] = make([]prepare.Point, 0, n)
	}
	outdoor, export := make([]Mean, 0, means), make([]Mean, 0, exports)
	for k := range days {
		d := &days[k]
		if d.Last != 0 {
			if s.First == 0 {
				s.First = d.First
			}
			s.Last = d.Last
		}
		for i := range d.Registers {
			s.Registers[i] = append(s.Registers[i], d.Registers[i]...)
		}
		outdoor, export = joinMeans(outdoor, d.Outdoor), joinMeans(export, d.Export)
		if d.Followed.All > 0 {
			s.Followed = append(s.Followed, FollowedDay{d.Number, d.Followed})
		}
	}
	s.Outdoor, s.Export = pointsOf(outdoor), pointsOf(export)
	return s
}

func joinMeans(to, from []Mean) []Mean {
	for _, m := range from {
		if n := len(to); n > 0 && to[n-1].Hour == m.Hour {
			to[n-1].Sum += m.Sum
			to[n-1].N += m.N
			continue
		}
		to = append(to, m)
	}
	return to
}

func pointsOf(means []Mean) []prepare.Point {
	out := make([]prepare.Point, len(means))
	for i, m := range means {
		out[i] = prepare.Point{TS: m.Hour, Value: m.Sum / float64(m.N)}
	}
	return out
}
