package api

import (
	"context"
	"fmt"
	"iter"
	"maps"
	"net/http"
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// mimeCSV is the media type of a table as CSV (RFC 4180, RFC 7111).
const mimeCSV = "text/csv; charset=utf-8; header=present"

// Query is how a table of results is asked for: which rows of it, in which
// order, with which properties, and how they are written. Inputs embed it.
type Query struct {
	Page
	Sort   []string `query:"sort" maxItems:"8" doc:"comma-separated columns; a leading - turns the order; rows without the value come last"`
	Fields []string `query:"fields" maxItems:"64" doc:"comma-separated properties of an item, with dots for nested ones; default: all"`
	Format string   `query:"format" enum:"json,csv" doc:"default: what the Accept header prefers; CSV without limit has all rows"`

	accept string
}

// Resolve keeps what the answer depends on beside the parameters.
func (q *Query) Resolve(ctx huma.Context) []error {
	q.accept = ctx.Header("Accept")
	return q.Page.Resolve(ctx)
}

func (q *Query) asked() *Query { return q }

// csv tells whether the answer is CSV.
func (q *Query) csv() bool {
	if q.Format != "" {
		return q.Format == "csv"
	}
	return prefersCSV(q.accept)
}

// tableSpec is what a table offers beyond the columns that its type has.
type tableSpec struct {
	name    string            // of the file that CSV is saved as
	aliases map[string]string // short names of columns, for sort and filters: health → health.score
	filters []string          // columns, or their aliases, that rows can be narrowed by
	sort    []string          // the order without sort; empty: as the rows come
	late    []string          // objects that are filled in on the page alone: there is no sorting by them
}

// table is a list of T that can be narrowed, sorted and written as JSON or CSV.
type table[T any] struct {
	tableSpec
	layout
	byName  map[string]*column
	filters []filter
	encode  encoder
	scratch scratch
}

// newTable lays out a table. It panics where spec names a column that T does
// not have, which is an error of the program.
func newTable[T any](spec tableSpec) *table[T] {
	t := &table[T]{tableSpec: spec, layout: layoutOf(reflect.TypeFor[T]()), byName: map[string]*column{}}
	t.encode = new(encoders).of(reflect.TypeFor[T]())
	for _, c := range t.columns {
		object, _, _ := strings.Cut(c.name, ".")
		if !slices.Contains(spec.late, object) {
			t.byName[c.name] = c
		}
	}
	for _, alias := range slices.Sorted(maps.Keys(spec.aliases)) {
		t.byName[alias] = t.named(spec.aliases[alias])
	}
	for _, name := range spec.filters {
		t.filters = append(t.filters, filtersOf(strings.ReplaceAll(name, ".", "_"), t.named(name))...)
	}
	for _, name := range spec.sort {
		t.named(strings.TrimPrefix(name, "-"))
	}
	return t
}

func (t *table[T]) named(name string) *column {
	c := t.byName[name]
	if c == nil {
		panic(fmt.Sprintf("table %s has no column %q", t.name, name))
	}
	return c
}

// selection is a question to a table, checked.
type selection[T any] struct {
	*table[T]
	query      *Query
	conditions []condition
	order      []order
	fields     *projection // nil: all
}

type order struct {
	column *column
	down   bool
}

// ask checks the question. The error names every parameter at fault.
func (t *table[T]) ask(q *Query) (*selection[T], error) {
	s := &selection[T]{table: t, query: q}
	var wrong []error
	given := q.target.Query()
	for _, f := range t.filters {
		text := given.Get(f.param)
		if text == "" {
			continue
		}
		c, err := f.condition(text)
		if err != nil {
			wrong = append(wrong, &huma.ErrorDetail{Location: "query." + f.param, Message: err.Error(), Value: text})
			continue
		}
		s.conditions = append(s.conditions, c)
	}
	sort := q.Sort
	if len(sort) == 0 {
		sort = t.sort
	}
	for _, key := range sort {
		name, down := strings.CutPrefix(key, "-")
		c := t.byName[name]
		if c == nil {
			wrong = append(wrong, &huma.ErrorDetail{Location: "query.sort", Message: "can't be sorted by this; columns: " + strings.Join(t.sortable(), ", "), Value: key})
			continue
		}
		s.order = append(s.order, order{c, down})
	}
	for _, name := range q.Fields {
		if !t.properties[name] {
			wrong = append(wrong, &huma.ErrorDetail{Location: "query.fields", Message: "an item has no such property", Value: name})
		}
	}
	if len(wrong) > 0 {
		return nil, huma.Error422UnprocessableEntity("validation failed", wrong...)
	}
	if len(q.Fields) > 0 {
		s.fields = project(q.Fields)
	}
	return s, nil
}

// sortable are the names of sort, short ones first.
func (t *table[T]) sortable() []string {
	names := slices.Sorted(maps.Keys(t.aliases))
	for _, c := range t.columns {
		if t.byName[c.name] != nil {
			names = append(names, c.name)
		}
	}
	return names
}

// narrow returns the rows that meet every condition, in the order asked for.
// Equal ones stay in the order in which they came. It works in rows itself.
func (s *selection[T]) narrow(rows []T) []T {
	rows = slices.DeleteFunc(rows, func(row T) bool { return !s.chooses(reflect.ValueOf(&row).Elem()) })
	if len(s.order) == 0 {
		return rows
	}
	type keyed struct {
		row  T
		keys []cell
	}
	all := make([]keyed, len(rows))
	for k, row := range rows {
		all[k] = keyed{row, s.keys(nil, reflect.ValueOf(&row).Elem())}
	}
	slices.SortStableFunc(all, func(x, y keyed) int { return s.compare(x.keys, y.keys) })
	for k := range all {
		rows[k] = all[k].row
	}
	return rows
}

// chooses tells whether a row meets every condition.
func (s *selection[T]) chooses(row reflect.Value) bool {
	return !slices.ContainsFunc(s.conditions, func(c condition) bool { return !c.met(row) })
}

// keys appends what a row is ordered by.
func (s *selection[T]) keys(out []cell, row reflect.Value) []cell {
	for _, o := range s.order {
		out = append(out, o.column.cell(row))
	}
	return out
}

// compare orders rows by their keys.
func (s *selection[T]) compare(x, y []cell) int {
	for n, o := range s.order {
		if c := o.compare(x[n], y[n]); c != 0 {
			return c
		}
	}
	return 0
}

// compare puts what is not known last, whichever way the order goes.
func (o order) compare(x, y cell) int {
	switch {
	case x.known != y.known && x.known:
		return -1
	case x.known != y.known:
		return 1
	case o.down:
		return y.compare(x)
	}
	return x.compare(y)
}

// cut is the part of the rows that was asked for.
func cut[T any](q *Query, rows []T) []T {
	from, limit := min(q.Offset, len(rows)), q.Limit
	if q.whole() {
		limit = len(rows)
	}
	return rows[from:min(from+limit, len(rows))]
}

// whole tells whether all rows are asked for: a file has no second page unless
// somebody wants pages.
func (q *Query) whole() bool { return q.csv() && !q.target.Query().Has("limit") }

// asker is an input with a Query in it.
type asker[I any] interface {
	*I
	asked() *Query
}

// addTable registers a GET that answers with a table, of which rows returns all
// that the input selects beyond the Query, in a slice that may be changed. The
// input is a struct that embeds Query.
func addTable[I, T any, P asker[I]](a *API, op operation, spec tableSpec, rows func(context.Context, *I) ([]T, error)) {
	addReport[I, items[T], T, P](a, op, spec, func(d *items[T]) *[]T { return &d.Items }, func(ctx context.Context, in *I) (items[T], error) {
		all, err := rows(ctx, in)
		return items[T]{Items: all}, err
	})
}

// addReport is addTable for a table with something beside it: a document D that
// has the rows in its property "items". CSV is of the rows alone.
func addReport[I, D, T any, P asker[I]](a *API, op operation, spec tableSpec, rows func(*D) *[]T, handler func(context.Context, *I) (D, error)) {
	t := newTable[T](spec)
	addSelection[I, D, T, P](a, op, t, func(ctx context.Context, in *I, s *selection[T]) (doc D, page iter.Seq[*T], total int, err error) {
		if doc, err = handler(ctx, in); err != nil {
			return doc, nil, 0, err
		}
		all := s.narrow(*rows(&doc))
		*rows(&doc) = []T{}
		return doc, each(cut(s.query, all)), len(all), nil
	})
}

// each yields the rows.
func each[T any](rows []T) iter.Seq[*T] {
	return func(yield func(*T) bool) {
		for k := range rows {
			if !yield(&rows[k]) {
				return
			}
		}
	}
}

// addSelection is addReport for rows that come narrowed, sorted and cut to the
// page, with how many there are on all pages; the document comes without them,
// its items empty. A row is valid until the next.
func addSelection[I, D, T any, P asker[I]](a *API, op operation, t *table[T], handler func(context.Context, *I, *selection[T]) (D, iter.Seq[*T], int, error)) {
	op.method = http.MethodGet
	op.parameters = append(op.parameters, t.parameters()...)
	op.content = map[string]*huma.MediaType{
		"application/json": {Schema: a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[D](), true, "")},
		"text/csv":         {Schema: &huma.Schema{Type: huma.TypeString, Description: "a header line and a line for each item; a column for each scalar of an item, nested ones with dots; text that a spreadsheet would take for a formula is led by an apostrophe"}},
	}
	op.notes = strings.TrimSpace(op.notes + "\n\nSort by: " + strings.Join(t.sortable(), ", ") + ".")
	add(a, op, func(ctx context.Context, in *I) (*tableOutput, error) {
		s, err := t.ask(P(in).asked())
		if err != nil {
			return nil, err
		}
		doc, page, total, err := handler(ctx, in, s)
		if err != nil {
			return nil, err
		}
		return s.answer(doc, page, total)
	})
}

// tableOutput is a page of a table as it is sent.
type tableOutput struct {
	Link               string `header:"Link" doc:"RFC 8288 links to the first, prev, next and last page"`
	TotalCount         string `header:"X-Total-Count" doc:"items on all pages"`
	ContentType        string `header:"Content-Type" hidden:"true"`
	ContentDisposition string `header:"Content-Disposition" doc:"of CSV: the name of the file"`
	Body               func(huma.Context)
}

// parameters are the filters in the OpenAPI document.
func (t *table[T]) parameters() []*huma.Param {
	var out []*huma.Param
	for _, f := range t.filters {
		out = append(out, f.parameter())
	}
	return out
}
