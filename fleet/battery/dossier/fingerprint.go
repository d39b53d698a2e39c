package dossier

import (
	"fmt"
	"hash/fnv"
	"maps"
	"slices"
)

// Fingerprint is a number that changes with the rules and with Version.
func (r Rules) Fingerprint() uint64 {
	h := fnv.New64a() // which never fails to write
	models := r.Models
	r.Models = nil // laws hold functions; their names say which they are
	_, _ = fmt.Fprintf(h, "%s %+v", Version, r)
	for _, chemistry := range slices.Sorted(maps.Keys(models)) {
		_, _ = fmt.Fprintf(h, " %s=%s", chemistry, models[chemistry].Name)
	}
	return h.Sum64()
}

// Fingerprint is a number that changes with the sheet and with the rules, which
// are given by theirs.
func (s Sheet) Fingerprint(rules uint64) int64 {
	commissioned := int64(0)
	if !s.Commissioned.IsZero() {
		commissioned = s.Commissioned.UnixMilli()
	}
	h := fnv.New64a()
	_, _ = fmt.Fprintf(h, "%d %v %v %q %d", rules, s.Ratings, s.RatedEnergyWh, s.Chemistry, commissioned)
	return int64(h.Sum64())
}
