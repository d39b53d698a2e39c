//go:build !race

package waterfall

// manyMonths have a million agreements.
const manyMonths = 400_000
