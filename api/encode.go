package api

import (
	"bytes"
	"encoding"
	"encoding/json"
	"io"
	"math"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/danielgtaylor/huma/v2"
)

// encoders write values as encoding/json does, without escaping for HTML and at
// a third of the time: an answer is mostly numbers and instants, and what a type
// is made of is found out once. What they don't know they leave to encoding/json.
type encoders struct{ known sync.Map } // by type: an encoder

// encoder appends a value of one type; of an object only what is wanted, all
// where that is nil.
type encoder func(out []byte, v reflect.Value, only *projection) ([]byte, error)

// jsonFormat is how huma writes answers.
func jsonFormat() huma.Format {
	by, buffers := &encoders{}, &scratch{}
	format := huma.DefaultJSONFormat
	format.Marshal = func(w io.Writer, v any) error {
		if v == nil {
			_, err := io.WriteString(w, "null\n")
			return err
		}
		out, err := by.of(reflect.TypeOf(v))(buffers.get(), reflect.ValueOf(v), nil)
		if err != nil {
			return err
		}
		out = append(out, '\n')
		_, err = w.Write(out) // which copies it
		buffers.put(out)
		return err
	}
	return format
}

// maxBuffer is the length in bytes up to which room for an answer is kept for the
// next one.
const maxBuffer = 256 << 10

// scratch is room for answers that are being written.
type scratch struct{ pool sync.Pool }

// get is an empty slice, mostly with room.
func (s *scratch) get() []byte {
	if b, ok := s.pool.Get().(*[]byte); ok {
		return *b
	}
	return nil
}

// put takes back what nobody reads any more.
func (s *scratch) put(b []byte) {
	if b = b[:0]; cap(b) <= maxBuffer {
		s.pool.Put(&b)
	}
}

// of is the encoder of a type. While one is made, a type that holds itself finds
// another that waits for it.
func (e *encoders) of(t reflect.Type) encoder {
	if known, ok := e.known.Load(t); ok {
		return known.(encoder)
	}
	var (
		made encoder
		done sync.WaitGroup
	)
	done.Add(1)
	waiting := encoder(func(out []byte, v reflect.Value, only *projection) ([]byte, error) {
		done.Wait()
		return made(out, v, only)
	})
	if known, ok := e.known.LoadOrStore(t, waiting); ok {
		return known.(encoder)
	}
	made = e.make(t)
	done.Done()
	e.known.Store(t, made)
	return made
}

func (e *encoders) make(t reflect.Type) encoder {
	switch {
	case t == reflect.TypeFor[Time]():
		return func(out []byte, v reflect.Value, _ *projection) ([]byte, error) {
			return Time(v.Int()).append(out), nil
		}
	case t == reflect.TypeFor[rows]():
		return func(out []byte, v reflect.Value, _ *projection) ([]byte, error) {
			return append(append(append(out, '['), v.Field(0).Bytes()...), ']'), nil
		}
	case writesItself(t):
		return encodeOther
	}
	switch t.Kind() {
	case reflect.Bool:
		return func(out []byte, v reflect.Value, _ *projection) ([]byte, error) {
			return strconv.AppendBool(out, v.Bool()), nil
		}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return func(out []byte, v reflect.Value, _ *projection) ([]byte, error) {
			return strconv.AppendInt(out, v.Int(), 10), nil
		}
	case reflect.Float64:
		return encodeNumber
	case reflect.String:
		return encodeText
	case reflect.Pointer:
		return encodePointer(e.of(t.Elem()))
	case reflect.Slice:
		if t.Elem().Kind() != reflect.Uint8 { // bytes are base64
			return encodeList(e.of(t.Elem()))
		}
	case reflect.Struct:
		if fields := e.fields(t); fields != nil {
			return encodeObject(fields)
		}
	}
	return encodeOther
}

func writesItself(t reflect.Type) bool {
	for _, is := range []reflect.Type{t, reflect.PointerTo(t)} {
		if is.Implements(reflect.TypeFor[json.Marshaler]()) || is.Implements(reflect.TypeFor[encoding.TextMarshaler]()) {
			return t.Kind() != reflect.Pointer // its element says so too
		}
	}
	return false
}

// encodeOther leaves it to encoding/json.
func encodeOther(out []byte, v reflect.Value, _ *projection) ([]byte, error) {
	if v.CanAddr() {
		v = v.Addr() // so that methods of the pointer count
	}
	var b bytes.Buffer
	to := json.NewEncoder(&b)
	to.SetEscapeHTML(false)
	if err := to.Encode(v.Interface()); err != nil {
		return out, err
	}
	return append(out, bytes.TrimSuffix(b.Bytes(), []byte("\n"))...), nil
}

func encodeNumber(out []byte, v reflect.Value, _ *projection) ([]byte, error) {
	f := v.Float()
	if math.IsNaN(f) || math.IsInf(f, 0) {
		return encodeOther(out, v, nil) // which has the error
	}
	return appendNumber(out, f), nil
}

// appendNumber writes a finite number the way encoding/json does: shortest
// digits that read back the same, an exponent only for the very small and large.
func appendNumber(b []byte, f float64) []byte {
	abs := math.Abs(f)
	if abs < 1e6 {
		if scaled := math.Round(abs * 1e9); scaled/1e9 == abs && scaled >= 1000 {
			return appendDecimal(b, uint64(scaled), math.Signbit(f))
		}
	}
	if abs == 0 || abs >= 1e-6 && abs < 1e21 {
		return strconv.AppendFloat(b, f, 'f', -1, 64)
	}
	b = strconv.AppendFloat(b, f, 'e', -1, 64)
	if n := len(b); b[n-4] == 'e' && b[n-3] == '-' && b[n-2] == '0' { // e-09 is e-9
		b[n-2] = b[n-1]
		b = b[:n-1]
	}
	return b
}

// appendDecimal writes the number of so many billionths, below 10^15 of them. That
// many digits name but one float64, so if this is one, it has none shorter.
func appendDecimal(b []byte, billionths uint64, negative bool) []byte {
	if negative {
		b = append(b, '-')
	}
	b = strconv.AppendUint(b, billionths/1e9, 10)
	rest := billionths % 1e9
	if rest == 0 {
		return b
	}
	b = append(b, ".000000000"...)
	for at := len(b) - 1; rest > 0; at-- {
		b[at] += byte(rest % 10)
		rest /= 10
	}
	for b[len(b)-1] == '0' {
		b = b[:len(b)-1]
	}
	return b
}

func encodeText(out []byte, v reflect.Value, _ *projection) ([]byte, error) {
	text := v.String()
	for k := range len(text) {
		if c := text[k]; c < ' ' || c == '"' || c == '\\' || c >= utf8.RuneSelf || c == 0x7f {
			return encodeOther(out, v, nil)
		}
	}
	return append(append(append(out, '"'), text...), '"'), nil
}

func encodePointer(to encoder) encoder {
	return func(out []byte, v reflect.Value, only *projection) ([]byte, error) {
		if v.IsNil() {
			return append(out, "null"...), nil
		}
		return to(out, v.Elem(), only)
	}
}

func encodeList(each encoder) encoder {
	return func(out []byte, v reflect.Value, _ *projection) (_ []byte, err error) {
		if v.IsNil() {
			return append(out, "null"...), nil
		}
		out = append(out, '[')
		for k := range v.Len() {
			if k > 0 {
				out = append(out, ',')
			}
			if out, err = each(out, v.Index(k), nil); err != nil {
				return out, err
			}
		}
		return append(out, ']'), nil
	}
}

// property is a field of an object.
type property struct {
	name      string
	quoted    string // "name":
	index     []int
	omitEmpty bool
	encode    encoder
}

// fields are the properties of a struct; nil where encoding/json has rules for it
// that are not known here.
func (e *encoders) fields(t reflect.Type) []property {
	all := []property{}
	if !e.collect(t, nil, &all) {
		return nil
	}
	return all
}

// collect adds those of a struct that is embedded at index, and false where it
// does not know how.
func (e *encoders) collect(t reflect.Type, index []int, all *[]property) bool {
	for k := range t.NumField() {
		f, at := t.Field(k), append(slices.Clone(index), k)
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		switch {
		case name == "-" && options == "":
			continue
		case f.Anonymous && name == "":
			if f.Type.Kind() != reflect.Struct || !e.collect(f.Type, at, all) {
				return false
			}
			continue
		case !f.IsExported():
			continue
		case name == "":
			name = f.Name
		}
		if options != "" && options != "omitempty" || slices.ContainsFunc(*all, func(p property) bool { return p.name == name }) {
			return false
		}
		*all = append(*all, property{name, strconv.Quote(name) + ":", at, options != "", e.of(f.Type)})
	}
	return true
}

func encodeObject(fields []property) encoder {
	return func(out []byte, v reflect.Value, only *projection) (_ []byte, err error) {
		out = append(out, '{')
		first := true
		for k := range fields {
			f := &fields[k]
			within := only.within(f.name)
			if only != nil && within == nil {
				continue
			}
			field := v.FieldByIndex(f.index)
			if f.omitEmpty && isEmpty(field) {
				continue
			}
			if !first {
				out = append(out, ',')
			}
			first = false
			if within != nil && within.whole {
				within = nil
			}
			if out, err = f.encode(append(out, f.quoted...), field, within); err != nil {
				return out, err
			}
		}
		return append(out, '}'), nil
	}
}

// isEmpty is what omitempty leaves out.
func isEmpty(v reflect.Value) bool {
	switch v.Kind() {
	case reflect.Struct:
		return false
	case reflect.Slice, reflect.Map, reflect.Array:
		return v.Len() == 0
	}
	return v.IsZero()
}

// append writes the instant as a JSON string, in timeLayout.
func (t Time) append(out []byte) []byte {
	at := time.UnixMilli(int64(t)).UTC()
	year, month, day := at.Date()
	if year < 1000 || year > 9999 {
		return at.AppendFormat(out, `"`+timeLayout+`"`)
	}
	hour, minute, second := at.Clock()
	ms := at.Nanosecond() / 1e6
	return append(out, '"', digit(year/1000), digit(year/100), digit(year/10), digit(year), '-', digit(int(month)/10), digit(int(month)),
		'-', digit(day/10), digit(day), 'T', digit(hour/10), digit(hour), ':', digit(minute/10), digit(minute),
		':', digit(second/10), digit(second), '.', digit(ms/100), digit(ms/10), digit(ms), 'Z', '"')
}

// digit is the last one of n.
func digit(n int) byte { return byte('0' + n%10) }
