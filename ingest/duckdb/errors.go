package duckdb

import (
	"errors"
	"fmt"
	"strings"

	"github.com/fleetwatt/fleetwatt/devices/telemetry"
)

// classify tells what a retry may mend from what it will not. Some paths of
// the driver keep an error's text only, and a failed commit wraps its cause in
// text, so the text is looked at.
func classify(err error) error {
	if err == nil {
		return nil
	}
	text := err.Error()
	for _, sign := range []string{"IO Error", "Out of Memory Error", "FATAL Error", "TransactionContext Error"} {
		if strings.Contains(text, sign) {
			return fmt.Errorf("%w: %w", telemetry.ErrUnavailable, err)
		}
	}
	return err
}

// brief is err without DuckDB's stack trace, which tells an operator nothing.
func brief(err error) error {
	if err == nil {
		return nil
	}
	text, _, traced := strings.Cut(err.Error(), "\nStack Trace:")
	if !traced {
		return err
	}
	return errors.New(strings.TrimSpace(text))
}
