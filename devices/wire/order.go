package wire

import "github.com/fleetwatt/fleetwatt/devices"

// order remembers which field came after which, since devices name theirs in
// the same order each time: a guess that is right saves a look-up by name.
type order struct {
	schema *devices.Measurement
	after  []*devices.Field // by the index of the field before, plus one; nil: not known
	last   int              // index of the field before; −1 at the start of a record
}

func newOrder(schema *devices.Measurement) *order {
	return &order{schema: schema, after: make([]*devices.Field, len(schema.Fields)+1), last: -1}
}

// field returns the field of that name, or nil.
func (o *order) field(name []byte) *devices.Field {
	f := o.after[o.last+1]
	if f == nil || f.Name != string(name) {
		if f = o.schema.FieldBytes(name); f == nil {
			return nil
		}
		o.after[o.last+1] = f
	}
	o.last = f.Index
	return f
}
