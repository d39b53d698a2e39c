package chart

import (
	"encoding/xml"
	"errors"
	"io"
	"math"
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// shapes reads a drawing as XML and gives the places of all marks of series.
func shapes(t interface{ Fatalf(string, ...any) }, svg string) (places [][2]float64, ticks int) {
	d := xml.NewDecoder(strings.NewReader(svg))
	inAxis := 0
	for {
		tok, err := d.Token()
		if errors.Is(err, io.EOF) {
			return places, ticks
		}
		if err != nil {
			t.Fatalf("not well-formed: %v in %s", err, svg)
		}
		e, ok := tok.(xml.StartElement)
		if !ok {
			if _, end := tok.(xml.EndElement); end && inAxis > 0 {
				inAxis--
			}
			continue
		}
		attr := map[string]string{}
		for _, a := range e.Attr {
			attr[a.Name.Local] = a.Value
		}
		if inAxis > 0 || e.Name.Local == "g" && (attr["class"] == "axis" || attr["class"] == "mark") {
			inAxis++
			if e.Name.Local == "line" {
				ticks++
			}
			continue
		}
		place := func(x, y string) {
			if x == "" {
				return
			}
			px, err1 := strconv.ParseFloat(x, 64)
			py, err2 := strconv.ParseFloat(y, 64)
			if err1 != nil || err2 != nil {
				t.Fatalf("got a mark at %q, %q", x, y)
			}
			places = append(places, [2]float64{px, py})
		}
		place(attr["cx"], attr["cy"])
		place(attr["x1"], attr["y1"])
		place(attr["x2"], attr["y2"])
		for _, p := range strings.Fields(attr["points"]) {
			x, y, _ := strings.Cut(p, ",")
			place(x, y)
		}
	}
}

// Whatever the data, every known datum is drawn, inside the axes, and the
// drawing is well-formed.
func TestAxesHoldAllData(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		scale := math.Pow(10, rapid.Float64Range(-9, 15).Draw(t, "scale"))
		shift := rapid.SampledFrom([]float64{0, 0, 1, -1, 1e6}).Draw(t, "shift")
		number := rapid.OneOf(
			rapid.Map(rapid.Float64Range(-1, 1), func(x float64) float64 { return scale * (x + shift) }),
			rapid.SampledFrom([]float64{0, math.NaN(), math.Inf(1), math.Inf(-1)}),
		)
		c := Chart{Title: rapid.String().Draw(t, "title"), X: "x", Y: "y", FromY0: rapid.Bool().Draw(t, "zero")}
		for i := range c.Title {
			if r := rune(c.Title[i]); r < ' ' || r >= 0x7f {
				c.Title = "<&\"'>" // those that XML has no form for are dropped before
				break
			}
		}
		want := 0
		for range rapid.IntRange(0, 3).Draw(t, "series") {
			s := Series{Kind: rapid.SampledFrom([]Kind{Dots, Line, Band, Bars}).Draw(t, "kind"), Class: "used"}
			for range rapid.IntRange(0, 12).Draw(t, "points") {
				a, b := number.Draw(t, "a"), number.Draw(t, "b")
				p := Point{X: number.Draw(t, "x"), Y: a, Low: min(a, b), High: max(a, b)}
				s.Points = append(s.Points, p)
				if _, _, ok := p.reach(s.Kind); ok {
					want++
					if s.Kind == Band || s.Kind == Bars {
						want++
					}
				}
			}
			c.Series = append(c.Series, s)
		}
		places, _ := shapes(t, string(c.SVG()))
		if len(places) != want {
			t.Fatalf("got %d marks, want %d", len(places), want)
		}
		for _, p := range places {
			if !(p[0] >= leastLeft-0.1 && p[0] <= width-right+0.1 && p[1] >= top-0.1 && p[1] <= height-bottom+0.1) {
				t.Fatalf("got a mark at %v, outside the axes", p)
			}
		}
	})
}

func TestLinear(t *testing.T) {
	for _, c := range []struct {
		name      string
		low, high float64
		want      string
	}{
		{"units", 0, 9.5, "0 2 4 6 8 10"},
		{"below zero", -3, 4, "−4 −2 0 2 4"},
		{"small", 0.011, 0.049, "0.01 0.02 0.03 0.04 0.05"},
		{"large", 0, 1.2e6, "0 500,000 1,000,000 1,500,000"},
		{"one value", 5, 5, "4.4 4.6 4.8 5.0 5.2 5.4 5.6"},
		{"only zero", 0, 0, "−0.6 −0.4 −0.2 0.0 0.2 0.4 0.6"},
	} {
		s := linear(c.low, c.high, 5)
		var got []string
		for _, x := range s.ticks {
			got = append(got, number(x, s.step()))
		}
		if s := strings.Join(got, " "); s != c.want {
			t.Errorf("%s: got %s, want %s", c.name, s, c.want)
		}
	}
}

func TestCalendar(t *testing.T) {
	zone := time.FixedZone("", 7*3600)
	day := func(y int, m time.Month, d int) float64 { return float64(time.Date(y, m, d, 0, 0, 0, 0, zone).Unix()) }
	for _, c := range []struct {
		name      string
		low, high float64
		want      string
	}{
		{"a week", day(2024, 2, 26), day(2024, 3, 1), "26 Feb|27 Feb|28 Feb|29 Feb|1 Mar"},
		{"a year", day(2024, 1, 1), day(2024, 12, 31), "Jan 2024|Apr 2024|Jul 2024|Oct 2024"},
		{"two years", day(2023, 1, 1), day(2024, 12, 31), "Jan 2023|Jul 2023|Jan 2024|Jul 2024"},
		{"ten years", day(2014, 5, 1), day(2024, 5, 1), "2016|2018|2020|2022|2024"},
	} {
		d := drawing{x: calendar(c.low, c.high, zone)}
		var got []string
		for _, x := range d.x.ticks {
			got = append(got, d.date(x, zone))
		}
		if s := strings.Join(got, "|"); s != c.want {
			t.Errorf("%s: got %s, want %s", c.name, s, c.want)
		}
	}
}
