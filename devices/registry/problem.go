package registry

import (
	"fmt"
	"strings"
)

// Problem is one field that can't be accepted.
type Problem struct {
	Field  string // as in JSON: rated_capacity_ah
	Detail string // what is wanted
}

// Invalid reports every field of an object that can't be accepted.
type Invalid struct {
	Problems []Problem // in the order of the object's fields
}

func (e *Invalid) Error() string {
	parts := make([]string, len(e.Problems))
	for i, p := range e.Problems {
		parts[i] = p.Field + ": " + p.Detail
	}
	return "invalid: " + strings.Join(parts, "; ")
}

// problems collects what is wrong with an object.
type problems []Problem

func (p *problems) add(field, format string, args ...any) {
	*p = append(*p, Problem{Field: field, Detail: fmt.Sprintf(format, args...)})
}

// err is an *Invalid, or nil where nothing was collected.
func (p problems) err() error {
	if len(p) == 0 {
		return nil
	}
	return &Invalid{Problems: p}
}
