package api

import (
	"encoding/json"
	"html/template"
	"io"
	"strconv"
	"strings"
)

func encode(v any) ([]byte, error) {
	b, err := json.Marshal(v)
	return append(b, '\n'), err
}

// statementRow is a line of a statement in CSV.
type statementRow struct {
	Currency  string `json:"currency"`
	Month     string `json:"month"`
	Group     string `json:"group"`
	Kind      string `json:"kind"`
	Asset     string `json:"asset,omitempty"`
	Contract  string `json:"contract,omitempty"`
	Agreement string `json:"agreement,omitempty"`
	Party     string `json:"party,omitempty"`
	Amount    string `json:"amount"`
	Events    *int   `json:"events"`
	First     *Time  `json:"first_event"`
	Last      *Time  `json:"last_event"`
}

// statementCSV has the lines and the corrections: the amounts of a currency add up
// to what is payable.
func statementCSV(v *MonthStatement) ([]byte, error) {
	var rows []statementRow
	for _, s := range v.Sections {
		for i := range s.Lines {
			l := &s.Lines[i]
			rows = append(rows, statementRow{
				s.Currency, v.Month, l.Group, l.Kind, l.Asset, l.Contract, l.Agreement, l.Party, l.Amount.Amount, &l.Count, &l.First, &l.Last,
			})
		}
		for _, c := range s.Corrected {
			rows = append(rows, statementRow{
				Currency: s.Currency, Month: c.Month, Group: "correction", Kind: c.Kind, Asset: c.Asset, Contract: c.Contract, Agreement: c.Agreement,
				Party: c.Party, Amount: c.Amount.Amount,
			})
		}
	}
	s := selection[statementRow]{table: newTable[statementRow](tableSpec{name: "statement"})}
	return s.writeCSV(each(rows))
}

// writeStatement writes a statement as a page to print: no script, nothing from
// elsewhere.
func writeStatement(w io.Writer, v *MonthStatement, owner string) error {
	page, err := template.New("statement").Funcs(template.FuncMap{
		"words":   func(s string) string { return strings.ReplaceAll(s, "_", " ") },
		"day":     func(t Time) string { return t.String()[:10] },
		"percent": func(share float64) string { return strconv.FormatFloat(100*share, 'f', 0, 64) + " %" },
	}).Parse(statementPage)
	if err != nil {
		return err
	}
	return page.Execute(w, struct {
		*MonthStatement
		Owner string
	}{v, owner})
}

const statementPage = `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Statement {{.Month}} – {{.Owner}}</title>
<style>
body { font: 11pt/1.4 system-ui, sans-serif; color: #111; background: #fff; max-width: 60em; margin: 2em auto; padding: 0 1em }
h1 { font-size: 1.5em; margin: 0 } h2 { font-size: 1.15em; margin: 2em 0 .4em }
table { border-collapse: collapse; width: 100%; margin: .5em 0 1em } caption { text-align: left; font-weight: 600; padding: .3em 0 }
th, td { text-align: left; padding: .2em .6em .2em 0; border-bottom: 1px solid #ddd; vertical-align: top; overflow-wrap: anywhere }
.n { text-align: right; font-variant-numeric: tabular-nums; white-space: nowrap }
tfoot th, tfoot td, .sum { font-weight: 600; border-top: 2px solid #333 }
.note { color: #555 } .open { border: 1px solid #b58900; background: #fdf6e3; padding: .4em .8em }
@media print { body { margin: 0; max-width: none } tr { break-inside: avoid } }
</style>
</head>
<body>
<h1>Statement {{.Month}}</h1>
<p>{{.Owner}} ({{.OwnerID}})<br><span class="note">{{.From}} to {{.To}}, a month of {{.TimeZone}}; as of {{.BuiltAt}}{{with .Version}}; rules {{.}}{{end}}</span></p>
{{if .Provisional}}<p class="open">Provisional: the month is not over.</p>{{else if .ClosedAt}}<p class="note">Closed on {{.ClosedAt}} by {{.ClosedBy}}.</p>{{else}}<p class="note">Not closed: what comes late still changes it.</p>{{end}}
{{range .Sections}}
<h2>{{.Currency}}</h2>
<table>
<caption>Summary</caption>
<tbody>
<tr><td>Revenue</td><td class="n">{{.Totals.Revenue.Amount}}</td></tr>
<tr><td>Revenue shares</td><td class="n">{{.Totals.Shares.Amount}}</td></tr>
<tr><td>Operating costs</td><td class="n">{{.Totals.Costs.Amount}}</td></tr>
<tr><td>Operating result</td><td class="n">{{.Totals.Operating.Amount}}</td></tr>
<tr><td>Capital</td><td class="n">{{.Totals.Capital.Amount}}</td></tr>
<tr><td>Net</td><td class="n">{{.Totals.Net.Amount}}</td></tr>
<tr><td>Corrections of closed months</td><td class="n">{{.Corrections.Amount}}</td></tr>
</tbody>
<tfoot><tr><th>Payable</th><td class="n">{{.Payable.Amount}}</td></tr></tfoot>
</table>
{{if .Lines}}<table>
<caption>Lines</caption>
<thead><tr><th>Kind</th><th>Asset</th><th>Agreement</th><th class="n">Events</th><th>From</th><th>To</th><th class="n">Amount</th></tr></thead>
<tbody>{{range .Lines}}
<tr><td>{{words .Kind}}</td><td>{{.Asset}}</td><td>{{if .Party}}{{.Party}} ({{.Contract}}/{{.Agreement}}){{end}}</td><td class="n">{{.Count}}</td><td>{{day .First}}</td><td>{{day .Last}}</td><td class="n">{{.Amount.Amount}}</td></tr>{{end}}
</tbody>
<tfoot><tr><th colspan="6">Net</th><td class="n">{{.Totals.Net.Amount}}</td></tr></tfoot>
</table>{{end}}
{{if .Corrected}}<table>
<caption>Corrections of closed months</caption>
<thead><tr><th>Month</th><th>Kind</th><th>Asset</th><th>Agreement</th><th class="n">Amount</th></tr></thead>
<tbody>{{range .Corrected}}
<tr><td>{{.Month}}</td><td>{{words .Kind}}</td><td>{{.Asset}}</td><td>{{if .Party}}{{.Party}} ({{.Contract}}/{{.Agreement}}){{end}}</td><td class="n">{{.Amount.Amount}}</td></tr>{{end}}
</tbody>
</table>{{end}}
{{if .Shares}}<table>
<caption>How the revenue was shared</caption>
<thead><tr><th>Agreement</th><th>Party</th><th class="n">Revenue</th><th class="n">Swaps</th><th class="n">Fee</th><th class="n">Share</th><th class="n">Top-up</th><th class="n">Carried</th><th class="n">Due</th><th class="n">Paid</th><th class="n">Owed</th></tr></thead>
<tbody>{{range .Shares}}
<tr><td>{{.Contract}}/{{.Agreement}}</td><td>{{.Party}}</td><td class="n">{{.Revenue.Amount}}</td><td class="n">{{.Swaps}}</td><td class="n">{{.Fee.Amount}}</td><td class="n">{{.Share.Amount}}</td><td class="n">{{.TopUp.Amount}}</td><td class="n">{{.Carried.Amount}}</td><td class="n">{{.Due.Amount}}</td><td class="n">{{.Paid.Amount}}</td><td class="n">{{.Owed.Amount}}</td></tr>{{end}}
</tbody>
</table>{{end}}
{{if .Savings}}<table>
<caption>What buildings saved, as it was measured</caption>
<thead><tr><th>Building</th><th>Meter</th><th>Days</th><th>Method</th><th class="n">Coverage</th><th class="n">Saved</th><th class="n">Amount</th><th class="n">±</th><th class="n">Booked</th></tr></thead>
<tbody>{{range .Savings}}
<tr><td>{{.Asset}}{{if .Provisional}} (provisional){{end}}</td><td>{{.Meter}}</td><td>{{.From}} to {{.To}}</td><td>{{.Method}}</td><td class="n">{{percent .Coverage}}</td><td class="n">{{printf "%.1f" .Quantity}} {{.Unit}}</td><td class="n">{{.Measured.Amount}}</td><td class="n">{{if .Plus}}{{.Plus.Amount}}{{else}}not known{{end}}</td><td class="n">{{.Booked.Amount}}</td></tr>{{end}}
</tbody>
</table>{{end}}
{{else}}<p>Nothing happened in this month.</p>
{{end}}
{{if .Gaps}}<h2>Not in this statement</h2>
<ul>{{range .Gaps}}<li>{{.Asset}}: {{.Text}} ({{.Count}})</li>{{end}}</ul>{{end}}
</body>
</html>
`
