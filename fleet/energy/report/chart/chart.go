// Package chart draws diagrams as SVG: points, lines, bands and bars over two
// axes that hold all of their data. It knows nothing of what they mean, and
// leaves colours and type to the style sheet of the page, by class.
//
// It is pure.
package chart

import (
	"bytes"
	"fmt"
	"html"
	"html/template"
	"math"
	"slices"
	"strconv"
	"time"
	"unicode/utf8"
)

// Kind is how a series is drawn.
type Kind string

// The kinds.
const (
	Dots Kind = "dots"
	Line Kind = "line"
	Band Kind = "band" // between Low and High
	Bars Kind = "bars" // from zero
)

// Point is one datum. A Y that is NaN or infinite is missing: it is not drawn,
// and a line has a gap there.
type Point struct {
	X, Y      float64
	Low, High float64 // of a Band alone
}

// Series is one kind of mark.
type Series struct {
	Name   string
	Kind   Kind
	Class  string // of the style sheet
	Points []Point
}

// Mark is a vertical line at an X.
type Mark struct {
	X    float64
	Text string
}

// Chart is a diagram. Zone makes the X axis one of time, in Unix seconds.
type Chart struct {
	Title  string // for those who cannot see it
	X, Y   string // what the axes show, with units
	Zone   *time.Location
	FromY0 bool // the Y axis holds zero
	Series []Series
	Marks  []Mark
}

// The drawing, in its own units. The style sheet scales it to the page, and may
// enlarge the type by half.
const (
	width  = 520
	height = 300
	right  = 14
	top    = 30
	bottom = 46

	leastLeft = 44
	digit     = 8.4 // the width of a digit of enlarged type
	edge      = 36  // half the width of a date
	barMargin = 16  // beside the first bar and the last
)

// span is what an axis shows: from, to and the ticks.
type span struct {
	from, to float64
	ticks    []float64
}

// Empty reports whether there is nothing to draw.
func (c Chart) Empty() bool {
	lowX, highX, _, _ := c.extent()
	return lowX > highX
}

// extent is the range of all data.
func (c Chart) extent() (lowX, highX, lowY, highY float64) {
	lowX, highX, lowY, highY = math.Inf(1), math.Inf(-1), math.Inf(1), math.Inf(-1)
	for _, s := range c.Series {
		for _, p := range s.Points {
			low, high, ok := p.reach(s.Kind)
			if !ok {
				continue
			}
			lowX, highX = min(lowX, p.X), max(highX, p.X)
			lowY, highY = min(lowY, low), max(highY, high)
		}
	}
	if c.FromY0 {
		lowY, highY = min(lowY, 0), max(highY, 0)
	}
	return lowX, highX, lowY, highY
}

// reach is how far a point goes; false where it is missing.
func (p Point) reach(k Kind) (low, high float64, ok bool) {
	low, high = p.Y, p.Y
	switch k {
	case Band:
		low, high = p.Low, p.High
	case Bars:
		low, high = min(p.Y, 0), max(p.Y, 0)
	}
	return low, high, finite(low) && finite(high) && finite(p.X)
}

func finite(x float64) bool { return !math.IsNaN(x) && !math.IsInf(x, 0) }

// SVG draws the chart; nothing where it is empty. The result is well-formed XML
// and safe inside a page of HTML.
func (c Chart) SVG() template.HTML {
	if c.Empty() {
		return ""
	}
	lowX, highX, lowY, highY := c.extent()
	d := drawing{x: linear(lowX, highX, 6), y: linear(lowY, highY, 5)}
	if c.Zone != nil {
		d.x = calendar(lowX, highX, c.Zone)
	}
	if c.has(Bars) {
		room := (d.x.to - d.x.from) * barMargin / (width - 2*leastLeft)
		d.x.from, d.x.to = d.x.from-room, d.x.to+room
	}
	for _, t := range d.y.ticks {
		d.left = max(d.left, leastLeft, 12+digit*float64(utf8.RuneCountInString(number(t, d.y.step()))))
	}
	d.printf(`<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" role="img"><title>%s</title>`, width, height, escape(c.Title))
	d.grid(c)
	for _, s := range c.Series {
		d.printf(`<g class="%s %s">`, s.Kind, escape(s.Class))
		d.series(s)
		d.printf(`</g>`)
	}
	d.marks(c.Marks)
	d.printf(`</svg>`)
	return template.HTML(d.String()) //nolint:gosec // every text in it went through escape
}

func (c Chart) has(k Kind) bool {
	return slices.ContainsFunc(c.Series, func(s Series) bool { return s.Kind == k })
}

type drawing struct {
	bytes.Buffer
	x, y span
	left float64
}

func (d *drawing) printf(format string, args ...any) { fmt.Fprintf(d, format, args...) }

// escape makes a text safe inside an element or a quoted attribute.
func escape(s string) string { return html.EscapeString(s) }

// px and py place a datum, to a tenth of a unit.
func (d *drawing) px(x float64) string {
	return tenth(d.left + (x-d.x.from)/(d.x.to-d.x.from)*(width-d.left-right))
}

func (d *drawing) py(y float64) string {
	return tenth(height - bottom - (y-d.y.from)/(d.y.to-d.y.from)*(height-top-bottom))
}

func tenth(x float64) string {
	return strconv.FormatFloat(math.Round(x*10)/10+0, 'f', -1, 64)
}

// grid draws the axes, and says what they show.
func (d *drawing) grid(c Chart) {
	d.printf(`<g class="axis">`)
	for _, t := range d.y.ticks {
		class := ""
		if t == 0 {
			class = ` class="zero"`
		}
		d.printf(`<line%s x1="%s" x2="%d" y1="%s" y2="%s"/>`, class, tenth(d.left), width-right, d.py(t), d.py(t))
		d.printf(`<text class="y" x="%s" y="%s" dy=".32em">%s</text>`, tenth(d.left-7), d.py(t), number(t, d.y.step()))
	}
	for _, t := range d.x.ticks {
		text := number(t, d.x.step())
		if c.Zone != nil {
			text = d.date(t, c.Zone)
		}
		d.printf(`<line class="tick" x1="%s" x2="%s" y1="%d" y2="%d"/>`, d.px(t), d.px(t), height-bottom, height-bottom+5)
		class := "x"
		if at := (t - d.x.from) / (d.x.to - d.x.from) * (width - d.left - right); c.Zone != nil && at > width-d.left-edge {
			class = "end"
		}
		d.printf(`<text class="%s" x="%s" y="%d">%s</text>`, class, d.px(t), height-bottom+20, escape(text))
	}
	d.printf(`<text class="label" x="4" y="14">%s</text>`, escape(c.Y))
	d.printf(`<text class="label end" x="%d" y="%d">%s</text>`, width-right, height-5, escape(c.X))
	d.printf(`</g>`)
}

func (d *drawing) series(s Series) {
	switch s.Kind {
	case Dots:
		for _, p := range s.Points {
			if _, _, ok := p.reach(s.Kind); ok {
				d.printf(`<circle cx="%s" cy="%s" r="2.2"/>`, d.px(p.X), d.py(p.Y))
			}
		}
	case Line:
		for _, run := range runs(s) {
			d.printf(`<polyline points="`)
			for i, p := range run {
				d.printf("%s%s,%s", between(i), d.px(p.X), d.py(p.Y))
			}
			d.printf(`"/>`)
		}
	case Band:
		for _, run := range runs(s) {
			d.printf(`<polygon points="`)
			for i, p := range run {
				d.printf("%s%s,%s", between(i), d.px(p.X), d.py(p.High))
			}
			for i := len(run) - 1; i >= 0; i-- {
				d.printf(" %s,%s", d.px(run[i].X), d.py(run[i].Low))
			}
			d.printf(`"/>`)
		}
	case Bars:
		for _, p := range s.Points {
			if _, _, ok := p.reach(s.Kind); ok {
				d.printf(`<line x1="%s" x2="%s" y1="%s" y2="%s"/>`, d.px(p.X), d.px(p.X), d.py(0), d.py(p.Y))
			}
		}
	}
}

func between(i int) string {
	if i == 0 {
		return ""
	}
	return " "
}

// runs are the stretches of a series without a gap.
func runs(s Series) [][]Point {
	var out [][]Point
	var run []Point
	for _, p := range s.Points {
		if _, _, ok := p.reach(s.Kind); ok {
			run = append(run, p)
			continue
		}
		if len(run) > 0 {
			out, run = append(out, run), nil
		}
	}
	if len(run) > 0 {
		out = append(out, run)
	}
	return out
}

// marks draws those that lie on the axis. The text stands on the side that has
// more room.
func (d *drawing) marks(marks []Mark) {
	for _, m := range marks {
		if m.X < d.x.from || m.X > d.x.to {
			continue
		}
		class, at := "", "5"
		if m.X > (d.x.from+d.x.to)/2 {
			class, at = " end", "-5"
		}
		d.printf(`<g class="mark" transform="translate(%s,0)"><line x1="0" x2="0" y1="%d" y2="%d"/>`, d.px(m.X), top-4, height-bottom)
		d.printf(`<text class="label%s" x="%s" y="%d">%s</text></g>`, class, at, top+6, escape(m.Text))
	}
}
