package api

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
)

// projection is which properties of an object are wanted.
type projection struct {
	whole bool // all of them
	of    map[string]*projection
}

// project reads names like id and health.score.
func project(names []string) *projection {
	root := &projection{of: map[string]*projection{}}
	for _, name := range names {
		at := root
		for _, part := range strings.Split(name, ".") {
			next := at.of[part]
			if next == nil {
				next = &projection{of: map[string]*projection{}}
				at.of[part] = next
			}
			at = next
		}
		at.whole = true
	}
	return root
}

// has tells whether the scalar of the name is wanted, by itself or with an
// object that it is in.
func (p *projection) has(name string) bool {
	at := p
	for _, part := range strings.Split(name, ".") {
		if at = at.of[part]; at == nil || at.whole {
			return at != nil
		}
	}
	return false
}

// write writes what is wanted of a JSON object, in the order that it has. What
// is no object is written as it is.
func (p *projection) write(out *bytes.Buffer, object []byte) error {
	if p.whole || object[0] != '{' {
		out.Write(object)
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(object))
	if _, err := d.Token(); err != nil {
		return err
	}
	out.WriteByte('{')
	for first := true; d.More(); {
		name, err := d.Token()
		if err != nil {
			return err
		}
		var value json.RawMessage
		if err := d.Decode(&value); err != nil {
			return err
		}
		wanted := p.of[name.(string)]
		if wanted == nil {
			continue
		}
		if !first {
			out.WriteByte(',')
		}
		first = false
		out.WriteString(strconv.Quote(name.(string))) // a name is [a-z0-9_]
		out.WriteByte(':')
		if err := wanted.write(out, value); err != nil {
			return err
		}
	}
	out.WriteByte('}')
	return nil
}
