// Package registrytest holds every implementation of a registry to one
// behaviour: what is stored, what is refused and with which words, who may sign
// in, and what is still there when the registry is opened again.
//
// It knows registries by their methods alone, and nothing of what they store
// into.
package registrytest

import (
	"context"
	"io"
	"testing"
	"time"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/registry"
)

// Registry is what a registry does. The method comments stand at
// registry.Registry.
type Registry interface {
	CreateOwner(ctx context.Context, o devices.Owner) (devices.Owner, error)
	GetOwner(ctx context.Context, id string) (devices.Owner, error)
	ListOwners(ctx context.Context, f registry.Filter) ([]devices.Owner, int, error)
	UpdateOwner(ctx context.Context, id string, p registry.OwnerPatch) (devices.Owner, error)
	DeleteOwner(ctx context.Context, id string, version int64) (devices.Owner, error)
	RestoreOwner(ctx context.Context, id string, version int64) (devices.Owner, error)

	CreateSite(ctx context.Context, s devices.Site) (devices.Site, error)
	GetSite(ctx context.Context, id string) (devices.Site, error)
	ListSites(ctx context.Context, f registry.Filter) ([]devices.Site, int, error)
	UpdateSite(ctx context.Context, id string, p registry.SitePatch) (devices.Site, error)
	DeleteSite(ctx context.Context, id string, version int64) (devices.Site, error)
	RestoreSite(ctx context.Context, id string, version int64) (devices.Site, error)

	CreateStation(ctx context.Context, s devices.Station) (devices.Station, error)
	GetStation(ctx context.Context, id string) (devices.Station, error)
	ListStations(ctx context.Context, f registry.Filter) ([]devices.Station, int, error)
	UpdateStation(ctx context.Context, id string, p registry.StationPatch) (devices.Station, error)
	DeleteStation(ctx context.Context, id string, version int64) (devices.Station, error)
	RestoreStation(ctx context.Context, id string, version int64) (devices.Station, error)

	CreateBattery(ctx context.Context, b devices.Battery) (devices.Battery, error)
	GetBattery(ctx context.Context, id string) (devices.Battery, error)
	ListBatteries(ctx context.Context, f registry.Filter) ([]devices.Battery, int, error)
	UpdateBattery(ctx context.Context, id string, p registry.BatteryPatch) (devices.Battery, error)
	DeleteBattery(ctx context.Context, id string, version int64) (devices.Battery, error)
	RestoreBattery(ctx context.Context, id string, version int64) (devices.Battery, error)

	CreateBuilding(ctx context.Context, b devices.Building) (devices.Building, error)
	GetBuilding(ctx context.Context, id string) (devices.Building, error)
	ListBuildings(ctx context.Context, f registry.Filter) ([]devices.Building, int, error)
	UpdateBuilding(ctx context.Context, id string, p registry.BuildingPatch) (devices.Building, error)
	DeleteBuilding(ctx context.Context, id string, version int64) (devices.Building, error)
	RestoreBuilding(ctx context.Context, id string, version int64) (devices.Building, error)

	Lookup(ref devices.Ref) (gateway devices.Ref, known bool)
	Enroll(ctx context.Context, refs []devices.Ref) error

	SetCredential(ctx context.Context, ref devices.Ref, username string) (secret string, err error)
	CreateCredential(ctx context.Context, ref devices.Ref, username string) (secret string, err error)
	RotateCredential(ctx context.Context, ref devices.Ref, grace time.Duration) (c registry.Credential, secret string, err error)
	ExpireSecrets(ctx context.Context) ([]devices.Ref, error)
	Authenticate(ctx context.Context, username, secret string) (devices.Ref, error)
	RevokeCredential(ctx context.Context, ref devices.Ref) error
	Credentials(ctx context.Context) ([]registry.Credential, error)

	BindCertificate(ctx context.Context, ref devices.Ref, commonName string) (registry.Certificate, error)
	RevokeCertificate(ctx context.Context, ref devices.Ref, commonName string) error
	AuthenticateCertificate(ctx context.Context, commonName string) (devices.Ref, error)
	Certificates(ctx context.Context) ([]registry.Certificate, error)

	CreateKey(ctx context.Context, k registry.Key, hash registry.KeyHash) (registry.Key, error)
	FindKey(ctx context.Context, prefix string) (registry.Key, registry.KeyHash, error)
	Keys(ctx context.Context, limit, offset int) (keys []registry.Key, total int, err error)
	RotateKey(ctx context.Context, old string, fresh registry.Key, hash registry.KeyHash, grace time.Duration) (registry.Key, error)
	RevokeKey(ctx context.Context, prefix string) error
	KeyUsed(ctx context.Context, prefix string) error

	Changes(ctx context.Context, f registry.ChangeFilter) ([]registry.Change, int, error)
	Ownerships(ctx context.Context, f registry.OwnershipFilter) ([]registry.Ownership, error)
	Import(ctx context.Context, kind string, file io.Reader, dryRun bool) (registry.Imported, error)
	Export(ctx context.Context, kind string, to io.Writer) error
	BeginAnswer(ctx context.Context, q registry.Request) (a registry.Answer, answered bool, err error)
	KeepAnswer(ctx context.Context, q registry.Request, a registry.Answer) error
	DropAnswer(ctx context.Context, q registry.Request) error
	OwnerAt(ctx context.Context, kind, id string, at time.Time) (ownerID string, owned bool, err error)

	Close() error
}

// Opener opens one database; called again after Close it opens the same one.
type Opener func(t *testing.T, opts registry.Options) Registry

// Run runs the suite. Each call of fresh returns the opener of a new, empty
// database.
func Run(t *testing.T, fresh func(t *testing.T) Opener) {
	for _, tt := range []struct {
		name string
		test func(t *testing.T, open Opener)
	}{
		{"owners", testOwners},
		{"sites", testSites},
		{"devices", testDevices},
		{"patches", testPatches},
		{"status", testStatus},
		{"invalid", testInvalid},
		{"lists", testLists},
		{"enroll", testEnroll},
		{"gateways", testGateways},
		{"credentials", testCredentials},
		{"refused credentials", testRefusedCredentials},
		{"create once", testCreateCredential},
		{"rotation", testRotation},
		{"refused rotations", testRefusedRotations},
		{"certificates", testCertificates},
		{"keys", testKeys},
		{"refused keys", testRefusedKeys},
		{"rotation of keys", testKeyRotation},
		{"versions", testVersions},
		{"deletion", testDeletion},
		{"audit log", testAudit},
		{"ownership", testOwnership},
		{"corrected ownership", testCorrectedOwnership},
		{"ownership keeps to a model", testOwnershipModel},
		{"import and export", testBulk},
		{"refused imports", testRefusedImports},
		{"answers", testAnswers},
		{"directory keeps in step", testDirectory},
		{"concurrent use", testConcurrency},
	} {
		t.Run(tt.name, func(t *testing.T) { tt.test(t, fresh(t)) })
	}
}
