// Package finance owns what flows of money are worth: present values, internal
// rates of return with every answer they may have, paybacks and returns. It works
// in floating point, for these are analyses: nothing it returns is booked. It
// knows no owners, no assets, no clock; the sub-packages hold the other subjects.
//
// Signs: what is paid out is negative, what comes in is positive, seen by whom
// the flows belong to. Rates are shares a year (or a period), not percent: 0.1 is
// 10 %. A result that may be missing says so with a Status and a reason.
package finance

import (
	"errors"
	"fmt"
	"math"

	"github.com/fleetwatt/fleetwatt/fleet/finance/daycount"
)

// Errors of the arguments.
var (
	ErrNotFinite = errors.New("an amount or a rate is not finite")
	ErrRate      = errors.New("a rate must be above -1")
	ErrPeriods   = errors.New("not within the period")
)

// Status says whether there is a result.
type Status string

// What a result may be.
const (
	OK           Status = "ok"
	None         Status = "none"         // the question has no answer
	Several      Status = "several"      // the question has more than one answer
	OutOfRange   Status = "out_of_range" // there is an answer, but no number for it
	Insufficient Status = "insufficient" // too little is known
)

// Flow is an amount on a day, in major units of one currency.
type Flow struct {
	Date   daycount.Date
	Amount float64
}

// Value is a number, or the reason why there is none.
type Value struct {
	Status Status   `json:"status"`
	Reason string   `json:"reason,omitempty"`
	Value  *float64 `json:"value"` // null where there is none
}

// Have is a value that is there. A number that is not finite is not.
func Have(v float64) Value {
	if math.IsNaN(v) || math.IsInf(v, 0) {
		return Lack(OutOfRange, "the result is beyond any number")
	}
	return Value{Status: OK, Value: &v}
}

// Lack is one that is not.
func Lack(s Status, reason string) Value { return Value{Status: s, Reason: reason} }

// Get returns the number, if there is one.
func (v Value) Get() (float64, bool) {
	if v.Value == nil {
		return 0, false
	}
	return *v.Value, true
}

func finite(values ...float64) error {
	for i, v := range values {
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return fmt.Errorf("%w: %v, at %d", ErrNotFinite, v, i)
		}
	}
	return nil
}

func discountable(rate float64) error {
	if err := finite(rate); err != nil {
		return err
	}
	if rate <= -1 {
		return fmt.Errorf("%w: %v", ErrRate, rate)
	}
	return nil
}

// total adds up with a compensation for what is rounded off (Neumaier 1974), so
// that thousands of flows of both signs lose nothing that matters.
type total struct{ sum, rest float64 }

func (t *total) add(v float64) {
	s := t.sum + v
	if math.Abs(t.sum) >= math.Abs(v) {
		t.rest += (t.sum - s) + v
	} else {
		t.rest += (v - s) + t.sum
	}
	t.sum = s
}

func (t *total) value() float64 {
	if math.IsInf(t.sum, 0) {
		return t.sum
	}
	return t.sum + t.rest
}
