package api

import (
	"cmp"
	"reflect"
	"strconv"
	"strings"
)

// columnKind says what the values of a column are.
type columnKind int

const (
	numberColumn columnKind = iota
	textColumn
	flagColumn
	timeColumn
)

// column is a scalar of a row: a property of its JSON, by the way to it.
type column struct {
	name string // health.score: the properties on the way to it
	kind columnKind
	enum []string // of text: the values that there are; empty: any
	path []step
}

// step leads from a struct to one of its fields.
type step struct {
	index     []int
	omitEmpty bool
}

// cell is the value of a column in a row. Flags are 0 or 1, times Unix
// milliseconds.
type cell struct {
	known bool
	num   float64
	text  string
}

// cell is what the row, a struct, holds in the column. What its JSON leaves out
// or has as null is not known.
func (c *column) cell(row reflect.Value) cell {
	v := row
	for _, s := range c.path {
		v = v.FieldByIndex(s.index)
		if s.omitEmpty && v.IsZero() {
			return cell{}
		}
		for v.Kind() == reflect.Pointer {
			if v.IsNil() {
				return cell{}
			}
			v = v.Elem()
		}
	}
	switch {
	case c.kind == textColumn:
		return cell{known: true, text: v.String()}
	case c.kind == flagColumn && v.Bool():
		return cell{known: true, num: 1}
	case c.kind == flagColumn:
		return cell{known: true}
	case v.CanInt():
		return cell{known: true, num: float64(v.Int())}
	case v.CanUint():
		return cell{known: true, num: float64(v.Uint())}
	}
	return cell{known: true, num: v.Float()}
}

// compare orders two known cells of one column.
func (c cell) compare(other cell) int {
	return cmp.Or(cmp.Compare(c.num, other.num), strings.Compare(c.text, other.text))
}

// write is the cell as text: as in JSON, but without quotes. What is not known
// is empty.
func (c *column) write(v cell) string {
	switch {
	case !v.known:
		return ""
	case c.kind == textColumn:
		return v.text
	case c.kind == flagColumn:
		return strconv.FormatBool(v.num != 0)
	case c.kind == timeColumn:
		return Time(v.num).String()
	}
	return string(appendNumber(nil, v.num))
}

// layout is what a type has for columns, and the names of all its properties.
type layout struct {
	columns    []*column
	properties map[string]bool // also those that are no scalars
}

// layoutOf is the layout of a struct, in the order of its JSON.
func layoutOf(t reflect.Type) layout {
	l := layout{properties: map[string]bool{}}
	l.walk(t, "", nil)
	return l
}

func (l *layout) walk(t reflect.Type, prefix string, path []step) {
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || f.Anonymous || name == "-" || hidden(t, f) {
			continue
		}
		if name == "" {
			name = f.Name
		}
		l.add(f, prefix+name, append(path[:len(path):len(path)], step{f.Index, strings.Contains(options, "omitempty")}))
	}
}

// hidden tells whether f lies in an embedded struct that has a name in JSON.
func hidden(t reflect.Type, f reflect.StructField) bool {
	for n := 1; n < len(f.Index); n++ {
		if name, _, _ := strings.Cut(t.FieldByIndex(f.Index[:n]).Tag.Get("json"), ","); name != "" {
			return true
		}
	}
	return false
}

func (l *layout) add(f reflect.StructField, name string, path []step) {
	l.properties[name] = true
	t := f.Type
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	c := &column{name: name, path: path}
	switch kind := t.Kind(); {
	case t == reflect.TypeFor[Time]():
		c.kind = timeColumn
	case kind == reflect.String:
		c.kind = textColumn
		if enum := f.Tag.Get("enum"); enum != "" {
			c.enum = strings.Split(enum, ",")
		}
	case kind == reflect.Bool:
		c.kind = flagColumn
	case kind >= reflect.Int && kind <= reflect.Uint64, kind == reflect.Float32, kind == reflect.Float64:
		c.kind = numberColumn
	case kind == reflect.Struct:
		l.walk(t, name+".", path)
		return
	default:
		return
	}
	l.columns = append(l.columns, c)
}
