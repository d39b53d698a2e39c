package waterfall

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

var (
	march = daycount.Of(2026, 3, 1)
	april = daycount.Of(2026, 4, 1)
)

func month(revenue, swaps int64, agreements ...Agreement) Month {
	return Month{From: march, To: april, Earned: []Earned{{march, revenue, swaps}}, Agreements: agreements}
}

func tier(above, share int64) Tier { return Tier{Above: above, Share: share} }

func agreement(id string, priority int, tiers ...Tier) Agreement {
	return Agreement{ID: id, Party: id, From: march, Priority: priority, Basis: ByRevenue, Tiers: tiers}
}

func TestSettle(t *testing.T) {
	host := agreement("host", 1, tier(0, 100_000), tier(10_000_00, 200_000)) // 10 % up to 10 000.00, 20 % above
	host.Minimum, host.Carry = 500_00, true
	operator := agreement("operator", 2, tier(0, 50_000))
	operator.Fee = 100_00
	bySwap := agreement("maker", 3)
	bySwap.Basis, bySwap.Tiers = BySwaps, []Tier{{0, 0, 10}, {200, 100_000, 5}}

	bySwaps := agreement("partner", 4, tier(0, 100_000), tier(200, 200_000))
	bySwaps.Basis = BySwaps

	for _, c := range []struct {
		name  string
		month Month
		paid  []int64
		short []int64
		owed  []int64
		rest  int64
	}{
		{"tiers are marginal", month(15_000_00, 0, host), []int64{2000_00}, []int64{0}, []int64{0}, 13_000_00},
		{"a minimum tops up", month(1_000_00, 0, host), []int64{500_00}, []int64{0}, []int64{0}, 500_00},
		{"revenue below the minimum is owed", month(300_00, 0, host), []int64{300_00}, []int64{200_00}, []int64{200_00}, 0},
		{"no revenue", month(0, 0, host, operator), []int64{0, 0}, []int64{500_00, 100_00}, []int64{500_00, 0}, 0},
		{"by priority, a fee is forgiven", month(550_00, 0, operator, host), []int64{500_00, 50_00}, []int64{0, 50_00 + 27_50}, []int64{0, 0}, 0},
		{"by swaps", month(3_000_00, 300, bySwap), []int64{200*10 + 100*5 + 100_00}, []int64{0}, []int64{0}, 3_000_00 - 200*10 - 100*5 - 100_00},
		{"by swaps, shares", month(3_000_00, 300, bySwaps), []int64{200_00 + 200_00}, []int64{0}, []int64{0}, 2_600_00},
		{"no agreement", month(1_000_00, 0), nil, nil, nil, 1_000_00},
	} {
		got, err := Settle(c.month)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
			continue
		}
		var paid, short, owed []int64
		for _, r := range got.Rows {
			paid, short, owed = append(paid, r.Paid), append(short, r.Short), append(owed, r.Owed)
		}
		if d := cmp.Diff([]any{c.paid, c.short, c.owed, c.rest}, []any{paid, short, owed, got.Rest}); d != "" {
			t.Errorf("%s: %s", c.name, d)
		}
	}
}

func TestWhatIsOwedIsDueNextMonth(t *testing.T) {
	host := agreement("host", 1)
	host.Minimum, host.Carry = 500_00, true
	m := month(700_00, 0, host)
	m.Owed = map[string]int64{"host": 300_00}
	got, err := Settle(m)
	if err != nil {
		t.Fatal(err)
	}
	want := Row{Agreement: "host", Party: "host", TopUp: 500_00, Carried: 300_00, Due: 800_00, Paid: 700_00, Short: 100_00, Owed: 100_00, Days: 31}
	if d := cmp.Diff([]Row{want}, got.Rows); d != "" {
		t.Error(d)
	}
	// And behind the agreement's end.
	end := march
	host.From, host.To = march-31, &end
	m.Agreements = []Agreement{host}
	if got, err = Settle(m); err != nil || len(got.Rows) != 1 || got.Rows[0].Paid != 300_00 || got.Rest != 400_00 {
		t.Errorf("got %+v %v, want 300.00 paid and 400.00 left", got, err)
	}
}

// 31 days; from the 17th on are 15 of them.
func TestPartOfAMonth(t *testing.T) {
	half := agreement("half", 1, tier(0, 100_000), tier(3100_00, 200_000))
	half.From, half.Minimum, half.Fee = march+16, 310_00, 31_00
	m := month(0, 0, half)
	m.Earned = []Earned{{march + 16, 2000_00, 0}, {march + 15, 9000_00, 0}, {march + 30, 500_00, 0}}
	got, err := Settle(m)
	if err != nil {
		t.Fatal(err)
	}
	// 2500.00 on its days: 1500.00 at 10 %, 1000.00 at 20 %.
	want := Row{Agreement: "half", Party: "half", Fee: 15_00, Share: 350_00, Due: 365_00, Paid: 365_00, Days: 15}
	if d := cmp.Diff([]Row{want}, got.Rows); d != "" || got.Rest != 11_500_00-365_00 {
		t.Error(d, got.Rest)
	}
}

// An agreement that goes on all month stands in its tiers by the whole month's
// revenue, though another begins within it.
func TestTiersGoOnWhenAnotherBegins(t *testing.T) {
	all := agreement("all", 1, tier(0, 0), tier(1000_00, 500_000))
	late := agreement("late", 2, tier(0, 100_000))
	late.From = march + 10
	m := month(0, 0, all, late)
	m.Earned = []Earned{{march, 900_00, 0}, {march + 20, 300_00, 0}}
	got, err := Settle(m)
	if err != nil {
		t.Fatal(err)
	}
	if got.Rows[0].Share != 100_00 || got.Rows[1].Share != 30_00 {
		t.Errorf("got %d and %d, want 100.00 and 30.00", got.Rows[0].Share, got.Rows[1].Share)
	}
}

func TestRefused(t *testing.T) {
	ok := agreement("a", 1, tier(0, 600_000))
	other := agreement("b", 1, tier(0, 300_000), tier(500_00, 500_000))
	twice := ok
	early := march - 1
	for name, c := range map[string]struct {
		month Month
		want  error
	}{
		"more than all, above a threshold": {month(1000_00, 0, ok, other), ErrOver},
		"not below it":                     {month(500_00, 0, ok, other), nil},
		"two of an id":                     {month(1, 0, ok, twice), ErrAgreement},
		"negative revenue":                 {month(-1, 0, ok), ErrNegative},
		"negative swaps":                   {month(1, -1, ok), ErrBounds},
		"revenue beyond bounds":            {month(maxMinor+1, 0), ErrBounds},
		"outside of the month":             {Month{From: march, To: april, Earned: []Earned{{april, 1, 0}}}, ErrBounds},
		"no month":                         {Month{From: march, To: march}, ErrBounds},
		"negative debt":                    {Month{From: march, To: april, Owed: map[string]int64{"a": -1}}, ErrBounds},
		"debt to nobody":                   {Month{From: march, To: april, Owed: map[string]int64{"a": 1}}, ErrBounds},
		"no id":                            {month(1, 0, Agreement{Party: "p", Basis: ByRevenue}), ErrAgreement},
		"no party":                         {month(1, 0, Agreement{ID: "p", Basis: ByRevenue}), ErrAgreement},
		"no basis":                         {month(1, 0, Agreement{ID: "p", Party: "p"}), ErrAgreement},
		"ends first":                       {month(1, 0, Agreement{ID: "p", Party: "p", Basis: BySwaps, From: march, To: &early}), ErrAgreement},
		"share above all":                  {month(1, 0, agreement("c", 1, tier(0, Whole+1))), ErrAgreement},
		"thresholds not ascending":         {month(1, 0, agreement("c", 1, tier(5, 1), tier(5, 2))), ErrAgreement},
		"fee by swap, by revenue":          {month(1, 0, agreement("c", 1, Tier{0, 1, 1})), ErrAgreement},
	} {
		if _, err := Settle(c.month); !errors.Is(err, c.want) {
			t.Errorf("%s: got %v, want %v", name, err, c.want)
		}
	}
}
