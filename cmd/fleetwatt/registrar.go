package main

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/spf13/cobra"

	"github.com/fleetwatt/fleetwatt/cmd/internal/client"
	"github.com/fleetwatt/fleetwatt/simulator"
)

// registrar registers simulated devices with a server over its API, so that
// they have owners and ratings there.
type registrar struct {
	api, key string
}

func (r *registrar) bind(cmd *cobra.Command) {
	cmd.Flags().StringVar(&r.api, "api", "", "URL of a fleetwatt API to register the devices with; empty: leave them to be found as unclaimed")
	cmd.Flags().StringVar(&r.key, "admin-key", "", "admin key of that API")
}

func (r *registrar) register(ctx context.Context, inv simulator.Inventory) error {
	if r.api == "" {
		return nil
	}
	var all []item
	for _, o := range inv.Owners {
		all = append(all, item{"owners", map[string]any{"id": o.ID, "name": o.Name}})
	}
	for _, s := range inv.Sites {
		all = append(all, item{"sites", s})
	}
	for _, s := range inv.Stations {
		all = append(all, item{"stations", s})
	}
	for _, b := range inv.Batteries {
		all = append(all, item{"batteries", b})
	}
	for _, b := range inv.Buildings {
		all = append(all, item{"buildings", b})
	}
	c, err := client.New(r.api, r.key)
	if err != nil {
		return fmt.Errorf("api: %w", err)
	}
	c.Named("--api", "--admin-key")
	for _, it := range all {
		body, err := it.body()
		if err == nil {
			_, err = c.Call(ctx, http.MethodPost, "/"+it.collection, nil, body, nil)
		}
		if err != nil && !refusedWith(err, http.StatusConflict) { // there already
			return fmt.Errorf("register %s: %w", it.collection, err)
		}
	}
	return declare(ctx, c, inv.Batteries)
}

// item is one entry of a collection of the API.
type item struct {
	collection string
	value      any
}

// body is the item without what the server sets itself.
func (it item) body() (map[string]any, error) {
	b, err := json.Marshal(it.value)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	err = json.Unmarshal(b, &m)
	delete(m, "created_at")
	delete(m, "updated_at")
	return m, err
}
