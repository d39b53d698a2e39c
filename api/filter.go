package api

import (
	"errors"
	"fmt"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// filter is a parameter by which the rows of a table are narrowed: a column, and
// how its value is compared. A row without the value never meets it.
type filter struct {
	param  string // health_lt
	column *column
	test   comparison
}

// comparison is how a value is compared with what a filter was given.
type comparison int

const (
	among comparison = iota
	less
	atMost
	greater
	atLeast
)

// filtersOf are the parameters of a column: name_lt, _lte, _gt and _gte of a
// number, name_before (exclusive) and name_from (inclusive) of a time, and the
// name itself of text and flags.
func filtersOf(name string, c *column) []filter {
	switch c.kind {
	case numberColumn:
		return []filter{{name + "_lt", c, less}, {name + "_lte", c, atMost}, {name + "_gt", c, greater}, {name + "_gte", c, atLeast}}
	case timeColumn:
		return []filter{{name + "_before", c, less}, {name + "_from", c, atLeast}}
	}
	return []filter{{name, c, among}}
}

// parameter is the filter in the OpenAPI document.
func (f *filter) parameter() *huma.Param {
	words := map[comparison]string{
		among: "is one of these, comma-separated", less: "is less than this", atMost: "is at most this",
		greater: "is greater than this", atLeast: "is at least this",
	}
	p := &huma.Param{Name: f.param, In: "query", Description: fmt.Sprintf("only items whose %s %s", f.column.name, words[f.test])}
	switch f.column.kind {
	case numberColumn:
		p.Schema = &huma.Schema{Type: huma.TypeNumber}
	case timeColumn:
		p.Schema = &huma.Schema{Type: huma.TypeString, Description: "RFC 3339, or a date, which starts at 00:00 UTC"}
		p.Description = fmt.Sprintf("only items whose %s lies before this", f.column.name)
		if f.test == atLeast {
			p.Description = fmt.Sprintf("only items whose %s is this or later", f.column.name)
		}
	case flagColumn:
		p.Schema, p.Description = &huma.Schema{Type: huma.TypeBoolean}, fmt.Sprintf("only items whose %s is this", f.column.name)
	case textColumn:
		of := &huma.Schema{Type: huma.TypeString}
		for _, v := range f.column.enum {
			of.Enum = append(of.Enum, v)
		}
		explode := false
		p.Schema, p.Explode = &huma.Schema{Type: huma.TypeArray, Items: of}, &explode
	}
	return p
}

// condition is a filter with what it was given.
type condition struct {
	filter
	num   float64
	texts []string
}

// condition reads what the filter was given.
func (f filter) condition(text string) (condition, error) {
	c := condition{filter: f}
	var err error
	switch f.column.kind {
	case numberColumn:
		if c.num, err = strconv.ParseFloat(text, 64); err != nil || math.IsNaN(c.num) || math.IsInf(c.num, 0) {
			return c, errors.New("expected a number")
		}
	case flagColumn:
		on, err := strconv.ParseBool(text)
		if err != nil {
			return c, errors.New("expected true or false")
		}
		if on {
			c.num = 1
		}
	case timeColumn:
		at, err := parseInstant(text)
		if err != nil {
			return c, err
		}
		c.num = float64(ceilMilli(at))
	case textColumn:
		c.texts = strings.Split(text, ",")
		for _, v := range c.texts {
			if len(f.column.enum) > 0 && !slices.Contains(f.column.enum, v) {
				return c, fmt.Errorf("expected one of %s", strings.Join(f.column.enum, ", "))
			}
		}
	}
	return c, nil
}

// met tells whether the row meets the condition.
func (c *condition) met(row reflect.Value) bool {
	v := c.column.cell(row)
	if !v.known {
		return false
	}
	switch c.test {
	case less:
		return v.num < c.num
	case atMost:
		return v.num <= c.num
	case greater:
		return v.num > c.num
	case atLeast:
		return v.num >= c.num
	}
	if c.column.kind == textColumn {
		return slices.Contains(c.texts, v.text)
	}
	return v.num == c.num
}

// parseInstant reads an RFC 3339 instant, or a date for its first one in UTC.
func parseInstant(text string) (time.Time, error) {
	at, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		at, err = time.Parse(time.DateOnly, text)
	}
	if err != nil {
		return time.Time{}, errors.New("expected an RFC 3339 instant or a date")
	}
	if y := at.UTC().Year(); y < minYear || y >= maxYear {
		return time.Time{}, fmt.Errorf("must lie from %d to %d", minYear, maxYear-1)
	}
	return at, nil
}
