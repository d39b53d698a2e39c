package api

import (
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
	Version     string             `json:"version,omitempty" doc:"of the rules it was built by; absent: it was closed before that was kept"`
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
	Savings     []StatementSaving     `json:"savings" nullable:"false" doc:"what was measured at buildings whose contract shares energy savings"`
}

// StatementSaving is what a building saved, as it was measured and verified.
type StatementSaving struct {
	Asset       string       `json:"asset"`
	Meter       string       `json:"meter"`
	Measure     string       `json:"intervention" doc:"id of the measure"`
	From        string       `json:"from" format:"date"`
	To          string       `json:"to" format:"date" doc:"exclusive"`
	Method      string       `json:"method" doc:"the model of the baseline and that of the saving, each with its version"`
	Coverage    float64      `json:"coverage" doc:"of the days, 0 to 1"`
	Quantity    float64      `json:"quantity"`
	Unit        string       `json:"unit"`
	Measured    MoneyAmount  `json:"measured"`
	Plus        *MoneyAmount `json:"plus_minus,omitempty" doc:"half width of the interval around measured; absent where it is not known"`
	Booked      MoneyAmount  `json:"booked" doc:"of measured, what fell on days when the building was the owner's and an agreement was in force"`
	Provisional bool         `json:"provisional" doc:"further days of the month are to come"`
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
	Event  string      `json:"event" doc:"station/ID/EVENT, entry/ID, station/ID/energy/DATE, building/ID/savings/METER/INTERVENTION/DATE, or swap/DIGEST at the station of another owner"`
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
	Code  string `json:"code" enum:"no_price,no_energy,no_meter,no_saving"`
	Asset string `json:"asset"`
	Count int64  `json:"count"`
	Text  string `json:"text"`
}

func viewStatement(s *accounts.Statement, events bool) MonthStatement {
	v := MonthStatement{
		OwnerID: s.Owner, Month: s.Month.String(), TimeZone: s.Zone, From: Time(s.From), To: Time(s.To), BuiltAt: Time(s.BuiltAt),
		Provisional: s.Provisional, ClosedAt: since1970(s.ClosedAt), ClosedBy: s.ClosedBy, Version: s.Version,
		Sections: []StatementSection{}, Gaps: make([]StatementGap, len(s.Gaps)),
	}
	for i, g := range s.Gaps {
		v.Gaps[i] = StatementGap(g)
	}
	corrected := map[money.Currency]bool{}
	for i := range s.Sections {
		corrected[s.Sections[i].Currency] = true
		v.Sections = append(v.Sections, viewSection(s, &s.Sections[i], events))
	}
	for _, c := range s.Corrections { // of a currency in which nothing else happened
		if !corrected[c.Currency] {
			corrected[c.Currency] = true
			zero := money.Zero(c.Currency)
			none := statement.Totals{Revenue: zero, Shares: zero, Costs: zero, Operating: zero, Capital: zero, Net: zero}
			v.Sections = append(v.Sections, viewSection(s, &statement.Section{Currency: c.Currency, Totals: none}, events))
		}
	}
	return v
}

func viewTotals(t *statement.Totals) StatementTotals {
	return StatementTotals{moneyOf(t.Revenue), moneyOf(t.Shares), moneyOf(t.Costs), moneyOf(t.Operating), moneyOf(t.Capital), moneyOf(t.Net)}
}

func viewSection(of *accounts.Statement, s *statement.Section, events bool) StatementSection {
	v := StatementSection{
		Currency: string(s.Currency), Totals: viewTotals(&s.Totals), Assets: make([]StatementAsset, len(s.Assets)),
		Lines: make([]StatementLine, len(s.Lines)), Corrected: []StatementCorrection{}, Shares: []StatementShare{},
		Savings: []StatementSaving{},
	}
	for i := range s.Assets {
		v.Assets[i] = StatementAsset{s.Assets[i].Asset, viewTotals(&s.Assets[i].Totals)}
	}
	for i := range s.Lines {
		v.Lines[i] = viewLine(&s.Lines[i], events)
	}
	var sum int64
	for _, c := range of.Corrections {
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
	for i := range of.Savings {
		if of.Savings[i].Measured.Currency == s.Currency {
			v.Savings = append(v.Savings, viewMeasured(&of.Savings[i]))
		}
	}
	return v
}

func viewMeasured(s *accounts.Saving) StatementSaving {
	v := StatementSaving{
		Asset: s.Asset, Meter: s.Meter, Measure: s.Measure, From: s.From.String(), To: s.To.String(), Method: s.Method, Coverage: s.Coverage,
		Quantity: s.Quantity, Unit: s.Unit, Measured: moneyOf(s.Measured), Booked: moneyOf(s.Booked), Provisional: s.Provisional,
	}
	if s.Plus != nil {
		plus := minorOf(*s.Plus, s.Measured.Currency)
		v.Plus = &plus
	}
	return v
}

func viewLine(l *statement.Line, events bool) StatementLine {
	count, first, last := l.Span()
	v := StatementLine{
		Group: string(l.Group), Kind: string(l.Kind), Asset: l.Asset, Contract: l.Contract, Agreement: l.Agreement, Party: l.Party,
		Amount: moneyOf(l.Amount), Count: count, First: Time(first), Last: Time(last),
	}
	if events {
		for _, e := range l.Entries {
			v.Events = append(v.Events, StatementEvent{e.Event, Time(e.At), moneyOf(e.Amount)})
		}
	}
	return v
}
