package choose

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/fleetwatt/fleetwatt/fleet/energy"
	"github.com/fleetwatt/fleetwatt/fleet/energy/caltrack"
	"github.com/fleetwatt/fleetwatt/fleet/energy/changepoint"
	"github.com/fleetwatt/fleetwatt/fleet/energy/smooth"
	"github.com/fleetwatt/fleetwatt/fleet/energy/towt"
)

// Stored reads a model of this package's fitters that was stored as JSON. It
// predicts to the bit what the model predicted that was stored. The error is for
// an id or for bytes that are none of a model.
func Stored(id string, raw []byte) (energy.Model, error) {
	var m energy.Model
	switch id {
	case caltrack.DailyModel, caltrack.BillingModel:
		m = new(caltrack.DegreeDay)
	case caltrack.HourlyModel:
		m = new(caltrack.Hourly)
	case towt.DailyModel, towt.HourlyModel, towt.WeightedModel:
		m = new(towt.Model)
	case smooth.ID:
		m = new(smooth.Model)
	default:
		if !strings.HasPrefix(id, "changepoint-") {
			return nil, fmt.Errorf("stored model: no model %q", id)
		}
		m = new(changepoint.Model)
	}
	if err := json.Unmarshal(raw, m); err != nil {
		return nil, fmt.Errorf("stored model %s: %w", id, err)
	}
	if got := m.Describe().Model; got != id {
		return nil, fmt.Errorf("stored model %s: it is one of %q", id, got)
	}
	return m, nil
}

// Versions names the rules of the choice and of every model: where it differs, a
// stored choice or model may not be what would be made now.
func Versions() string {
	return strings.Join([]string{
		Version, caltrack.DailyVersion, caltrack.BillingVersion, caltrack.HourlyVersion, changepoint.Version, towt.Version, smooth.Version,
	}, " ")
}
