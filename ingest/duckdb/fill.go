package duckdb

import (
	"math"
	"slices"
)

// filling makes blocks of what pages have of one device, part by part.
type filling struct {
	into   *blocks
	device string
	asked  []column
	room   *int64 // bytes that the read may have remembered yet

	parts []*part             // of the page, of ascending days, of which rows are yet to come. None: nothing is to be remembered
	open  *block              // of the first of them
	codes []map[string]uint32 // of the texts of its columns
}

// begin takes the parts of the next page, of which it has all rows of the device.
func (f *filling) begin(parts []*part) { f.parts, f.open = parts, &block{} }

// add takes the next rows of the page in, of the columns that it has.
func (f *filling) add(ts []int64, columns []int, values []values) {
	for row := 0; row < len(ts) && len(f.parts) > 0; {
		n, _ := slices.BinarySearch(ts[row:], startOf(f.parts[0].day+1))
		if *f.room < int64(8*(len(f.open.ts)+n)*(1+len(columns))) {
			f.begin(nil)
			return
		}
		if n > 0 {
			f.take(ts, columns, values, row, row+n)
		}
		if row += n; row < len(ts) {
			f.finish()
		}
	}
}

// take takes rows of the first part in.
func (f *filling) take(ts []int64, columns []int, values []values, from, to int) {
	if len(f.open.columns) == 0 {
		f.open.columns = make([]blockColumn, len(columns))
		f.codes = make([]map[string]uint32, len(columns))
		for i, at := range columns {
			f.open.columns[i].name = f.asked[at].name
		}
	}
	f.open.ts = append(f.open.ts, ts[from:to]...)
	for i, at := range columns {
		if c := &f.open.columns[i]; f.asked[at].text() {
			f.addTexts(c, i, &values[at], from, to)
		} else {
			c.nums = slices.Grow(c.nums, to-from)
			for row := from; row < to; row++ {
				n, ok := values[at].num(row)
				if !ok {
					n = math.NaN()
				}
				c.nums = append(c.nums, n)
			}
		}
	}
}

func (f *filling) addTexts(c *blockColumn, i int, v *values, from, to int) {
	if c.words == nil {
		c.words = &words{texts: []string{""}}
		f.codes[i] = make(map[string]uint32)
	}
	c.words.codes = slices.Grow(c.words.codes, to-from)
	for row := from; row < to; row++ {
		code := uint32(0)
		if text, ok := v.text(row); ok {
			if code, ok = f.codes[i][text]; !ok {
				code = uint32(len(c.words.texts))
				f.codes[i][text] = code
				c.words.texts = append(c.words.texts, text)
			}
		}
		c.words.codes = append(c.words.codes, code)
	}
}

// finish has what came of the first part remembered.
func (f *filling) finish() {
	b := f.open
	b.ts = fitted(b.ts)
	for i := range b.columns {
		c := &b.columns[i]
		if !slices.ContainsFunc(c.nums, func(n float64) bool { return n == n }) { // all are NaN
			c.nums = nil
		}
		c.nums = fitted(c.nums)
		if c.words != nil && len(c.words.texts) == 1 { // none
			c.words = nil
		}
		if c.words != nil {
			c.words.codes, c.words.texts = fitted(c.words.codes), fitted(c.words.texts)
		}
	}
	if size := b.bytes() + int64(len(f.device)) + keptBytes; size <= *f.room {
		*f.room -= size
		f.into.put(f.parts[0].id, f.device, b)
	}
	f.parts, f.open = f.parts[1:], &block{}
}

// end has the rest of the parts remembered: there are no more rows.
func (f *filling) end() {
	for len(f.parts) > 0 {
		f.finish()
	}
}

// fitted is s, copied where it has much more room than it needs.
func fitted[T any](s []T) []T {
	if cap(s)-len(s) > len(s)/8 {
		return slices.Clone(s)
	}
	return s
}
