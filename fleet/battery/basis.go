package battery

// Basis says what a result rests on: whether there is one, by which rules it was
// made, and from which data. Every result of this package but Capacity and
// Health, which carry the same under their own names, embeds it.
type Basis struct {
	Status  HealthStatus `json:"status"`
	Reason  string       `json:"reason,omitempty"` // what is missing, and what to do
	Method  Method       `json:"method,omitempty"`
	Version string       `json:"version"`
	From    *int64       `json:"from,omitempty"` // Unix milliseconds, first datum used
	To      *int64       `json:"to,omitempty"`   // Unix milliseconds, last datum used
	Count   int          `json:"count"`          // data used: samples, measurements or cycles, as the result says
	// Coverage is the share of the window that the data covers, 0…1; nil where
	// it has no meaning.
	Coverage *float64 `json:"coverage,omitempty"`
}

// OK reports whether there is a result.
func (b Basis) OK() bool { return b.Status == HealthOK }

// basis starts a result that has yet to find enough data.
func basis(m Method, version string) Basis {
	return Basis{Status: HealthInsufficient, Method: m, Version: version}
}

// over sets the window and the count.
func (b *Basis) over(from, to int64, count int) {
	b.From, b.To, b.Count = &from, &to, count
}

// lacking sets the reason why there is no result.
func (b *Basis) lacking(reason string) { b.Status, b.Reason = HealthInsufficient, reason }

func (b *Basis) ok() { b.Status, b.Reason = HealthOK, "" }
