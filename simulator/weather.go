package simulator

import (
	"math"
	"math/rand/v2"
	"strconv"
	"time"

	"github.com/fleetwatt/fleetwatt/simulator/draw"
)

// place is where a site stands. None of these zones has daylight saving time,
// so a fixed offset is the local time all year.
type place struct {
	name      string
	zone      string
	offset    int64 // ms east of UTC
	latitude  float64
	longitude float64
}

// places are where sites are put, in turn.
func places() []place {
	const hour = 3600 * 1000
	return []place{
		{"Shanghai", "Asia/Shanghai", 8 * hour, 31.23, 121.47},
		{"Nairobi", "Africa/Nairobi", 3 * hour, -1.29, 36.82},
		{"Tokyo", "Asia/Tokyo", 9 * hour, 35.68, 139.69},
		{"Johannesburg", "Africa/Johannesburg", 2 * hour, -26.20, 28.05},
		{"Bangkok", "Asia/Bangkok", 7 * hour, 13.76, 100.50},
		{"Bogotá", "America/Bogota", -5 * hour, 4.71, -74.07},
	}
}

// sky makes the weather of one place: a year and a day of sines whose size
// follows the latitude, and for every day a deviation and a cloud cover that
// depend on the seed and the date alone. It resembles a climate, no year in
// particular.
type sky struct {
	place
	seed uint64
	name string
	file *Series // of temperature; nil: as made here

	day         int64 // that the next three belong to
	from, to    float64
	sunShare    float64
	declination float64
}

// weather is the state of the sky at one instant.
type weather struct {
	celsius     float64
	sunW        float64 // W/m² on the level
	humidityPct float64
	season      float64 // how much people ride, against the mean of the year
	local       clock
}

// Series is a course of the outdoor temperature. Before it begins and after it
// ends the simulator makes its own.
type Series struct {
	Start   time.Time
	Step    time.Duration // more than 0
	Celsius []float64
}

// at is the temperature at ts (Unix ms), linear between the points.
func (s *Series) at(ts int64) (celsius float64, ok bool) {
	if s == nil || s.Step <= 0 {
		return 0, false
	}
	x := float64(ts-s.Start.UnixMilli()) / float64(s.Step.Milliseconds())
	if x < 0 || x > float64(len(s.Celsius)-1) {
		return 0, false
	}
	i := min(int(x), len(s.Celsius)-2)
	if i < 0 {
		return s.Celsius[0], true
	}
	return s.Celsius[i] + (s.Celsius[i+1]-s.Celsius[i])*(x-float64(i)), true
}

// clock is the local time of day and week.
type clock struct {
	day     int64   // since 1970-01-01
	hour    float64 // 0…24
	weekday int     // 0 is Monday
}

func (p place) clock(ts int64) clock {
	const dayMS = 86400 * 1000
	local := ts + p.offset
	day := floorDiv(local, dayMS)
	// 1970-01-01 was a Thursday.
	return clock{day: day, hour: float64(local-day*dayMS) / 3.6e6, weekday: int(((day+3)%7 + 7) % 7)}
}

func floorDiv(a, b int64) int64 {
	q := a / b
	if a%b < 0 {
		q--
	}
	return q
}

// at is the weather at ts (Unix ms).
func (s *sky) at(ts int64) weather {
	c := s.clock(ts)
	if c.day != s.day || s.sunShare == 0 {
		s.turn(c.day)
	}
	lat := s.latitude
	season := math.Cos(2 * math.Pi * (float64(c.day) - 19) / 365.2425) // 1 at 20 January
	if lat < 0 {
		season = -season
	}
	celsius := 27 - 0.006*lat*lat - 0.28*math.Abs(lat)*season +
		4*math.Cos(2*math.Pi*(c.hour-15)/24) +
		s.from + (s.to-s.from)*c.hour/24
	if measured, ok := s.file.at(ts); ok {
		celsius = measured
	}

	solar := (float64(ts-floorDiv(ts, 86400000)*86400000)/3.6e6 + s.longitude/15 - 12) * math.Pi / 12
	phi := lat * math.Pi / 180
	height := math.Sin(phi)*math.Sin(s.declination) + math.Cos(phi)*math.Cos(s.declination)*math.Cos(solar)
	sun := 0.0
	if height > 0 {
		sun = 1050 * height * s.sunShare
	}
	return weather{
		celsius:     celsius,
		sunW:        sun,
		humidityPct: clamp(95-45*s.sunShare-1.5*(celsius-20), 15, 100),
		season:      1 - min(0.15, 0.004*math.Abs(lat))*season,
		local:       c,
	}
}

func (s *sky) turn(day int64) {
	deviation := func(day int64) float64 { return draw.Normal(s.of(day), 0, 2.5) }
	s.day, s.from, s.to = day, deviation(day), deviation(day+1)
	r := s.of(day)
	r.NormFloat64()
	s.sunShare = draw.Between(r, 0.25, 1)
	s.declination = -23.44 * math.Pi / 180 * math.Cos(2*math.Pi*(float64(day)+11)/365.2425)
}

func (s *sky) of(day int64) *rand.Rand {
	return draw.Source(s.seed, s.name+"/"+strconv.FormatInt(day, 10))
}
