package wire

// Reason is why something can't be stored. It is a short code, fit for a metric
// label: the set is closed.
type Reason string

// The reasons, as an operator reads them in the quarantine.
const (
	ReasonEmpty         Reason = "empty"          // no payload, a reading without any field, or an event without an id
	ReasonMalformed     Reason = "malformed"      // neither JSON nor line protocol, or cut off
	ReasonInvalidUTF8   Reason = "invalid_utf8"   // text that is not UTF-8, or an escaped lone surrogate, which no UTF-8 can hold
	ReasonTooLarge      Reason = "too_large"      // payload over the limit of bytes or of records
	ReasonBadGzip       Reason = "bad_gzip"       // a broken gzip stream
	ReasonGzipTooLarge  Reason = "gzip_too_large" // a gzip stream that unpacks beyond the limit
	ReasonUnknownField  Reason = "unknown_field"  // a field the schema does not have
	ReasonWrongType     Reason = "wrong_type"     // text for a number, a fraction for an integer, …
	ReasonNotFinite     Reason = "not_finite"     // NaN, an infinity, or a number beyond float64
	ReasonOutOfBounds   Reason = "out_of_bounds"  // beyond the field's limits
	ReasonBadTime       Reason = "bad_time"       // a timestamp that can't be read
	ReasonFuture        Reason = "future"         // a timestamp too far ahead of the clock
	ReasonAncient       Reason = "ancient"        // a timestamp before 2000-01-01
	ReasonUnknownTopic  Reason = "unknown_topic"  // no fleet/v1 topic
	ReasonForeign       Reason = "foreign_device" // published by one who may not speak for the device, or naming another device inside
	ReasonSpokenFor     Reason = "spoken_for"     // another Sparkplug edge node speaks for the device at present
	ReasonUnknownDevice Reason = "unknown_device" // not registered, and unknown devices are not admitted
	ReasonUnknownType   Reason = "unknown_type"   // an event type that the contract does not have
	ReasonRefused       Reason = "refused"        // the store will never take it
)

// Reasons lists every reason.
func Reasons() []Reason {
	return []Reason{
		ReasonEmpty, ReasonMalformed, ReasonInvalidUTF8, ReasonTooLarge, ReasonBadGzip, ReasonGzipTooLarge,
		ReasonUnknownField, ReasonWrongType, ReasonNotFinite, ReasonOutOfBounds, ReasonBadTime, ReasonFuture,
		ReasonAncient, ReasonUnknownTopic, ReasonForeign, ReasonSpokenFor, ReasonUnknownDevice, ReasonUnknownType, ReasonRefused,
	}
}

// Fault is one record that can't be stored.
type Fault struct {
	Reason Reason
	Detail string // what was found, where, and what was wanted
	Raw    []byte // the record as it came: one element of an array, one line, or the whole payload; aliases the payload
}
