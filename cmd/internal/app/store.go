package app

import (
	"context"
	"fmt"
	"log/slog"
	"strings"

	"github.com/fleetwatt/fleetwatt/cmd/internal/config"
	"github.com/fleetwatt/fleetwatt/devices"
	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/ingest/duckdb"
	"github.com/fleetwatt/fleetwatt/ingest/influx"
)

// store is a telemetry store that the app has opened.
type store interface {
	telemetry.Appender
	telemetry.Reader
	Close() error
}

func openStore(ctx context.Context, cfg config.Config, schema *devices.Schema, log *slog.Logger) (store, error) {
	if cfg.InfluxURL == "" {
		return duckdb.Open(ctx, cfg.Data, schema, duckdb.Options{Logger: log, MemoryLimit: fmt.Sprintf("%dMB", cfg.StoreMemoryMiB)})
	}
	o := influx.Options{
		URL: cfg.InfluxURL, Token: cfg.InfluxToken, Org: cfg.InfluxOrg, Bucket: cfg.InfluxBucket,
		Timeout: cfg.InfluxTimeout, Logger: log, Schema: schema,
	}
	if user, password, ok := strings.Cut(cfg.InfluxToken, ":"); ok { // InfluxDB 1.8 with authentication
		o.Username, o.Token = user, password
	}
	return influx.Open(ctx, o)
}
