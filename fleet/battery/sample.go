package battery

// Sample is one instant of a battery. Currents are positive into the battery
// (charging). A value that was not reported is NaN.
type Sample struct {
	TS           int64   // Unix milliseconds
	VoltageV     float64 // terminal voltage of the whole battery
	CurrentA     float64 //
	SoCPct       float64 // state of charge as the battery reports it, 0…100
	TemperatureC float64 //
}

// Ratings are what the registry knows of a battery; zero: unknown.
type Ratings struct {
	CapacityAh     float64
	CutoffVoltageV float64 // end-of-discharge voltage
}

// Rules decide what counts as one measurement of capacity.
type Rules struct {
	// MaxGapS is the longest time between two samples that the current is
	// interpolated over, in seconds.
	MaxGapS float64
	// IdleC is the current, as a share of the rated capacity per hour, below
	// which a battery rests; IdleA takes its place where the rating is unknown.
	IdleC, IdleA float64
	// FullSoCPct is the state of charge that a full discharge starts from, and
	// EmptySoCPct the one it must have come down to at the cut-off voltage, where
	// the battery reports one.
	FullSoCPct, EmptySoCPct float64
	// RegenShare is how much charge may come back during a discharge, as a share
	// of the rated capacity, before it counts as a charge: braking returns some.
	RegenShare float64
	// MinWindowPct is the least change of the state of charge that a SoCWindow
	// is taken over.
	MinWindowPct float64
	// MaxJumpPct is how far the state of charge may move between two samples
	// beyond what the current accounts for: more is a recalibration.
	MaxJumpPct float64
	// MaxSpanMS ends a stretch, so that one belongs to at most two days.
	MaxSpanMS int64
}

// DefaultRules suit telemetry at up to a quarter of an hour between samples.
func DefaultRules() Rules {
	return Rules{
		MaxGapS:      20 * 60,
		IdleC:        0.02,
		IdleA:        0.05,
		FullSoCPct:   98,
		EmptySoCPct:  20,
		RegenShare:   0.02,
		MinWindowPct: 40,
		MaxJumpPct:   5,
		MaxSpanMS:    24 * 3600 * 1000,
	}
}

func (r Rules) idle(rated float64) float64 {
	if rated > 0 {
		return r.IdleC * rated
	}
	return r.IdleA
}
