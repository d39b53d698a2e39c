package money_test

import (
	"fmt"

	"github.com/fleetwatt/fleetwatt/fleet/money"
)

func ExampleAmount_Allocate() {
	parts, err := money.Of(100_00, "EUR").Allocate(1, 1, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(parts)
	// Output: [33.34 EUR 33.33 EUR 33.33 EUR]
}

func ExamplePrice_Of() {
	tariff, err := money.ParsePrice("0.1875", "EUR") // a kWh
	if err != nil {
		fmt.Println(err)
		return
	}
	cost, err := tariff.Of(money.Ratio{Num: 1234, Den: 1000}) // 1234 Wh
	fmt.Println(cost, err)
	// Output: 0.23 EUR <nil>
}
