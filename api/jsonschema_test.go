package api

import (
	"encoding/json"
	"fmt"
	"math"
	"net/url"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// schemas are the schemas of an OpenAPI document: JSON Schema 2020-12, as far as
// it is used here. A keyword that is not known is a fault of the test.
type schemas struct{ named map[string]any }

// resolve follows a $ref.
func (s schemas) resolve(schema map[string]any) map[string]any {
	for {
		ref, ok := schema["$ref"].(string)
		if !ok {
			return schema
		}
		schema = s.named[strings.TrimPrefix(ref, "#/components/schemas/")].(map[string]any)
	}
}

// types are the types that a schema allows; none: any.
func types(schema map[string]any) []string {
	switch t := schema["type"].(type) {
	case string:
		return []string{t}
	case []any:
		var all []string
		for _, one := range t {
			all = append(all, one.(string))
		}
		return all
	}
	return nil
}

func typeOf(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case string:
		return "string"
	case float64:
		if v == math.Trunc(v) {
			return "integer"
		}
		return "number"
	case []any:
		return "array"
	}
	return "object"
}

// check lists what is wrong with v, decoded JSON. Sparse objects may lack what is
// required.
func (s schemas) check(schema map[string]any, v any, path string, sparse bool) []string {
	schema = s.resolve(schema)
	var wrong []string
	fail := func(format string, args ...any) { wrong = append(wrong, path+": "+fmt.Sprintf(format, args...)) }
	if is, want := typeOf(v), types(schema); want != nil && !slices.Contains(want, is) && (is != "integer" || !slices.Contains(want, "number")) {
		fail("is %s, want %v", is, want)
		return wrong
	}
	if enum, ok := schema["enum"].([]any); ok && v != nil && !slices.ContainsFunc(enum, func(c any) bool { return reflect.DeepEqual(c, v) }) {
		fail("%v is none of %v", v, enum)
	}
	if choices, ok := schema["oneOf"].([]any); ok {
		n := 0
		for _, c := range choices {
			if len(s.check(c.(map[string]any), v, path, sparse)) == 0 {
				n++
			}
		}
		if n != 1 {
			fail("fits %d of oneOf", n)
		}
	}
	switch v := v.(type) {
	case string:
		wrong = append(wrong, checkString(schema, v, path)...)
	case float64:
		for key, bad := range map[string]func(limit float64) bool{
			"minimum": func(l float64) bool { return v < l }, "maximum": func(l float64) bool { return v > l },
			"exclusiveMinimum": func(l float64) bool { return v <= l }, "exclusiveMaximum": func(l float64) bool { return v >= l },
		} {
			if limit, ok := schema[key].(float64); ok && bad(limit) {
				fail("%v breaks %s %v", v, key, limit)
			}
		}
	case []any:
		wrong = append(wrong, s.checkArray(schema, v, path, sparse)...)
	case map[string]any:
		wrong = append(wrong, s.checkObject(schema, v, path, sparse)...)
	}
	return wrong
}

func checkString(schema map[string]any, v, path string) (wrong []string) {
	var err error
	switch schema["format"] {
	case "date-time":
		_, err = time.Parse(time.RFC3339Nano, v)
	case "date":
		_, err = time.Parse(time.DateOnly, v)
	case "uri":
		_, err = url.Parse(v)
	}
	if err != nil {
		wrong = append(wrong, path+": "+err.Error())
	}
	if n, ok := schema["minLength"].(float64); ok && utf8.RuneCountInString(v) < int(n) {
		wrong = append(wrong, path+": too short")
	}
	if n, ok := schema["maxLength"].(float64); ok && utf8.RuneCountInString(v) > int(n) {
		wrong = append(wrong, path+": too long")
	}
	if p, ok := schema["pattern"].(string); ok && !regexp.MustCompile(p).MatchString(v) {
		wrong = append(wrong, path+": does not match "+p)
	}
	return wrong
}

func (s schemas) checkArray(schema map[string]any, v []any, path string, sparse bool) (wrong []string) {
	if n, ok := schema["minItems"].(float64); ok && len(v) < int(n) {
		wrong = append(wrong, path+": too few items")
	}
	if n, ok := schema["maxItems"].(float64); ok && len(v) > int(n) {
		wrong = append(wrong, path+": too many items")
	}
	items, ok := schema["items"].(map[string]any)
	for k, item := range v {
		if ok {
			wrong = append(wrong, s.check(items, item, fmt.Sprintf("%s[%d]", path, k), sparse)...)
		}
	}
	return wrong
}

// decode is JSON as check wants it.
func decode(t *testing.T, body string) any {
	t.Helper()
	var v any
	if err := json.Unmarshal([]byte(body), &v); err != nil {
		t.Fatalf("no JSON: %v: %.200s", err, body)
	}
	return v
}

func (s schemas) checkObject(schema map[string]any, v map[string]any, path string, sparse bool) (wrong []string) {
	required, _ := schema["required"].([]any)
	for _, name := range required {
		if _, ok := v[name.(string)]; !ok && !sparse {
			wrong = append(wrong, path+": lacks "+name.(string))
		}
	}
	properties, _ := schema["properties"].(map[string]any)
	for name, value := range v {
		of, ok := properties[name].(map[string]any)
		if !ok {
			if of, ok = schema["additionalProperties"].(map[string]any); !ok {
				if schema["additionalProperties"] == false {
					wrong = append(wrong, path+": has "+name+", which is not declared")
				}
				continue
			}
		}
		wrong = append(wrong, s.check(of, value, path+"."+name, sparse)...)
	}
	return wrong
}
