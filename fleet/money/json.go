package money

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// Text is the form of an amount in JSON: {"amount": "12.30", "currency": "EUR"}.
// The decimal is a string, as a JSON number is read as a float by most programs
// and would not say whether it means euros or cents.
type Text struct {
	Amount   string   `json:"amount" example:"12.30"`
	Currency Currency `json:"currency" example:"EUR"`
}

// Text returns the form that goes into JSON.
func (a Amount) Text() Text { return Text{a.Decimal(), a.Currency} }

// Parse reads it back; the errors are those of Parse.
func (t Text) Parse() (Amount, error) { return Parse(t.Amount, t.Currency) }

// MarshalJSON writes Text. An amount of an unknown currency is ErrCurrency; that
// of none, which is Amount{}, is null.
func (a Amount) MarshalJSON() ([]byte, error) {
	if a == (Amount{}) {
		return []byte("null"), nil
	}
	if !a.Currency.Valid() {
		return nil, fmt.Errorf("%w: %q", ErrCurrency, string(a.Currency))
	}
	return json.Marshal(a.Text())
}

// UnmarshalJSON reads what MarshalJSON writes, and nothing else: a number for the
// decimal, or another member, is an error.
func (a *Amount) UnmarshalJSON(b []byte) error {
	if bytes.Equal(b, []byte("null")) {
		*a = Amount{}
		return nil
	}
	d := json.NewDecoder(bytes.NewReader(b))
	d.DisallowUnknownFields()
	var t Text
	if err := d.Decode(&t); err != nil {
		return fmt.Errorf("amount of money: %w", err)
	}
	got, err := t.Parse()
	if err != nil {
		return err
	}
	*a = got
	return nil
}
