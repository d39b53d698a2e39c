package registry

import (
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// maxLineProblems bounds what an import reports.
const maxLineProblems = 1000

// LineProblem is why a line of an import can't be accepted.
type LineProblem struct {
	Line   int    // of the file, from 1
	Column string // empty: the line as a whole
	Detail string
}

// Imported is what an import did, or would do.
type Imported struct {
	Created, Updated, Unchanged int
	// Rerated are the batteries that were registered and whose ratings are others
	// than before, in the order of the file: what was worked out with the old ones
	// is out of date.
	Rerated  []devices.Ref
	Problems []LineProblem // of at most 1,000 fields, in the order of lines
}

// errRollback ends an import that is not to be kept.
var errRollback = errors.New("not kept")

// Import registers the entries of a CSV file and changes those that are
// registered, by their ids. The first line names the columns as JSON does; what
// has no column stays as it is, an empty text is cleared, and another value that
// is empty stays. An entry that is as the line says is left alone, its version
// too.
//
// All lines are made, in one change, or none: where one can't be accepted,
// Problems has every such line, and the counts say what the others would have
// done. A dry run changes nothing. Errors: *Invalid for a kind that can't be
// imported and for what is no such file.
func (r *Registry) Import(ctx context.Context, kind string, file io.Reader, dryRun bool) (Imported, error) {
	sheet, ok := sheets()[kind]
	if !ok {
		return Imported{}, invalidField("kind", "want one of %s", strings.Join(SheetKinds(), ", "))
	}
	lines, problems, err := sheet.read(file)
	if err != nil {
		return Imported{}, err
	}
	var done Imported
	err = r.change(ctx, func(c *change) error {
		done = Imported{Problems: slices.Clone(problems)}
		for _, l := range lines {
			if err := r.importLine(ctx, c, kind, l, &done); err != nil {
				return err
			}
		}
		if dryRun || len(done.Problems) > 0 {
			return errRollback
		}
		return nil
	})
	if err != nil && !errors.Is(err, errRollback) {
		return Imported{}, fmt.Errorf("import %s: %w", kind, err)
	}
	slices.SortStableFunc(done.Problems, func(a, b LineProblem) int { return a.Line - b.Line })
	done.Problems = done.Problems[:min(len(done.Problems), maxLineProblems)]
	return done, nil
}

// importLine makes one line. What is wrong with it goes to the problems; an
// error is the database's.
func (r *Registry) importLine(ctx context.Context, c *change, kind string, l line, done *Imported) error {
	outcome, rerated, err := r.putLine(ctx, c, kind, l)
	var invalid *Invalid
	switch {
	case errors.As(err, &invalid):
		for _, p := range invalid.Problems {
			done.Problems = append(done.Problems, LineProblem{Line: l.number, Column: p.Field, Detail: p.Detail})
		}
	case errors.Is(err, ErrConflict), errors.Is(err, ErrExists), errors.Is(err, ErrNotFound):
		done.Problems = append(done.Problems, LineProblem{Line: l.number, Detail: err.Error()})
	case err != nil:
		return err
	case outcome == ActionCreate:
		done.Created++
	case outcome == ActionUpdate:
		done.Updated++
		if rerated {
			done.Rerated = append(done.Rerated, devices.Ref{Kind: devices.Kind(kind), ID: l.id})
		}
	default:
		done.Unchanged++
	}
	return nil
}

// putLine returns what became of a line; empty: nothing had to. rerated says that
// a battery's ratings are others now.
func (r *Registry) putLine(ctx context.Context, c *change, kind string, l line) (did Action, rerated bool, err error) {
	switch kind {
	case kindOwner:
		did, err = c.putOwner(ctx, l)
		return did, false, err
	case KindSite:
		did, err = c.putSite(ctx, l)
		return did, false, err
	}
	return r.putDevice(ctx, c, devices.Ref{Kind: devices.Kind(kind), ID: l.id}, l)
}

func (c *change) putOwner(ctx context.Context, l line) (Action, error) {
	var p OwnerPatch
	if err := l.into(&p); err != nil {
		return "", err
	}
	was, err := findOwner(ctx, c, l.id)
	after := was
	p.apply(&after)
	switch {
	case errors.Is(err, ErrNotFound):
		after.ID = l.id
		_, err := c.createOwner(ctx, after)
		return ActionCreate, err
	case err != nil:
		return "", err
	case was.DeletedAt == nil && same(was, after):
		return "", nil
	}
	_, err = c.updateOwner(ctx, l.id, p)
	return ActionUpdate, err
}

func (c *change) putSite(ctx context.Context, l line) (Action, error) {
	var p SitePatch
	if err := l.into(&p); err != nil {
		return "", err
	}
	was, err := findSite(ctx, c, l.id)
	after := was
	p.apply(&after)
	setPointer(&after.OwnerSince, p.OwnerSince)
	switch {
	case errors.Is(err, ErrNotFound):
		after.ID = l.id
		_, err := c.createSite(ctx, after)
		return ActionCreate, err
	case err != nil:
		return "", err
	case was.DeletedAt == nil && same(was, after):
		return "", nil
	}
	_, err = c.updateSite(ctx, l.id, p)
	return ActionUpdate, err
}

func (r *Registry) putDevice(ctx context.Context, c *change, ref devices.Ref, l line) (did Action, rerated bool, err error) {
	p, err := l.devicePatch(ref.Kind)
	if err != nil {
		return "", false, err
	}
	was, err := findDevice(ctx, c, ref)
	after := was
	p.apply(&after)
	setPointer(&after.OwnerSince, p.since)
	switch {
	case errors.Is(err, ErrNotFound):
		after.kind, after.ID = ref.Kind, ref.ID
		_, err := r.insertDevice(ctx, c, after)
		return ActionCreate, false, err
	case err != nil:
		return "", false, err
	case was.DeletedAt == nil && same(was.public(), after.public()):
		return "", false, nil
	}
	rerated = ref.Kind == devices.KindBattery && was.rated() != after.rated()
	_, err = r.patchDevice(ctx, c, ref, 0, p.since, p.apply)
	return ActionUpdate, rerated, err
}

// devicePatch is the patch of any kind of device.
type devicePatch struct {
	apply func(*device)
	since *time.Time
}

func (l line) devicePatch(kind devices.Kind) (devicePatch, error) {
	switch kind {
	case devices.KindStation:
		var p StationPatch
		err := l.into(&p)
		return devicePatch{p.apply, p.OwnerSince}, err
	case devices.KindBattery:
		var p BatteryPatch
		err := l.into(&p)
		return devicePatch{p.apply, p.OwnerSince}, err
	}
	var p BuildingPatch
	err := l.into(&p)
	return devicePatch{p.apply, p.OwnerSince}, err
}

// same compares what would be stored.
func same(a, b any) bool {
	x, errX := json.Marshal(a)
	y, errY := json.Marshal(b)
	return errX == nil && errY == nil && string(x) == string(y)
}

// Export writes the entries of a kind that are not deleted, by id, as Import
// reads them. Error: *Invalid for a kind that can't be exported.
func (r *Registry) Export(ctx context.Context, kind string, to io.Writer) error {
	sheet, ok := sheets()[kind]
	if !ok {
		return invalidField("kind", "want one of %s", strings.Join(SheetKinds(), ", "))
	}
	entries, err := r.entries(ctx, kind)
	if err != nil {
		return err
	}
	w := csv.NewWriter(to)
	header := []string{"id"}
	for _, c := range sheet {
		header = append(header, c.name)
	}
	if err := w.Write(header); err != nil {
		return fmt.Errorf("export %s: %w", kind, err)
	}
	for _, e := range entries {
		row, err := cells(e, header)
		if err == nil {
			err = w.Write(row)
		}
		if err != nil {
			return fmt.Errorf("export %s: %w", kind, err)
		}
	}
	w.Flush()
	if err := w.Error(); err != nil {
		return fmt.Errorf("export %s: %w", kind, err)
	}
	return nil
}

// entries are all of a kind.
func (r *Registry) entries(ctx context.Context, kind string) ([]any, error) {
	switch kind {
	case kindOwner:
		all, _, err := r.ListOwners(ctx, Filter{})
		return anys(all), err
	case KindSite:
		all, _, err := r.ListSites(ctx, Filter{})
		return anys(all), err
	}
	all, _, err := listKind(ctx, r, devices.Kind(kind), Filter{}, func(d device) any { return d.public() })
	return all, err
}

func anys[T any](of []T) []any {
	out := make([]any, len(of))
	for i, v := range of {
		out[i] = v
	}
	return out
}

// cells are the values of an entry under the header, as its JSON has them.
func cells(entry any, header []string) ([]string, error) {
	raw, err := json.Marshal(entry)
	if err != nil {
		return nil, err
	}
	var values map[string]any
	if err := json.Unmarshal(raw, &values); err != nil {
		return nil, err
	}
	row := make([]string, len(header))
	for i, name := range header {
		switch v := values[name].(type) {
		case string:
			row[i] = v
		case float64:
			row[i] = strconv.FormatFloat(v, 'g', -1, 64)
		}
	}
	return row, nil
}
