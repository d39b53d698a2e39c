package main

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"time"

	"github.com/fleetwatt/fleetwatt/api/access"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb"
)

// Owners and the sites that each of them has its batteries on.
const (
	owners = 100
	sites  = 5
)

// filled is what the clients must know of the fleet.
type filled struct {
	Made    time.Time // when the newest day with results had ended
	Fleet   string    // a key that sees all
	Owners  []string  // a key for each owner
	Fitting string    // for which settings it was made

	phase uint64 // another for each phase, so that it asks for others
}

func batteryID(k int) string { return fmt.Sprintf("battery-%06d", k) }

func ownerID(k int) string { return fmt.Sprintf("owner-%03d", k%owners) }

// prepare fills the directory, unless an earlier run has.
func prepare(ctx context.Context, s settings) (f filled, err error) {
	note := filepath.Join(s.Dir, "filled.json")
	f.Fitting = fmt.Sprint(s.Batteries, s.Followed, s.Days)
	raw, err := os.ReadFile(note)
	if err == nil {
		var old filled
		if err := json.Unmarshal(raw, &old); err != nil {
			return f, err
		}
		if old.Fitting != f.Fitting {
			return f, fmt.Errorf("%s holds another fleet", s.Dir)
		}
		return old, nil
	}
	began := time.Now()
	if err := os.MkdirAll(s.data(), 0o750); err != nil {
		return f, err
	}
	f.Made = time.Now().UTC().Truncate(24 * time.Hour)
	if err := f.fill(ctx, s); err != nil {
		return f, err
	}
	fmt.Printf("filled in %.0f s\n", time.Since(began).Seconds())
	raw, err = json.Marshal(f)
	if err != nil {
		return f, err
	}
	return f, os.WriteFile(note, raw, 0o600)
}

func (f *filled) fill(ctx context.Context, s settings) (err error) {
	schema, err := devices.NewSchema()
	if err != nil {
		return err
	}
	lives, err := simulate(schema, s, f.Made)
	if err != nil {
		return err
	}
	// What is in the ledger and in the store is of the past, so theirs is the
	// clock of the day that it was made on.
	past := func() time.Time { return f.Made }
	reg, err := registry.Open(ctx, filepath.Join(s.data(), "registry.db"), registry.Options{Now: past})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, reg.Close()) }()
	if err := f.register(ctx, s, reg, lives); err != nil {
		return err
	}
	led, err := ledger.Open(ctx, filepath.Join(s.data(), "ledger.db"), ledger.Options{Now: past})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, led.Close()) }()
	if err := remember(ctx, s, led, lives); err != nil {
		return err
	}
	store, err := duckdb.Open(ctx, s.data(), schema, duckdb.Options{Now: past})
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, store.Close()) }()
	return appendReadings(ctx, s, store, lives)
}

// register imports owners, sites and batteries, and makes the keys.
func (f *filled) register(ctx context.Context, s settings, reg *registry.Registry, lives []life) error {
	who, where := [][]string{{"id", "name"}}, [][]string{{"id", "owner_id", "name", "time_zone"}}
	for k := range owners {
		who = append(who, []string{ownerID(k), "Owner " + strconv.Itoa(k)})
		for n := range sites {
			where = append(where, []string{siteID(k, n), ownerID(k), "Site " + strconv.Itoa(n), "Europe/Berlin"})
		}
	}
	what := [][]string{{"id", "owner_id", "site_id", "serial", "commissioned", "chemistry", "rated_capacity_ah", "rated_voltage_v", "cutoff_voltage_v"}}
	number := func(v float64) string { return strconv.FormatFloat(v, 'g', -1, 64) }
	for k := range s.Batteries {
		b := lives[k%len(lives)].asset
		what = append(what, []string{
			batteryID(k), ownerID(k), siteID(k, k/owners), "SN" + strconv.Itoa(1_000_000+k), f.Made.AddDate(0, 0, -s.Days).Format(time.DateOnly),
			b.Chemistry, number(b.RatedCapacityAh), number(b.RatedVoltageV), number(b.CutoffVoltageV),
		})
	}
	for _, file := range []struct {
		kind  string
		lines [][]string
	}{{"owner", who}, {"site", where}, {"battery", what}} {
		var text bytes.Buffer
		if err := csv.NewWriter(&text).WriteAll(file.lines); err != nil {
			return err
		}
		done, err := reg.Import(ctx, file.kind, &text, false)
		if err != nil {
			return err
		}
		if len(done.Problems) > 0 {
			return fmt.Errorf("import %s: line %d: %s", file.kind, done.Problems[0].Line, done.Problems[0].Detail)
		}
	}
	var err error
	if f.Fleet, err = newKey(ctx, reg, registry.Key{Name: "fleet", Role: string(access.Operator)}); err != nil {
		return err
	}
	for k := range owners {
		text, err := newKey(ctx, reg, registry.Key{Name: ownerID(k), Role: string(access.Owner), OwnerID: ownerID(k)})
		if err != nil {
			return err
		}
		f.Owners = append(f.Owners, text)
	}
	return nil
}

func siteID(k, n int) string { return fmt.Sprintf("site-%03d-%d", k%owners, n%sites) }

func newKey(ctx context.Context, reg *registry.Registry, k registry.Key) (text string, err error) {
	fresh := access.NewKey()
	k.Prefix, k.CreatedBy = fresh.Prefix, "bench-api"
	_, err = reg.CreateKey(ctx, k, fresh.Hash)
	return fresh.Text, err
}

// appendReadings stores the readings of the batteries that are followed, by time.
func appendReadings(ctx context.Context, s settings, store *duckdb.Store, lives []life) error {
	var batch []telemetry.Reading
	flush := func() error {
		_, err := store.Append(ctx, batch)
		batch = batch[:0]
		return err
	}
	for i := range lives[0].tail {
		for k := range s.Followed {
			r := lives[k%len(lives)].tail[i]
			r.Device = batteryID(k)
			if batch = append(batch, r); len(batch) == 10_000 {
				if err := flush(); err != nil {
					return err
				}
			}
		}
	}
	if err := flush(); err != nil {
		return err
	}
	return store.Compact(ctx)
}
