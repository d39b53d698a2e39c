package api

import (
	"time"

	"github.com/danielgtaylor/huma/v2"
)

// AsOf is the instant of which a request wants to know what was known. Inputs
// embed it.
type AsOf struct {
	AsOf string `query:"as_of" maxLength:"40" doc:"RFC 3339, or a date, which stands for its end in UTC: the newest result up to then; default: the newest of all"`
}

// at is the instant, or false where none was asked for.
func (p AsOf) at() (instant time.Time, given bool, err error) {
	if p.AsOf == "" {
		return time.Time{}, false, nil
	}
	instant, err = parseInstant(p.AsOf)
	if err != nil {
		return time.Time{}, false, badParameter("query.as_of", err.Error(), p.AsOf)
	}
	if len(p.AsOf) == len(time.DateOnly) {
		instant = instant.AddDate(0, 0, 1)
	}
	return instant, true, nil
}

// Span is an interval [from, to) of results: dates will do, and what is left
// out is open. Inputs embed it.
type Span struct {
	From string `query:"from" maxLength:"40" doc:"start, inclusive, RFC 3339 or a date in UTC; default: the first"`
	To   string `query:"to" maxLength:"40" doc:"end, exclusive, RFC 3339 or a date in UTC; default: the newest"`
}

// interval is the interval that was asked for.
func (s Span) interval() (Interval, error) {
	var in Interval
	var wrong []error
	for _, p := range []struct {
		name, text string
		at         *time.Time
	}{{"query.from", s.From, &in.From}, {"query.to", s.To, &in.To}} {
		if p.text == "" {
			continue
		}
		var err error
		if *p.at, err = parseInstant(p.text); err != nil {
			wrong = append(wrong, &huma.ErrorDetail{Location: p.name, Message: err.Error(), Value: p.text})
		}
	}
	if len(wrong) > 0 {
		return in, huma.Error422UnprocessableEntity("validation failed", wrong...)
	}
	return in, nil
}
