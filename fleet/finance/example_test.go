package finance_test

import (
	"fmt"

	"github.com/fleetwatt/fleetwatt/fleet/finance"
	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

func ExampleXIRR() {
	day := daycount.Of(2026, 1, 1)
	rates, err := finance.XIRR([]finance.Flow{
		{Date: day, Amount: -1000},
		{Date: day + 365, Amount: 600},
		{Date: day + 730, Amount: 600},
	}, daycount.Actual365F)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Printf("%s %.6f\n", rates.Status, *rates.Rate)
	// Output: ok 0.130662
}

func ExampleIRR_several() {
	rates, err := finance.IRR([]float64{-100, 230, -132})
	if err != nil {
		fmt.Println(err)
		return
	}
	nearest, _ := rates.Nearest(finance.DefaultGuess)
	fmt.Printf("%s %.4f, nearest to 10 %%: %.4f\n", rates.Status, rates.Rates, nearest)
	// Output: several [0.1000 0.2000], nearest to 10 %: 0.1000
}
