package app

import (
	"context"
	"errors"
	"fmt"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
	"github.com/fleetwatt/fleetwatt/fleet/ledger"
	"github.com/fleetwatt/fleetwatt/ingest"
)

// journal is the ledger, in the pipeline's words.
type journal struct{ *ledger.Ledger }

func (j journal) AppendEvents(ctx context.Context, events []telemetry.Event) (inserted int, err error) {
	inserted, err = j.Ledger.AppendEvents(ctx, events)
	if errors.Is(err, ledger.ErrRefused) {
		err = fmt.Errorf("%w: %w", ingest.ErrRefused, err)
	}
	return inserted, err
}
