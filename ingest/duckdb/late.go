package duckdb

import (
	"cmp"
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

type identity struct {
	kind   devices.Kind
	device string
	ts     int64
}

func identityOf(r *telemetry.Reading) identity { return identity{r.Kind, r.Device, r.TS} }

// base is a reading of an older segment or part that readings of the batch
// merge into.
type base struct {
	reading telemetry.Reading // whole; its values are its own
	changed bool
	met     bool // among the readings to write
}

// resolve finds out which of the late readings have their identity in an older
// segment or part, and has these written merged. Those of the active segment
// merge there. Where merging changes nothing, nothing is written.
func (b *batch) resolve(ctx context.Context) error {
	if len(b.late) == 0 {
		return nil
	}
	bases, err := b.bases(ctx)
	if err != nil {
		return fmt.Errorf("look up late readings: %w", err)
	}
	skip := b.repeated()
	if len(bases)+len(skip) == 0 {
		return nil
	}
	for _, r := range b.rejected {
		skip[r.Index] = true
	}
	plain := make([]telemetry.Reading, 0, len(b.readings))
	var met []*base
	for i := range b.readings {
		if skip[i] {
			continue
		}
		k := bases[identityOf(&b.readings[i])]
		if k == nil {
			plain = append(plain, b.readings[i])
			continue
		}
		if !k.met {
			k.met = true
			met = append(met, k)
		}
		k.merge(&b.readings[i])
	}
	b.plain = plain
	for _, k := range met {
		if k.changed {
			b.overriding = append(b.overriding, k.reading)
		}
	}
	return nil
}

// repeated are the late readings that the active segment has with all their
// values, unless an earlier one of the batch changes them.
func (b *batch) repeated() map[int]bool {
	skip := make(map[int]bool)
	changed := make(map[identity]bool)
	for _, i := range b.late {
		r := &b.readings[i]
		_, same := b.version.layouts[r.Kind].active().table.Has(r)
		if id := identityOf(r); !same {
			changed[id] = true
		} else if !changed[id] {
			skip[i] = true
		}
	}
	return skip
}

func (k *base) merge(r *telemetry.Reading) {
	for _, v := range r.Values {
		old, has := k.reading.Get(v.Field.Name)
		if has && old.Num == v.Num && old.Text == v.Text {
			continue
		}
		if has && old.Field != v.Field { // of another schema of the same fields
			v.Field = old.Field
		}
		k.reading.Set(v)
		k.changed = true
	}
}

// bases are what older segments and parts have of the late readings that the
// active segment does not have. The newest of them has an identity right.
func (b *batch) bases(ctx context.Context) (map[identity]*base, error) {
	found := make(map[identity]*base)
	byKind := make(map[devices.Kind]*keys)
	for _, i := range b.late {
		r := &b.readings[i]
		l := b.version.layouts[r.Kind]
		if held, _ := l.active().table.Has(r); held {
			continue
		}
		id := identityOf(r)
		if found[id] != nil {
			continue
		}
		if old := inFrozen(l, id); old != nil {
			found[id] = old
			continue
		}
		k := byKind[r.Kind]
		if k == nil {
			k = &keys{}
			byKind[r.Kind] = k
		}
		k.add(id)
	}
	for kind, k := range byKind {
		if err := b.sealed(ctx, kind, k, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

// inFrozen is what the newest frozen segment that has an identity has of it.
func inFrozen(l *layout, id identity) *base {
	for _, s := range slices.Backward(l.frozen()) {
		if values, ok := s.table.Get(id.device, id.ts); ok {
			sortValues(values)
			return &base{reading: telemetry.Reading{Kind: id.kind, Device: id.device, TS: id.ts, Values: values}}
		}
	}
	return nil
}

// sortValues puts values in the order of a reading.
func sortValues(values []telemetry.Value) {
	slices.SortFunc(values, func(a, b telemetry.Value) int { return cmp.Compare(a.Field.Index, b.Field.Index) })
}

// keys are identities of one kind as two arrays, as a statement takes them, and
// the days that they are of.
type keys struct {
	devices []string
	times   []int64
	days    map[int64]bool
}

func (k *keys) add(id identity) {
	k.devices, k.times = append(k.devices, id.device), append(k.times, id.ts)
	if k.days == nil {
		k.days = make(map[int64]bool)
	}
	k.days[telemetry.DayOf(id.ts)] = true
}

// args are the arrays, and the bounds of both, by which the engine skips the
// row groups that hold none of the identities.
func (k *keys) args() []any {
	return []any{k.devices, k.times, slices.Min(k.times), slices.Max(k.times), slices.Min(k.devices), slices.Max(k.devices)}
}

// sealed adds to found what parts have of the identities of k.
func (b *batch) sealed(ctx context.Context, kind devices.Kind, k *keys, found map[identity]*base) error {
	t, l := b.engine.tables[kind], b.version.layouts[kind]
	v := &view{table: t, layout: l, path: b.engine.path}
	for _, parts := range candidates(l, t, k.days) {
		from, _ := v.union([]*source{{parts: parts}}, filter{}, t.all)
		if err := b.look(ctx, t, k, from, found); err != nil {
			return err
		}
	}
	return nil
}

// candidates are the parts of some days, the newest first, in groups that hold
// each identity once and have the same fields.
func candidates(l *layout, t *table, days map[int64]bool) [][]*part {
	groups := make(map[string][]*part)
	for _, p := range l.parts {
		if days[p.day] {
			key := fmt.Sprint(p.seq, " ", present(p, t.all))
			groups[key] = append(groups[key], p)
		}
	}
	return slices.SortedFunc(maps.Values(groups), func(a, b []*part) int { return cmp.Compare(b[0].seq, a[0].seq) })
}

const matchKeys = "t.device = k.device AND t.ts_ms = k.ts_ms AND t.ts_ms BETWEEN ? AND ? AND t.device BETWEEN ? AND ?"

// look adds to found what a table expression holds of the identities of k and
// what no newer one had.
func (b *batch) look(ctx context.Context, t *table, k *keys, from string, found map[identity]*base) error {
	columns := make([]string, len(t.all))
	for i, c := range t.all {
		columns[i] = ", t." + quote(c.name)
	}
	statement := "WITH k AS (SELECT DISTINCT unnest(?::VARCHAR[]) AS device, unnest(?::BIGINT[]) AS ts_ms) " +
		"SELECT t.device, t.ts_ms" + strings.Join(columns, "") + " FROM " + from + " t JOIN k ON " + matchKeys
	return query(ctx, b.engine.writer, statement, k.args(), func(row []driver.Value) error {
		r := telemetry.Reading{Kind: t.measurement.Kind, Device: row[0].(string), TS: row[1].(int64)}
		id := identityOf(&r)
		if found[id] != nil {
			return nil
		}
		for i := range t.all {
			if v, ok := valueFrom(t.fields[i], row[2+i]); ok {
				r.Values = append(r.Values, v)
			}
		}
		sortValues(r.Values)
		found[id] = &base{reading: r}
		return nil
	})
}
