// Package passporttest checks, in tests, battery passports against the schema of
// the BatteryPass performance model 1.2.1, which lies with the measured data. It
// knows nothing of how a passport is made.
package passporttest

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"unicode/utf16"

	"github.com/fleetwatt/fleetwatt/devices/measured"
)

// Read reads a file of the passport folder, which is in UTF-16. Where it is
// missing the test skips, as measured.File says.
func Read(t testing.TB, name string, into any) {
	t.Helper()
	b, err := os.ReadFile(measured.File(t, "battery", "passport", name))
	if err != nil {
		t.Fatal(err)
	}
	units := make([]uint16, len(b)/2)
	if err := binary.Read(bytes.NewReader(b), binary.LittleEndian, units); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(strings.TrimPrefix(string(utf16.Decode(units)), "\ufeff")), into); err != nil {
		t.Fatal(err)
	}
}

// Schema is a JSON schema of draft 4, as far as the model uses it.
type Schema struct{ root map[string]any }

// Open reads the schema of the model. Where it is missing the test skips, as
// measured.File says.
func Open(t testing.TB) Schema {
	t.Helper()
	var s Schema
	Read(t, "PerformanceAndDurability-1.2.1.schema.json", &s.root)
	return s
}

// Check lists what is wrong with a document, decoded from JSON: "path: fault".
func (f Schema) Check(document any) []string { return f.check(f.root, document, "") }

// check lists what is wrong with v under the schema s.
func (f Schema) check(s map[string]any, v any, path string) []string {
	var wrong []string
	fail := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	if ref, ok := s["$ref"].(string); ok {
		target := any(f.root)
		for _, key := range strings.Split(strings.TrimPrefix(ref, "#/"), "/") {
			target = target.(map[string]any)[key]
		}
		return f.check(target.(map[string]any), v, path)
	}
	for _, part := range list(s["allOf"]) {
		wrong = append(wrong, f.check(part.(map[string]any), v, path)...)
	}
	if choices := list(s["enum"]); choices != nil && !slices.ContainsFunc(choices, func(c any) bool { return reflect.DeepEqual(c, v) }) {
		fail("%v is none of %v", v, choices)
	}
	switch s["type"] {
	case "object":
		obj, ok := v.(map[string]any)
		if !ok {
			fail("%T is no object", v)
			return wrong
		}
		for _, r := range list(s["required"]) {
			if _, ok := obj[r.(string)]; !ok {
				fail("lacks %s", r)
			}
		}
		props, _ := s["properties"].(map[string]any)
		for key, p := range props {
			if inner, ok := obj[key]; ok {
				wrong = append(wrong, f.check(p.(map[string]any), inner, path+"."+key)...)
			}
		}
	case "array":
		arr, ok := v.([]any)
		if !ok {
			fail("%T is no array", v)
		}
		for k, e := range arr {
			wrong = append(wrong, f.check(s["items"].(map[string]any), e, fmt.Sprintf("%s[%d]", path, k))...)
		}
	case "number":
		n, ok := v.(float64)
		if !ok {
			fail("%T is no number", v)
		}
		if lo, has := s["minimum"].(float64); has && n < lo {
			fail("%v is below %v", n, lo)
		}
		if hi, has := s["maximum"].(float64); has && n > hi {
			fail("%v is above %v", n, hi)
		}
	case "string":
		text, ok := v.(string)
		if !ok {
			fail("%T is no string", v)
		}
		if p, has := s["pattern"].(string); has && !regexp.MustCompile("^(?:"+p+")$").MatchString(text) {
			fail("%q does not match", text)
		}
	}
	return wrong
}

func list(v any) []any {
	l, _ := v.([]any)
	return l
}
