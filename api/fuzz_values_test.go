package api

import (
	"encoding/json"
	"fmt"
	"maps"
	"mime"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// hostile are texts that break what is careless.
var hostile = []string{
	"", " ", "\x00", "a\x00b", "..", "%00", "%2e%2e%2f", "' OR 1=1 --", "\"; DROP TABLE devices; --", "{{7*7}}", "\u202e\U0001f50b", "\xff\xfe",
	"NaN", "-Inf", "1e999", "-1", "0", "9223372036854775808", "-9223372036854775809", "0x10", "1_000", "true", "null", "[]", "{}",
	"2026-02-30", "2026-02-28T25:00:00Z", "0000-01-01T00:00:00Z", "9999-12-31T23:59:59Z", "1969-12-31T23:59:59.999Z", "-", "-id", ",", ",,,", "=1+1",
}

func (f *fuzzer) hostile() string {
	if f.rand.IntN(12) == 0 {
		return strings.Repeat("x", 3000)
	}
	return hostile[f.rand.IntN(len(hostile))]
}

// text is a value of a parameter: of a spoilt request one in three is hostile.
func (f *fuzzer) text(schema map[string]any) string {
	if f.wild && f.rand.IntN(3) == 0 {
		return f.hostile()
	}
	return asText(f.value(schema, 0))
}

func asText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case float64:
		return strconv.FormatFloat(v, 'f', -1, 64)
	case []any:
		var parts []string
		for _, item := range v {
			parts = append(parts, asText(item))
		}
		return strings.Join(parts, ",")
	}
	return fmt.Sprint(v)
}

// value is a value that the schema allows, or nearly so.
func (f *fuzzer) value(schema map[string]any, depth int) any {
	schema = f.resolve(schema)
	if enum, ok := schema["enum"].([]any); ok {
		return enum[f.rand.IntN(len(enum))]
	}
	if choices, ok := schema["oneOf"].([]any); ok {
		return f.value(choices[f.rand.IntN(len(choices))].(map[string]any), depth)
	}
	kinds := types(schema)
	if len(kinds) == 0 {
		return nil
	}
	switch kinds[f.rand.IntN(len(kinds))] {
	case "boolean":
		return f.rand.IntN(2) == 0
	case "integer":
		return float64(int(f.number(schema)))
	case "number":
		return f.number(schema)
	case "string":
		return f.string(schema)
	case "array":
		var all []any
		for range f.rand.IntN(4) {
			all = append(all, f.value(schema["items"].(map[string]any), depth+1))
		}
		return append([]any{}, all...)
	case "object":
		return f.object(schema, depth)
	}
	return nil
}

func (f *fuzzer) number(schema map[string]any) float64 {
	low, high := 0.0, 100.0
	if v, ok := schema["minimum"].(float64); ok {
		low = v
	}
	if v, ok := schema["exclusiveMinimum"].(float64); ok {
		low = v + 0.5
	}
	if v, ok := schema["maximum"].(float64); ok {
		high = min(v, low+1000)
	}
	return low + float64(f.rand.IntN(8))/8*(high-low)
}

func (f *fuzzer) string(schema map[string]any) string {
	day := time.Date(2026, 3, 2-f.rand.IntN(40), f.rand.IntN(24), 0, 0, 0, time.UTC)
	switch schema["format"] {
	case "date-time":
		return day.Format(time.RFC3339)
	case "date":
		return day.Format(time.DateOnly)
	case "uri":
		return "https://example.org/x"
	}
	description, _ := schema["description"].(string)
	switch {
	case strings.Contains(description, "RFC 3339"):
		return day.Format([]string{time.RFC3339, time.DateOnly}[f.rand.IntN(2)])
	case f.rand.IntN(3) == 0:
		return f.ids[f.rand.IntN(len(f.ids))]
	}
	words := []string{"Europe/Berlin", "id", "-id", "soc_pct", "power_w", "1h", "1d", "swap.completed", "battery/d1", "station/d1", "A1", "chemistry", "month", "EUR", "2026-03"}
	return words[f.rand.IntN(len(words))]
}

func (f *fuzzer) object(schema map[string]any, depth int) any {
	out := map[string]any{}
	properties, _ := schema["properties"].(map[string]any)
	required, _ := schema["required"].([]any)
	for _, name := range slices.Sorted(maps.Keys(properties)) {
		if slices.Contains(required, any(name)) || depth < 4 && f.rand.IntN(2) == 0 {
			out[name] = f.value(properties[name].(map[string]any), depth+1)
		}
	}
	if more, ok := schema["additionalProperties"].(map[string]any); ok {
		out["soc_pct"] = f.value(more, depth+1)
	}
	return out
}

// body is a request's body: of a spoilt request every other one is.
func (f *fuzzer) body(request map[string]any) string {
	content := request["content"].(map[string]any)
	media, ok := content["application/json"].(map[string]any)
	if !ok {
		return f.hostile()
	}
	v := f.value(media["schema"].(map[string]any), 0)
	if f.wild && f.rand.IntN(2) == 0 {
		v = f.spoil(v)
	}
	text, err := json.Marshal(v)
	if err != nil {
		f.t.Fatal(err)
	}
	if !f.wild {
		return string(text)
	}
	switch f.rand.IntN(20) {
	case 0:
		return string(text[:len(text)/2]) // cut off
	case 1:
		return strings.Repeat("[", 2000)
	case 2:
		return f.hostile()
	}
	return string(text)
}

// spoil puts something hostile somewhere into v.
func (f *fuzzer) spoil(v any) any {
	object, ok := v.(map[string]any)
	if !ok || len(object) == 0 || f.rand.IntN(4) == 0 {
		return []any{f.hostile(), -1.0, 1e300, nil, []any{}, map[string]any{}, true}[f.rand.IntN(7)]
	}
	keys := slices.Sorted(maps.Keys(object))
	key := keys[f.rand.IntN(len(keys))]
	switch f.rand.IntN(3) {
	case 0:
		delete(object, key)
	case 1:
		object["no_such_property"] = 1
	default:
		object[key] = f.spoil(object[key])
	}
	return object
}

// beforeOperations are statuses that the server answers before it comes to an
// operation.
var beforeOperations = []int{http.StatusBadRequest, http.StatusNotFound, http.StatusMethodNotAllowed, http.StatusRequestHeaderFieldsTooLarge}

// judge lists what is wrong with the answer to a call.
func (f *fuzzer) judge(op map[string]any, c call, a answer) (wrong []string) {
	if a.status >= 500 && a.status != http.StatusServiceUnavailable {
		return []string{"the server failed"}
	}
	kind, _, err := mime.ParseMediaType(a.header.Get("Content-Type"))
	if err != nil && a.body != "" {
		return []string{"Content-Type: " + err.Error()}
	}
	if a.status >= 400 {
		if kind != mimeProblem {
			wrong = append(wrong, "an error that is no problem but "+kind)
		} else {
			wrong = append(wrong, f.check(f.named["ErrorModel"].(map[string]any), decode(f.t, a.body), "", false)...)
		}
	}
	responses := op["responses"].(map[string]any)
	response, ok := responses[strconv.Itoa(a.status)].(map[string]any)
	if !ok {
		if _, ok = responses["default"]; !ok && !slices.Contains(beforeOperations, a.status) {
			wrong = append(wrong, fmt.Sprintf("status %d is not in the document", a.status))
		}
		return wrong
	}
	if a.status >= 300 || a.body == "" {
		return wrong
	}
	content, _ := response["content"].(map[string]any)
	media, ok := content[kind].(map[string]any)
	if !ok {
		return append(wrong, fmt.Sprintf("media type %s is not in the document", kind))
	}
	if kind == "application/json" {
		wrong = append(wrong, f.check(media["schema"].(map[string]any), decode(f.t, a.body), "", c.sparse)...)
	}
	return wrong
}
