package app

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

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
		return duckdb.Open(ctx, cfg.Data, schema, duckdb.Options{
			Logger: log, MemoryLimit: fmt.Sprintf("%dMB", cfg.StoreMemoryMiB), SegmentRows: int64(cfg.StoreSegment), Retention: cfg.Retention,
		})
	}
	o := influx.Options{
		URL: cfg.InfluxURL, Token: cfg.InfluxToken, Org: cfg.InfluxOrg, Bucket: cfg.InfluxBucket,
		Timeout: cfg.InfluxTimeout, Logger: log, Schema: schema,
	}
	if user, password, ok := strings.Cut(cfg.InfluxToken, ":"); ok { // InfluxDB 1.8 with authentication
		o.Username, o.Token = user, password
	}
	// A database that is not there yet is waited for, as one that goes away later
	// is: devices keep what is not acknowledged.
	for pause := time.Second; ; pause = min(2*pause, 30*time.Second) {
		s, err := influx.Open(ctx, o)
		if !errors.Is(err, telemetry.ErrUnavailable) {
			return s, err
		}
		log.Error("InfluxDB can't be used; is it running, and are influx-url, influx-token and influx-bucket right?",
			"url", cfg.InfluxURL, "bucket", cfg.InfluxBucket, "retry_in", pause, "err", err)
		select {
		case <-time.After(pause):
		case <-ctx.Done():
			return nil, ctx.Err()
		}
	}
}

// compactionTrouble says why the embedded store can't seal; empty where it can.
// Readings are taken all the same until too many wait for it.
func (a *App) compactionTrouble(ctx context.Context) string {
	s, ok := a.store.(*duckdb.Store)
	if !ok {
		return ""
	}
	stats, err := s.Stats(ctx)
	if err != nil {
		return "" // told by the pipeline
	}
	return stats.Compaction.SealTrouble
}
