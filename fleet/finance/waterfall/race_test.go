//go:build race

package waterfall

// manyMonths are fewer under the race detector, which is slow and has nothing to
// find here.
const manyMonths = 20_000
