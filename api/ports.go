package api

import (
	"context"
	"errors"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/devices/wire"
	"github.com/fleetwatt/fleetwatt/fleet/battery"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest/presence"
	"github.com/fleetwatt/fleetwatt/ingest/quarantine"
)

// Errors of the ports that have no other home. Of a port they may be wrapped;
// their text is shown to clients.
var (
	ErrUnknownJob = errors.New("unknown job")
	ErrJobRunning = errors.New("the job is running")
	// ErrNotReplayable: the sender might not speak for the device, and who it
	// was can't be proven again.
	ErrNotReplayable = errors.New("an entry that was published by another than its device can't be replayed")
)

// Registry is who exists. Lists are ordered by id and come with how many items
// the filter selects. Errors: registry.ErrNotFound, ErrExists, ErrConflict,
// ErrVersion and *registry.Invalid, in words fit for a client; and
// registry.ErrUnavailable.
type Registry interface {
	OwnerRegistry
	SiteRegistry
	StationRegistry
	BatteryRegistry
	BuildingRegistry
	History
	Answers
	Bulk
}

// History is what the registry was before.
type History interface {
	// Changes returns a page of the audit log, the newest first.
	Changes(context.Context, registry.ChangeFilter) ([]registry.Change, int, error)
	// Ownerships returns who owned what, by kind, id and time.
	Ownerships(context.Context, registry.OwnershipFilter) ([]registry.Ownership, error)
}

// OwnerRegistry keeps owners.
type OwnerRegistry interface {
	CreateOwner(context.Context, devices.Owner) (devices.Owner, error)
	GetOwner(ctx context.Context, id string) (devices.Owner, error)
	ListOwners(context.Context, registry.Filter) ([]devices.Owner, int, error)
	UpdateOwner(ctx context.Context, id string, p registry.OwnerPatch) (devices.Owner, error)
	DeleteOwner(ctx context.Context, id string, version int64) (devices.Owner, error)
	RestoreOwner(ctx context.Context, id string, version int64) (devices.Owner, error)
}

// SiteRegistry keeps sites.
type SiteRegistry interface {
	CreateSite(context.Context, devices.Site) (devices.Site, error)
	GetSite(ctx context.Context, id string) (devices.Site, error)
	ListSites(context.Context, registry.Filter) ([]devices.Site, int, error)
	UpdateSite(ctx context.Context, id string, p registry.SitePatch) (devices.Site, error)
	DeleteSite(ctx context.Context, id string, version int64) (devices.Site, error)
	RestoreSite(ctx context.Context, id string, version int64) (devices.Site, error)
}

// StationRegistry keeps stations.
type StationRegistry interface {
	CreateStation(context.Context, devices.Station) (devices.Station, error)
	GetStation(ctx context.Context, id string) (devices.Station, error)
	ListStations(context.Context, registry.Filter) ([]devices.Station, int, error)
	UpdateStation(ctx context.Context, id string, p registry.StationPatch) (devices.Station, error)
	DeleteStation(ctx context.Context, id string, version int64) (devices.Station, error)
	RestoreStation(ctx context.Context, id string, version int64) (devices.Station, error)
}

// BatteryRegistry keeps batteries.
type BatteryRegistry interface {
	CreateBattery(context.Context, devices.Battery) (devices.Battery, error)
	GetBattery(ctx context.Context, id string) (devices.Battery, error)
	ListBatteries(context.Context, registry.Filter) ([]devices.Battery, int, error)
	UpdateBattery(ctx context.Context, id string, p registry.BatteryPatch) (devices.Battery, error)
	DeleteBattery(ctx context.Context, id string, version int64) (devices.Battery, error)
	RestoreBattery(ctx context.Context, id string, version int64) (devices.Battery, error)
}

// BuildingRegistry keeps buildings.
type BuildingRegistry interface {
	CreateBuilding(context.Context, devices.Building) (devices.Building, error)
	GetBuilding(ctx context.Context, id string) (devices.Building, error)
	ListBuildings(context.Context, registry.Filter) ([]devices.Building, int, error)
	UpdateBuilding(ctx context.Context, id string, p registry.BuildingPatch) (devices.Building, error)
	DeleteBuilding(ctx context.Context, id string, version int64) (devices.Building, error)
	RestoreBuilding(ctx context.Context, id string, version int64) (devices.Building, error)
}

// Credentials are what devices sign in with.
type Credentials interface {
	// SetCredential gives the device a new secret, which can't be had again; an
	// empty username stands for its id. Errors: registry.ErrNotFound,
	// ErrConflict, *registry.Invalid.
	SetCredential(ctx context.Context, device devices.Ref, username string) (secret string, err error)
	// CreateCredential is SetCredential for a device that has no secret yet;
	// registry.ErrExists where it has.
	CreateCredential(ctx context.Context, device devices.Ref, username string) (secret string, err error)
	// RotateCredential gives the device a new secret and lets the old one work
	// for grace longer. Errors: registry.ErrNotFound, *registry.Invalid.
	RotateCredential(ctx context.Context, device devices.Ref, grace time.Duration) (c registry.Credential, secret string, err error)
	// RevokeCredential takes secrets and certificates away. Error:
	// registry.ErrNotFound.
	RevokeCredential(ctx context.Context, device devices.Ref) error
	// Credentials lists the secrets, by device.
	Credentials(ctx context.Context) ([]registry.Credential, error)

	// BindCertificate lets client certificates of the name sign in as the
	// device. Errors: registry.ErrNotFound, ErrConflict, *registry.Invalid.
	BindCertificate(ctx context.Context, device devices.Ref, commonName string) (registry.Certificate, error)
	// RevokeCertificate ends that. Error: registry.ErrNotFound.
	RevokeCertificate(ctx context.Context, device devices.Ref, commonName string) error
	// Certificates lists them, by device and name.
	Certificates(ctx context.Context) ([]registry.Certificate, error)
}

// Results are what the jobs have worked out.
type Results interface {
	RollupResults
	CapacityResults
	RunHistory
	// Spans returns the first and last day with data of each device of the kind.
	Spans(ctx context.Context, kind devices.Kind) (map[string]ledger.DaySpan, error)
}

// RollupResults are hours and days of telemetry.
type RollupResults interface {
	// Rollups returns the days in [fromDay, toDay), counted from 1970-01-01,
	// ascending; days without data are absent.
	Rollups(ctx context.Context, device devices.Ref, fromDay, toDay int64) ([]ledger.RollupDay, error)
	// RollupTotals is Rollups of the days as a whole: their hours may be missing.
	RollupTotals(ctx context.Context, device devices.Ref, fromDay, toDay int64) ([]ledger.RollupDay, error)
}

// CapacityResults are measured capacities, ascending by start.
type CapacityResults interface {
	Capacities(ctx context.Context, device devices.Ref) ([]battery.Capacity, error)
	// LatestCapacities returns at least as many of the newest, by device, as
	// battery.Assess looks at.
	LatestCapacities(ctx context.Context, kind devices.Kind) (map[string][]battery.Capacity, error)
}

// RunHistory keeps the runs of jobs.
type RunHistory interface {
	// Runs returns at most limit runs of the job, newest first.
	Runs(ctx context.Context, job string, limit int) ([]ledger.Run, error)
}

// Events are what happened to devices.
type Events interface {
	// Events returns a page of events by time and how many the query selects.
	Events(ctx context.Context, q ledger.EventQuery) ([]telemetry.Event, int, error)
}

// Quarantine keeps what can't be stored. Error: quarantine.ErrNotFound.
type Quarantine interface {
	// List returns a page of entries by id, and how many there are.
	List(ctx context.Context, f quarantine.Filter) ([]quarantine.Entry, int, error)
	Get(ctx context.Context, id int64) (quarantine.Entry, error)
	Counts(context.Context) (map[wire.Reason]int, error)
	Delete(ctx context.Context, id int64) error
	// Drop removes what f selects, but for the newest of it that count for at
	// most keepBytes, and says how much that was; a dry run only says it.
	Drop(ctx context.Context, f quarantine.Filter, keepBytes int64, dryRun bool) (quarantine.Dropped, error)
}

// Jobs are the computations that run on a schedule.
type Jobs interface {
	Jobs(context.Context) ([]Job, error)
	// Trigger runs a job now. With wait it returns the ended run, also one that
	// failed; without, the begun one. When ctx ends, the wait does, not the
	// run. Errors: ErrUnknownJob; ErrJobRunning, without wait only.
	Trigger(ctx context.Context, name string, wait bool) (ledger.Run, error)
}

// Job is one job and its place in time.
type Job struct {
	Name     string
	Schedule string    // cron expression, UTC
	Next     time.Time // zero: not scheduled
	Last     *ledger.Run
}

// Health knows whether what the server needs works.
type Health interface {
	// Ready runs every check; it is called for each request of /readyz.
	Ready(context.Context) []Check
}

// Check is the outcome of one check.
type Check struct {
	Name   string `json:"name"`
	OK     bool   `json:"ok"`
	Detail string `json:"detail,omitempty"` // why not; shown to anyone who asks
}

// Ingest accounts for what arrived.
type Ingest interface {
	Accounting() Accounting
	// Replay takes a quarantined record in again, as if it had just been
	// received from its sender, and returns when what became of it is on disk:
	// records that still can't be stored are in quarantine anew. The entry itself
	// stays. Error: ErrNotReplayable.
	Replay(ctx context.Context, e quarantine.Entry) (records, quarantined int, err error)
}

// Accounting counts records since the process started:
// Received = Stored + Duplicate + Quarantined + Pending.
type Accounting struct {
	Received    uint64 `json:"received"`
	Stored      uint64 `json:"stored" doc:"new readings and events"`
	Duplicate   uint64 `json:"duplicate" doc:"readings merged into one that was there, events seen before"`
	Quarantined uint64 `json:"quarantined" doc:"kept with the reason why they can't be stored"`
	Pending     uint64 `json:"pending" doc:"accepted, not yet committed"`
}

// Presence knows which devices are there.
type Presence interface {
	// Get is the presence of a device; presence.Never where it was not heard.
	Get(device devices.Ref) presence.Presence
	// List returns a page of devices, by kind and id, and how many the filter
	// selects.
	List(ctx context.Context, f presence.Filter) ([]presence.Presence, int, error)
}
