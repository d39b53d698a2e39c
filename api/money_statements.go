package api

import (
	"bytes"
	"context"
	"net/http"
	"reflect"
	"strconv"

	"github.com/danielgtaylor/huma/v2"
	"github.com/danielgtaylor/huma/v2/negotiation"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// StatementPath names a month of an owner.
type StatementPath struct {
	DevicePath
	Month string `path:"month" pattern:"^20[0-9]{2}-(0[1-9]|1[0-2])$" example:"2026-03"`
}

type statementInput struct {
	StatementPath
	Format string `query:"format" enum:"json,csv,html" doc:"default: what the Accept header prefers"`
	Events bool   `query:"events" doc:"true: each line names the events behind it (JSON)"`

	accept string
}

// Resolve keeps the Accept header.
func (in *statementInput) Resolve(ctx huma.Context) []error {
	in.accept = ctx.Header("Accept")
	return nil
}

func (in *statementInput) form() string {
	if in.Format != "" {
		return in.Format
	}
	switch negotiation.SelectQValue(in.accept, []string{"application/json", "text/csv", "text/html"}) {
	case "text/csv":
		return "csv"
	case "text/html":
		return "html"
	}
	return "json"
}

type statementOutput struct {
	ContentType string `header:"Content-Type" hidden:"true"`
	Disposition string `header:"Content-Disposition" doc:"of CSV: the name of the file"`
	Policy      string `header:"Content-Security-Policy" doc:"of HTML"`
	Body        []byte
}

type statementEventsInput struct {
	Query
	StatementPath
}

// StatementEventRow is an event behind a line of a statement.
type StatementEventRow struct {
	Event     string `json:"event"`
	At        Time   `json:"at"`
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Asset     string `json:"asset,omitempty"`
	Contract  string `json:"contract,omitempty"`
	Agreement string `json:"agreement,omitempty"`
	Party     string `json:"party,omitempty"`
	MoneyAmount
}

type ownerPath struct{ DevicePath }

func (a *API) routeStatements() {
	const path = "/owners/{id}/statements"
	missing := []int{http.StatusNotFound}
	add(a, operation{
		id: "list-statements", method: http.MethodGet, path: path, tag: moneyTag, summary: "The months of an owner, the newest first", right: access.Read, errors: missing,
	}, a.listStatements)
	text := &huma.MediaType{Schema: &huma.Schema{Type: huma.TypeString}}
	view := a.huma.OpenAPI().Components.Schemas.Schema(reflect.TypeFor[MonthStatement](), true, "")
	add(a, operation{
		id: "get-statement", method: http.MethodGet, path: path + "/{month}", tag: moneyTag, summary: "What an owner is told of a month", right: access.Read,
		notes: "It adds up to its events to the last minor unit, or is not told. It is what the statements job last made of the month (built_at), " +
			"or is made of the events when it is asked for, where anything is known since that changes it. " +
			"CSV has the lines; HTML is a page to print.",
		errors:  append(missing, http.StatusConflict),
		content: map[string]*huma.MediaType{"application/json": {Schema: view}, "text/csv": text, "text/html": text},
	}, a.getStatement)
	addTable(a, operation{
		id: "list-statement-events", path: path + "/{month}/events", tag: moneyTag, summary: "Every event behind the lines of a statement", right: access.Read,
		errors: append(missing, http.StatusConflict),
	}, tableSpec{name: "statement-events", filters: []string{"group", "kind", "asset", "party", "currency"}}, a.statementEvents)
	add(a, operation{
		id: "close-statement", method: http.MethodPost, path: path + "/{month}/close", tag: moneyTag, summary: "Close a month", right: access.Operate,
		notes: "It stays as it is told now. What comes late, or is entered with a date in it, appears as a correction of the first open month. " +
			"Months are closed in order, and not before they are over.",
		errors: append(missing, http.StatusConflict),
	}, a.closeStatement)
}

func (a *API) listStatements(ctx context.Context, in *ownerPath) (*itemOutput[items[StatementMonth]], error) {
	if err := a.ownerExists(ctx, in.ID); err != nil {
		return nil, err
	}
	months, err := a.opts.Money.Months(ctx, in.ID)
	if err != nil {
		return nil, err
	}
	out := &itemOutput[items[StatementMonth]]{}
	out.Body.Items = make([]StatementMonth, len(months))
	for i, m := range months {
		out.Body.Items[i] = StatementMonth{
			Month: m.Month.String(), Provisional: m.Provisional, ClosedAt: since1970(m.ClosedAt),
			URL: prefix + "/owners/" + in.ID + "/statements/" + m.Month.String(),
		}
	}
	return out, nil
}

func (a *API) month(ctx context.Context, in *StatementPath, entries bool) (accounts.Statement, error) {
	if err := a.ownerExists(ctx, in.ID); err != nil {
		return accounts.Statement{}, err
	}
	m, err := statement.ParseMonth(in.Month)
	if err != nil {
		return accounts.Statement{}, badParameter("path.month", err.Error(), in.Month)
	}
	s, err := a.opts.Money.Statement(ctx, in.ID, m, entries)
	return s, moneyProblem(err)
}

func (a *API) getStatement(ctx context.Context, in *statementInput) (*statementOutput, error) {
	s, err := a.month(ctx, &in.StatementPath, in.Events)
	if err != nil {
		return nil, err
	}
	v := viewStatement(&s, in.Events)
	out := &statementOutput{ContentType: "application/json"}
	switch in.form() {
	case "csv":
		out.ContentType = mimeCSV
		out.Disposition = "attachment; filename=" + strconv.Quote("statement-"+in.Month+".csv")
		out.Body, err = statementCSV(&v)
	case "html":
		out.ContentType, out.Policy = mimeHTML, reportPolicy
		var page bytes.Buffer
		err = writeStatement(&page, &v, a.ownerName(ctx, in.ID))
		out.Body = page.Bytes()
	default:
		out.Body, err = encode(&v)
	}
	return out, err
}

func (a *API) ownerName(ctx context.Context, id string) string {
	if o, err := a.opts.Registry.GetOwner(ctx, id); err == nil && o.Name != "" {
		return o.Name
	}
	return id
}

func (a *API) statementEvents(ctx context.Context, in *statementEventsInput) ([]StatementEventRow, error) {
	s, err := a.month(ctx, &in.StatementPath, true)
	if err != nil {
		return nil, err
	}
	var out []StatementEventRow
	for _, section := range s.Sections {
		for _, l := range section.Lines {
			for _, e := range l.Entries {
				out = append(out, StatementEventRow{
					e.Event, Time(e.At), string(l.Group), string(l.Kind), l.Asset, l.Contract, l.Agreement, l.Party, moneyOf(e.Amount),
				})
			}
		}
	}
	return out, nil
}

func (a *API) closeStatement(ctx context.Context, in *StatementPath) (*itemOutput[MonthStatement], error) {
	if err := a.ownerExists(ctx, in.ID); err != nil {
		return nil, err
	}
	m, err := statement.ParseMonth(in.Month)
	if err != nil {
		return nil, badParameter("path.month", err.Error(), in.Month)
	}
	s, err := a.opts.Money.CloseStatement(ctx, in.ID, m, access.From(ctx).Name)
	if err != nil {
		return nil, moneyProblem(err)
	}
	return &itemOutput[MonthStatement]{Body: viewStatement(&s, false)}, nil
}
