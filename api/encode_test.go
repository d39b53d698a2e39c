package api

import (
	"bytes"
	"encoding/json"
	"math"
	"reflect"
	"strings"
	"testing"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// tree holds itself, and what the encoders leave to encoding/json.
type tree struct {
	Name   string           `json:"name,omitempty"`
	Kids   []tree           `json:"kids"`
	Parent *tree            `json:"parent,omitempty"`
	Any    any              `json:"any"`
	Counts map[string]int   `json:"counts,omitempty"`
	Raw    json.RawMessage  `json:"raw,omitempty"`
	Bytes  []byte           `json:"bytes"`
	Plain  float64          // without a tag
	Pair   [2]uint8         `json:"pair"`
	Secret string           `json:"-"`
	Small  float32          `json:"small"`
	Inner  struct{ X *int } `json:"inner"`
}

type shadow struct {
	toyBase
	Twice string `json:"id"` // encoding/json has a rule for this
}

// fill draws a value of any type.
func fill(t *rapid.T, v reflect.Value, depth int) {
	switch v.Kind() {
	case reflect.Bool:
		v.SetBool(rapid.Bool().Draw(t, "bool"))
	case reflect.Int, reflect.Int32, reflect.Int64:
		n := rapid.OneOf(rapid.Just(int64(0)), rapid.Int64Range(-2e12, 2e12)).Draw(t, "int")
		if v.Kind() == reflect.Int32 {
			n = int64(int32(n))
		}
		v.SetInt(n)
	case reflect.Uint8:
		v.SetUint(uint64(rapid.Byte().Draw(t, "byte")))
	case reflect.Float32:
		v.SetFloat(float64(rapid.Float32Range(-1e9, 1e9).Draw(t, "float32")))
	case reflect.Float64:
		v.SetFloat(rapid.OneOf(rapid.Float64Range(-1e30, 1e30), rapid.Float64Range(-1e-5, 1e-5), rapid.Just(0.0)).Draw(t, "float"))
	case reflect.String:
		v.SetString(rapid.OneOf(rapid.StringMatching(`[a-z <>&"\\]{0,8}`), rapid.String(), rapid.SampledFrom([]string{"", "\xff", "\u2028", "\x7f"})).Draw(t, "string"))
	case reflect.Pointer:
		if depth > 0 && rapid.Bool().Draw(t, "some") {
			v.Set(reflect.New(v.Type().Elem()))
			fill(t, v.Elem(), depth-1)
		}
	case reflect.Slice:
		if v.Type() == reflect.TypeFor[json.RawMessage]() {
			v.SetBytes([]byte(`{"a": 1}`))
			return
		}
		if depth > 0 && rapid.Bool().Draw(t, "some") {
			v.Set(reflect.MakeSlice(v.Type(), rapid.IntRange(0, 2).Draw(t, "len"), 2))
			for k := range v.Len() {
				fill(t, v.Index(k), depth-1)
			}
		}
	case reflect.Map:
		if v.Type() == reflect.TypeFor[map[string]int]() && rapid.Bool().Draw(t, "some") {
			v.Set(reflect.ValueOf(map[string]int{"a": 1}))
		}
	case reflect.Struct:
		for k := range v.NumField() {
			if f := v.Type().Field(k); f.IsExported() || f.Anonymous && f.Type.Kind() == reflect.Struct {
				fill(t, v.Field(k), depth)
			}
		}
	}
}

func TestEncodersWriteWhatTheStandardLibraryWrites(t *testing.T) {
	format := jsonFormat()
	for _, example := range []any{
		Battery{}, []Battery{}, BatteryAssessment{}, FleetHealth{}, FleetSummary{}, items[Rollup]{}, Station{}, Building{}, Me{},
		huma.ErrorModel{}, tree{}, shadow{}, "", 0, 1.5, true, Quantiles{}, Dates{}, AccessKey{}, FinanceProjection{},
	} {
		t.Run(reflect.TypeOf(example).String(), func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				v := reflect.New(reflect.TypeOf(example)).Elem()
				fill(t, v, 5)
				var got, want bytes.Buffer
				to := json.NewEncoder(&want)
				to.SetEscapeHTML(false)
				for _, value := range []any{v.Interface(), v.Addr().Interface()} {
					got.Reset()
					want.Reset()
					if err := to.Encode(value); err != nil {
						t.Fatal(err)
					}
					if err := format.Marshal(&got, value); err != nil {
						t.Fatal(err)
					}
					if diff := cmp.Diff(want.String(), got.String()); diff != "" {
						t.Fatalf("(-want +got):\n%s", diff)
					}
				}
			})
		})
	}
}

// Numbers of few digits take a way of their own, up to where it is no longer exact.
func TestDecimalsAreWrittenAsTheStandardLibraryWrites(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int64Range(-2e15, 2e15).Draw(t, "n")
		if rapid.Bool().Draw(t, "short") {
			n %= 10_000_000
		}
		f := float64(n) / math.Pow10(rapid.IntRange(0, 16).Draw(t, "decimals"))
		for _, v := range []float64{f, math.Nextafter(f, 1e300), -math.Nextafter(-f, 1e300)} {
			want, err := json.Marshal(v)
			if err != nil {
				t.Fatal(err)
			}
			if got := string(appendNumber(nil, v)); got != string(want) {
				t.Fatalf("%b: got %s, want %s", v, got, want)
			}
		}
	})
}

func TestInstantsAreWrittenByTheirLayout(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := Time(rapid.Int64Range(-70_000_000_000_000, 260_000_000_000_000).Draw(t, "ms"))
		if got, want := string(at.append(nil)), `"`+at.String()+`"`; got != want {
			t.Errorf("%d: got %s, want %s", at, got, want)
		}
	})
}

func TestEncodersRefuseWhatIsNoNumber(t *testing.T) {
	v := math.NaN()
	err := jsonFormat().Marshal(&bytes.Buffer{}, Quantiles{Low: &v})
	if err == nil || !strings.Contains(err.Error(), "NaN") {
		t.Errorf("got %v, want that NaN is no number", err)
	}
	var got bytes.Buffer
	if err := jsonFormat().Marshal(&got, nil); err != nil || got.String() != "null\n" {
		t.Errorf("nil: got %q, %v", got.String(), err)
	}
}

func BenchmarkEncode(b *testing.B) {
	number, at := 12.345678901234, Time(clock.UnixMilli())
	page := make([]Battery, 50)
	for k := range page {
		page[k].ID, page[k].Results = "battery-000001", &BatteryStanding{AsOf: at, AssessedAt: &at, HealthScore: &number, SoHPct: &number, CapacityAh: &number,
			RemainingDays: Quantiles{&number, &number, &number}, ReplaceAt: Dates{&at, &at, &at}, EFCPerDay: &number, Utilization: &number}
	}
	format := jsonFormat()
	for name, marshal := range map[string]func(any) error{
		"standard": func(v any) error { return json.NewEncoder(&bytes.Buffer{}).Encode(v) },
		"own":      func(v any) error { return format.Marshal(&bytes.Buffer{}, v) },
	} {
		b.Run("by="+name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if err := marshal(page); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}
