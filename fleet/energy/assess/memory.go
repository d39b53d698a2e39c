package assess

import (
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"hash"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/choose"
	"github.com/fleetwatt/fleetwatt/fleet/energy/prepare"
	"github.com/fleetwatt/fleetwatt/fleet/energy/watch"
)

// Memory keeps what was worked out of rows that stay what they were from night to
// night: baselines, and the fits of models. Each is kept under a digest of the
// rows, of everything that was asked of them and of the versions of the rules, so
// that late data or new rules find nothing and it is worked out anew. What is
// found is to the bit what would be worked out.
//
// A nil Memory keeps nothing. It is not safe for concurrent use.
type Memory struct {
	kept map[string]json.RawMessage // of an earlier run
	used map[string]json.RawMessage // of this one
}

// Recall starts from what an earlier Memory said was used; it may be nil. Bytes
// that cannot be read count as not kept.
func Recall(kept map[string]json.RawMessage) *Memory {
	return &Memory{kept: kept, used: map[string]json.RawMessage{}}
}

// Used is what was asked for since Recall, and nothing that was not: to be stored
// and given to the Recall of the next run.
func (m *Memory) Used() map[string]json.RawMessage {
	if m == nil {
		return nil
	}
	return m.used
}

// take reads what is kept under a digest into v; false where there is none.
func (m *Memory) take(digest string, v any) bool {
	if m == nil {
		return false
	}
	raw, ok := m.kept[digest]
	if !ok {
		raw, ok = m.used[digest]
	}
	if !ok || json.Unmarshal(raw, v) != nil {
		return false
	}
	m.used[digest] = raw
	return true
}

// keep stores v. What cannot be stored is worked out again the next time.
func (m *Memory) keep(digest string, v any) {
	if m == nil {
		return
	}
	if raw, err := json.Marshal(v); err == nil {
		m.used[digest] = raw
	}
}

// storedModel is a model as it is kept.
type storedModel struct {
	ID    string          `json:"id"`
	Model json.RawMessage `json:"model"`
}

func storedOf(m energy.Model) (storedModel, error) {
	raw, err := json.Marshal(m)
	return storedModel{m.Describe().Model, raw}, err
}

// Fit is f.Fit, or the model that it gave of the same rows before.
func (m *Memory) Fit(f energy.Fitter, rows []energy.Row) (energy.Model, error) {
	if m == nil {
		return f.Fit(rows)
	}
	digest := digestOf(rows, "fit", f.ID)
	var s storedModel
	if m.take(digest, &s) {
		if model, err := choose.Stored(s.ID, s.Model); err == nil {
			return model, nil
		}
	}
	model, err := f.Fit(rows)
	if err != nil {
		return nil, err
	}
	if s, err := storedOf(model); err == nil {
		m.keep(digest, s)
	}
	return model, nil
}

// keptBaseline is the half of an assessment that the reporting period has no part
// in.
type keptBaseline struct {
	Verdict   energy.Verdict  `json:"verdict"`
	Choice    *choose.Choice  `json:"choice"`
	Shifts    []watch.Shift   `json:"shifts"`
	Residuals *energy.Weekly  `json:"residuals"`
	Rest      *prepare.Rest   `json:"rest"`
	Model     json.RawMessage `json:"model"` // null where none could be fitted
	ID        string          `json:"id"`    // of the model
}

// recall is the baseline half of an assessment as it was kept; false where there
// is none.
func (m *Memory) recall(digest string) (*Assessment, bool) {
	var k keptBaseline
	if !m.take(digest, &k) {
		return nil, false
	}
	a := &Assessment{Version: Version, Verdict: k.Verdict, Choice: k.Choice, Shifts: k.Shifts, Residuals: k.Residuals, Rest: k.Rest}
	if k.ID == "" {
		return a, true
	}
	model, err := choose.Stored(k.ID, k.Model)
	if err != nil {
		return nil, false
	}
	a.describe(model)
	return a, true
}

// retain keeps the baseline half of an assessment.
func (m *Memory) retain(digest string, a *Assessment) {
	if m == nil {
		return
	}
	k := keptBaseline{Verdict: a.Verdict, Choice: a.Choice, Shifts: a.Shifts, Residuals: a.Residuals, Rest: a.Rest}
	if a.model != nil {
		s, err := storedOf(a.model)
		if err != nil {
			return
		}
		k.ID, k.Model = s.ID, s.Model
	}
	m.keep(digest, k)
}

// digest tells this baseline, and what is asked of it, from others.
func (q *Request) digest() string {
	chosen := ""
	if q.Choice != nil {
		chosen = q.Choice.Chosen
	}
	return digestOf(q.Baseline, "baseline", struct {
		Interval    energy.Interval
		Model       string
		Chosen      string
		Requirement caltrack.Requirement
		DropZeros   bool
		HeatingOnly bool
		Holidays    []string
	}{q.Interval, q.Model, chosen, q.Requirement, q.DropZeros, q.HeatingOnly, q.Holidays})
}

// digestOf is 128 bits of SHA-256 over rows, what is asked of them, and the
// versions of the rules.
func digestOf(rows []energy.Row, what string, asked any) string {
	h := sha256.New()
	raw, err := json.Marshal(asked)
	if err != nil { // of numbers, strings and times alone
		raw = fmt.Appendf(nil, "%+v", asked)
	}
	fmt.Fprintf(h, "%s %s %s %s %s %d\n", Version, choose.Versions(), watch.Version, what, raw, len(rows))
	if len(rows) > 0 {
		fmt.Fprintln(h, rows[0].Start.Location())
	}
	b := make([]byte, 0, 1<<12)
	for i := range rows {
		if b = appendRow(b, &rows[i]); len(b) > 1<<11 {
			b = flush(h, b)
		}
	}
	flush(h, b)
	return hex.EncodeToString(h.Sum(nil)[:16])
}

func flush(h hash.Hash, b []byte) []byte {
	h.Write(b)
	return b[:0]
}

func appendRow(b []byte, r *energy.Row) []byte {
	b = binary.LittleEndian.AppendUint64(b, uint64(r.Start.UnixNano()))
	b = binary.LittleEndian.AppendUint64(b, uint64(r.End.UnixNano()))
	for _, x := range [3]float64{r.Use, r.TempF, r.TempCoverage} {
		b = appendNumber(b, x)
	}
	b = binary.LittleEndian.AppendUint16(b, uint16(len(r.DayTempsF)))
	for _, x := range r.DayTempsF {
		b = appendNumber(b, x)
	}
	rests := byte(0xff)
	if r.RestsAs != nil {
		rests = byte(*r.RestsAs)
	}
	return append(b, rests)
}

// appendNumber writes every NaN alike.
func appendNumber(b []byte, x float64) []byte {
	if math.IsNaN(x) {
		x = math.NaN()
	}
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(x))
}
