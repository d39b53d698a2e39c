package main

import (
	"encoding/csv"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"math/big"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/simulator"
	"github.com/fleetwatt/fleetwatt/simulator/publish"
)

// paidStations is a simulation of stations whose swaps tell how much energy they
// handed out, and that remembers what it sent.
type paidStations struct {
	*simulator.Fleet
	swaps  []paidSwap
	meters map[string]map[int64]float64 // register in Wh, by station and time
}

type paidSwap struct {
	station, id, battery string
	at                   int64
	milliWh              int64
}

func (s *paidStations) Step(emit func(telemetry.Reading), event func(telemetry.Event)) {
	s.Fleet.Step(func(r telemetry.Reading) {
		if r.Kind != devices.KindStation {
			return
		}
		if wh, ok := r.Num("energy_wh"); ok {
			if s.meters[r.Device] == nil {
				s.meters[r.Device] = map[int64]float64{}
			}
			s.meters[r.Device][r.TS] = wh
		}
		emit(r)
	}, func(e telemetry.Event) {
		if e.Kind != devices.KindStation {
			return
		}
		if e.Type == "swap.completed" {
			e = s.sold(e)
		}
		event(e)
	})
}

// sold has the event of a swap tell the energy, and remembers it.
func (s *paidStations) sold(e telemetry.Event) telemetry.Event {
	var m map[string]any
	if err := json.Unmarshal(e.Data, &m); err != nil {
		panic(err) // the simulator's own
	}
	tenths := int64(math.Round((m["soc_out_pct"].(float64) - m["soc_in_pct"].(float64)) * 173))
	m["energy_wh"] = float64(tenths) / 10
	data, err := json.Marshal(m)
	if err != nil {
		panic(err)
	}
	e.Data = data
	s.swaps = append(s.swaps, paidSwap{e.Device, e.ID, m["battery_out"].(string), e.TS, tenths * 100})
	return e
}

type statementAnswer struct {
	TimeZone    string `json:"time_zone"`
	Provisional bool
	ClosedAt    *time.Time `json:"closed_at"`
	Gaps        []struct{ Code, Asset string }
	Sections    []struct {
		Currency string
		Totals   struct {
			Revenue struct{ Amount string }
			Net     struct{ Amount string }
		}
		Payable struct{ Amount string }
		Lines   []struct {
			Kind, Asset, Party string
			Amount             struct{ Amount string }
			Events             int
		}
		Corrections []struct {
			Month, Kind, Asset string
			Amount             struct{ Amount string }
		}
	}
}

func minor(t *testing.T, text string) int64 {
	t.Helper()
	r, ok := new(big.Rat).SetString(text)
	if !ok {
		t.Fatalf("%q is no amount", text)
	}
	r.Mul(r, big.NewRat(100, 1))
	if !r.IsInt() {
		t.Fatalf("%q is no whole number of cents", text)
	}
	return r.Num().Int64()
}

// A month of simulated stations through the real intake, with prices, agreements
// and costs entered over the API: each owner's statement is, line by line and to
// the cent, a sum over the events and readings that the simulator sent. A station
// and a battery are sold within the month.
func TestStatementsEqualTheRawEvents(t *testing.T) {
	t.Parallel()
	end := time.Now().UTC().Truncate(24*time.Hour).AddDate(0, 0, -1)
	month := time.Date(end.Year(), end.Month(), 1, 0, 0, 0, 0, time.UTC).AddDate(0, -1, 0)
	stop := month.AddDate(0, 1, 2)
	fleet, err := simulator.New(cityOf(3, month.AddDate(0, 0, -2)))
	if err != nil {
		t.Fatal(err)
	}
	inv := fleet.Inventory()
	s := serve(t)
	s.registerStations(inv)
	for _, b := range inv.Batteries {
		s.call(http.StatusCreated, http.MethodPost, "/api/v1/batteries", fmt.Sprintf(`{"id":%q,"owner_id":%q}`, b.ID, b.OwnerID))
	}
	sale := month.AddDate(0, 0, 11).Add(9*time.Hour + 30*time.Minute)
	soldStation, soldBattery := inv.Stations[0], inv.Batteries[0]
	buyer := inv.Owners[1].ID
	if soldStation.OwnerID == buyer || soldBattery.OwnerID == buyer {
		t.Fatal("the buyer has it already")
	}
	for _, path := range []string{"stations/" + soldStation.ID, "batteries/" + soldBattery.ID} {
		s.call(http.StatusOK, http.MethodPatch, "/api/v1/"+path, fmt.Sprintf(`{"owner_id":%q,"owner_since":%q}`, buyer, sale.Format(time.RFC3339)))
	}
	source := &paidStations{Fleet: fleet, meters: map[string]map[int64]float64{}}
	p, err := publish.New(publish.Options{Broker: "tcp://" + s.mqtt, Connections: 2})
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = p.Close() }()
	if err := p.Backfill(t.Context(), source, stop); err != nil {
		t.Fatal(err)
	}
	s.runJob("stations")

	day := month.AddDate(0, 0, 14).Format(time.DateOnly) // from when one station is dearer
	s.enterTerms(soldStation.ID, inv.Stations[2].ID, day, month.AddDate(0, -1, 0).Format(time.DateOnly), inv.Owners[2].ID)
	s.enterCosts(soldStation, inv.Sites[1], month)

	want := ledgerTruth{}
	zones := map[string]*time.Location{}
	for _, site := range inv.Sites {
		zone, err := time.LoadLocation(site.TimeZone)
		if err != nil {
			t.Fatal(err)
		}
		zones[site.ID] = zone
	}
	answers := map[string]statementAnswer{}
	for _, o := range inv.Owners {
		answers[o.ID] = get[statementAnswer](s, "/api/v1/owners/"+o.ID+"/statements/"+month.Format("2006-01"))
		zone, err := time.LoadLocation(answers[o.ID].TimeZone)
		if err != nil {
			t.Fatal(err)
		}
		local := func(t time.Time) int64 {
			return time.Date(t.Year(), t.Month(), t.Day(), 0, 0, 0, 0, zone).UnixMilli()
		}
		want.sum(source, inv, zones, o.ID, local(month), local(month.AddDate(0, 1, 0)), sale.UnixMilli(), buyer, day)
	}
	want.costs(inv, soldStation, inv.Sites[1])
	want.shared(inv.Owners[2].ID)
	got, events := ledgerTruth{}, 0
	for owner, a := range answers {
		if a.Provisional || len(a.Sections) != 1 || a.Sections[0].Currency != "EUR" || len(a.Gaps) > 0 {
			t.Fatalf("%s: got %+v, want one section in EUR of a month that is over, without gaps", owner, a)
		}
		var net int64
		for _, l := range a.Sections[0].Lines {
			got.add(owner, l.Kind, l.Asset, minor(t, l.Amount.Amount))
			net += minor(t, l.Amount.Amount)
			events += l.Events
		}
		if told := minor(t, a.Sections[0].Totals.Net.Amount); net != told {
			t.Errorf("%s: the lines add up to %d, the statement says %d", owner, net, told)
		}
		s.checkForms(owner, month.Format("2006-01"), net)
	}
	total := int64(0)
	for _, key := range slices.Sorted(maps.Keys(want)) {
		if strings.Contains(key, " revenue_share ") {
			continue // by asset it is the share's own matter; by owner it is compared below
		}
		total += want[key]
		if got[key] != want[key] {
			t.Errorf("%s: got %d cents, want %d", key, got[key], want[key])
		}
	}
	for key, cents := range got {
		if _, ok := want[key]; !ok && cents != 0 && !strings.Contains(key, " revenue_share ") {
			t.Errorf("%s: got %d cents, want none", key, cents)
		}
	}
	paid := int64(0)
	for key, cents := range got {
		if strings.Contains(key, " revenue_share ") {
			paid += cents
		}
	}
	if wanted := want[inv.Owners[2].ID+" revenue_share "]; paid != wanted || wanted == 0 {
		t.Errorf("revenue shares: got %d cents, want %d", paid, wanted)
	}
	t.Logf("%d owners, %d swaps sent, %d events behind the lines: %d lines equal to the cent, %d.%02d EUR in all before shares of %d.%02d",
		len(answers), len(source.swaps), events, len(want), total/100, total%100, -paid/100, -paid%100)
	s.runJob("statements")
	for owner, asked := range answers {
		if kept := get[statementAnswer](s, "/api/v1/owners/"+owner+"/statements/"+month.Format("2006-01")); !reflect.DeepEqual(kept, asked) {
			t.Errorf("%s: the job keeps %+v, made on request it is %+v", owner, kept, asked)
		}
	}
	s.checkClosing(inv.Owners[1].ID, inv.Stations[1].ID, month)
}

// enterTerms enters prices and an agreement.
func (s *server) enterTerms(shared, dearer, since, from, sharing string) {
	s.t.Helper()
	put := func(path, body string) { s.call(http.StatusOK, http.MethodPut, "/api/v1/money/"+path, body) }
	put("prices/swap", fmt.Sprintf(`{"use":"swap","from":%q,"price":"2.55","currency":"EUR","battery_share":"0.25"}`, from))
	put("prices/swap-dear", fmt.Sprintf(`{"use":"swap","station_id":%q,"from":%q,"price":"3.10","currency":"EUR"}`, dearer, since))
	put("prices/handed", fmt.Sprintf(`{"use":"swap_energy","station_id":%q,"from":%q,"price":"0.4375","currency":"EUR"}`, shared, from))
	put("prices/grid", fmt.Sprintf(`{"use":"energy","from":%q,"price":"0.1875","currency":"EUR"}`, from))
	put("contracts/park", fmt.Sprintf(`{"owner_id":%q,"currency":"EUR","agreements":[{"id":"operator","party":"Operator Ltd","from":%q,
		"tiers":[{"above":"0","share":"0.2"}],"fee":"150.00"}]}`, sharing, from))
}

// enterCosts enters a rent, a repair, and one that was entered by mistake and
// reversed.
func (s *server) enterCosts(station devices.Station, site devices.Site, month time.Time) {
	s.t.Helper()
	at := func(day int) string { return month.AddDate(0, 0, day-1).Add(6 * time.Hour).Format(time.RFC3339) }
	file := "id,at,kind,amount,currency,asset,partner\n" +
		"rent-1," + at(3) + ",rent,1200.01,EUR,site/" + site.ID + ",Landlord\n" +
		"repair-1," + at(4) + ",maintenance,310.40,EUR,station/" + station.ID + ",Repairs\n" + // before the sale
		"repair-2," + at(20) + ",maintenance,99.99,EUR,station/" + station.ID + ",Repairs\n" + // after it
		"wrong," + at(20) + ",other_cost,5000,EUR,station/" + station.ID + ",\n"
	var done struct{ Created int }
	if err := json.Unmarshal(s.importCSV("/money/import", file), &done); err != nil || done.Created != 4 {
		s.t.Fatalf("import: got %+v, %v", done, err)
	}
	s.call(http.StatusOK, http.MethodPost, "/api/v1/money/entries/wrong/reversal", `{"note":"another station"}`)
}

// checkForms asks for the statement as CSV, as a page, and by its events: all add
// up to the same.
func (s *server) checkForms(owner, month string, net int64) {
	s.t.Helper()
	path := "/api/v1/owners/" + owner + "/statements/" + month
	for form, column := range map[string]string{path + "?format=csv": "amount", path + "/events?format=csv": "amount"} {
		records, err := csv.NewReader(strings.NewReader(string(s.call(http.StatusOK, http.MethodGet, form, "")))).ReadAll()
		if err != nil || len(records) < 2 {
			s.t.Fatalf("%s: got %d lines, %v", form, len(records), err)
		}
		at, sum := slices.Index(records[0], column), int64(0)
		for _, r := range records[1:] {
			sum += minor(s.t, strings.TrimPrefix(r[at], "'"))
		}
		if sum != net {
			s.t.Errorf("%s: got %d cents, want %d", form, sum, net)
		}
	}
	page := string(s.call(http.StatusOK, http.MethodGet, path+"?format=html", ""))
	if !strings.Contains(page, fmt.Sprintf("%.2f", float64(net)/100)) || strings.Contains(page, "<script") {
		s.t.Errorf("%s: the page does not say %d cents, or has a script", path, net)
	}
}

// checkClosing closes the month: a cost that is entered behind it appears as a
// correction of the next, and the closed one stays as it was.
func (s *server) checkClosing(owner, station string, month time.Time) {
	s.t.Helper()
	path := "/api/v1/owners/" + owner + "/statements/"
	this, next := month.Format("2006-01"), month.AddDate(0, 1, 0).Format("2006-01")
	months := get[struct{ Items []struct{ Month string } }](s, path[:len(path)-1]).Items
	first := months[len(months)-1].Month
	if first != this { // the simulation began two days before
		s.call(http.StatusConflict, http.MethodPost, path+this+"/close", "")
		s.call(http.StatusOK, http.MethodPost, path+first+"/close", "")
	}
	s.call(http.StatusOK, http.MethodPost, path+this+"/close", "")
	s.call(http.StatusConflict, http.MethodPost, path+this+"/close", "")
	before := get[statementAnswer](s, path+this)
	s.call(http.StatusOK, http.MethodPut, "/api/v1/money/entries/late", fmt.Sprintf(
		`{"at":%q,"kind":"insurance","amount":{"amount":"77.70","currency":"EUR"},"asset":"station/%s"}`, month.AddDate(0, 0, 9).Format(time.RFC3339), station))
	after := get[statementAnswer](s, path+this)
	if after.ClosedAt == nil || after.Sections[0].Totals.Net != before.Sections[0].Totals.Net {
		s.t.Errorf("the closed month changed: got %+v, want %+v", after.Sections[0].Totals, before.Sections[0].Totals)
	}
	open := get[statementAnswer](s, path+next)
	if len(open.Sections) != 1 || len(open.Sections[0].Corrections) != 1 {
		s.t.Fatalf("got %+v, want one correction", open)
	}
	section := open.Sections[0]
	if c := section.Corrections[0]; c.Month != this || c.Kind != "insurance" || c.Amount.Amount != "-77.70" {
		s.t.Errorf("got correction %+v", c)
	}
	if minor(s.t, section.Payable.Amount) != minor(s.t, section.Totals.Net.Amount)-7770 {
		s.t.Errorf("got %s payable of %s", section.Payable.Amount, section.Totals.Net.Amount)
	}
}
