package telemetry

import (
	"context"
	"errors"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Errors of a store. Any other error means that the call was not carried out
// for a reason that a retry will not mend.
var (
	// ErrUnavailable: the engine can't be reached, is out of space or
	// overloaded. The call may be repeated; see RetryAfter.
	ErrUnavailable = errors.New("store unavailable")
	// ErrUnknownField: the query names a field that the kind does not have.
	ErrUnknownField = errors.New("unknown field")
	// ErrNotNumeric: an aggregate was asked of a text field.
	ErrNotNumeric = errors.New("field is not numeric")
	// ErrBadQuery: the query contradicts itself: an unknown kind or function,
	// or a step that is not positive.
	ErrBadQuery = errors.New("bad query")
	// ErrClosed: the store was closed.
	ErrClosed = errors.New("store closed")
)

// Appender writes readings.
type Appender interface {
	// Append commits readings to disk and returns when they are there, visible
	// to every later read. Readings come in any order and may repeat an
	// identity, within the call or against what is stored: fields merge, the
	// later one in the call winning. Append is atomic on the embedded store;
	// elsewhere an error leaves any part of the batch written, and repeating
	// the call is always right.
	//
	// A reading that the engine refuses for what it is does not fail the call:
	// it is returned in Rejected and all others are committed.
	//
	// A reading has at least one value; one without is rejected or kept unseen.
	// A call that ctx ends returns an error that is ctx's, never ErrUnavailable.
	//
	// The readings are not kept after the call, and not changed.
	Append(ctx context.Context, readings []Reading) (Appended, error)
}

// Appended accounts for the readings of one Append:
// New + Merged + len(Rejected) = len(readings).
type Appended struct {
	New      int         // identities that were not there before
	Merged   int         // readings merged into an identity already there; an engine that can't tell counts those repeated within the call
	Rejected []Rejection // ascending by Index
}

// Rejection is a reading that the engine will never take.
type Rejection struct {
	Index  int // in the slice given to Append
	Reason string
}

// Reader reads what was appended. All windows are half-open, and of any width.
// Results do not depend on the order in which readings were appended. Devices
// that are unknown or named twice change nothing.
type Reader interface {
	// Range calls yield for each reading that has at least one of the asked
	// fields, ascending by device (bytewise), then time, and stops at the first
	// error, which it returns. The reading and its values are valid during the
	// call of yield only. yield must not call the store. After an error of the
	// store, nothing of what was yielded may be used.
	Range(ctx context.Context, q RangeQuery, yield func(Reading) error) error

	// Latest returns, for each device and asked field, the newest sample in the
	// window, ordered by device, then field index. A device without samples is
	// absent.
	Latest(ctx context.Context, q RangeQuery) ([]Sample, error)

	// Aggregate returns one bucket for each device, or one for all of them
	// where q.Fleet is set, and each step of time that holds a sample; ordered
	// by device, then start. Buckets are aligned to multiples of Every since
	// the Unix epoch, so the first may start before the window; only samples in
	// the window count. Fields without a sample in a bucket are absent from it.
	Aggregate(ctx context.Context, q AggregateQuery) ([]Bucket, error)
}

// RangeQuery selects readings.
type RangeQuery struct {
	Kind    devices.Kind
	Devices []string // empty: all
	Fields  []string // empty: all
	Window  Window
}

// Sample is the value of one field of one device at one instant.
type Sample struct {
	Device string
	TS     int64
	Value  Value
}

// Func is an aggregate that every engine computes alike.
type Func string

// The aggregates. First and Last go by time; where several devices of a fleet
// have a sample at that same instant, the greatest value is taken.
const (
	Mean  Func = "mean" // of the samples, not weighted by time
	Min   Func = "min"
	Max   Func = "max"
	Sum   Func = "sum"
	Count Func = "count"
	First Func = "first"
	Last  Func = "last"
)

// Funcs lists every aggregate.
func Funcs() []Func { return []Func{Mean, Min, Max, Sum, Count, First, Last} }

// AggregateQuery selects samples of numeric fields and how to fold them.
type AggregateQuery struct {
	RangeQuery
	Func  Func
	Every time.Duration // a positive multiple of 1 ms
	Fleet bool          // fold all devices into one series whose Device is ""
}

// Bucket is one step of one series.
type Bucket struct {
	Device string
	Start  int64   // Unix milliseconds, a multiple of Every
	Values []Value // ascending by Field.Index
}

// Resolve returns the fields that q asks for, ascending by index, each once;
// ErrBadQuery for an unknown kind and ErrUnknownField for an unknown name.
func (q RangeQuery) Resolve(s *devices.Schema) ([]*devices.Field, error) {
	return resolve(s, q)
}

// RetryAfter is an ErrUnavailable with the engine's own advice on when to come
// back.
type RetryAfter struct {
	After time.Duration
	Err   error
}

func (e *RetryAfter) Error() string { return e.Err.Error() }
func (e *RetryAfter) Unwrap() error { return e.Err }

// Is makes every RetryAfter an ErrUnavailable.
func (e *RetryAfter) Is(target error) bool { return target == ErrUnavailable }
