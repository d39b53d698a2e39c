// Package storetest is the conformance suite of a telemetry store: Run holds an
// implementation to every sentence of the contract in devices/telemetry. It
// knows no engine. What engines may do differently, such as telling a new
// reading from a merged one across calls, it leaves open.
package storetest

import (
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// Store is what the suite runs on. A store that also has Close() error is
// tested for being closed twice and for telemetry.ErrClosed afterwards.
type Store interface {
	telemetry.Appender
	telemetry.Reader
}

// Schema is the schema that stores under test are opened with: the standard
// fields.
func Schema(t testing.TB) *devices.Schema {
	t.Helper()
	schema, err := devices.NewSchema()
	if err != nil {
		t.Fatalf("schema: %v", err)
	}
	return schema
}

// Run runs the suite. open is called once or more in each subtest and returns a
// new, empty store that has the fields of Schema; it registers with t.Cleanup
// whatever ends the store.
func Run(t *testing.T, open func(t *testing.T) Store) {
	groups := []struct {
		name  string
		cases []testCase
	}{
		{"value", valueCases()},
		{"append", appendCases()},
		{"range", rangeCases()},
		{"latest", latestCases()},
		{"aggregate", aggregateCases()},
		{"random", randomCases()},
		{"query", queryCases()},
		{"lifecycle", lifecycleCases()},
	}
	for _, g := range groups {
		t.Run(g.name, func(t *testing.T) {
			for _, c := range g.cases {
				t.Run(c.name, func(t *testing.T) {
					c.run(t, &fixture{store: open(t), schema: Schema(t)})
				})
			}
		})
	}
}

type testCase struct {
	name string
	run  func(t *testing.T, f *fixture)
}
