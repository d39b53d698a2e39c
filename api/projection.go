package api

import "strings"

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

// within is which properties are wanted of the object, or other value, of the
// name; nil: it is not wanted, or all of everything is.
func (p *projection) within(name string) *projection {
	if p == nil {
		return nil
	}
	return p.of[name]
}
