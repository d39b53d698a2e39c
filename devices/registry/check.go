package registry

import (
	"context"
	"errors"
	"math"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/fleetwatt/fleetwatt/devices"
)

const (
	maxText  = 256   // bytes of a name, serial number or chemistry
	maxSlots = 10000 // as slots_total in the measurement schema
)

func checkOwner(o *devices.Owner) error {
	var p problems
	p.id(o.ID)
	p.text("name", o.Name, true)
	return p.err()
}

func checkSite(ctx context.Context, q rower, s *devices.Site) error {
	var p problems
	p.id(s.ID)
	if err := p.owner(ctx, q, s.OwnerID); err != nil {
		return err
	}
	p.text("name", s.Name, true)
	p.text("city", s.City, false)
	// LoadLocation takes "" for UTC and "Local" for wherever this process runs.
	if _, err := time.LoadLocation(s.TimeZone); err != nil || s.TimeZone == "" || s.TimeZone == "Local" {
		p.add("time_zone", "want the IANA name of a time zone, such as Europe/London")
	}
	p.degrees("latitude", s.Latitude, 90)
	p.degrees("longitude", s.Longitude, 180)
	if s.Latitude == nil && s.Longitude != nil {
		p.add("latitude", "needed beside longitude")
	}
	if s.Longitude == nil && s.Latitude != nil {
		p.add("longitude", "needed beside latitude")
	}
	return p.err()
}

// checkDevice also brings the fields into the form that is stored.
func checkDevice(ctx context.Context, q rower, d *device) error {
	var p problems
	p.id(d.ID)
	if err := p.owner(ctx, q, d.OwnerID); err != nil {
		return err
	}
	if d.SiteID != "" {
		if err := p.exists("site_id", d.SiteID, func() error {
			s, err := findSite(ctx, q, d.SiteID)
			return there(s.Record, err)
		}); err != nil {
			return err
		}
	}
	p.text("name", d.Name, false)
	p.text("serial", d.Serial, false)
	p.status(d)
	if err := p.gateway(ctx, q, d); err != nil {
		return err
	}
	p.commissioned(d)
	if d.slots < 0 || d.slots > maxSlots {
		p.add("slots", "want 0 to %d", maxSlots)
	}
	p.text("chemistry", d.chemistry, false)
	for _, rating := range d.ratings() {
		if v := rating.value; v != nil && !(*v > 0 && !math.IsInf(*v, 0)) {
			p.add(rating.field, "want a number greater than 0")
		}
	}
	if d.voltageV != nil && d.cutoffV != nil && *d.cutoffV >= *d.voltageV {
		p.add("cutoff_voltage_v", "want less than rated_voltage_v, which is %g", *d.voltageV)
	}
	return p.err()
}

type rating struct {
	field string
	value *float64
}

func (d *device) ratings() []rating {
	return []rating{
		{"rated_capacity_ah", d.capacityAh}, {"rated_voltage_v", d.voltageV},
		{"cutoff_voltage_v", d.cutoffV}, {"floor_area_m2", d.floorAreaM2},
	}
}

// rated is what a battery's results are worked out with; a value that nobody gave
// is 0.
func (d *device) rated() (r struct {
	capacityAh, voltageV, cutoffV float64
	chemistry                     string
	commissioned                  int64
}) {
	value := func(v *float64) float64 {
		if v == nil {
			return 0
		}
		return *v
	}
	r.capacityAh, r.voltageV, r.cutoffV = value(d.capacityAh), value(d.voltageV), value(d.cutoffV)
	r.chemistry = d.chemistry
	if d.Commissioned != nil {
		r.commissioned = d.Commissioned.UnixMilli()
	}
	return r
}

func (p *problems) id(id string) {
	if !devices.ValidID(id) {
		p.add("id", "want 1–%d of A-Za-z0-9._:-", devices.MaxIDLength)
	}
}

func (p *problems) text(field, s string, required bool) {
	switch {
	case required && strings.TrimSpace(s) == "":
		p.add(field, "must not be empty")
	case len(s) > maxText:
		p.add(field, "want at most %d bytes", maxText)
	case !utf8.ValidString(s) || strings.ContainsFunc(s, unicode.IsControl):
		p.add(field, "want text without control characters")
	}
}

func (p *problems) degrees(field string, v *float64, limit float64) {
	if v != nil && !(math.Abs(*v) <= limit) {
		p.add(field, "want −%g to %g degrees", limit, limit)
	}
}

func (p *problems) owner(ctx context.Context, q rower, id string) error {
	if id == "" {
		return nil
	}
	return p.exists("owner_id", id, func() error {
		o, err := findOwner(ctx, q, id)
		return there(o.Record, err)
	})
}

// there makes ErrNotFound of what is deleted.
func there(r devices.Record, err error) error {
	if err == nil && r.DeletedAt != nil {
		err = ErrNotFound
	}
	return err
}

// exists reports what find does not find as a problem of the field, and any
// other error of find as an error.
func (p *problems) exists(field, id string, find func() error) error {
	err := find()
	if errors.Is(err, ErrNotFound) {
		p.add(field, "%q is not registered", id)
		return nil
	}
	return err
}

func (p *problems) status(d *device) {
	switch {
	case d.Status != devices.StatusUnclaimed && d.Status != devices.StatusActive && d.Status != devices.StatusRetired:
		p.add("status", "want unclaimed, active or retired")
	case d.Status == devices.StatusUnclaimed && d.OwnerID != "":
		p.add("status", "a device with an owner can't be unclaimed")
	case d.Status == devices.StatusActive && d.OwnerID == "":
		p.add("status", "a device without owner_id can't be active")
	}
}

func (p *problems) gateway(ctx context.Context, q rower, d *device) error {
	if d.Gateway == "" {
		return nil
	}
	gateway, err := devices.ParseRef(d.Gateway)
	if err != nil {
		p.add("gateway", "%s", err)
		return nil
	}
	if gateway == d.ref() {
		p.add("gateway", "a device can't be its own gateway")
		return nil
	}
	return p.exists("gateway", d.Gateway, func() error {
		d, err := findDevice(ctx, q, gateway)
		return there(d.Record, err)
	})
}

// commissioned keeps the millisecond that is stored. Years beyond 9999 have no
// RFC 3339 form.
func (p *problems) commissioned(d *device) {
	if d.Commissioned == nil {
		return
	}
	t := d.Commissioned.UTC().Truncate(time.Millisecond)
	if y := t.Year(); y < 1900 || y > 9999 {
		p.add("commissioned", "want a year from 1900 to 9999")
	}
	d.Commissioned = &t
}
