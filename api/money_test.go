package api

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet"
	"github.com/fleetwatt/fleetwatt/fleet/accounts"
	"github.com/fleetwatt/fleetwatt/fleet/statement"
)

// fakeEstate is the registry in the words of accounts, with stations in UTC.
type fakeEstate struct{ *registry.Registry }

func (e fakeEstate) Ownerships(ctx context.Context, owner, kind string) ([]statement.Ownership, error) {
	found, err := e.Registry.Ownerships(ctx, registry.OwnershipFilter{OwnerID: owner, Kind: kind})
	var out []statement.Ownership
	for _, o := range found {
		if o.To == 0 {
			o.To = statement.Forever
		}
		out = append(out, statement.Ownership{Asset: o.Kind + "/" + o.ID, Owner: o.OwnerID, From: o.From, To: o.To})
	}
	return out, err
}

func (e fakeEstate) Place(ctx context.Context, id string) (accounts.Station, error) {
	s, err := e.GetStation(ctx, id)
	return accounts.Station{ID: id, Site: s.SiteID, Zone: time.UTC}, err
}

func (e fakeEstate) SiteOf(ctx context.Context, buildingID string) (string, error) {
	b, err := e.GetBuilding(ctx, buildingID)
	return b.SiteID, err
}

func (e fakeEstate) Zone(context.Context, string) (*time.Location, error) { return time.UTC, nil }

func (e fakeEstate) Owners(ctx context.Context) ([]string, error) {
	found, _, err := e.ListOwners(ctx, registry.Filter{})
	var out []string
	for _, o := range found {
		out = append(out, o.ID)
	}
	return out, err
}

type moneyOfTest struct {
	MoneyBooks
	*fleet.Accounts
}

// money is what was entered in a test, and what follows from it.
func (s *server) money() MoneyResults {
	return moneyOfTest{s.ledger, &fleet.Accounts{Estate: fakeEstate{s.registry}, Books: s.ledger, Now: func() time.Time { return clock }}}
}

func startWithMoney(t *testing.T) *server {
	t.Helper()
	s := start(t)
	ctx := t.Context()
	for _, id := range []string{"acme", "bolt"} {
		if _, err := s.registry.CreateOwner(ctx, devices.Owner{ID: id, Name: id + " & Co <b>"}); err != nil {
			t.Fatal(err)
		}
	}
	lat, lon := 51.5, -0.1
	if _, err := s.registry.CreateSite(ctx, devices.Site{ID: "yard", OwnerID: "acme", Name: "Yard", TimeZone: "UTC", Latitude: &lat, Longitude: &lon}); err != nil {
		t.Fatal(err)
	}
	for i := range 6 {
		id := fmt.Sprintf("s%d", i+1)
		if _, err := s.registry.CreateStation(ctx, devices.Station{Asset: devices.Asset{ID: id, OwnerID: "acme", SiteID: "yard"}}); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := s.registry.CreateBattery(ctx, devices.Battery{Asset: devices.Asset{ID: "b1", OwnerID: "bolt"}}); err != nil {
		t.Fatal(err)
	}
	return s
}

// swapped stores completed swaps at a station, one each day from a date.
func (s *server) swapped(station string, from time.Time, n int, wh float64) {
	s.t.Helper()
	events := make([]telemetry.Event, n)
	for i := range events {
		at := from.AddDate(0, 0, i).UnixMilli()
		id := fmt.Sprintf("%s-%d", station, at)
		events[i] = telemetry.Event{
			Kind: devices.KindStation, Device: station, ID: id, TS: at, Type: "swap.completed",
			Data: []byte(fmt.Sprintf(`{"id":%q,"ts":%d,"type":"swap.completed","battery_in":"b9","battery_out":"b1","energy_wh":%v}`, id, at, wh)),
		}
	}
	if _, err := s.ledger.AppendEvents(s.t.Context(), events); err != nil {
		s.t.Fatal(err)
	}
}

const eur = `"currency":"EUR"`

func (s *server) put(path, body string) answer {
	s.t.Helper()
	return s.do(http.MethodPut, prefix+path, body)
}

func TestMoneyEntries(t *testing.T) {
	s := startWithMoney(t)
	body := `{"at":"2026-01-10T00:00:00Z","kind":"maintenance","amount":{"amount":"12.30",` + eur + `},"asset":"station/s1","partner":"Fixers"}`
	first := must[MoneyEntry](s, http.StatusOK, http.MethodPut, prefix+"/money/entries/e1", body)
	again := must[MoneyEntry](s, http.StatusOK, http.MethodPut, prefix+"/money/entries/e1", body)
	if diff := cmp.Diff(first, again); diff != "" || first.EnteredBy == "" || first.Amount.Amount != "12.30" {
		t.Errorf("entered twice: %+v, diff %s", first, diff)
	}
	refused(t, s.put("/money/entries/e1", strings.Replace(body, "12.30", "12.31", 1)), http.StatusConflict)
	for name, tt := range map[string]struct {
		old, new string
		at       []string
	}{
		"too precise":     {"12.30", "12.301", []string{"body.amount"}},
		"unknown money":   {"EUR", "EUX", []string{"body.amount"}},
		"no such station": {"station/s1", "station/s9", []string{"body.asset"}},
		"no asset":        {`"asset":"station/s1",`, ``, []string{"body.asset"}},
		"two owners":      {`"asset":"station/s1"`, `"asset":"station/s1","owner_id":"acme"`, []string{"body.asset"}},
		"before money":    {"2026-01-10", "1969-01-10", []string{"body.at"}},
	} {
		t.Run(name, func(t *testing.T) {
			p := refused(t, s.put("/money/entries/bad", strings.Replace(body, tt.old, tt.new, 1)), http.StatusUnprocessableEntity)
			if diff := cmp.Diff(tt.at, p.locations()); diff != "" {
				t.Error(diff)
			}
		})
	}
	reversal := must[MoneyEntry](s, http.StatusOK, http.MethodPost, prefix+"/money/entries/e1/reversal", `{"note":"twice"}`)
	if reversal.Amount.Amount != "-12.30" || reversal.Reverses != "e1" || reversal.At != first.At {
		t.Errorf("reversal: got %+v", reversal)
	}
	must[MoneyEntry](s, http.StatusOK, http.MethodPost, prefix+"/money/entries/e1/reversal", `{"note":"twice"}`)
	refused(t, s.do(http.MethodPost, prefix+"/money/entries/e1/reversal", `{"note":"another"}`), http.StatusConflict)
	refused(t, s.do(http.MethodPost, prefix+"/money/entries/e1:reversal/reversal", `{"note":"back"}`), http.StatusConflict)
	refused(t, s.do(http.MethodPost, prefix+"/money/entries/none/reversal", `{"note":"back"}`), http.StatusNotFound)
	if got := must[items[MoneyEntry]](s, http.StatusOK, http.MethodGet, prefix+"/money/entries?asset=station/s1", "").Items; len(got) != 2 {
		t.Errorf("got %d entries, want 2", len(got))
	}
	refused(t, s.get(prefix+"/money/entries/none"), http.StatusNotFound)
}

func TestMoneyImport(t *testing.T) {
	s := startWithMoney(t)
	csvHeader := map[string]string{"Authorization": "Bearer " + testKey, "Content-Type": "text/csv"}
	send := func(query, body string) answer {
		return s.send(http.MethodPost, prefix+"/money/import"+query, body, csvHeader)
	}
	bad := "id,at,kind,amount,currency,asset\n" +
		"a,2026-01-02,rent,10.00,EUR,site/yard\n" +
		"b,yesterday,rent,10.001,EUR,site/yard\n" +
		"a,2026-01-02,rent,10.00,EUR,site/yard\n" +
		"c,2026-01-02,bribe,10.00,EUR,site/moon\n" +
		"d,2026-01-02\n"
	dry := send("?dry_run=true", bad)
	var report MoneyImport
	dry.into(t, &report)
	var at []string
	for _, p := range report.Problems {
		at = append(at, fmt.Sprintf("%d %s", p.Line, p.Column))
	}
	want := []string{"3 at", "3 amount", "4 id", "5 kind", "5 asset", "6 "}
	if diff := cmp.Diff(want, at); diff != "" || report.Created != 1 {
		t.Errorf("dry run: created %d, %s\n%s", report.Created, diff, dry.body)
	}
	if got := refused(t, send("", bad), http.StatusUnprocessableEntity).locations(); len(got) != len(want) {
		t.Errorf("got %v refused", got)
	}
	good := "id,at,kind,amount,currency,asset,owner_id,note\n" +
		"a,2026-01-02,rent,10.00,EUR,site/yard,,\"big, quoted\"\n" +
		"b,2026-01-02T12:00:00+02:00,other_cost,0.01,EUR,,acme,\n"
	for _, created := range []int{2, 0} {
		report = MoneyImport{}
		send("", good).into(t, &report)
		if report.Created != created || report.Created+report.Unchanged != 2 {
			t.Errorf("got %+v, want %d created", report, created)
		}
	}
	refused(t, send("", "id,colour\n"), http.StatusUnprocessableEntity)
	if got := must[items[MoneyEntry]](s, http.StatusOK, http.MethodGet, prefix+"/money/entries", "").Items; len(got) != 2 {
		t.Errorf("got %d entries, want 2", len(got))
	}
}

func TestPricesAndContracts(t *testing.T) {
	s := startWithMoney(t)
	price := `{"use":"swap","from":"2026-01-01","price":"2.50",` + eur + `,"battery_share":"0.25"}`
	v := must[SalePriceVersion](s, http.StatusOK, http.MethodPut, prefix+"/money/prices/p", price)
	if v.Version != 1 || v.Price == nil || v.Price.BatteryShare != "0.250000" {
		t.Errorf("got %+v", v)
	}
	if again := must[SalePriceVersion](s, http.StatusOK, http.MethodPut, prefix+"/money/prices/p", price); again.Version != 1 {
		t.Errorf("the same price made version %d", again.Version)
	}
	if next := must[SalePriceVersion](s, http.StatusOK, http.MethodPut, prefix+"/money/prices/p", strings.Replace(price, "2.50", "2.75", 1)); next.Version != 2 {
		t.Errorf("another price made version %d", next.Version)
	}
	if a := s.do(http.MethodDelete, prefix+"/money/prices/p", ""); a.status != http.StatusNoContent {
		t.Errorf("withdraw: got %d %s", a.status, a.body)
	}
	refused(t, s.do(http.MethodDelete, prefix+"/money/prices/p", ""), http.StatusNotFound)
	history := must[items[SalePriceVersion]](s, http.StatusOK, http.MethodGet, prefix+"/money/prices/p", "").Items
	if len(history) != 3 || history[0].Price != nil || history[1].Price.Price != "2.75" {
		t.Errorf("history: got %+v", history)
	}
	if got := must[items[SalePriceVersion]](s, http.StatusOK, http.MethodGet, prefix+"/money/prices", "").Items; len(got) != 0 {
		t.Errorf("in force: got %+v", got)
	}
	p := refused(t, s.put("/money/prices/q", `{"use":"energy","from":"2026-02-01","to":"2026-01-01","price":"0.2",`+eur+`,"battery_share":"0.5","hours":[{"from":5,"to":9,"price":"1"},{"from":8,"to":10,"price":"1"}]}`), http.StatusUnprocessableEntity)
	if diff := cmp.Diff([]string{"body.to", "body.battery_share", "body.hours[1]"}, p.locations()); diff != "" {
		t.Error(diff)
	}
	contract := `{"owner_id":"acme",` + eur + `,"assets":["station/s1"],"agreements":[{"id":"a","party":"P","from":"2026-01-01","basis":"swaps","tiers":[{"above":"0","share":"0.1","per_swap":"0.05"},{"above":"100","share":"0.2"}],"minimum":"10","carry":true}]}`
	c := must[ShareContractVersion](s, http.StatusOK, http.MethodPut, prefix+"/money/contracts/c", contract)
	if c.Contract == nil || c.Contract.Agreements[0].Tiers[1].Above != "100" || c.Contract.Agreements[0].Minimum != "10.00" {
		t.Errorf("got %+v", c)
	}
	refused(t, s.put("/money/contracts/d", strings.Replace(contract, `["station/s1"]`, `["station/s2","station/s1"]`, 1)), http.StatusConflict)
	refused(t, s.put("/money/contracts/d", strings.Replace(contract, `"basis":"swaps",`, ``, 1)), http.StatusUnprocessableEntity) // per_swap by revenue
	refused(t, s.put("/money/contracts/d", strings.Replace(contract, `"above":"100"`, `"above":"100.5"`, 1)), http.StatusUnprocessableEntity)
}

// A month whose every cent was worked out by hand.
func TestStatement(t *testing.T) {
	s := startWithMoney(t)
	s.swapped("s1", time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC), 31, 1000)
	for path, body := range map[string]string{
		"prices/swap":     `{"use":"swap","from":"2026-01-01","price":"2.50",` + eur + `,"battery_share":"0.1"}`,
		"prices/new":      `{"use":"swap","station_id":"s1","from":"2026-01-31","price":"3.00",` + eur + `}`,
		"contracts/share": `{"owner_id":"acme",` + eur + `,"agreements":[{"id":"op","party":"Operator","from":"2026-01-01","tiers":[{"above":"0","share":"0.5"}]}]}`,
		"entries/rent":    `{"at":"2026-01-05T00:00:00Z","kind":"rent","amount":{"amount":"20",` + eur + `},"asset":"site/yard"}`,
		"entries/dollars": `{"at":"2026-01-05T00:00:00Z","kind":"insurance","amount":{"amount":"1.5","currency":"USD"},"owner_id":"acme"}`,
	} {
		if a := s.put("/money/"+path, body); a.status != http.StatusOK {
			t.Fatalf("%s: got %d %s", path, a.status, a.body)
		}
	}
	v := must[MonthStatement](s, http.StatusOK, http.MethodGet, prefix+"/owners/acme/statements/2026-01?events=true", "")
	if len(v.Sections) != 2 || v.Sections[0].Currency != "EUR" || v.Sections[1].Currency != "USD" || v.Provisional {
		t.Fatalf("got %+v", v)
	}
	// 30 swaps of 2.25 for the station and one of 3.00; half of it is the operator's.
	want := StatementTotals{
		Revenue: MoneyAmount{"70.50", "EUR"}, Shares: MoneyAmount{"-35.25", "EUR"}, Costs: MoneyAmount{"-20.00", "EUR"},
		Operating: MoneyAmount{"15.25", "EUR"}, Capital: MoneyAmount{"0.00", "EUR"}, Net: MoneyAmount{"15.25", "EUR"},
	}
	if diff := cmp.Diff(want, v.Sections[0].Totals); diff != "" {
		t.Errorf("totals (-want +got): %s", diff)
	}
	if l := v.Sections[0].Lines[0]; l.Count != 31 || len(l.Events) != 31 || l.Events[0].Event != "station/s1/s1-1767254400000" {
		t.Errorf("got line %+v", l)
	}
	other := s.get(prefix + "/owners/bolt/statements/2026-01?events=true")
	var bolt MonthStatement
	other.into(t, &bolt)
	if strings.Contains(other.body, "s1") || strings.Contains(other.body, "acme") {
		t.Errorf("the battery's owner is told of another's station: %s", other.body)
	}
	if got := bolt.Sections[0].Totals.Net.Amount; got != "7.50" {
		t.Errorf("the battery earned %s, want 7.50", got)
	}
	now := must[MonthStatement](s, http.StatusOK, http.MethodGet, prefix+"/owners/acme/statements/2026-03", "")
	if !now.Provisional || len(now.Sections) != 1 || len(now.Sections[0].Lines) != 0 {
		t.Errorf("this month: got %+v, want it provisional and empty but for the contract", now)
	}
	page := s.send(http.MethodGet, prefix+"/owners/acme/statements/2026-01", "", map[string]string{"Authorization": "Bearer " + testKey, "Accept": "text/html"})
	if page.status != http.StatusOK || !strings.Contains(page.body, "acme &amp; Co &lt;b&gt;") || strings.Contains(page.body, "<b>") || !strings.Contains(page.header.Get("Content-Security-Policy"), "default-src 'none'") {
		t.Errorf("page: got %d\n%s", page.status, page.body)
	}
	refused(t, s.get(prefix+"/owners/none/statements/2026-01"), http.StatusNotFound)
	refused(t, s.get(prefix+"/owners/acme/statements/2026-13"), http.StatusUnprocessableEntity)
	refused(t, s.do(http.MethodPost, prefix+"/owners/acme/statements/2026-03/close", ""), http.StatusConflict)
	refused(t, s.get(prefix+"/owners/acme/statements/2026-04"), http.StatusNotFound)
	if a := s.put("/money/entries/euros", `{"at":"2026-01-05T00:00:00Z","kind":"swap_price","amount":{"amount":"1.5","currency":"USD"},"asset":"station/s2"}`); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	refused(t, s.get(prefix+"/owners/acme/statements/2026-01"), http.StatusConflict) // the contract is in euros
}

func TestFinance(t *testing.T) {
	s := startWithMoney(t)
	for i := range 6 {
		id := fmt.Sprintf("s%d", i+1)
		s.swapped(id, time.Date(2025, 9, 1, 8, 0, 0, 0, time.UTC), 170+i, 1000)
		if a := s.put("/money/entries/buy-"+id, `{"at":"2025-09-01T00:00:00Z","kind":"capital_cost","amount":{"amount":"1000",`+eur+`},"asset":"station/`+id+`"}`); a.status != http.StatusOK {
			t.Fatal(a.body)
		}
	}
	for path, body := range map[string]string{
		"prices/swap": `{"use":"swap","from":"2025-01-01","price":"10",` + eur + `}`,
		"prices/grid": `{"use":"energy","from":"2025-01-01","price":"0.2",` + eur + `}`,
	} {
		if a := s.put("/money/"+path, body); a.status != http.StatusOK {
			t.Fatal(a.body)
		}
	}
	r := must[FinanceResult](s, http.StatusOK, http.MethodGet, prefix+"/stations/s1/finance?life_years=5&capacity_swaps_per_day=10&runs=200", "")
	if r.Status != "ok" || r.Totals == nil || r.Totals.Net.Amount != "700.00" || r.Totals.Swaps != 170 || r.OwnerID != "acme" {
		t.Fatalf("got %+v", r)
	}
	x := r.Returns
	if x.XIRR.Status != "ok" || *x.XIRR.Rate <= 0 || *x.ROI.Value != 0.7 || *x.PerKWh.Value <= 0 || *x.PerSwap.Value < 1000/170.0 {
		t.Errorf("returns: got %+v", x)
	}
	// 1000 over the days to now and five years, at 10.00 a swap.
	if x.BreakEven.Status != "ok" || *x.BreakEven.Value > 0.01 {
		t.Errorf("break even: got %+v", x.BreakEven)
	}
	if x.Volatility.Count != 5 || x.Drawdown.Status != "ok" || *x.Drawdown.Value != 0 {
		t.Errorf("risk: got %+v, %+v", x.Volatility, x.Drawdown)
	}
	if !strings.Contains(x.Projection.Ranges, "the life 5 years exactly, as it was entered;") {
		t.Errorf("ranges: got %q", x.Projection.Ranges)
	}
	if other := must[FinanceResult](s, http.StatusOK, http.MethodGet, prefix+"/stations/s1/finance?currency=USD", ""); other.Returns != nil || other.Reason != "nothing was booked in USD, but in EUR" {
		t.Errorf("in another currency: got %+v", other)
	}
	if x.Projection.Status != "ok" || x.Projection.Spread.Runs != 200 || *x.Projection.Open != 0 || *x.Projection.Whole.NPV.Value < *x.NPV.Value {
		t.Errorf("projection: got %+v", x.Projection)
	}
	owner := must[FinanceResult](s, http.StatusOK, http.MethodGet, prefix+"/owners/acme/finance", "")
	fleetwide := must[FinanceResult](s, http.StatusOK, http.MethodGet, prefix+"/fleet/finance", "")
	if owner.Totals.Swaps != 6*170+15 || owner.Totals.Net != fleetwide.Totals.Net || owner.Returns.ByAsset.Count != 6 || owner.Returns.BySite.Count != 1 {
		t.Errorf("owner %+v, fleet %+v", owner.Totals, fleetwide.Totals)
	}
	if none := must[FinanceResult](s, http.StatusOK, http.MethodGet, prefix+"/batteries/b1/finance", ""); none.Status != "insufficient_data" || none.Reason == "" || none.Returns != nil {
		t.Errorf("battery: got %+v", none)
	}
	e := must[FinanceExpansion](s, http.StatusOK, http.MethodGet, prefix+"/fleet/finance/expansion?site=yard", "")
	if e.Status != "ok" || e.Count != 6 || e.Currency != "EUR" || *e.Median <= 1 || *e.Low > *e.Median || *e.High < *e.Median {
		t.Errorf("expansion: got %+v", e)
	}
	if a := s.put("/money/entries/dollars", `{"at":"2026-01-05T00:00:00Z","kind":"insurance","amount":{"amount":"1.5","currency":"USD"},"asset":"station/s1"}`); a.status != http.StatusOK {
		t.Fatal(a.body)
	}
	mixed := must[FinanceResult](s, http.StatusOK, http.MethodGet, prefix+"/stations/s1/finance", "")
	if mixed.Status != "insufficient_data" || !strings.Contains(mixed.Reason, "EUR, USD") || mixed.Totals != nil {
		t.Errorf("mixed: got %+v", mixed)
	}
	if one := must[FinanceResult](s, http.StatusOK, http.MethodGet, prefix+"/stations/s1/finance?currency=EUR", ""); one.Status != "ok" || one.Totals.Net.Amount != "700.00" {
		t.Errorf("in euros: got %+v", one)
	}
	refused(t, s.get(prefix+"/stations/none/finance"), http.StatusNotFound)
	refused(t, s.get(prefix+"/stations/s1/finance?runs=7"), http.StatusUnprocessableEntity)
	refused(t, s.get(prefix+"/stations/s1/finance?residual=NaN"), http.StatusUnprocessableEntity)
	refused(t, s.get(prefix+"/stations/s1/finance?rate=-Inf"), http.StatusUnprocessableEntity)
}

func TestPartners(t *testing.T) {
	s := startWithMoney(t)
	s.swapped("s1", time.Date(2026, 1, 1, 8, 0, 0, 0, time.UTC), 40, 1000)
	for path, body := range map[string]string{
		"prices/swap":     `{"use":"swap","from":"2026-01-01","price":"10",` + eur + `}`,
		"contracts/share": `{"owner_id":"acme",` + eur + `,"agreements":[{"id":"op","party":"Operator","from":"2026-01-01","minimum":"200","carry":true}]}`,
	} {
		if a := s.put("/money/"+path, body); a.status != http.StatusOK {
			t.Fatal(a.body)
		}
	}
	// 310.00 in January pay the minimum; 90.00 in February leave 110.00 owed.
	got := must[items[FinancePartner]](s, http.StatusOK, http.MethodGet, prefix+"/fleet/finance/partners", "").Items
	want := []FinancePartner{{
		Party: "Operator", OwnerID: "acme", Paid: MoneyAmount{"290.00", "EUR"}, Owed: MoneyAmount{"110.00", "EUR"}, Months: 2,
		First: "2026-01", Last: "2026-02", Currency: "EUR",
	}}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	// March begins with what is owed, though nothing has come in.
	v := must[MonthStatement](s, http.StatusOK, http.MethodGet, prefix+"/owners/acme/statements/2026-03", "")
	if len(v.Sections) != 1 || v.Sections[0].Shares[0].Carried.Amount != "110.00" {
		b, _ := json.Marshal(v)
		t.Errorf("got %s", b)
	}
}
