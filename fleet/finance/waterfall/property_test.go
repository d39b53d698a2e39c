package waterfall

import (
	"flag"
	"fmt"
	"math/big"
	"math/rand/v2"
	"slices"
	"testing"

	"pgregory.net/rapid"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// 400,000 months have a million agreements.
var months = flag.Int("months", 400_000, "how many random months, of 2.5 agreements each, to settle")

// randomMonth has up to five agreements that never share out more than all.
func randomMonth(r *rand.Rand, whole bool) Month {
	m := Month{From: march, To: april}
	n := r.IntN(6)
	left := int64(Whole)
	for i := range n {
		a := Agreement{
			ID: string(rune('a' + i)), Party: "p", From: march - 40, Priority: r.IntN(3),
			Basis: ByRevenue, Carry: r.IntN(2) == 0, Minimum: r.Int64N(3) * r.Int64N(100_000), Fee: r.Int64N(2) * r.Int64N(10_000),
		}
		if r.IntN(3) == 0 {
			a.Basis = BySwaps
		}
		most := r.Int64N(left + 1)
		left -= most
		above := int64(0)
		for range r.IntN(4) {
			t := Tier{Above: above, Share: r.Int64N(most + 1)}
			if a.Basis == BySwaps {
				t.PerSwap = r.Int64N(50)
				above += 1 + r.Int64N(200)
			} else {
				above += 1 + r.Int64N(200_000)
			}
			a.Tiers = append(a.Tiers, t)
		}
		if !whole && r.IntN(3) == 0 {
			a.From = march + daycount.Date(r.IntN(40))
		}
		if !whole && r.IntN(3) == 0 {
			to := a.From + daycount.Date(1+r.IntN(60))
			a.To = &to
		}
		m.Agreements = append(m.Agreements, a)
	}
	for range 1 + r.IntN(4) {
		m.Earned = append(m.Earned, Earned{march + daycount.Date(r.IntN(31)), r.Int64N(200_000), r.Int64N(150)})
	}
	if n > 0 && r.IntN(3) == 0 {
		m.Owed = map[string]int64{"a": r.Int64N(50_000)}
	}
	return m
}

// holds checks what is to hold of every settlement.
func holds(m Month, s Settlement) error {
	var revenue, paid int64
	for _, e := range m.Earned {
		revenue += e.Revenue
	}
	for i, r := range s.Rows {
		paid += r.Paid
		if r.Paid < 0 || r.Short < 0 || r.Share < 0 || r.TopUp < 0 || r.Fee < 0 {
			return fmt.Errorf("a negative part: %+v", r)
		}
		if r.Paid+r.Short != r.Due || r.Fee+r.Share+r.TopUp+r.Carried != r.Due {
			return fmt.Errorf("a row does not add up: %+v", r)
		}
		if r.Short > 0 && (s.Rest > 0 || slices.ContainsFunc(s.Rows[i+1:], func(r Row) bool { return r.Paid > 0 })) {
			return fmt.Errorf("somebody was paid before %+v", r)
		}
	}
	if s.Rest < 0 || paid+s.Rest != revenue || s.Revenue != revenue {
		return fmt.Errorf("paid %d and left %d of %d", paid, s.Rest, revenue)
	}
	return nil
}

// A million agreements in all, unless -months says otherwise: every settlement adds up exactly, whatever the
// order of what was earned and of the agreements, and nobody gets less of a month
// that earned more.
func TestRandomMonths(t *testing.T) {
	if testing.Short() {
		t.Skip("long")
	}
	r := rand.New(rand.NewPCG(7, 2026))
	agreements := 0
	for range *months {
		whole := r.IntN(2) == 0
		m := randomMonth(r, whole)
		agreements += len(m.Agreements)
		s, err := Settle(m)
		if err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		if err := holds(m, s); err != nil {
			t.Fatalf("%+v: %v", m, err)
		}
		r.Shuffle(len(m.Earned), func(i, j int) { m.Earned[i], m.Earned[j] = m.Earned[j], m.Earned[i] })
		r.Shuffle(len(m.Agreements), func(i, j int) { m.Agreements[i], m.Agreements[j] = m.Agreements[j], m.Agreements[i] })
		again, err := Settle(m)
		if err != nil || !slices.Equal(s.Rows, again.Rows) || s.Rest != again.Rest {
			t.Fatalf("%+v: in another order %+v %v, want %+v", m, again, err, s)
		}
		if !whole {
			continue
		}
		m.Earned[0].Revenue += 1 + r.Int64N(1+r.Int64N(1000))
		more, err := Settle(m)
		if err != nil {
			t.Fatal(err)
		}
		for i, row := range more.Rows {
			if row.Paid < s.Rows[i].Paid || row.Share < s.Rows[i].Share {
				t.Fatalf("%+v: more revenue, and row %+v after %+v", m, row, s.Rows[i])
			}
		}
		if more.Rest < s.Rest {
			t.Fatalf("%+v: more revenue, and a rest of %d after %d", m, more.Rest, s.Rest)
		}
	}
	t.Logf("%d months of %d agreements", *months, agreements)
}

// One unit more goes to one part, and a part of k is its exact share within (k+1)/2.
func TestApportion(t *testing.T) {
	got := make([]int64, 3)
	if apportion(10, []int64{53, 24, 23}, got); !slices.Equal(got, []int64{6, 2, 2}) {
		t.Fatalf("got %v, want 6, 2, 2", got)
	}
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Int64Range(0, 1_000_000_000_000), 1, 8).Draw(t, "weights")
		weights[0]++
		n := rapid.Int64Range(0, 1_000_000_000_000).Draw(t, "n")
		a, b := make([]int64, len(weights)), make([]int64, len(weights))
		apportion(n, weights, a)
		apportion(n+1, weights, b)
		var total, sum, changed int64
		for _, w := range weights {
			total += w
		}
		for i := range a {
			sum += a[i]
			changed += b[i] - a[i]
			if b[i] < a[i] {
				t.Fatalf("%d of %v: %v, of one more %v", n, weights, a, b)
			}
			exact := new(big.Int).Mul(big.NewInt(n), big.NewInt(weights[i]))
			off := exact.Sub(exact, new(big.Int).Mul(big.NewInt(a[i]), big.NewInt(total)))
			if off.Lsh(off, 1).CmpAbs(big.NewInt(int64(len(a)+1)*total)) > 0 {
				t.Fatalf("%d of %v: %v, part %d", n, weights, a, i)
			}
		}
		if sum != n || changed != 1 {
			t.Fatalf("%d of %v: %v, of one more %v", n, weights, a, b)
		}
	})
}

// Small numbers, unit by unit, against the method's own definition.
func TestApportionUnitByUnit(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		weights := rapid.SliceOfN(rapid.Int64Range(0, 12), 1, 6).Draw(t, "weights")
		weights[0]++
		want, got := make([]int64, len(weights)), make([]int64, len(weights))
		for n := int64(1); n <= 60; n++ {
			best := 0
			for i, w := range weights {
				if w*(2*want[best]+1) > weights[best]*(2*want[i]+1) {
					best = i
				}
			}
			want[best]++
			if apportion(n, weights, got); !slices.Equal(got, want) {
				t.Fatalf("%d by %v: got %v, want %v", n, weights, got, want)
			}
		}
	})
}
