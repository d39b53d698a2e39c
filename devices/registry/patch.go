package registry

import (
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
)

// Filter selects and pages a list. Conditions that are empty, or that the kind
// of object does not have, select everything.
type Filter struct {
	OwnerID string         // sites and devices
	SiteID  string         // devices
	Status  devices.Status // devices
	Deleted bool           // those that are deleted too
	Limit   int            // at most so many; 0 or less: all
	Offset  int            // skip so many
}

// A patch changes the fields that are not nil and leaves the others. An empty
// owner_id, site_id or gateway takes the device out of it. Version is the
// version of the entry that the patch is for; 0: whichever it is. OwnerSince is
// from when on the owner after the patch is the owner, which may also correct
// what was said before; nil: a new owner is so from now on.

// OwnerPatch changes an owner.
type OwnerPatch struct {
	Version int64 `json:"-"`

	Name *string `json:"name,omitempty"`
}

func (p OwnerPatch) apply(o *devices.Owner) { set(&o.Name, p.Name) }

// SitePatch changes a site.
type SitePatch struct {
	Version int64 `json:"-"`

	OwnerID    *string    `json:"owner_id,omitempty"`
	OwnerSince *time.Time `json:"owner_since,omitempty"`
	Name       *string    `json:"name,omitempty"`
	TimeZone   *string    `json:"time_zone,omitempty"`
	City       *string    `json:"city,omitempty"`
	Latitude   *float64   `json:"latitude,omitempty"`
	Longitude  *float64   `json:"longitude,omitempty"`
}

func (p SitePatch) apply(s *devices.Site) {
	set(&s.OwnerID, p.OwnerID)
	set(&s.Name, p.Name)
	set(&s.TimeZone, p.TimeZone)
	set(&s.City, p.City)
	setPointer(&s.Latitude, p.Latitude)
	setPointer(&s.Longitude, p.Longitude)
}

// AssetPatch changes what all devices have in common.
//
// A device is unclaimed exactly as long as it has no owner and is not retired:
// giving an unclaimed device an owner makes it active, taking the owner of an
// active one makes it unclaimed, and a status that contradicts the owner is a
// Problem. Retired devices keep their owner and may be brought back.
type AssetPatch struct {
	Version int64 `json:"-"`

	OwnerID      *string         `json:"owner_id,omitempty"`
	OwnerSince   *time.Time      `json:"owner_since,omitempty"`
	SiteID       *string         `json:"site_id,omitempty"`
	Name         *string         `json:"name,omitempty"`
	Serial       *string         `json:"serial,omitempty"`
	Status       *devices.Status `json:"status,omitempty"`
	Gateway      *string         `json:"gateway,omitempty"`
	Commissioned *time.Time      `json:"commissioned,omitempty"`
}

func (p AssetPatch) apply(a *devices.Asset) {
	set(&a.OwnerID, p.OwnerID)
	set(&a.SiteID, p.SiteID)
	set(&a.Name, p.Name)
	set(&a.Serial, p.Serial)
	set(&a.Gateway, p.Gateway)
	setPointer(&a.Commissioned, p.Commissioned)
	if p.Status != nil {
		a.Status = *p.Status
		return
	}
	switch {
	case a.Status == devices.StatusUnclaimed && a.OwnerID != "":
		a.Status = devices.StatusActive
	case a.Status == devices.StatusActive && a.OwnerID == "":
		a.Status = devices.StatusUnclaimed
	}
}

// StationPatch changes a station.
type StationPatch struct {
	AssetPatch
	Slots *int `json:"slots,omitempty"`
}

func (p StationPatch) apply(d *device) {
	p.AssetPatch.apply(&d.Asset)
	set(&d.slots, p.Slots)
}

// BatteryPatch changes a battery. A rating that is given must be positive.
type BatteryPatch struct {
	AssetPatch
	Chemistry       *string  `json:"chemistry,omitempty"`
	RatedCapacityAh *float64 `json:"rated_capacity_ah,omitempty"`
	RatedVoltageV   *float64 `json:"rated_voltage_v,omitempty"`
	CutoffVoltageV  *float64 `json:"cutoff_voltage_v,omitempty"`
}

func (p BatteryPatch) apply(d *device) {
	p.AssetPatch.apply(&d.Asset)
	set(&d.chemistry, p.Chemistry)
	setPointer(&d.capacityAh, p.RatedCapacityAh)
	setPointer(&d.voltageV, p.RatedVoltageV)
	setPointer(&d.cutoffV, p.CutoffVoltageV)
}

// BuildingPatch changes a building. A floor area that is given must be positive.
type BuildingPatch struct {
	AssetPatch
	FloorAreaM2 *float64 `json:"floor_area_m2,omitempty"`
}

func (p BuildingPatch) apply(d *device) {
	p.AssetPatch.apply(&d.Asset)
	setPointer(&d.floorAreaM2, p.FloorAreaM2)
}

// set overwrites the field with the value, if there is one.
func set[T any](field *T, value *T) {
	if value != nil {
		*field = *value
	}
}

// setPointer is set for a field that may be absent; the value is copied.
func setPointer[T any](field **T, value *T) {
	if value != nil {
		v := *value
		*field = &v
	}
}
