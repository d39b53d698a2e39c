package station

import (
	"encoding/json"
	"fmt"
)

// dayCode is how a day is stored: its visits by column, since what a station does
// not report is then not there at all.
type dayCode struct {
	Day      int64      `json:"day"`
	From     int64      `json:"from"`
	To       int64      `json:"to"`
	Readings int        `json:"readings,omitempty"`
	Heard    int64      `json:"heard_ms,omitempty"`
	States   *StateTime `json:"states,omitempty"`
	Slots    *SlotTime  `json:"slots,omitempty"`
	Meter    *Meter     `json:"meter,omitempty"`
	Charges  *Charges   `json:"charges,omitempty"`

	At       []int64        `json:"at,omitempty"`   // ms since From
	Took     []int64        `json:"took,omitempty"` // ms from coming to the end; 0: not known
	Outcome  string         `json:"outcome,omitempty"`
	Reason   map[int]string `json:"reason,omitempty"` // by visit
	SwapS    []*float64     `json:"swap_s,omitempty"`
	WaitS    []*float64     `json:"wait_s,omitempty"`
	EnergyWh []*float64     `json:"energy_wh,omitempty"`
	Charged  []*int         `json:"charged,omitempty"`
}

// MarshalJSON writes the day; the same day gives the same bytes.
func (d Day) MarshalJSON() ([]byte, error) {
	c := dayCode{Day: d.Day, From: d.From, To: d.To, Readings: d.Readings, Heard: d.Heard}
	if d.States.Reports > 0 {
		c.States = &d.States
	}
	if d.Slots.Reports > 0 {
		c.Slots = &d.Slots
	}
	if d.Meter != (Meter{}) {
		c.Meter = &d.Meter
	}
	if d.Charges.Count > 0 {
		c.Charges = &d.Charges
	}
	outcomes := make([]byte, len(d.Visits))
	for k, v := range d.Visits {
		c.At = append(c.At, v.At-d.From)
		outcomes[k] = outcomeLetter(v.Outcome)
		if v.Came != 0 {
			set(&c.Took, k, len(d.Visits), v.At-v.Came)
		}
		if v.Reason != "" {
			if c.Reason == nil {
				c.Reason = map[int]string{}
			}
			c.Reason[k] = v.Reason
		}
		if v.SwapS != nil {
			set(&c.SwapS, k, len(d.Visits), v.SwapS)
		}
		if v.WaitS != nil {
			set(&c.WaitS, k, len(d.Visits), v.WaitS)
		}
		if v.EnergyWh != nil {
			set(&c.EnergyWh, k, len(d.Visits), v.EnergyWh)
		}
		if v.Charged != nil {
			set(&c.Charged, k, len(d.Visits), v.Charged)
		}
	}
	c.Outcome = string(outcomes)
	return json.Marshal(&c)
}

// set puts v in a column of n rows, which is made where there is none.
func set[T any](column *[]T, k, n int, v T) {
	if *column == nil {
		*column = make([]T, n)
	}
	(*column)[k] = v
}

// at is the row of a column that may not be there.
func at[T any](column []T, k int) (none T) {
	if k < len(column) {
		return column[k]
	}
	return none
}

func outcomeLetter(o Outcome) byte {
	switch o {
	case Done:
		return 'd'
	case Reneged:
		return 'r'
	}
	return 'f'
}

// UnmarshalJSON reads what MarshalJSON wrote.
func (d *Day) UnmarshalJSON(b []byte) error {
	var c dayCode
	if err := json.Unmarshal(b, &c); err != nil {
		return err
	}
	if len(c.At) != len(c.Outcome) {
		return fmt.Errorf("day %d has %d visits with %d outcomes", c.Day, len(c.At), len(c.Outcome))
	}
	*d = Day{Day: c.Day, Window: Window{c.From, c.To}, Readings: c.Readings, Heard: c.Heard}
	if c.States != nil {
		d.States = *c.States
	}
	if c.Slots != nil {
		d.Slots = *c.Slots
	}
	if c.Meter != nil {
		d.Meter = *c.Meter
	}
	if c.Charges != nil {
		d.Charges = *c.Charges
	}
	for k, since := range c.At {
		v := Visit{At: c.From + since, Reason: c.Reason[k], Outcome: Failed,
			SwapS: at(c.SwapS, k), WaitS: at(c.WaitS, k), EnergyWh: at(c.EnergyWh, k), Charged: at(c.Charged, k)}
		switch c.Outcome[k] {
		case 'd':
			v.Outcome = Done
		case 'r':
			v.Outcome = Reneged
		}
		if took := at(c.Took, k); took != 0 {
			v.Came = v.At - took
		}
		d.Visits = append(d.Visits, v)
	}
	return nil
}
