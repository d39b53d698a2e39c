package app

import (
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
	"github.com/fleetwatt/fleetwatt/devices/database/pgtest"
)

// Over one database, one server at a time keeps its readings in an embedded store;
// and none starts beside a registry in a file that it would not look at.
func TestServersOverOneDatabase(t *testing.T) {
	where := pgtest.Start(t).Database()
	start := func(dir string) (*App, error) {
		cfg := config.Default()
		cfg.Data, cfg.Database, cfg.HTTPListen, cfg.MQTTListen = dir, where, "127.0.0.1:0", "127.0.0.1:0"
		return New(t.Context(), cfg, "test", slog.New(slog.DiscardHandler))
	}
	refused := func(what, dir, why string) {
		t.Helper()
		a, err := start(dir)
		if err == nil {
			_ = a.Close()
		}
		if err == nil || !strings.Contains(err.Error(), why) {
			t.Errorf("%s: got %v, want it refused because of %s", what, err, why)
		}
	}
	before := t.TempDir()
	if err := os.WriteFile(filepath.Join(before, "registry.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	refused("an empty database beside a file", before, "registry.db")
	one, err := start(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	refused("a second embedded store", t.TempDir(), "embedded store")
	if err := one.Close(); err != nil {
		t.Error(err)
	}
	other, err := start(t.TempDir())
	if err != nil {
		t.Fatalf("after the first: %v", err)
	}
	if err := other.Close(); err != nil {
		t.Error(err)
	}
}
