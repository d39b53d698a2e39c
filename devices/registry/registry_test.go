package registry_test

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"

	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/database/pgtest"
	"github.com/fleetwatt/fleetwatt/devices/registry"
	"github.com/fleetwatt/fleetwatt/devices/registry/registrytest"
)

func open(t testing.TB, path string, opts registry.Options) *registry.Registry {
	t.Helper()
	r, err := registry.Open(t.Context(), path, opts)
	if err != nil {
		t.Fatalf("Open: %v", err)
	}
	return r
}

func TestConformance(t *testing.T) {
	registrytest.Run(t, func(t *testing.T) registrytest.Opener {
		path := filepath.Join(t.TempDir(), "registry.db")
		return func(t *testing.T, opts registry.Options) registrytest.Registry { return open(t, path, opts) }
	})
}

func TestConformanceOnPostgreSQL(t *testing.T) {
	server := pgtest.Start(t)
	registrytest.Run(t, func(*testing.T) registrytest.Opener {
		where := server.Database()
		return func(t *testing.T, opts registry.Options) registrytest.Registry { return open(t, where, opts) }
	})
}

func TestSecretIsNotInTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "registry.db")
	r := open(t, path, registry.Options{})
	ref := devices.Ref{Kind: devices.KindBattery, ID: "battery-that-signs-in"}
	if err := r.Enroll(t.Context(), []devices.Ref{ref}); err != nil {
		t.Fatal(err)
	}
	secret, err := r.SetCredential(t.Context(), ref, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	raw, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Contains(raw, []byte(ref.ID)) {
		t.Fatal("the file does not hold the device, so what follows shows nothing")
	}
	if bytes.Contains(raw, []byte(secret)) {
		t.Error("the file holds the secret")
	}
}

func TestSecretNeedsRandomness(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "registry.db"), registry.Options{Rand: bytes.NewReader(make([]byte, 47))})
	defer func() {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}()
	ref := devices.Ref{Kind: devices.KindStation, ID: "s"}
	if err := r.Enroll(t.Context(), []devices.Ref{ref}); err != nil {
		t.Fatal(err)
	}
	if secret, err := r.SetCredential(t.Context(), ref, ""); err == nil {
		t.Errorf("with one random byte too few: got secret %q, want an error", secret)
	}
}

func TestCloseTwice(t *testing.T) {
	r := open(t, filepath.Join(t.TempDir(), "registry.db"), registry.Options{})
	for range 2 {
		if err := r.Close(); err != nil {
			t.Errorf("Close: %v", err)
		}
	}
}

// What ingest asks for every message:
//
//	go test -run='^$' -bench=Directory -count=6 ./devices/registry | tee new.txt && benchstat new.txt
func BenchmarkDirectory(b *testing.B) {
	r := open(b, filepath.Join(b.TempDir(), "registry.db"), registry.Options{})
	defer func() { _ = r.Close() }()
	refs := make([]devices.Ref, 10_000)
	for i := range refs {
		refs[i] = devices.Ref{Kind: devices.KindBattery, ID: "battery-" + string(rune('a'+i%26)) + string(rune('a'+i/26%26)) + string(rune('a'+i/676))}
	}
	if err := r.Enroll(b.Context(), refs); err != nil {
		b.Fatal(err)
	}
	secret, err := r.SetCredential(b.Context(), refs[0], "")
	if err != nil {
		b.Fatal(err)
	}
	b.Run("call=lookup/devices=10000", func(b *testing.B) {
		i := 0
		for b.Loop() {
			if _, known := r.Lookup(refs[i%len(refs)]); !known {
				b.Fatal("not known")
			}
			i++
		}
	})
	b.Run("call=authenticate", func(b *testing.B) {
		for b.Loop() {
			if _, err := r.Authenticate(b.Context(), refs[0].ID, secret); err != nil {
				b.Fatal(err)
			}
		}
	})
}
