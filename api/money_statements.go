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
	"github.com/fleetwatt/fleetwatt/fleet/money"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// StatementMonth is a month that has a statement.
type StatementMonth struct {
	Month       string `json:"month" example:"2026-03"`
	Provisional bool   `json:"provisional" doc:"the month is not over"`
	ClosedAt    *Time  `json:"closed_at,omitempty" doc:"absent: what comes late still changes it"`
	URL         string `json:"url"`
}

// MonthStatement is what an owner is told of a month. What the owner gets is
// positive.
type MonthStatement struct {
	OwnerID     string             `json:"owner_id"`
	Month       string             `json:"month"`
	TimeZone    string             `json:"time_zone" doc:"whose midnights are the month's"`
	From        Time               `json:"from"`
	To          Time               `json:"to"`
	BuiltAt     Time               `json:"built_at" doc:"as of when it is"`
	Provisional bool               `json:"provisional" doc:"the month is not over"`
	ClosedAt    *Time              `json:"closed_at,omitempty" doc:"absent: what comes late still changes it; else it appears as a correction of the first open month"`
	ClosedBy    string             `json:"closed_by,omitempty"`
	Version     string             `json:"version" doc:"of the rules"`
	Sections    []StatementSection `json:"sections" nullable:"false" doc:"by currency: they are never added up"`
	Gaps        []StatementGap     `json:"gaps" nullable:"false" doc:"what should be in the statement and is not"`
}

// StatementSection is the part of a statement in one currency.
type StatementSection struct {
	Currency    string                `json:"currency"`
	Totals      StatementTotals       `json:"totals"`
	Corrections MoneyAmount           `json:"corrections_total"`
	Payable     MoneyAmount           `json:"payable" doc:"net and corrections"`
	Assets      []StatementAsset      `json:"assets" nullable:"false"`
	Lines       []StatementLine       `json:"lines" nullable:"false"`
	Corrected   []StatementCorrection `json:"corrections" nullable:"false" doc:"what closed months would have said otherwise"`
	Shares      []StatementShare      `json:"settlements" nullable:"false" doc:"how the contracts shared the revenue"`
}

// StatementTotals are sums of lines.
type StatementTotals struct {
	Revenue   MoneyAmount `json:"revenue"`
	Shares    MoneyAmount `json:"revenue_shares"`
	Costs     MoneyAmount `json:"operating_costs"`
	Operating MoneyAmount `json:"operating"`
	Capital   MoneyAmount `json:"capital"`
	Net       MoneyAmount `json:"net"`
}

// StatementAsset are the totals of an asset.
type StatementAsset struct {
	Asset string `json:"asset" doc:"kind/id; empty: of the owner and no asset"`
	StatementTotals
}

// StatementLine is one kind of money of one asset.
type StatementLine struct {
	Group     string           `json:"group"`
	Kind      string           `json:"kind"`
	Asset     string           `json:"asset,omitempty"`
	Contract  string           `json:"contract,omitempty"`
	Agreement string           `json:"agreement,omitempty"`
	Party     string           `json:"party,omitempty"`
	Amount    MoneyAmount      `json:"amount"`
	Count     int              `json:"events" doc:"how many are behind it"`
	First     Time             `json:"first_event"`
	Last      Time             `json:"last_event"`
	Events    []StatementEvent `json:"behind,omitempty" doc:"with events=true: each of them"`
}

// StatementEvent is what an event adds to a line.
type StatementEvent struct {
	Event  string      `json:"event" doc:"station/ID/EVENT, entry/ID, station/ID/energy/DATE, or swap/DIGEST at the station of another owner"`
	At     Time        `json:"at"`
	Amount MoneyAmount `json:"amount"`
}

// StatementCorrection is a difference of a closed month.
type StatementCorrection struct {
	Month     string      `json:"month"`
	Kind      string      `json:"kind"`
	Asset     string      `json:"asset,omitempty"`
	Contract  string      `json:"contract,omitempty"`
	Agreement string      `json:"agreement,omitempty"`
	Party     string      `json:"party,omitempty"`
	Amount    MoneyAmount `json:"amount"`
}

// StatementShare is what a party got by an agreement.
type StatementShare struct {
	Contract  string      `json:"contract"`
	Agreement string      `json:"agreement"`
	Party     string      `json:"party"`
	Revenue   MoneyAmount `json:"revenue" doc:"of the contract's assets"`
	Swaps     int64       `json:"swaps"`
	Days      int64       `json:"days" doc:"in force this month"`
	Fee       MoneyAmount `json:"fee"`
	Share     MoneyAmount `json:"share"`
	TopUp     MoneyAmount `json:"top_up" doc:"what the share lacks of the minimum"`
	Carried   MoneyAmount `json:"carried" doc:"owed from the months before"`
	Due       MoneyAmount `json:"due"`
	Paid      MoneyAmount `json:"paid"`
	Owed      MoneyAmount `json:"owed" doc:"due the next month"`
}

// StatementGap is something that is missing.
type StatementGap struct {
	Code  string `json:"code" enum:"no_price,no_energy,no_meter"`
	Asset string `json:"asset"`
	Count int64  `json:"count"`
	Text  string `json:"text"`
}

func viewStatement(s *accounts.Statement, events bool) MonthStatement {
	v := MonthStatement{
		OwnerID: s.Owner, Month: s.Month.String(), TimeZone: s.Zone, From: Time(s.From), To: Time(s.To), BuiltAt: Time(s.BuiltAt),
		Provisional: s.Provisional, ClosedAt: timeUnless0(s.ClosedAt), ClosedBy: s.ClosedBy, Version: accounts.Version,
		Sections: []StatementSection{}, Gaps: make([]StatementGap, len(s.Gaps)),
	}
	for i, g := range s.Gaps {
		v.Gaps[i] = StatementGap(g)
	}
	corrected := map[money.Currency]bool{}
	for i := range s.Sections {
		corrected[s.Sections[i].Currency] = true
		v.Sections = append(v.Sections, viewSection(&s.Sections[i], s.Corrections, events))
	}
	for _, c := range s.Corrections { // of a currency in which nothing else happened
		if !corrected[c.Currency] {
			corrected[c.Currency] = true
			zero := money.Zero(c.Currency)
			none := statement.Totals{Revenue: zero, Shares: zero, Costs: zero, Operating: zero, Capital: zero, Net: zero}
			v.Sections = append(v.Sections, viewSection(&statement.Section{Currency: c.Currency, Totals: none}, s.Corrections, events))
		}
	}
	return v
}

func timeUnless0(ms int64) *Time {
	if ms == 0 {
		return nil
	}
	t := Time(ms)
	return &t
}

func viewTotals(t *statement.Totals) StatementTotals {
	return StatementTotals{moneyOf(t.Revenue), moneyOf(t.Shares), moneyOf(t.Costs), moneyOf(t.Operating), moneyOf(t.Capital), moneyOf(t.Net)}
}

func viewSection(s *statement.Section, corrections []accounts.Correction, events bool) StatementSection {
	v := StatementSection{
		Currency: string(s.Currency), Totals: viewTotals(&s.Totals), Assets: make([]StatementAsset, len(s.Assets)),
		Lines: make([]StatementLine, len(s.Lines)), Corrected: []StatementCorrection{}, Shares: []StatementShare{},
	}
	for i := range s.Assets {
		v.Assets[i] = StatementAsset{s.Assets[i].Asset, viewTotals(&s.Assets[i].Totals)}
	}
	for i := range s.Lines {
		v.Lines[i] = viewLine(&s.Lines[i], events)
	}
	var sum int64
	for _, c := range corrections {
		if c.Currency != s.Currency {
			continue
		}
		sum += c.Minor
		v.Corrected = append(v.Corrected, StatementCorrection{
			c.Month.String(), string(c.Kind), c.Asset, c.Contract, c.Agreement, c.Party, minorOf(c.Minor, c.Currency),
		})
	}
	v.Corrections, v.Payable = minorOf(sum, s.Currency), minorOf(s.Totals.Net.Minor+sum, s.Currency)
	for _, x := range s.Settlements {
		of := func(minor int64) MoneyAmount { return minorOf(minor, x.Currency) }
		for _, r := range x.Rows {
			v.Shares = append(v.Shares, StatementShare{
				Contract: x.Contract, Agreement: r.Agreement, Party: r.Party, Revenue: of(x.Revenue), Swaps: x.Swaps, Days: r.Days,
				Fee: of(r.Fee), Share: of(r.Share), TopUp: of(r.TopUp), Carried: of(r.Carried), Due: of(r.Due), Paid: of(r.Paid), Owed: of(r.Owed),
			})
		}
	}
	return v
}

func viewLine(l *statement.Line, events bool) StatementLine {
	v := StatementLine{
		Group: string(l.Group), Kind: string(l.Kind), Asset: l.Asset, Contract: l.Contract, Agreement: l.Agreement, Party: l.Party,
		Amount: moneyOf(l.Amount), Count: len(l.Entries),
	}
	if n := len(l.Entries); n > 0 {
		v.First, v.Last = Time(l.Entries[0].At), Time(l.Entries[n-1].At)
	}
	if events {
		for _, e := range l.Entries {
			v.Events = append(v.Events, StatementEvent{e.Event, Time(e.At), moneyOf(e.Amount)})
		}
	}
	return v
}

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
		notes: "It is made of the events when it is asked for, and adds up to them to the last minor unit, or is not told. " +
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
			Month: m.Month.String(), Provisional: m.Provisional, ClosedAt: timeUnless0(m.ClosedAt),
			URL: prefix + "/owners/" + in.ID + "/statements/" + m.Month.String(),
		}
	}
	return out, nil
}

func (a *API) month(ctx context.Context, in *StatementPath) (accounts.Statement, error) {
	if err := a.ownerExists(ctx, in.ID); err != nil {
		return accounts.Statement{}, err
	}
	m, err := statement.ParseMonth(in.Month)
	if err != nil {
		return accounts.Statement{}, badParameter("path.month", err.Error(), in.Month)
	}
	s, err := a.opts.Money.Statement(ctx, in.ID, m)
	return s, moneyProblem(err)
}

func (a *API) getStatement(ctx context.Context, in *statementInput) (*statementOutput, error) {
	s, err := a.month(ctx, &in.StatementPath)
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
	s, err := a.month(ctx, &in.StatementPath)
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
