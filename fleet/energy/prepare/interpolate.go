package prepare

import "time"

// Interpolate puts samples on a straight line, one an hour, into gaps of up to
// missing hours without any, as CalTRACK allows for temperatures of up to six
// hours (2.0, 2.2.4.1). Longer gaps stay. The samples ascend; the argument is not
// changed.
func Interpolate(points []Point, missing int) []Point {
	step := int64(time.Hour / time.Millisecond)
	var out []Point
	for i, p := range points {
		out = append(out, p)
		if i+1 == len(points) {
			break
		}
		gap := points[i+1].TS - p.TS
		if gap <= step || gap > int64(missing+1)*step {
			continue
		}
		for ts := p.TS + step; ts < points[i+1].TS; ts += step {
			share := float64(ts-p.TS) / float64(gap)
			out = append(out, Point{TS: ts, Value: p.Value + share*(points[i+1].Value-p.Value)})
		}
	}
	return out
}
