package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/spf13/cobra"

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
	client := &http.Client{Timeout: 30 * time.Second}
	for _, it := range all {
		if err := r.post(ctx, client, it); err != nil {
			return fmt.Errorf("register %s: %w", it.collection, err)
		}
	}
	return nil
}

// item is one entry of a collection of the API.
type item struct {
	collection string
	value      any
}

// body is the item without what the server sets itself.
func (it item) body() ([]byte, error) {
	b, err := json.Marshal(it.value)
	if err != nil {
		return nil, err
	}
	var m map[string]any
	if err := json.Unmarshal(b, &m); err != nil {
		return nil, err
	}
	delete(m, "created_at")
	delete(m, "updated_at")
	return json.Marshal(m)
}

func (r *registrar) post(ctx context.Context, client *http.Client, it item) error {
	body, err := it.body()
	if err != nil {
		return err
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, r.api+"/api/v1/"+it.collection, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Authorization", "Bearer "+r.key)
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 4096))
	if err != nil {
		return err
	}
	if res.StatusCode/100 == 2 || res.StatusCode == http.StatusConflict { // there already
		return nil
	}
	return fmt.Errorf("%s: %s", res.Status, answer)
}
