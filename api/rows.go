package api

import (
	"encoding/json"

	"github.com/danielgtaylor/huma/v2"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// rows are readings as a JSON array of objects, {"ts": …, "soc_pct": …}. They
// are encoded as they come, so that a long answer is held once.
type rows struct {
	json []byte
	n    int
}

// add appends one row; the values keep their order.
func (r *rows) add(ts int64, values []telemetry.Value) error {
	if r.n > 0 {
		r.json = append(r.json, ',')
	}
	r.n++
	r.json = Time(ts).append(append(r.json, `{"ts":`...))
	for _, v := range values {
		r.json = append(append(append(r.json, `,"`...), v.Field.Name...), `":`...) // a name is [a-z0-9_]
		if v.Field.Numeric() {
			r.json = appendNumber(r.json, v.Num)
			continue
		}
		text, err := json.Marshal(v.Text)
		if err != nil {
			return err
		}
		r.json = append(r.json, text...)
	}
	r.json = append(r.json, '}')
	return nil
}

// MarshalJSON is the array.
func (r rows) MarshalJSON() ([]byte, error) {
	out := make([]byte, 0, len(r.json)+2)
	out = append(out, '[')
	out = append(out, r.json...)
	return append(out, ']'), nil
}

// Schema describes the array in the OpenAPI document.
func (rows) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{
		Type: huma.TypeArray,
		Items: &huma.Schema{
			Type:       huma.TypeObject,
			Properties: map[string]*huma.Schema{"ts": Time(0).Schema(r)},
			Required:   []string{"ts"},
			AdditionalProperties: &huma.Schema{
				Description: "value of the field of that name",
				OneOf:       []*huma.Schema{{Type: huma.TypeNumber}, {Type: huma.TypeString}},
			},
		},
	}
}
