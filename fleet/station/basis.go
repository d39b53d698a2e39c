// Package station turns the readings and events of swap stations into how well
// they serve: use of time and slots, swaps, waits, availability, demand now and
// to come, and how many packs a station should hold. What it says of shares of
// time holds for batteries too.
//
// It is pure: samples and events in ascending time in, results out. It knows
// nothing of stores, of money or of who owns a station.
package station

// Status says whether there is a result.
type Status string

// The statuses.
const (
	OK           Status = "ok"
	Insufficient Status = "insufficient_data"
)

// Basis says what a result rests on. Every result of this package embeds it.
type Basis struct {
	Status  Status `json:"status"`
	Reason  string `json:"reason,omitempty"` // what is missing, and what to do
	Method  string `json:"method"`
	Version string `json:"version"`
	From    int64  `json:"from"`  // Unix milliseconds, of the window asked for
	To      int64  `json:"to"`    // Unix milliseconds, exclusive
	Count   int    `json:"count"` // data used
	// Coverage is the share of the window that the data covers, 0…1; nil where
	// it has no meaning, as for events.
	Coverage *float64 `json:"coverage,omitempty"`
}

// Window is a stretch of time [From, To), Unix milliseconds.
type Window struct {
	From, To int64
}

// Seconds is its length.
func (w Window) Seconds() float64 { return float64(w.To-w.From) / 1000 }

// Days is its length in days of 24 hours.
func (w Window) Days() float64 { return w.Seconds() / 86400 }

func (w Window) contains(ts int64) bool { return ts >= w.From && ts < w.To }

// basis starts a result over a window that has yet to find enough data.
func basis(method, version string, w Window) Basis {
	return Basis{Status: Insufficient, Method: method, Version: version, From: w.From, To: w.To}
}

func (b *Basis) lacking(reason string) { b.Status, b.Reason = Insufficient, reason }

func (b *Basis) ok(count int) { b.Status, b.Reason, b.Count = OK, "", count }

// per is a ratio, nil where there is nothing to divide by.
func per(a, b float64) *float64 {
	if b <= 0 {
		return nil
	}
	v := a / b
	return &v
}
