package devices

import "time"

// Owner is a person or company that owns assets and is entitled to what they
// earn.
type Owner struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	CreatedAt time.Time `json:"created_at"`
	UpdatedAt time.Time `json:"updated_at"`
	Record
}

// Record is what the registry keeps of every entry beside its content.
type Record struct {
	Version   int64      `json:"version,omitempty"`    // 1, and one more with each change
	DeletedAt *time.Time `json:"deleted_at,omitempty"` // nil: it is not deleted
}

// Entry is the record of whatever embeds it.
func (r Record) Entry() Record { return r }

// Site is a place where stations and buildings stand. TimeZone is an IANA name
// and decides what a local day is there.
type Site struct {
	ID        string   `json:"id"`
	OwnerID   string   `json:"owner_id,omitempty"`
	Name      string   `json:"name"`
	TimeZone  string   `json:"time_zone"`
	City      string   `json:"city,omitempty"`
	Latitude  *float64 `json:"latitude,omitempty"`  // degrees north, −90…90
	Longitude *float64 `json:"longitude,omitempty"` // degrees east, −180…180
	// OwnerSince is since when the owner has had it; nil: from the beginning.
	OwnerSince *time.Time `json:"owner_since,omitempty"`
	CreatedAt  time.Time  `json:"created_at"`
	UpdatedAt  time.Time  `json:"updated_at"`
	Record
}

// Status says how far a device has come in the registry.
type Status string

// The states of a registered device.
const (
	// StatusUnclaimed marks a device that published before anyone registered
	// it. It has no owner until somebody claims it.
	StatusUnclaimed Status = "unclaimed"
	StatusActive    Status = "active"
	StatusRetired   Status = "retired"
)

// Asset is what stations, batteries and buildings have in common.
type Asset struct {
	ID           string     `json:"id"`
	OwnerID      string     `json:"owner_id,omitempty"`    // empty: unclaimed
	OwnerSince   *time.Time `json:"owner_since,omitempty"` // since when; nil: from the beginning
	SiteID       string     `json:"site_id,omitempty"`
	Name         string     `json:"name,omitempty"`
	Serial       string     `json:"serial,omitempty"`
	Status       Status     `json:"status"`
	Gateway      string     `json:"gateway,omitempty"` // "kind/id" of the device that may publish for it
	Commissioned *time.Time `json:"commissioned,omitempty"`
	CreatedAt    time.Time  `json:"created_at"`
	UpdatedAt    time.Time  `json:"updated_at"`
	Record
}

// Station is a battery-swap station.
type Station struct {
	Asset
	Slots int `json:"slots,omitempty"` // number of battery slots; 0: unknown
}

// Battery is a swappable battery system. A zero rating means that it is not
// known, and results that need it say so.
type Battery struct {
	Asset
	Chemistry       string  `json:"chemistry,omitempty"` // LFP, NMC, …
	RatedCapacityAh float64 `json:"rated_capacity_ah,omitempty"`
	RatedVoltageV   float64 `json:"rated_voltage_v,omitempty"`
	CutoffVoltageV  float64 `json:"cutoff_voltage_v,omitempty"` // end-of-discharge voltage of the whole battery
}

// Building is a building with a controller or meter.
type Building struct {
	Asset
	FloorAreaM2 float64 `json:"floor_area_m2,omitempty"`
}
